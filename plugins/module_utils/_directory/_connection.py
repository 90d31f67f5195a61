# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""One connection to one domain controller, over LDAP with TLS. Private to the collection."""

from __future__ import annotations

import contextlib
import re
import ssl
import traceback
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Callable, Iterable, Iterator, Sequence

from .._failure import HybridIdentityError

# ldap3 speaks LDAP and TLS in pure Python, with paging and Active Directory's controls.
LDAP3_IMPORT_ERROR: str | None
try:
    import ldap3
    import ldap3.core.exceptions
    from ldap3.utils.conv import escape_filter_chars
    from ldap3.utils.dn import escape_rdn
except ImportError:
    LDAP3_IMPORT_ERROR = traceback.format_exc()
else:
    LDAP3_IMPORT_ERROR = None

#: real Active Directory answers with no more than a thousand entries at once
_PAGE = 500
_INVALID_CREDENTIALS = 49


@dataclass(frozen=True)
class DirectoryOptions:
    """Where the domain controller is and how to sign in. server_name: the name in its certificate, where it differs. timeout in seconds."""

    server: str
    username: str
    password: str = field(repr=False)
    port: int = 636
    ca_cert: str | None = None
    validate_certs: bool = True
    server_name: str | None = None
    timeout: int = 15


@dataclass(frozen=True)
class Entry:
    """An object: its distinguished name and raw attribute values, by attribute name in lower case."""

    dn: str
    attributes: dict[str, list[bytes]]

    def text(self, name: str) -> str | None:
        """The first value as text."""
        values = self.attributes.get(name.lower())
        return values[0].decode("utf-8", errors="replace") if values else None

    def texts(self, name: str) -> list[str]:
        """All values as text."""
        return [value.decode("utf-8", errors="replace") for value in self.attributes.get(name.lower(), [])]

    def raw(self, name: str) -> bytes | None:
        """The first value as it is."""
        values = self.attributes.get(name.lower())
        return values[0] if values else None


class DirectoryRefusal(Exception):
    """The directory refused one operation.

    Attributes:
        code: LDAP result code. words: the server's message; it begins with a Win32 error in hexadecimal on Active Directory.
    """

    def __init__(self, code: int, words: str) -> None:
        super().__init__(f"LDAP result {code}: {words}")
        self.code, self.words = code, words


class DirectoryFailure(HybridIdentityError):
    """A failure on the way to the domain controller, or of one account; the remedies speak of it instead of the sync server."""

    REMEDIES_HERE = {"unreachable": "Check the name, the port, the firewall, and that the certificate of its LDAPS port is trusted here."}


class Directory:
    """A signed-in connection. Use as a context manager. Every method raises DirectoryFailure when the connection has ended.

    Attributes:
        base_dn: the naming context of the domain. host_name: the controller's own name.
        lead: how many seconds the controller's clock is ahead of this machine's, to the second.
    """

    def __init__(self, options: DirectoryOptions) -> None:
        self._options = options
        self._connection: Any = None
        self.base_dn = ""
        self.host_name = ""
        self.lead = 0.0

    def __enter__(self) -> Directory:
        options = self._options
        where = f"{options.server}:{options.port}"
        tls = ldap3.Tls(
            validate=ssl.CERT_REQUIRED if options.validate_certs else ssl.CERT_NONE,
            ca_certs_file=options.ca_cert,
            # ldap3 compares names by itself and knows no IP addresses in certificates.
            valid_names=[options.server_name] if options.server_name else None,
            sni=options.server_name,
        )
        server = ldap3.Server(
            options.server, port=options.port, use_ssl=True, tls=tls, get_info=ldap3.NONE, connect_timeout=options.timeout
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
            bound = self._connection.bind()
        except ldap3.core.exceptions.LDAPException as error:
            raise DirectoryFailure("unreachable", f"No connection to the domain controller {where}: {_reason(error)}.") from error
        except OSError as error:
            raise DirectoryFailure("unreachable", f"No connection to the domain controller {where}: {error}.") from error
        if not bound:
            self._connection.unbind()
            if self._connection.result["result"] == _INVALID_CREDENTIALS:
                raise DirectoryFailure(
                    "authentication_failed", f"The domain controller {where} did not accept the credentials of {options.username}."
                )
            raise DirectoryFailure(
                "authentication_failed", f"The domain controller {where} refused the sign-in: {self._connection.result['description']}."
            )
        self._read_root()
        return self

    def __exit__(self, *exception: object) -> None:
        with contextlib.suppress(ldap3.core.exceptions.LDAPException, OSError):
            self._connection.unbind()

    def _read_root(self) -> None:
        root = self.read("", ["defaultNamingContext", "dnsHostName", "currentTime"])
        if root is None or not root.text("defaultNamingContext"):
            raise DirectoryFailure("invalid_input", f"{self._options.server} is not a domain controller of Active Directory.")
        self.base_dn = root.text("defaultNamingContext") or ""
        self.host_name = root.text("dnsHostName") or self._options.server
        told = parse_generalized_time(root.text("currentTime") or "")
        self.lead = (told - datetime.now(timezone.utc)).total_seconds() if told else 0.0

    def read(self, dn: str, attributes: Sequence[str]) -> Entry | None:
        """One object by its name, None when there is none; text that is no name is the name of none."""
        try:
            found = self._search(dn, "(objectClass=*)", ldap3.BASE, attributes, paged=False)
        except DirectoryRefusal as error:
            if error.code != ldap3.core.results.RESULT_INVALID_DN_SYNTAX:
                raise
            return None
        return found[0] if found else None

    def search(self, filters: Iterable[str], attributes: Sequence[str], base: str | None = None) -> list[Entry]:
        """Objects below the base (default: the domain) that match any of the filters; asked for in handfuls, read in pages."""
        found: dict[str, Entry] = {}
        wanted = list(filters)
        for start in range(0, len(wanted), 40):
            text = "(|" + "".join(wanted[start : start + 40]) + ")"
            for entry in self._search(base or self.base_dn, text, ldap3.SUBTREE, attributes, paged=True):
                found[entry.dn.lower()] = entry
        return list(found.values())

    def _search(self, base: str, text: str, scope: str, attributes: Sequence[str], *, paged: bool) -> list[Entry]:
        answers: list[dict[str, Any]] = []
        cookie: bytes | None = None
        while True:
            with self._on_the_line():
                self._connection.search(
                    base, text, scope, attributes=list(attributes), paged_size=_PAGE if paged else None, paged_cookie=cookie
                )
            result = self._connection.result
            if result["result"] == ldap3.core.results.RESULT_NO_SUCH_OBJECT:
                return []
            if result["result"] not in (ldap3.core.results.RESULT_SUCCESS, ldap3.core.results.RESULT_REFERRAL):
                raise _refusal(result)
            answers += [answer for answer in self._connection.response or [] if answer.get("type") == "searchResEntry"]
            cookie = (result.get("controls") or {}).get("1.2.840.113556.1.4.319", {}).get("value", {}).get("cookie") if paged else None
            if not cookie:
                return [
                    Entry(answer["dn"], {name.lower(): list(values) for name, values in answer["raw_attributes"].items()})
                    for answer in answers
                ]

    def add(self, dn: str, attributes: dict[str, Any]) -> None:
        """Create an object. Raises DirectoryRefusal."""
        self._do(self._connection.add, dn, attributes=attributes)

    def replace(self, dn: str, attributes: dict[str, list[Any]]) -> None:
        """Give attributes new values, all at once; an empty list clears. Raises DirectoryRefusal."""
        self._do(self._connection.modify, dn, {name: [(ldap3.MODIFY_REPLACE, values)] for name, values in attributes.items()})

    def add_member(self, group: str, member: str) -> None:
        """Put an object into a group; being in it already is no error. Raises DirectoryRefusal."""
        try:
            self._do(self._connection.modify, group, {"member": [(ldap3.MODIFY_ADD, [member])]})
        except DirectoryRefusal as error:
            if error.code not in (ldap3.core.results.RESULT_ENTRY_ALREADY_EXISTS, ldap3.core.results.RESULT_ATTRIBUTE_OR_VALUE_EXISTS):
                raise

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
            raise DirectoryRefusal(ldap3.core.results.RESULT_INVALID_DN_SYNTAX, str(error)) from error
        except (ldap3.core.exceptions.LDAPException, OSError) as error:
            where = f"{self._options.server}:{self._options.port}"
            raise DirectoryFailure("unreachable", f"The connection to the domain controller {where} ended: {_reason(error)}.") from error


def equals(attribute: str, value: str) -> str:
    """A filter, with the value escaped."""
    return f"({attribute}={escape_filter_chars(value)})"


def child_dn(name: str, parent: str) -> str:
    """The distinguished name of an object of this name below a parent."""
    return f"CN={escape_rdn(name)},{parent}"


def parent_dn(dn: str) -> str:
    """What a distinguished name lies in; an escaped comma does not end the name."""
    match = re.match(r"(?:[^\\,]|\\.)*,(.*)", dn, re.DOTALL)
    return match[1] if match else ""


def parse_generalized_time(text: str) -> datetime | None:
    """The moment of an LDAP time such as 20261122152922.0Z, or None."""
    try:
        return datetime.strptime(text[:14], "%Y%m%d%H%M%S").replace(tzinfo=timezone.utc)
    except ValueError:
        return None


def _refusal(result: dict[str, Any]) -> DirectoryRefusal:
    return DirectoryRefusal(
        int(result["result"]), str(result.get("message") or result.get("description") or "no message").strip().strip("\x00")
    )


def _reason(error: Exception) -> str:
    """The last part of ldap3's long texts, which names the reason."""
    text = str(error).strip().rstrip(".")
    return text.rsplit("socket connection error while opening: ", maxsplit=1)[-1][:300] or type(error).__name__
