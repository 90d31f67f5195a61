# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""One contract for every connection: the same cases over each connection plugin with each way to sign in, and over pywinrm."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import connections
import procedures
import pytest
from connections import WAYS
from estates import POWERSHELL
from loopback import own_address
from patience import FOR_EVER, ends, wait_until

from ansible_collections.hybrid.identity.plugins.module_utils._deadline import Deadline
from ansible_collections.hybrid.identity.plugins.module_utils._remote._call import RemoteShell
from ansible_collections.hybrid.identity.plugins.module_utils._remote._shape import anything
from ansible_collections.hybrid.identity.plugins.module_utils._remote._transport import AuthenticationFailed, TransportError
from lab import kerberos
from lab.certificates import make_authority
from lab.connections import CONNECTIONS
from lab.directory import SambaDirectory
from lab.estate import ACCOUNTS, Estate, EstateOptions, default_cache

#: repeats a text; the answer is as large as somebody wants it
ECHO = "param($p)\n@{ text = $p.text * [int]$p.times }"
HOSTILE = "Zürich Łódź 東京 😀 'quoted' \"twice\" %PATH% `t $(1) & | ^ \u2028 \u0085 \x0b end"


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RemoteShell, "RETRY_PAUSES", (0.05, 0.1, 0.2))


@pytest.fixture(scope="module")
def realm() -> Iterator[None]:
    """A realm that this process is a member of, while the tests of this file run."""
    if kerberos.missing():
        yield
        return
    cache = default_cache()
    directory = SambaDirectory(cache / "directory", make_authority(cache / "authority"), own_address(88), kerberos=True)
    directory.start()
    try:
        with kerberos.realm(directory.configuration, directory.address, {name: account[0] for name, account in ACCOUNTS.items()}):
            yield
    finally:
        directory.stop()


Start = Callable[..., Estate]


@pytest.fixture
def start(realm: None) -> Iterator[Start]:
    """Starts estates that can be got at over every connection, and looks at the lab's own failures in the end."""
    with contextlib.ExitStack() as stack:

        def one(**options: Any) -> Estate:
            defaults: dict[str, Any] = {"directory": False, "tenant": False, "cycle_seconds": 0.6, "powershell": "none", "ssh": True}
            estate = stack.enter_context(Estate(EstateOptions(**{**defaults, **options})))
            estates.append(estate)
            return estate

        estates: list[Estate] = []
        yield one
        for estate in estates:
            assert estate.wsman.log.failures == []
            assert estate.ssh.log.failures == []


def _shell(estate: Estate, way: str, user: str = "svc-sync", seconds: float = 20, **changes: Any) -> RemoteShell:
    return RemoteShell(connections.transport(estate, way, user, **changes), Deadline(seconds))


def _trigger(estate: Estate, way: str, user: str = "svc-sync", *, change: dict[str, Any] | None = None, **params: Any) -> dict[str, Any]:
    return procedures.trigger_over([("sync1", _shell(estate, way, user, params.get("wait_timeout", 20), **(change or {})))], **params)


def _commands(estate: Estate) -> int:
    return estate.wsman.log.commands_started + int(estate.ssh.log.commands_started)


def _nothing_is_left(estate: Estate) -> None:
    """No task, no file, no shell and no connection stays; what is given back in the background has a moment for it."""
    with contextlib.suppress(AssertionError):
        wait_until(lambda: not any(estate.left_behind().values()) and not estate.ssh.open_connections)
    assert not any(estate.left_behind().values()), estate.left_behind()
    assert estate.ssh.open_connections == 0


def _normal(start: Start, way: str) -> None:
    estate = start()
    result = _trigger(estate, way)
    assert (result["changed"], result["sync"]["ownership"], result["sync"]["state"]) == (True, "own", "verified"), result
    assert len(estate.sync.cycles) == 1
    _nothing_is_left(estate)


def _wrong_password(start: Start, way: str) -> None:
    """Told as what it is, and tried once: every further try brings the account nearer to being locked."""
    estate = start()
    result = _trigger(estate, way, change={"password": "Wrong-Passw0rd.Lab1"})
    assert (result["failed"], result["failure_reason"], result["changed"]) == (True, "authentication_failed", False), result
    assert "svc-sync" in result["msg"] or kerberos.REALM in result["msg"]
    assert "Wrong-Passw0rd" not in str(result)
    assert _commands(estate) == 0
    assert estate.ssh.log.connections <= 1


def _not_let_in(start: Start, way: str) -> None:
    """A WinRM listener knows the account and says no; sshd does not say which of the two it is, and neither do we."""
    estate = start()
    result = _trigger(estate, way, "svc-noremoting")
    reason = "authentication_failed" if way.startswith("ssh") else "remoting_denied"
    assert (result["failed"], result["failure_reason"]) == (True, reason), result
    assert "let" in result["msg"]
    assert _commands(estate) == 0


def _drops(start: Start, way: str, **where: Any) -> None:
    estate = start()
    estate.sync.faults.arm("connection", fault="cut", **where)
    result = _trigger(estate, way)
    assert estate.sync.faults.armed() == [], "the connection was cut"
    assert (result["changed"], result["sync"]["state"]) == (True, "verified"), result
    assert len(estate.sync.cycles) == 1, "the start is not repeated"
    estate.sync.faults.clear()
    _nothing_is_left(estate)


def _drops_during_start(start: Start, way: str) -> None:
    _drops(start, way, cmdlet="Start-ADSyncSyncCycle", moment="after")


def _drops_during_watch(start: Start, way: str) -> None:
    _drops(start, way, phase=1, moment="within")


def _drops_during_report(start: Start, way: str) -> None:
    _drops(start, way, cmdlet="Start-ScheduledTask", moment="after")


def _echo(start: Start, way: str, text: str, times: int, powershell: str) -> None:
    estate = start(powershell=powershell)
    if powershell == "none":
        estate.host._fake = lambda caller, document: lambda p: {"text": p["text"] * p["times"]}  # type: ignore[method-assign]
    shell = _shell(estate, way, seconds=60)
    try:
        answer = shell.call("echo", ECHO, {"text": text, "times": times}, shape=anything, timeout=30, repeatable=False)
    finally:
        shell.close()
    assert answer.data["text"] == text * times
    _nothing_is_left(estate)


def _large(start: Start, way: str) -> None:
    for powershell in filter(None, ("none", POWERSHELL)):
        _echo(start, way, "0123456789", 30_000, powershell)


def _non_ascii(start: Start, way: str) -> None:
    for powershell in filter(None, ("none", POWERSHELL)):
        _echo(start, way, HOSTILE, 3, powershell)


class _Alarm(BaseException):
    """What the keyword `timeout` raises in the middle of a task."""


def _cancelled(start: Start, way: str) -> None:
    """In the middle of a call. The task ends, and what it had opened is given back, also what still runs there."""
    estate = start(cycle_seconds=FOR_EVER)

    def raise_alarm(*_arguments: object) -> None:
        raise _Alarm

    before = signal.signal(signal.SIGUSR1, raise_alarm)
    here = threading.get_ident()

    def interrupt() -> None:
        wait_until(lambda: estate.sync.engine.in_progress)
        time.sleep(0.5)
        signal.pthread_kill(here, signal.SIGUSR1)

    alarm = threading.Thread(target=interrupt)
    try:
        alarm.start()
        with ends(), pytest.raises(_Alarm):
            _trigger(estate, way, wait_timeout=FOR_EVER)
    finally:
        alarm.join()
        signal.signal(signal.SIGUSR1, before)
    assert len(estate.sync.cycles) == 1, "the engine goes on"
    _nothing_is_left(estate)


CASES: dict[str, Callable[[Start, str], None]] = {
    "normal": _normal,
    "wrong password": _wrong_password,
    "not let in": _not_let_in,
    "drops during start": _drops_during_start,
    "drops during watch": _drops_during_watch,
    "drops during report": _drops_during_report,
    "300 KB": _large,
    "non-ASCII": _non_ascii,
    "cancelled": _cancelled,
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("way", WAYS)
def test_every_connection_keeps_the_contract(way: str, case: str, start: Start, record_property: Callable[[str, object], None]) -> None:
    record_property("connection cell", [way, case, connections.why_not(way)])
    if connections.why_not(way):
        pytest.skip(connections.why_not(way))
    CASES[case](start, way)


def test_a_start_outlives_what_it_came_over(start: Start) -> None:
    """The runspace, the shell or the session is closed right after the start; the cycle runs to its end."""
    for way in (way for way in WAYS if not connections.why_not(way)):
        estate = start(cycle_seconds=0.5)
        result = _trigger(estate, way, wait=False)
        assert result["changed"] is True, (way, result)
        _nothing_is_left(estate)
        wait_until(lambda estate=estate: estate.sync.cycles[0].finished, way)


@pytest.mark.parametrize("way", ["ssh cmd", "ssh powershell"])
def test_retries_of_ssh_do_not_repeat_a_start(way: str, start: Start) -> None:
    """ansible_ssh_retries repeats whatever was under way when the connection broke, also what had been done."""
    estate = start()
    estate.sync.faults.arm("connection", fault="cut", cmdlet="Start-ADSyncSyncCycle", moment="after")
    before = _commands(estate)
    result = _trigger(estate, way, change={"ansible_ssh_retries": 3})
    assert result["sync"]["state"] == "verified", result
    scripts = [record.stdin for record in estate.ssh.log.audit]
    assert len(scripts) - before == len(set(scripts)), "no call was sent twice: each has a marker of its own"
    assert len(estate.sync.cycles) == 1


def test_a_connection_of_ssh_that_is_shared_and_breaks(start: Start) -> None:
    """As ansible-core sets ssh up by itself: the first call opens a connection, and later ones go over it."""
    estate = start()
    known = CONNECTIONS["ssh cmd"].variables(estate, "svc-sync", "")["ansible_ssh_args"].replace("ControlMaster=no", "ControlMaster=auto")
    shared = {"ansible_ssh_args": f"{known} -o ControlPersist=60s -o ControlPath={estate.host.temp}/%C"}
    estate.sync.faults.arm("connection", fault="cut", cmdlet="Start-ADSyncSyncCycle", moment="after")
    result = _trigger(estate, "ssh cmd", change=shared)
    assert (result["changed"], result["sync"]["state"]) == (True, "verified"), result
    assert len(estate.sync.cycles) == 1
    estate.ssh.cut_connections()
    refused = _trigger(estate, "ssh cmd", "svc-noremoting", change=shared)
    assert refused["failure_reason"] == "authentication_failed", refused


@pytest.mark.parametrize(("changes", "reason", "words"), [
    ({"ansible_port": 9}, "unreachable", "refused the connection"),
    ({"ansible_ssh_args": "-F /dev/null -o UserKnownHostsFile=/dev/null -o ControlMaster=no"}, "unreachable", "host key"),
    ({"ansible_host": "no-such-host.invalid"}, "unreachable", "does not resolve"),
])  # fmt: skip
def test_ssh_that_cannot_begin_says_why(changes: dict[str, Any], reason: str, words: str, start: Start) -> None:
    estate = start()
    result = _trigger(estate, "ssh cmd", change=changes)
    assert (result["failed"], result["failure_reason"]) == (True, reason)
    assert words in result["msg"], result["msg"]
    assert _commands(estate) == 0


def test_a_host_key_that_is_not_checked_is_warned_of(start: Start) -> None:
    estate = start()
    assert connections.transport(estate, "ssh cmd").warnings == []
    (warning,) = connections.transport(estate, "ssh cmd", ansible_host_key_checking=False).warnings
    assert "host key" in warning


@pytest.mark.parametrize("way", ["winrm credssp", "psrp credssp", "psrp ntlm", "pywinrm credssp"])
def test_a_listener_that_does_not_offer_what_is_asked_for_is_told_apart(way: str, start: Start) -> None:
    """CredSSP is switched off on a server that nobody has changed."""
    if connections.why_not(way):
        pytest.skip(connections.why_not(way))
    estate = start()
    estate.wsman.offers = ("Basic",)
    shell = _shell(estate, way)
    with pytest.raises(AuthenticationFailed, match="does not offer") as caught:
        shell.call("echo", ECHO, {}, shape=anything, timeout=5, repeatable=True)
    shell.close()
    assert caught.value.remedy and "Enable-WSManCredSSP" in caught.value.remedy


@pytest.mark.parametrize("way", [way for way in WAYS if not way.startswith("ssh")])
def test_a_call_that_hangs_is_given_up_and_its_shell_given_back(way: str, start: Start) -> None:
    """Also where messages are sealed: the goodbye is sealed for a connection of its own."""
    if connections.why_not(way):
        pytest.skip(connections.why_not(way))
    estate = start()
    shell = _shell(estate, way)
    estate.faults.arm("hang", verb="Receive", seconds=20, skip=1 if way.startswith("psrp") else 0)
    with pytest.raises(TransportError):
        shell.call("echo", ECHO, {}, shape=anything, timeout=1, repeatable=False)
    shell.close()
    _nothing_is_left(estate)


def test_every_connection_through_a_playbook(start: Start, tmp_path: Path) -> None:
    """One play over all of them at once; each host is another connection to the same server."""
    estate = start(cycle_seconds=0.4)
    ways = [way for way in CONNECTIONS if not connections.why_not(way) and way != "ssh powershell"]
    for chosen in (ways, ["ssh powershell"]):
        hosts = {way.replace(" ", "-"): CONNECTIONS[way].variables(estate, "svc-sync", ACCOUNTS["svc-sync"][0]) for way in chosen}
        tasks = [
            {"hybrid.identity.dirsync_trigger": {"wait_timeout": 60}, "register": "done"},
            {
                "ansible.builtin.assert": {
                    "that": ["done.engine == 'connect'", "done.sync.state == 'verified'", "done.failure_reason is none"]
                }
            },
        ]
        inventory = {"sync_servers": {"hosts": hosts}}
        done = procedures.run_playbook(tmp_path, inventory, [{"hosts": "sync_servers", "gather_facts": False, "tasks": tasks}], "-f", "4")
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.count("failed=0") == len(chosen)
    _nothing_is_left(estate)
