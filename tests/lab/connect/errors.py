# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Who asks, and the error records that the simulated cmdlets answer with, in English and German."""

from __future__ import annotations

from dataclasses import dataclass, field

ACCESS_DENIED = -2147024891  # 0x80070005


@dataclass(frozen=True)
class Caller:
    """An account and how it got in. groups: ADSyncAdmins, ADSyncOperators, ADSyncBrowse, EventLogReaders, Administrators."""

    user: str
    network_logon: bool = True
    groups: frozenset[str] = field(default_factory=frozenset)

    def is_in(self, *groups: str) -> bool:
        """Whether the caller is a member of one of the groups."""
        return bool(self.groups.intersection(groups))


class CmdletError(Exception):
    """A PowerShell error record: full .NET type, signed HRESULT, FullyQualifiedErrorId, category, words, terminating or not."""

    def __init__(self, type: str, hresult: int, error_id: str, category: str, message: str, terminating: bool = False) -> None:
        super().__init__(message)
        self.type, self.hresult, self.error_id, self.category = type, hresult, error_id, category
        self.message, self.terminating = message, terminating


# German words are translations of our own; on a German server the product says something like them.
TEXTS = {
    "en": {
        "running": "System.InvalidOperationException: Sync is already running. Cannot start a new run till this one completes.",
        "busy": "System.InvalidOperationException: Connector: {0} is busy.",
        "suspended": "System.InvalidOperationException: The scheduler is suspended.",  # assumption: the words are not known
        "denied": "Retrieving the COM class factory for remote component with CLSID {{835BEE60-8731-4159-8BFF-941301D76D05}} from machine {0} "
        "failed due to the following error: 80070005",
        "stopped": "The RPC server is unavailable. (Exception from HRESULT: 0x800706BA)",  # assumption
        "pipe": "There was no endpoint listening at net.pipe://localhost/ADSyncManagement that could accept the message. This is often caused by "
        "an incorrect address or SOAP action. See InnerException, if present, for more details.",
        "no_events": "No events were found that match the specified selection criteria.",
        "no_provider": 'There is not an event provider on the localhost computer that matches "{0}".',
        "no_event_access": "Attempted to perform an unauthorized operation.",
        "no_service": "Cannot find any service with service name '{0}'.",
        "no_path": "Cannot find path '{0}' because it does not exist.",
        "no_value": "Property {1} does not exist at path {0}.",
        "no_null": "Cannot bind argument to parameter 'CustomizedSyncCycleInterval' because it is null.",
        "no_task_right": "Access is denied.",
        "task_folder_not_empty": "The directory is not empty.",
        "no_namespace": "Invalid namespace ",
        "no_task": "The system cannot find the file specified.",
        "unknown": "The term '{0}' is not recognized as the name of a cmdlet, function, script file, or operable program.",
    },
    "de": {
        "running": "System.InvalidOperationException: Die Synchronisierung wird bereits ausgeführt. Vor ihrem Abschluss kann keine neue gestartet werden.",
        "busy": "System.InvalidOperationException: Connector: {0} ist ausgelastet.",
        "suspended": "System.InvalidOperationException: Der Scheduler ist angehalten.",
        "denied": "Die COM-Klassenfactory für die Remotekomponente mit CLSID {{835BEE60-8731-4159-8BFF-941301D76D05}} auf Computer {0} konnte aufgrund "
        "des folgenden Fehlers nicht abgerufen werden: 80070005",
        "stopped": "Der RPC-Server ist nicht verfügbar. (Ausnahme von HRESULT: 0x800706BA)",
        "pipe": "Es war kein an net.pipe://localhost/ADSyncManagement lauschender Endpunkt vorhanden, der die Nachricht annehmen konnte.",
        "no_events": "Es wurden keine Ereignisse gefunden, die den angegebenen Auswahlkriterien entsprechen.",
        "no_provider": 'Auf dem Computer localhost gibt es keinen Ereignisanbieter, der mit "{0}" übereinstimmt.',
        "no_event_access": "Es wurde versucht, einen nicht autorisierten Vorgang auszuführen.",
        "no_service": "Es kann kein Dienst mit dem Dienstnamen \u201e{0}\u201c gefunden werden.",
        "no_path": "Der Pfad \u201e{0}\u201c kann nicht gefunden werden, da er nicht vorhanden ist.",
        "no_value": "Die Eigenschaft {1} ist im Pfad {0} nicht vorhanden.",
        "no_null": "Das Argument kann nicht an den Parameter \u201eCustomizedSyncCycleInterval\u201c gebunden werden, da es NULL ist.",
        "no_task_right": "Zugriff verweigert",
        "task_folder_not_empty": "Das Verzeichnis ist nicht leer.",
        "no_namespace": "Ungültiger Namespace ",
        "no_task": "Das System kann die angegebene Datei nicht finden.",
        "unknown": "Die Benennung \u201e{0}\u201c wurde nicht als Name eines Cmdlet oder eines ausführbaren Programms erkannt.",
    },
}

# name -> (.NET type, HRESULT, error id, category, terminating). An error id of None repeats the message, as ADSync's own errors do.
_RECORDS: dict[str, tuple[str, int, str | None, str, bool]] = {
    "running": ("System.InvalidOperationException", -2146233079, None, "WriteError", False),
    "busy": ("System.InvalidOperationException", -2146233079, None, "WriteError", False),
    "suspended": ("System.InvalidOperationException", -2146233079, None, "WriteError", False),
    "denied": ("System.Runtime.InteropServices.COMException", ACCESS_DENIED, None, "WriteError", False),
    "stopped": ("System.Runtime.InteropServices.COMException", -2147023174, None, "WriteError", False),
    "pipe": ("System.ServiceModel.EndpointNotFoundException", -2146233087, None, "WriteError", False),
    "no_null": (
        "System.Management.Automation.ParameterBindingException",
        -2146233087,
        "ParameterArgumentTransformationError,Set-ADSyncScheduler",
        "InvalidData",
        True,
    ),
    "no_events": (
        "System.Exception",
        -2146233088,
        "NoMatchingEventsFound,Microsoft.PowerShell.Commands.GetWinEventCommand",
        "ObjectNotFound",
        False,
    ),
    "no_provider": (
        "System.Exception",
        -2146233088,
        "NoMatchingProvidersFound,Microsoft.PowerShell.Commands.GetWinEventCommand",
        "ObjectNotFound",
        False,
    ),
    "no_event_access": (
        "System.UnauthorizedAccessException",
        ACCESS_DENIED,
        "System.UnauthorizedAccessException,Microsoft.PowerShell.Commands.GetWinEventCommand",
        "NotSpecified",
        True,
    ),
    "no_service": (
        "Microsoft.PowerShell.Commands.ServiceCommandException",
        -2146233087,
        "NoServiceFoundForGivenName,Microsoft.PowerShell.Commands.GetServiceCommand",
        "ObjectNotFound",
        False,
    ),
    "no_path": (
        "System.Management.Automation.ItemNotFoundException",
        -2146233087,
        "PathNotFound,Microsoft.PowerShell.Commands.GetItemCommand",
        "ObjectNotFound",
        False,
    ),
    "no_value": (
        "System.Management.Automation.PSArgumentException",
        -2147024809,
        "System.Management.Automation.PSArgumentException,Microsoft.PowerShell.Commands.GetItemPropertyCommand",
        "InvalidArgument",
        False,
    ),
    "no_task_right": (
        "Microsoft.Management.Infrastructure.CimException",
        ACCESS_DENIED,
        "HRESULT 0x80070005,Register-ScheduledTask",
        "PermissionDenied",
        False,
    ),
    "no_task": (
        "Microsoft.Management.Infrastructure.CimException",
        -2147024894,
        "HRESULT 0x80070002,Get-ScheduledTask",
        "ObjectNotFound",
        False,
    ),
    "no_namespace": (
        "Microsoft.Management.Infrastructure.CimException",
        -2146233088,
        "HRESULT 0x8004100e,Microsoft.Management.Infrastructure.CimCmdlets.GetCimInstanceCommand",
        "MetadataError",
        False,
    ),
    "task_folder_not_empty": ("System.Runtime.InteropServices.COMException", -2147024751, None, "OperationStopped", True),
    "unknown": ("System.Management.Automation.CommandNotFoundException", -2146233087, "CommandNotFoundException", "ObjectNotFound", True),
}


def refusal(name: str, language: str, *words: str) -> CmdletError:
    """The error record of a situation, in the language of the server."""
    type_name, hresult, error_id, category, terminating = _RECORDS[name]
    message = TEXTS[language][name].format(*words)
    return CmdletError(type_name, hresult, message if error_id is None else error_id, category, message, terminating)


# What COM says when the service behind it is away, or goes (winerror.h). English words; Windows has them in every language, tests need none.
_COM_WORDS = {
    0x80080005: "Server execution failed",
    0x80070422: "The service cannot be started, either because it is disabled or because it has no enabled devices associated with it.",
    0x80070426: "The service has not been started.",
    0x8007045B: "A system shutdown is in progress.",
    0x800706BA: "The RPC server is unavailable.",
    0x800706BE: "The remote procedure call failed.",
    0x80010108: "The object invoked has disconnected from its clients.",
}


def com_error(hresult: int, language: str, computer: str) -> CmdletError:
    """The error record of a call to the engine's COM server that failed.

    Args:
        hresult: as winerror.h writes it, unsigned.
    """
    signed = hresult - 0x100000000 if hresult >= 0x80000000 else hresult
    if signed == -2147023174:
        return refusal("stopped", language)
    words = _COM_WORDS.get(hresult, "Unspecified error")
    if hresult in (0x80080005, 0x80070422, 0x80070426, 0x8007045B):  # the class factory could not be had
        message = (
            "Retrieving the COM class factory for remote component with CLSID {835BEE60-8731-4159-8BFF-941301D76D05} from machine "
            f"{computer} failed due to the following error: {hresult:08x} {words}"
        )
    else:
        message = f"{words} (Exception from HRESULT: 0x{hresult:08X})"
    return CmdletError("System.Runtime.InteropServices.COMException", signed, message, "WriteError", message)
