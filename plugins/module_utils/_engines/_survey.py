# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What a server that lacks the wanted engine has instead, and what every engine reads of a survey. Private to the collection."""

from __future__ import annotations

from typing import Any, Mapping

from .._failure import HybridIdentityError
from .._remote._call import RemoteError, RemoteShell
from ._answers import SURVEY_ANSWER, read_survey
from ._contract import Survey
from ._retirement import version_numbers
from ._windows_scripts import SURVEY_ALONE

#: the first build with a scheduler of its own, in the module and not in Windows
_FIRST_WITH_SCHEDULER = (1, 1, 105, 0)
#: a service's status (System.ServiceProcess.ServiceControllerStatus.Running)
RUNNING = 4

_OTHERS = (
    (
        ("FIMSynchronizationService",),
        "it runs Forefront or Microsoft Identity Manager alone, which is not a sync engine of Entra ID",
    ),
    (("MSOnlineSyncScheduler",), "it has the scheduler of DirSync, and not the service FIMSynchronizationService that does its work"),
    (
        ("AADConnectProvisioningAgent",),
        "it runs the Entra Cloud Sync agent alone, which is driven through Microsoft Graph and not through this server",
    ),
)


def look_around(shell: RemoteShell) -> tuple[Survey, dict[str, str]]:
    """A call that only looks what is installed: the survey, and the parts that could not be read with the reason."""
    answer = shell.call("survey", SURVEY_ALONE, {}, shape=SURVEY_ANSWER, timeout=60, repeatable=True)
    return read_survey(answer.data["survey"], answer.bits, None), sentences(answer.data["problems"])


def not_here(survey: Survey, wanted: str, actual: str | None) -> HybridIdentityError:
    """The failure for a server without any engine that was looked for.

    Args:
        wanted: auto, or the name of the one engine that would have done. actual: the name of the one that it has.
    """
    if actual is not None:
        return HybridIdentityError("not_a_sync_server", f"This server does not have the engine {wanted}: it runs {actual}.")
    for names, words in _OTHERS:
        if all(name in survey.services for name in names):
            return HybridIdentityError("not_a_sync_server", f"This server has no sync engine that can be driven: {words}.")
    return HybridIdentityError(
        "not_a_sync_server", "This server has no sync engine: neither the ADSync service nor an older engine is installed."
    )


def has_scheduler(survey: Survey) -> bool:
    """Whether a server with the service ADSync has the scheduler in its module: 1.1.105 and later, whatever lies about from before."""
    numbers = version_numbers(survey.wizard_version)
    if numbers is not None:
        return numbers >= _FIRST_WITH_SCHEDULER
    if survey.scheduler is not None:
        return survey.scheduler
    return survey.wizard or not survey.exe


def services_of(survey: Survey) -> dict[str, str | None]:
    """Services in words: running, stopped, or None where they may not be read."""
    return {name: None if status is None else ("running" if status == RUNNING else "stopped") for name, status in survey.services.items()}


def stopped_services(survey: Survey, *names: str) -> HybridIdentityError | None:
    """service_stopped with the names of those that do not run; None when all run, as far as they may be read."""
    stopped = [name for name in names if survey.services.get(name) not in (None, RUNNING)]
    if not stopped:
        return None
    verb = "does" if len(stopped) == 1 else "do"
    return HybridIdentityError(
        "service_stopped", f"The service{'s' if len(stopped) > 1 else ''} {' and '.join(stopped)} {verb} not run on the sync server."
    )


def sentences(problems: Mapping[str, Any]) -> dict[str, str]:
    """Parts that could not be read, each with its error in one sentence."""
    return {part: RemoteError(error).sentence() for part, error in problems.items()}
