# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The error records of Windows and of the older engines, in English and German, on top of those of the newest engine."""

from __future__ import annotations

from lab.connect import CmdletError
from lab.connect.errors import ACCESS_DENIED, TEXTS, refusal

# German words are translations of our own; on a German server Windows says something like them.
_TEXTS: dict[str, tuple[str, str]] = {
    "wmi_denied": ("Access denied ", "Zugriff verweigert "),
    "wmi_no_namespace": ("Invalid namespace ", "Ungültiger Namespace "),
    "wmi_no_class": ("Invalid class ", "Ungültige Klasse "),
    "wmi_no_method": ("Invalid method ", "Ungültige Methode "),
    "wmi_query": ("Invalid query ", "Ungültige Abfrage "),
    "wmi_failed": ("Generic failure ", "Allgemeiner Fehler "),
    "wmi_not_found": ("Not found ", "Nicht gefunden "),
    "no_registry_right": ("Requested registry access is not allowed.", "Der angeforderte Registrierungszugriff ist unzulässig."),
    "no_file_right": ("Access to the path '{0}' is denied.", "Der Zugriff auf den Pfad \u201e{0}\u201c wurde verweigert."),
    "no_file": (
        "Cannot find path '{0}' because it does not exist.",
        "Der Pfad \u201e{0}\u201c kann nicht gefunden werden, da er nicht vorhanden ist.",
    ),
    "no_process": (
        'Cannot find a process with the name "{0}". Verify the process name and call the cmdlet again.',
        "Es kann kein Prozess mit dem Namen \u201e{0}\u201c gefunden werden. Überprüfen Sie den Namen.",
    ),
    "no_snapin": (
        "The Windows PowerShell snap-in '{0}' is not installed on this computer.",
        "Das Windows PowerShell-Snap-In \u201e{0}\u201c ist nicht auf diesem Computer installiert.",
    ),
    "has_dependents": (
        "Cannot stop service '{1} ({0})' because it has dependent services. It can only be stopped if the Force flag is set.",
        "Der Dienst \u201e{1} ({0})\u201c kann nicht beendet werden, da er über abhängige Dienste verfügt.",
    ),
    "cannot_open_service": (
        "Service '{1} ({0})' cannot be changed due to the following error: Cannot open {0} service on computer '.'.",
        "Der Dienst \u201e{1} ({0})\u201c kann aufgrund des folgenden Fehlers nicht geändert werden: Der Dienst {0} kann nicht geöffnet werden.",
    ),
    "cannot_start_service": (
        "Service '{1} ({0})' cannot be started due to the following error: Cannot start service {0} on computer '.'.",
        "Der Dienst \u201e{1} ({0})\u201c kann aufgrund des folgenden Fehlers nicht gestartet werden.",
    ),
    "task_denied": (
        "Access is denied. (Exception from HRESULT: 0x80070005 (E_ACCESSDENIED))",
        "Zugriff verweigert (Ausnahme von HRESULT: 0x80070005)",
    ),
    "task_missing": (
        "The system cannot find the file specified. (Exception from HRESULT: 0x80070002)",
        "Das System kann die angegebene Datei nicht finden. (Ausnahme von HRESULT: 0x80070002)",
    ),
    "task_folder_missing": (
        "The system cannot find the path specified. (Exception from HRESULT: 0x80070003)",
        "Das System kann den angegebenen Pfad nicht finden. (Ausnahme von HRESULT: 0x80070003)",
    ),
    "task_exists": (
        "Cannot create a file when that file already exists. (Exception from HRESULT: 0x800700B7)",
        "Eine Datei kann nicht erstellt werden, wenn sie bereits vorhanden ist. (Ausnahme von HRESULT: 0x800700B7)",
    ),
    "task_disabled": (
        "The task is disabled. (Exception from HRESULT: 0x80041326)",
        "Die Aufgabe ist deaktiviert. (Ausnahme von HRESULT: 0x80041326)",
    ),
    "task_password": (
        "The user name or password is incorrect. (Exception from HRESULT: 0x8007052E)",
        "Der Benutzername oder das Kennwort ist falsch. (Ausnahme von HRESULT: 0x8007052E)",
    ),
    # assumption: no source has the words of these refusals of the engines.
    "dirsync_denied": ("Access is denied.", "Zugriff verweigert"),
    "dirsync_stopped": (
        "The Directory Synchronization service is not running.",
        "Der Verzeichnissynchronisierungsdienst wird nicht ausgeführt.",
    ),
    "dirsync_busy": (
        "A synchronization is already in progress.",
        "Eine Synchronisierung wird bereits ausgeführt.",
    ),
    "dirsync_refused": ("The synchronization could not be started.", "Die Synchronisierung konnte nicht gestartet werden."),
}

_CIM = "Microsoft.Management.Infrastructure.CimException"
_COM = "System.Runtime.InteropServices.COMException"
_SERVICE = "Microsoft.PowerShell.Commands.ServiceCommandException"
_GET_CIM = "HRESULT 0x{0:08x},Microsoft.Management.Infrastructure.CimCmdlets.GetCimInstanceCommand"


def _cim(code: int, category: str) -> tuple[str, int, str, str, bool]:
    """A CimException: WMI's code stands in the error id; assumption: its own HResult is the general one."""
    return _CIM, -2146233088, _GET_CIM.format(code), category, False


# name -> (.NET type, HRESULT, error id, category, terminating)
_RECORDS: dict[str, tuple[str, int, str, str, bool]] = {
    "wmi_denied": _cim(0x80041003, "PermissionDenied"),
    "wmi_no_namespace": _cim(0x8004100E, "MetadataError"),
    "wmi_no_class": _cim(0x80041010, "MetadataError"),
    "wmi_no_method": _cim(0x8004102E, "MetadataError"),
    "wmi_query": _cim(0x80041017, "InvalidArgument"),
    "wmi_failed": _cim(0x80041001, "NotSpecified"),
    "wmi_not_found": _cim(0x80041002, "ObjectNotFound"),
    "no_registry_right": (
        "System.Security.SecurityException",
        -2146233078,
        "System.Security.SecurityException,Microsoft.PowerShell.Commands.SetItemPropertyCommand",
        "PermissionDenied",
        False,
    ),
    "no_file_right": (
        "System.UnauthorizedAccessException",
        ACCESS_DENIED,
        "GetContentReaderUnauthorizedAccessError,Microsoft.PowerShell.Commands.GetContentCommand",
        "PermissionDenied",
        False,
    ),
    "no_file": (
        "System.Management.Automation.ItemNotFoundException",
        -2146233087,
        "PathNotFound,Microsoft.PowerShell.Commands.GetContentCommand",
        "ObjectNotFound",
        False,
    ),
    "no_process": (
        "Microsoft.PowerShell.Commands.ProcessCommandException",
        -2146233087,
        "NoProcessFoundForGivenName,Microsoft.PowerShell.Commands.GetProcessCommand",
        "ObjectNotFound",
        False,
    ),
    "no_snapin": (
        "System.Management.Automation.PSArgumentException",
        -2147024809,
        "AddPSSnapInRead,Microsoft.PowerShell.Commands.AddPSSnapinCommand",
        "InvalidArgument",
        False,
    ),
    "has_dependents": (
        _SERVICE,
        -2146233087,
        "ServiceHasDependentServices,Microsoft.PowerShell.Commands.StopServiceCommand",
        "InvalidOperation",
        False,
    ),
    "cannot_open_service": (
        _SERVICE,
        -2146233087,
        "CouldNotStopService,Microsoft.PowerShell.Commands.StopServiceCommand",
        "CloseError",
        False,
    ),
    "cannot_start_service": (
        _SERVICE,
        -2146233087,
        "StartServiceFailed,Microsoft.PowerShell.Commands.StartServiceCommand",
        "OpenError",
        False,
    ),
    # Errors of a COM method: .NET turns these HRESULTs into exceptions of its own.
    "task_denied": ("System.UnauthorizedAccessException", ACCESS_DENIED, "System.UnauthorizedAccessException", "OperationStopped", True),
    "task_missing": ("System.IO.FileNotFoundException", -2147024894, "System.IO.FileNotFoundException", "OperationStopped", True),
    "task_folder_missing": (
        "System.IO.DirectoryNotFoundException",
        -2147024893,
        "System.IO.DirectoryNotFoundException",
        "OperationStopped",
        True,
    ),
    "task_exists": (_COM, -2147024713, _COM, "OperationStopped", True),
    "task_disabled": (_COM, 0x80041326 - 2**32, _COM, "OperationStopped", True),
    "task_password": (_COM, -2147023570, _COM, "OperationStopped", True),
    # assumption: types and ids of DirSync's own refusals
    "dirsync_denied": ("System.UnauthorizedAccessException", ACCESS_DENIED, "StartOnlineCoexistenceSync", "PermissionDenied", False),
    "dirsync_stopped": ("System.InvalidOperationException", -2146233079, "StartOnlineCoexistenceSync", "InvalidOperation", False),
    "dirsync_busy": ("System.InvalidOperationException", -2146233079, "StartOnlineCoexistenceSync", "InvalidOperation", False),
    "dirsync_refused": ("System.InvalidOperationException", -2146233079, "StartOnlineCoexistenceSync", "InvalidOperation", False),
}


def fim_refusal(name: str, language: str, *words: str) -> CmdletError:
    """The error record of a situation, in the language of the server."""
    if name in TEXTS["en"]:
        return refusal(name, language, *words)
    type_name, hresult, error_id, category, terminating = _RECORDS[name]
    message = _TEXTS[name][1 if language == "de" else 0].format(*words)
    return CmdletError(type_name, hresult, error_id, category, message, terminating)
