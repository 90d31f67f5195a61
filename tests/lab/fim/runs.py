# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Runs and their steps, and the run history XML that RunDetails returns.

Elements, their order, `detail` attributes and formats of dates: RunHistory.xsd of the FIM family and Microsoft's reference
of <run-history>. As on real servers the document claims to be UTF-16 and shows the newest step first.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from xml.sax.saxutils import escape, quoteattr

from lab.connect.run_history import Connector

from .profiles import StepKind

_STAGING = ("stage-no-change", "stage-add", "stage-update", "stage-rename", "stage-delete", "stage-delete-add", "stage-failure")
_INBOUND = (
    ("disconnector-filtered", "disconnector-joined-no-flow", "disconnector-joined-flow", "disconnector-joined-remove-mv")
    + ("disconnector-projected-no-flow", "disconnector-projected-flow", "disconnector-projected-remove-mv", "disconnector-remains")
    + ("connector-filtered-remove-mv", "connector-filtered-leave-mv", "connector-flow", "connector-flow-remove-mv", "connector-no-flow")
    + ("connector-delete-remove-mv", "connector-delete-leave-mv", "connector-delete-add-processed", "flow-failure")
)
_EXPORT = ("export-add", "export-update", "export-rename", "export-delete", "export-delete-add", "export-failure")
_WITHOUT_DETAIL = ("stage-no-change", "disconnector-remains")

# What a run says of itself is what its worst step says (Microsoft, Synchronization Service Manager: Operations).
_SEVERITY = ("success", "completed-", "stopped-", "no-start-", "in-progress")


@dataclass
class Step:
    """One step of a run. counters: names as in the XML; errors: {dn, type, message} of objects."""

    number: int
    kind: StepKind | None
    started: datetime
    ended: datetime | None = None
    result: str = "in-progress"
    counters: dict[str, int] = field(default_factory=dict)
    errors: list[dict[str, str]] = field(default_factory=list)

    def count(self, counter: str) -> None:
        """Count one object."""
        self.counters[counter] = self.counters.get(counter, 0) + 1


@dataclass
class Run:
    """One run of a run profile on a connector. account: the domain and name of who started it."""

    connector: Connector
    profile: str
    number: int
    started: datetime
    account: str
    ended: datetime | None = None
    steps: list[Step] = field(default_factory=list)
    refused: str = ""

    @property
    def result(self) -> str:
        """The result string of the run: in-progress, or that of its worst step."""
        if self.ended is None:
            return "in-progress"
        results = [step.result for step in self.steps] or [self.refused]
        return max(results, key=lambda result: next((rank for rank, word in enumerate(_SEVERITY) if result.startswith(word)), 1))


def text_of(moment: datetime | None, none: str = "") -> str:
    """A date as the provider writes it: yyyy-MM-dd HH:mm:ss.fff, in UTC."""
    return none if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d}"


def braced(identifier: uuid.UUID) -> str:
    """A GUID as the FIM family writes it: upper case, in braces."""
    return f"{{{identifier}}}".upper()


def run_history_xml(runs: Iterable[Run], with_types: bool = True) -> str:
    """The document for these runs. with_types=False leaves the step descriptions without a type."""
    body = "".join(_run_details(run, with_types) for run in runs)
    return f'<?xml version="1.0" encoding="utf-16"?>\r\n<run-history>\r\n{body}</run-history>\r\n'


def _run_details(run: Run, with_types: bool) -> str:
    steps = "".join(_step_details(run, step, with_types) for step in reversed(run.steps))
    return (
        f"<run-details>\r\n<ma-id>{braced(run.connector.identifier)}</ma-id>\r\n<ma-name>{escape(run.connector.name)}</ma-name>\r\n"
        f"<run-number>{run.number}</run-number>\r\n<run-profile-name>{escape(run.profile)}</run-profile-name>\r\n"
        f"<security-id>{escape(run.account)}</security-id>\r\n{steps}</run-details>\r\n"
    )


def _step_details(run: Run, step: Step, with_types: bool) -> str:
    identifier = braced(uuid.uuid5(run.connector.identifier, f"{run.profile}/{step.number}"))
    # "This element is present only if the step has completed" (Microsoft, <step-details>).
    ended = "" if step.ended is None else f"<end-date>{text_of(step.ended)}</end-date>\r\n"
    return (
        f'<step-details step-number="{step.number}" step-id="{identifier}">\r\n<start-date>{text_of(step.started)}</start-date>\r\n{ended}'
        f"<step-result>{step.result}</step-result>\r\n<step-description>\r\n{_step_type(step.kind if with_types else None)}"
        f"<partition>{'DC=lab,DC=test' if run.connector.is_directory else 'default'}</partition>\r\n<custom-data>\r\n</custom-data>\r\n</step-description>\r\n"
        "<current-export-step-counter>0</current-export-step-counter>\r\n"
        "<last-successful-export-step-counter>0</last-successful-export-step-counter>\r\n"
        f"{_connection(step)}<ma-discovery-errors>\r\n</ma-discovery-errors>\r\n<ma-discovery-counters>\r\n</ma-discovery-counters>\r\n"
        f"{_errors(run, step)}<mv-retry-errors/>\r\n{_group('staging-counters', _STAGING, step)}"
        f"{_group('inbound-flow-counters', _INBOUND, step)}{_group('export-counters', _EXPORT, step)}</step-details>\r\n"
    )


def _step_type(kind: StepKind | None) -> str:
    if kind is None:
        return ""
    element = "apply-rules-subtype" if kind.type == "apply-rules" else "import-subtype"
    subtype = f"<{element}>{kind.subtype}</{element}>\r\n" if kind.subtype else ""
    return f'<step-type type="{kind.type}">\r\n{subtype}</step-type>\r\n'


def _connection(step: Step) -> str:
    words = {"no-start-connection": "failed-connection", "no-start-credentials": "failed-authentication"}.get(step.result)
    inner = f"<connection-result>{words}</connection-result>\r\n" if words else ""
    return f"<ma-connection>\r\n{inner}</ma-connection>\r\n"


def _errors(run: Run, step: Step) -> str:
    if not step.errors:
        return "<synchronization-errors/>\r\n"
    element = "export-error" if step.kind is not None and step.kind.exports else "import-error"
    at = text_of(step.started)
    items = "".join(
        f"<{element} cs-guid={quoteattr(braced(uuid.uuid5(run.connector.identifier, error['dn'])))} dn={quoteattr(error['dn'])}>"
        f"<date-occurred>{at}</date-occurred><first-occurred>{at}</first-occurred><retry-count>0</retry-count>"
        f"<error-type>{escape(error['type'])}</error-type><cd-error><error-code>0x8023134a</error-code>"
        f"<error-literal>{escape(error['message'])}</error-literal></cd-error></{element}>"
        for error in step.errors
    )
    return f"<synchronization-errors>{items}</synchronization-errors>\r\n"


def _group(element: str, names: tuple[str, ...], step: Step) -> str:
    counters = "".join(
        f'<{name} detail="{"false" if name in _WITHOUT_DETAIL else "true"}">{step.counters.get(name, 0)}</{name}>\r\n' for name in names
    )
    return f"<{element}>\r\n{counters}</{element}>\r\n"
