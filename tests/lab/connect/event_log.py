# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The Application event log of the sync server."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Any

from lab.clock import Clock

ENGINE = "ADSync"
CONNECTOR = "Directory Synchronization"

# Words of our own where no source has the real ones (904, 6941, 6100): assumption.
_TEXTS: dict[tuple[str, int], tuple[str, str]] = {
    (ENGINE, 904): ("Scheduler: {0}", "Scheduler: {0}"),
    (ENGINE, 2001): ("The service was started.", "Der Dienst wurde gestartet."),
    (ENGINE, 6100): ("The run step ended with errors on {0}.", "Der Ausführungsschritt endete mit Fehlern auf {0}."),
    (ENGINE, 6941): ("Export of {0} failed: {1}", "Der Export von {0} ist fehlgeschlagen: {1}"),
    (ENGINE, 6000): (
        'The management agent "{0}" failed to run because the credentials were invalid.',
        'Der Verwaltungs-Agent "{0}" konnte nicht ausgeführt werden, da die Anmeldeinformationen ungültig waren.',
    ),
    (CONNECTOR, 104): ("Export iteration {0} completed.", "Exportdurchlauf {0} abgeschlossen."),
    (CONNECTOR, 105): ("Import iteration {0} completed.", "Importdurchlauf {0} abgeschlossen."),
    (CONNECTOR, 114): ("Export cycle completed.", "Exportzyklus abgeschlossen."),
    (CONNECTOR, 115): (
        "Access to Windows Azure Active Directory has been denied.",
        "Der Zugriff auf Windows Azure Active Directory wurde verweigert.",
    ),
    (CONNECTOR, 116): (
        "Prevent Accidental Deletes: The number of deletions for this sync cycle ({0} pending deletes) has exceeded the current threshold of {1} "
        "objects. Deletions will be suppressed for this sync cycle.",
        "Versehentliches Löschen verhindern: Die Anzahl der Löschungen ({0}) überschreitet den Schwellenwert {1}.",
    ),
    (ENGINE, 2002): ("The service was stopped.", "Der Dienst wurde beendet."),
    (ENGINE, 6900): (
        "The server encountered an unexpected error while processing a password change notification: {0}",
        "Beim Verarbeiten einer Kennwortänderungsbenachrichtigung ist ein unerwarteter Fehler aufgetreten: {0}",
    ),
    (CONNECTOR, 0): ("The user name or password is incorrect. {0}", "Der Benutzername oder das Kennwort ist falsch. {0}"),
    (CONNECTOR, 109): (
        "Failure while importing entries from Windows Azure Active Directory. Error Code: 78. An internal error has occurred. {0}",
        "Fehler beim Importieren von Einträgen aus Windows Azure Active Directory. Fehlercode: 78. {0}",
    ),
    (CONNECTOR, 117): ("Import prefetch is starting.", "Der Vorabimport beginnt."),
    (CONNECTOR, 654): ("Provision credentials ping end.", "Provision credentials ping end."),
}


class EventLog:
    """Newest last inside, newest first in answers."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._events: deque[dict[str, Any]] = deque(maxlen=5000)
        self._next = 1
        self.language = "en"

    def write(self, provider: str, event_id: int, *words: object, level: int = 4) -> None:
        """Write an event; level 2 is an error, 3 a warning, 4 information."""
        english, german = _TEXTS[provider, event_id]
        self.write_text(provider, event_id, (german if self.language == "de" else english).format(*words), level=level)

    def write_text(self, provider: str, event_id: int, text: str, *, level: int = 4) -> None:
        """Write an event with these very words."""
        with self._lock:
            self._events.append(
                {
                    "TimeCreated": self._clock.now(),
                    "ProviderName": provider,
                    "Id": event_id,
                    "Level": level,
                    "RecordId": self._next,
                    "LogName": "Application",
                    "Message": text,
                }
            )
            self._next += 1

    def keep(self, newest: int) -> None:
        """The log rolls over: only so many events are left, and no more than that from now on."""
        with self._lock:
            self._events = deque(self._events, maxlen=newest)

    def read_log(self, fits: Callable[[dict[str, Any]], bool], limit: int, *, oldest_first: bool) -> list[dict[str, Any]]:
        """Events of every provider that fit."""
        with self._lock:
            events = list(self._events)
        found = [dict(event) for event in (events if oldest_first else reversed(events)) if fits(event)]
        return found[:limit] if limit else found

    def read(self, providers: tuple[str, ...], ids: tuple[int, ...], since: datetime | None, limit: int) -> list[dict[str, Any]]:
        """Events of these providers (and ids, if any), newest first."""
        with self._lock:
            found = [
                dict(event)
                for event in reversed(self._events)
                if event["ProviderName"] in providers
                and (not ids or event["Id"] in ids)
                and (since is None or event["TimeCreated"] >= since)
            ]
        return found[:limit] if limit else found
