# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The command `lab`: starts a simulated estate, and shows the collection at work in it."""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import yaml

DESCRIPTION = """
A simulated estate on loopback, for trying the collection, for tests and for your own CI, with no Windows:
  - a sync server that speaks WS-Management (basic and NTLM, encrypted messages, https) with Entra Connect Sync 2.6 behind it,
    or with an older engine (--engine);
    where PowerShell is found (HYBRID_IDENTITY_PWSH, else pwsh on PATH) it runs the collection's own scripts, else short fakes of them;
  - a real Samba Active Directory domain controller (lab.test) that it imports from;
  - an Entra ID server for the Microsoft Graph calls, which it exports to.

  lab up          start an estate, print its inventory, run until Ctrl+C (or until the parent process ends)
  lab demo        start an estate and onboard the twelve people of a sample CSV file, twice
  lab tell        speak to a running estate: lab tell '{"do": "fault", "name": "slow_start", "seconds": 5}'
  lab faults      list the faults that can be switched on by name
  lab engines     list the generations of the sync engine that --engine takes
"""
_PR_SET_PDEATHSIG = 1


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    options = _parser().parse_args(arguments)
    return int(options.run(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lab", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="start an estate")
    up.add_argument("--inventory", type=Path, help="write the inventory to this file too")
    up.add_argument("--pid-file", type=Path, help="write the process id here, and go on when the parent process ends")
    up.add_argument("--control", type=Path, help="socket for `lab tell` (default: lab.socket in the cache folder)")
    _estate_arguments(up)
    up.set_defaults(run=_up)
    demo = commands.add_parser("demo", help="onboard twelve people")
    _estate_arguments(demo)
    demo.set_defaults(run=_demo, cycle_seconds=5.0)
    tell = commands.add_parser("tell", help="speak to a running estate")
    tell.add_argument(
        "question", help='JSON, for example \'{"do": "set", "staging": true}\'; verbs: set, fault, cycle, cycles, stats, record'
    )
    tell.add_argument("--control", type=Path, help="its socket")
    tell.set_defaults(run=_tell)
    faults = commands.add_parser("faults", help="list the faults")
    faults.set_defaults(run=_list_faults)
    engines = commands.add_parser("engines", help="list the engine generations")
    engines.set_defaults(run=_list_engines)
    return parser


def _estate_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--cache", type=Path, help="folder for certificates and the directory's template (default: ~/.cache/hybrid-identity-lab)"
    )
    parser.add_argument("--no-directory", action="store_true", help="no Active Directory: cycles import nothing")
    parser.add_argument("--no-tenant", action="store_true", help="no Entra ID: exports go nowhere")
    parser.add_argument(
        "--engine", default="connect", help="generation of the sync engine: one that `lab engines` lists (default: %(default)s)"
    )
    parser.add_argument("--cycle-seconds", type=float, default=20.0, help="how long a cycle takes (default: %(default)s)")
    parser.add_argument("--powershell", default="", help="path of a PowerShell engine, or `none` (default: look for one)")
    parser.add_argument("--clock-offset", type=float, default=0.0, help="seconds by which the sync server's clock is ahead")
    parser.add_argument("--language", choices=["en", "de"], default="en", help="language of the sync server")
    parser.add_argument(
        "--directory-address", default="127.0.0.53", help="loopback address of the domain controller (default: %(default)s)"
    )


def _estate(options: argparse.Namespace):  # type: ignore[no-untyped-def]  # Estate is imported late: --help stays quick
    from lab.estate import Estate, EstateOptions, default_cache

    return Estate(
        EstateOptions(
            cache=options.cache or default_cache(),
            directory=not options.no_directory,
            tenant=not options.no_tenant,
            directory_address=options.directory_address,
            powershell=options.powershell,
            cycle_seconds=options.cycle_seconds,
            engine=options.engine,
            clock_offset=options.clock_offset,
            language=options.language,
            culture="de-DE" if options.language == "de" else "en-US",
        )
    )


def _control_path(options: argparse.Namespace) -> Path:
    from lab.estate import default_cache

    return options.control or default_cache() / "lab.socket"


def _end_with_parent() -> None:
    """Ask the kernel for a SIGTERM when the parent process ends, however it ends."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)


def _up(options: argparse.Namespace) -> int:
    began = time.monotonic()
    if options.pid_file is None:
        _end_with_parent()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    estate = _start(options)
    if estate is None:
        return 1
    from lab.control import Control

    with contextlib.ExitStack() as stack:
        stack.callback(estate.stop)
        control = Control(estate, _control_path(options))
        control.start()
        stack.callback(control.stop)
        text = yaml.safe_dump(estate.inventory(), allow_unicode=True, sort_keys=False)
        if options.inventory is not None:
            _write_private(options.inventory, text)
        if options.pid_file is not None:
            options.pid_file.write_text(f"{os.getpid()}\n")
            stack.callback(options.pid_file.unlink, missing_ok=True)
        print(text, flush=True)
        print(
            f"# ready after {time.monotonic() - began:.1f} s; scripts run with {estate.host.mode}; speak to it with: lab tell --control {control.path}",
            flush=True,
        )
        stop.wait()
    return 0


def _start(options: argparse.Namespace):  # type: ignore[no-untyped-def]
    """A started estate, or None after one sentence on standard error."""
    estate = _estate(options)
    try:
        estate.start()
    except (OSError, RuntimeError, ValueError) as error:
        print(f"lab: {error}", file=sys.stderr)
        return None
    return estate


def _write_private(path: Path, text: str) -> None:
    """The inventory holds the lab's passwords; real ones would be vaulted, and the habit is the same."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def _demo(options: argparse.Namespace) -> int:
    from lab.demo import run_demo

    _end_with_parent()
    estate = _start(options)
    if estate is None:
        return 1
    try:
        return run_demo(estate)
    finally:
        estate.stop()


def _tell(options: argparse.Namespace) -> int:
    from lab.control import tell

    try:
        answer = tell(_control_path(options), json.loads(options.question))
    except (OSError, ValueError) as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    print(json.dumps(answer, indent=2))
    return 0 if answer.get("ok") else 1


def _list_faults(options: argparse.Namespace) -> int:
    from lab.connect import FAULTS
    from lab.fim import FIM_FAULTS
    from lab.wsman.faults import NAMES as ROAD_FAULTS

    for heading, faults in (("on the sync engine:", FAULTS), ("on the engines dirsync*, aadsync* and aad-connect-1.0:", FIM_FAULTS)):
        print(heading)
        for name, words in faults.items():
            print(f"  {name:30} {words}")
    print("on the transport to it (all take times, verb, after):")
    for name in sorted(ROAD_FAULTS):
        print(f"  {name}")
    return 0


def _list_engines(options: argparse.Namespace) -> int:
    from lab.engines import ENGINES

    for name, make in ENGINES.items():
        print(f"{name:18} {make().product_version}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
