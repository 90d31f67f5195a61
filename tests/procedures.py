# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Ways to run the procedures against an estate: in this process over pywinrm, or through ansible-playbook."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import yaml
from patience import LONG

from ansible_collections.hybrid.identity.plugins.module_utils._deadline import Deadline
from ansible_collections.hybrid.identity.plugins.module_utils._failure import HybridIdentityError
from ansible_collections.hybrid.identity.plugins.module_utils._passwords import _inform, _synchronise
from ansible_collections.hybrid.identity.plugins.module_utils._passwords._options import PASSWORD_OPTIONS
from ansible_collections.hybrid.identity.plugins.module_utils._remote._call import RemoteShell
from ansible_collections.hybrid.identity.plugins.module_utils._remote._winrm import WinrmOptions, WinrmTransport
from ansible_collections.hybrid.identity.plugins.module_utils._scheduler import _schedule
from ansible_collections.hybrid.identity.plugins.module_utils._scheduler._options import SCHEDULER_OPTIONS
from ansible_collections.hybrid.identity.plugins.module_utils._sync import _trigger
from ansible_collections.hybrid.identity.plugins.module_utils._sync._options import INFO_OPTIONS, TRIGGER_OPTIONS
from lab.estate import ACCOUNTS, Estate

VIEW = next(Path(entry).resolve() for entry in sys.path if (Path(entry) / "ansible_collections" / "hybrid").is_dir())


def lately() -> str:
    """Half a minute ago, ISO 8601: farther back than what a busy machine leaves open of two clocks, so that a cycle from now on covers it."""
    return (datetime.now(timezone.utc) - timedelta(seconds=30)).isoformat()


def open_shell(estate: Estate, user: str = "svc-sync", seconds: float = 60, **changes: Any) -> RemoteShell:
    """A remote shell to the estate's sync server over pywinrm, NTLM with encrypted messages, for so many seconds."""
    options: dict[str, Any] = {
        "server": "127.0.0.1",
        "username": user,
        "password": ACCOUNTS[user][0],
        "port": estate.wsman.http_port,
        "use_tls": False,
    }
    return RemoteShell(WinrmTransport(WinrmOptions(**{**options, **changes})), Deadline(seconds))


def trigger(
    estate: Estate,
    user: str = "svc-sync",
    *,
    check_mode: bool = False,
    progress: Any = None,
    connect: dict[str, Any] | None = None,
    **params: Any,
) -> dict[str, Any]:
    """dirsync_trigger in this process; a failure comes back as its result."""
    seconds = params.get("wait_timeout", LONG)
    return trigger_over(
        [("sync1", open_shell(estate, user, seconds or 1, **(connect or {})))], check_mode=check_mode, progress=progress, **params
    )


def trigger_over(shells: list[tuple[str, RemoteShell]], *, check_mode: bool = False, progress: Any = None, **params: Any) -> dict[str, Any]:
    """dirsync_trigger over given shells, which are closed."""
    defaults = {name: option.get("default") for name, option in TRIGGER_OPTIONS.items()}
    defaults.update(wait_timeout=LONG, wait_sleep=0.1)
    try:
        return _trigger.trigger(
            shells, {**defaults, **params}, now=datetime.now(timezone.utc), check_mode=check_mode, progress=progress or (lambda line: None)
        )
    except HybridIdentityError as error:
        return error.as_result()
    finally:
        for _name, shell in shells:
            shell.close()


def passwords(
    estate: Estate,
    user: str = "svc-password",
    *,
    check_mode: bool = False,
    progress: Any = None,
    shell: RemoteShell | None = None,
    now: datetime | None = None,
    **params: Any,
) -> dict[str, Any]:
    """aad_password_sync in this process; a failure comes back as its result."""
    defaults = {name: option.get("default") for name, option in PASSWORD_OPTIONS.items()}
    defaults.update(wait_timeout=LONG, wait_sleep=0.1, quiet_period=2)
    shell = shell or open_shell(estate, user, params.get("wait_timeout", LONG))
    try:
        return _synchronise.synchronise(
            [("sync1", shell)],
            {**defaults, **params},
            now=now or datetime.now(timezone.utc),
            check_mode=check_mode,
            progress=progress or (lambda line: None),
        )
    except HybridIdentityError as error:
        return error.as_result()
    finally:
        shell.close()


def schedule(
    estate: Estate, user: str = "svc-password", *, check_mode: bool = False, progress: Any = None, **params: Any
) -> dict[str, Any]:
    """dirsync_scheduler in this process; a failure comes back as its result."""
    defaults = {name: option.get("default") for name, option in SCHEDULER_OPTIONS.items()}
    shell = open_shell(estate, user, max(params.get("wait_timeout", 120), 1))
    try:
        return _schedule.schedule(
            [("sync1", shell)],
            {**defaults, "wait_timeout": 120, **params},
            now=datetime.now(timezone.utc),
            check_mode=check_mode,
            progress=progress or (lambda line: None),
        )
    except HybridIdentityError as error:
        return error.as_result()
    finally:
        shell.close()


def inform(estate: Estate, user: str = "svc-sync", **params: Any) -> dict[str, Any]:
    """dirsync_info in this process, without the health of the password channels unless asked for; a failure comes back as its result."""
    defaults = {**{name: option.get("default") for name, option in INFO_OPTIONS.items()}, "password_sync": False}
    shell = open_shell(estate, user)
    try:
        return _inform.inform(shell, {**defaults, **params}, now=datetime.now(timezone.utc))
    except HybridIdentityError as error:
        return error.as_result()
    finally:
        shell.close()


def run_playbook(
    folder: Path, inventory: dict[str, Any], plays: list[dict[str, Any]] | Path, *arguments: str, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run ansible-playbook on plays (or a playbook file) in a folder of its own."""
    inventory_file = folder / "inventory.yml"
    inventory_file.write_text(yaml.safe_dump(inventory, allow_unicode=True), encoding="utf-8")
    playbook = plays if isinstance(plays, Path) else folder / "playbook.yml"
    if not isinstance(plays, Path):
        playbook.write_text(yaml.safe_dump(plays, allow_unicode=True), encoding="utf-8")
    variables = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(VIEW),
        "ANSIBLE_ACTION_PLUGINS": str(Path(__file__).parent / "ansible_plugins" / "action"),
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_HOME": str(folder / "ansible"),
        "ANSIBLE_RETRY_FILES_ENABLED": "False",
        **(environment or {}),
    }
    program = Path(sys.executable).with_name("ansible-playbook")
    command = [str(program), "-i", str(inventory_file), str(playbook), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=variables, cwd=folder, check=False, timeout=300)


def task_results(
    folder: Path,
    inventory: dict[str, Any],
    hosts: str,
    *tasks: dict[str, Any],
    arguments: tuple[str, ...] = (),
    defaults: dict[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """Run tasks through ansible-playbook, with module_defaults if wanted; the result of each, failures included."""
    written = []
    steps: list[dict[str, Any]] = []
    for number, task in enumerate(tasks):
        file = folder / f"result-{number}.json"
        written.append(file)
        steps.append({**task, "register": f"result_{number}", "ignore_errors": True})
        steps.append({"keep": {"path": str(file), "value": f"{{{{ result_{number} | to_json }}}}"}, "diff": False, "become": False})
    play = {"hosts": hosts, "gather_facts": False, "module_defaults": defaults or {}, "tasks": steps}
    for file in written:
        file.unlink(missing_ok=True)
    done = run_playbook(folder, inventory, [play], *arguments)
    missing = [file for file in written if not file.exists()]
    assert not missing, done.stdout + done.stderr
    return [json.loads(file.read_text()) for file in written]
