# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The Application event log of a server of the FIM family."""

from __future__ import annotations

from lab.clock import Clock
from lab.connect.event_log import EventLog

ENGINE = "ADSync"
FIM = "FIMSynchronizationService"
CONNECTOR = "Directory Synchronization"

# Words of our own where no source has the real ones: assumption, except 4, 115, 116 and the pings of the password synchronisation.
_TEXTS: dict[tuple[str, int], tuple[str, str]] = {
    (ENGINE, 904): ("Scheduler: {0}", "Scheduler: {0}"),
    (ENGINE, 2001): ("The service was started.", "Der Dienst wurde gestartet."),
    (ENGINE, 2002): ("The service was stopped.", "Der Dienst wurde beendet."),
    (ENGINE, 6100): ("The run step ended with errors on {0}.", "Der Ausführungsschritt endete mit Fehlern auf {0}."),
    (ENGINE, 6941): ("Export of {0} failed: {1}", "Der Export von {0} ist fehlgeschlagen: {1}"),
    (FIM, 2001): ("The service was started.", "Der Dienst wurde gestartet."),
    (FIM, 2002): ("The service was stopped.", "Der Dienst wurde beendet."),
    (FIM, 6000): (
        'The management agent "{0}" failed to run because the credentials were invalid.',
        'Der Verwaltungs-Agent "{0}" konnte nicht ausgeführt werden, da die Anmeldeinformationen ungültig waren.',
    ),
    (CONNECTOR, 0): (
        "The Management Agent {0} reported errors on execution.",
        "Der Verwaltungs-Agent {0} meldete Fehler bei der Ausführung.",
    ),
    (CONNECTOR, 4): ("The export has completed.", "Der Export wurde abgeschlossen."),
    (CONNECTOR, 104): ("Export iteration {0} completed.", "Exportdurchlauf {0} abgeschlossen."),
    (CONNECTOR, 105): ("Import iteration {0} completed.", "Importdurchlauf {0} abgeschlossen."),
    (CONNECTOR, 114): ("Export cycle completed.", "Exportzyklus abgeschlossen."),
    (CONNECTOR, 115): (
        "Access to Windows Azure Active Directory has been denied. Contact Technical Support.",
        "Der Zugriff auf Windows Azure Active Directory wurde verweigert. Wenden Sie sich an den technischen Support.",
    ),
    (CONNECTOR, 116): (
        "Prevent Accidental Deletes: The number of deletions for this sync cycle ({0} pending deletes) has exceeded the current threshold of {1} "
        "objects. Deletions will be suppressed for this sync cycle.",
        "Versehentliches Löschen verhindern: Die Anzahl der Löschungen ({0}) überschreitet den Schwellenwert {1}.",
    ),
    (CONNECTOR, 117): ("Import prefetch is starting.", "Der Vorabimport beginnt."),
    (CONNECTOR, 601): ("Password synchronization manager starting.", "Die Kennwortsynchronisierung wird gestartet."),
    (CONNECTOR, 609): ("Password synchronization has stopped.", "Die Kennwortsynchronisierung wurde beendet."),
    (CONNECTOR, 617): ("Full password synchronization started for forest: {0}", "Vollständige Kennwortsynchronisierung gestartet: {0}"),
    (CONNECTOR, 623): (
        "Full password hash synchronization completed for forest: {0}",
        "Vollständige Kennwortsynchronisierung abgeschlossen: {0}",
    ),
    (CONNECTOR, 654): ("Provision credentials ping end.", "Provision credentials ping end."),
}


class FimEventLog(EventLog):
    """The log of EventLog, with the words of these products. engine: the provider under which the engine itself writes."""

    def __init__(self, clock: Clock, engine: str) -> None:
        super().__init__(clock)
        self.engine = engine

    def write(self, provider: str, event_id: int, *words: object, level: int = 4) -> None:
        """Write an event; level 2 is an error, 3 a warning, 4 information."""
        english, german = _TEXTS[provider, event_id]
        self.write_text(provider, event_id, (german if self.language == "de" else english).format(*words), level=level)
