# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""One connection to one domain controller, over LDAP with TLS. Private to the collection."""

from __future__ import annotations

import contextlib
import re
import ssl
import time
import traceback
from datetime import datetime, timezone
from typing import Any, Callable, Iterable, Iterator, Sequence

from .._deadline import Deadline
from .._failure import HybridIdentityError
from ._names import Entry, parse_generalized_time
from ._options import DirectoryOptions

# ldap3 speaks LDAP and TLS in pure Python, with paging and Active Directory's controls.
LDAP3_IMPORT_ERROR: str | None
try:
    import ldap3
    import ldap3.core.exceptions
    import ldap3.core.results
    from ldap3.utils.dn import escape_rdn
except ImportError:
    LDAP3_IMPORT_ERROR = traceback.format_exc()
else:
    LDAP3_IMPORT_ERROR = None

#: real Active Directory answers with no more than a thousand entries at once
_PAGE = 500
#: people that are asked for by one filter
HANDFUL = 40
#: how long (seconds) a question is put again to a controller that says that it is busy, and the pause between
_BUSY_SECONDS, _BUSY_PAUSE = 10.0, 1.0
# LDAP result codes (RFC 4511, appendix A)
_TIME_LIMIT, _REFERRAL, _NO_SUCH_OBJECT, _INVALID_DN, _INVALID_CREDENTIALS, _BUSY, _UNAVAILABLE, _EXISTS = 3, 10, 32, 34, 49, 51, 52, 68
_NO_SUCH_ATTRIBUTE, _VALUE_EXISTS, _UNWILLING = 16, 20, 53
#: an answer that says nothing about the question
_NOT_NOW = (_TIME_LIMIT, _BUSY, _UNAVAILABLE)
#: Win32 ERROR_MEMBER_NOT_IN_ALIAS, and Samba's words for the same
_NO_MEMBER = ("00000561", "doesn't exist for target")


class DirectoryRefusal(Exception):
    """The directory refused one operation.

    Attributes:
        code: LDAP result code. words: the server's message; it begins with a Win32 error in hexadecimal on Active Directory.
    """

    def __init__(self, code: int, words: str) -> None:
        super().__init__(f"LDAP result {code}: {words}")
        self.code, self.words = code, words

    @property
    def is_elsewhere(self) -> bool:
        """Whether the controller only said that another one has it."""
        return self.code == _REFERRAL

    @property
    def is_passing(self) -> bool:
        """Whether the controller was busy, or asked to come back later."""
        return self.code in _NOT_NOW

    @property
    def is_taken(self) -> bool:
        """Whether somebody else has the name, logon name or user principal name (Win32 0000202F on Samba, 000021C8 on Windows)."""
        return self.code == _EXISTS or (self.code == 19 and self.words.startswith(("0000202F", "000021C7", "000021C8")))


class DirectoryFailure(HybridIdentityError):
    """A failure on the way to the domain controller, or of one account; the remedies speak of it instead of the sync server."""

    REMEDIES_HERE = {"unreachable": "Check the name, the port, the firewall, and that the certificate of its LDAPS port is trusted here."}


class Directory:
    """A signed-in connection. Use as a context manager. Every method raises DirectoryFailure when the connection has ended.

    Attributes:
        base_dn, schema_dn: the naming contexts of the domain and of the schema. host_name: the controller's own name.
        lead: how many seconds the controller's clock is ahead of this machine's, to the second.
    """

    def __init__(self, options: DirectoryOptions) -> None:
        self._options = options
        self._connection: Any = None
        self.base_dn = ""
        self.schema_dn = ""
        self.host_name = ""
        self.lead = 0.0

    def __enter__(self) -> Directory:
        """Connect and sign in. Raises HybridIdentityError: invalid_input before anything is sent, unreachable, authentication_failed."""
        options = self._options
        options.check()
        tls = ldap3.Tls(
            validate=ssl.CERT_REQUIRED if options.validate_certs else ssl.CERT_NONE,
            ca_certs_file=options.ca_cert,
            # ldap3 compares names by itself and knows no IP addresses in certificates.
            valid_names=[options.server_name] if options.server_name else None,
            sni=options.server_name,
        )
        server = ldap3.Server(
            options.host,
            port=options.effective_port,
            use_ssl=not options.start_tls,
            tls=tls,
            get_info=ldap3.NONE,
            connect_timeout=options.timeout,
        )
        try:
            self._connection = ldap3.Connection(
                server,
                options.username,
                options.password,
                auto_bind=False,
                check_names=False,
                receive_timeout=options.timeout,
                auto_referrals=False,
            )
            self._connection.open()
            if options.start_tls and not self._connection.start_tls(read_server_info=False):
                words = self._connection.result["description"]
                raise DirectoryFailure("unreachable", f"The domain controller {options.where} does not take StartTLS ({words}).")
            bound = self._connection.bind()
        except ldap3.core.exceptions.LDAPException as error:
            raise DirectoryFailure("unreachable", f"No connection to the domain controller {options.where}: {_reason(error)}.") from error
        except OSError as error:
            raise DirectoryFailure("unreachable", f"No connection to the domain controller {options.where}: {error}.") from error
        if not bound:
            self._connection.unbind()
            if self._connection.result["result"] == _INVALID_CREDENTIALS:
                raise DirectoryFailure(
                    "authentication_failed", f"The domain controller {options.where} did not accept the credentials of {options.username}."
                )
            raise DirectoryFailure(
                "authentication_failed",
                f"The domain controller {options.where} refused the sign-in: {self._connection.result['description']}.",
            )
        if not self.base_dn:
            self._read_root()
        return self

    def another(self) -> Directory:
        """A further connection to the same controller, not open yet. A context manager as well."""
        further = Directory(self._options)
        further.base_dn, further.schema_dn, further.host_name, further.lead = self.base_dn, self.schema_dn, self.host_name, self.lead
        return further

    def __exit__(self, *exception: object) -> None:
        with contextlib.suppress(ldap3.core.exceptions.LDAPException, OSError):
            self._connection.unbind()

    def _read_root(self) -> None:
        root = self.read("", ["defaultNamingContext", "schemaNamingContext", "dnsHostName", "currentTime"])
        if root is None or not root.text("defaultNamingContext"):
            raise DirectoryFailure("invalid_input", f"{self._options.host} is not a domain controller of Active Directory.")
        self.base_dn = root.text("defaultNamingContext") or ""
        self.schema_dn = root.text("schemaNamingContext") or ""
        self.host_name = root.text("dnsHostName") or self._options.host
        told = parse_generalized_time(root.text("currentTime") or "")
        self.lead = (told - datetime.now(timezone.utc)).total_seconds() if told else 0.0

    def current_time(self) -> datetime | None:
        """The controller's own clock, cut to the second; None when it does not tell."""
        root = self.read("", ["currentTime"])
        return parse_generalized_time(root.text("currentTime") or "") if root else None

    def read(self, dn: str, attributes: Sequence[str]) -> Entry | None:
        """One object by its name, None when there is none; text that is no name is the name of none. Raises DirectoryRefusal."""
        try:
            found = self._search(dn, "(objectClass=*)", ldap3.BASE, attributes, paged=False)
        except DirectoryRefusal as error:
            if error.code not in (_INVALID_DN, _NO_SUCH_OBJECT):
                raise
            return None
        return found[0] if found else None

    def search(self, filters: Iterable[str], attributes: Sequence[str], base: str | None = None) -> list[Entry]:
        """Objects below the base (default: the domain) that match any of the filters; asked for in handfuls, read in pages.

        Raises DirectoryRefusal: an answer that is not "here is everything" is never taken for "there is nothing".
        """
        found: dict[str, Entry] = {}
        wanted = list(filters)
        for start in range(0, len(wanted), HANDFUL):
            text = "(|" + "".join(wanted[start : start + HANDFUL]) + ")"
            for entry in self._search(base or self.base_dn, text, ldap3.SUBTREE, attributes, paged=True):
                found[entry.dn.lower()] = entry
        return list(found.values())

    def _search(self, base: str, text: str, scope: str, attributes: Sequence[str], *, paged: bool) -> list[Entry]:
        answers: list[dict[str, Any]] = []
        cookie: bytes | None = None
        while True:
            result = self._ask(base, text, scope, attributes=list(attributes), paged_size=_PAGE if paged else None, paged_cookie=cookie)
            answers += [answer for answer in self._connection.response or [] if answer.get("type") == "searchResEntry"]
            cookie = (result.get("controls") or {}).get("1.2.840.113556.1.4.319", {}).get("value", {}).get("cookie") if paged else None
            if not cookie:
                return [
                    Entry(answer["dn"], {name.lower(): list(values) for name, values in answer["raw_attributes"].items()})
                    for answer in answers
                ]

    def _ask(self, *arguments: Any, **options: Any) -> dict[str, Any]:
        """One search; put again while the controller says that it is busy. Raises DirectoryRefusal."""
        patience = Deadline(_BUSY_SECONDS)
        while True:
            with self._on_the_line():
                self._connection.search(*arguments, **options)
            result: dict[str, Any] = self._connection.result
            if result["result"] == ldap3.core.results.RESULT_SUCCESS:
                return result
            if result["result"] not in (_BUSY, _UNAVAILABLE) or patience.left() <= _BUSY_PAUSE:
                raise _refusal(result)
            time.sleep(_BUSY_PAUSE)

    def add(self, dn: str, attributes: dict[str, Any]) -> None:
        """Create an object. Raises DirectoryRefusal."""
        self._do(self._connection.add, dn, attributes=attributes)

    def replace(self, dn: str, attributes: dict[str, list[Any]]) -> None:
        """Give attributes new values, all at once; an empty list clears. Raises DirectoryRefusal."""
        self._do(self._connection.modify, dn, {name: [(ldap3.MODIFY_REPLACE, values)] for name, values in attributes.items()})

    def add_members(self, group: str, members: Sequence[str]) -> None:
        """Put objects into a group. Raises DirectoryRefusal, also when one of them is in it already; then none was put in."""
        self._do(self._connection.modify, group, {"member": [(ldap3.MODIFY_ADD, list(members))]})

    def add_member(self, group: str, member: str) -> bool:
        """Put one object into a group; False when it was in it already. Raises DirectoryRefusal."""
        try:
            self.add_members(group, [member])
        except DirectoryRefusal as error:
            if error.code not in (_EXISTS, _VALUE_EXISTS):
                raise
            return False
        return True

    def remove_member(self, group: str, member: str) -> bool:
        """Take one object out of a group; False when it was not in it. Raises DirectoryRefusal."""
        try:
            self._do(self._connection.modify, group, {"member": [(ldap3.MODIFY_DELETE, [member])]})
        except DirectoryRefusal as error:
            absent = error.code == _NO_SUCH_ATTRIBUTE or (error.code == _UNWILLING and any(word in error.words for word in _NO_MEMBER))
            if not absent:
                raise
            return False
        return True

    def move(self, dn: str, name: str, parent: str) -> str:
        """Rename and move an object; its new distinguished name. Raises DirectoryRefusal."""
        rdn = "CN=" + escape_rdn(name)
        self._do(self._connection.modify_dn, dn, rdn, new_superior=parent)
        return f"{rdn},{parent}"

    def _do(self, operation: Callable[..., bool], *arguments: Any, **options: Any) -> None:
        with self._on_the_line():
            worked = operation(*arguments, **options)
        if not worked:
            raise _refusal(self._connection.result)

    @contextlib.contextmanager
    def _on_the_line(self) -> Iterator[None]:
        """What ldap3 raises for a broken connection, as ours; a name that it does not even send is refused as the server would."""
        try:
            yield
        except ldap3.core.exceptions.LDAPInvalidDnError as error:
            raise DirectoryRefusal(_INVALID_DN, str(error)) from error
        except (ldap3.core.exceptions.LDAPException, OSError) as error:
            where = self._options.where
            raise DirectoryFailure("unreachable", f"The connection to the domain controller {where} ended: {_reason(error)}.") from error


def _refusal(result: dict[str, Any]) -> DirectoryRefusal:
    return DirectoryRefusal(
        int(result["result"]), str(result.get("message") or result.get("description") or "no message").strip().strip("\x00")
    )


def _reason(error: Exception) -> str:
    """The last part of ldap3's long texts, which names the reason; of a certificate for another server its names alone."""
    text = str(error).strip().rstrip(".")
    if "doesn't match any name in" in text:
        names = ", ".join(re.findall(r"\('(?:DNS|IP Address)', '([^']*)'\)", text)) or "no server"
        return f"its certificate does not match the name that was asked for, but is for {names}; server_name says which name to expect"
    return text.rsplit("socket connection error while opening: ", maxsplit=1)[-1][:300] or type(error).__name__
