# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Why a connection could not be made: from the words of the libraries on this machine to one sentence and one remedy.

The words come from Python, OpenSSL, requests, pywinrm, pypsrp, ssh and Ansible's connection plugins here, not from the server, so they are the
same whatever language the server speaks. Both transports ask this one place. Private to the collection.
"""

from __future__ import annotations

import re
import socket
import ssl
from dataclasses import dataclass
from typing import Callable

from ._transport import (
    AuthenticationFailed,
    BadCertificate,
    ConnectionBroken,
    MissingLibrary,
    NoCredentials,
    RemotingDenied,
    TransportError,
    Unreachable,
)


@dataclass(frozen=True)
class Settings:
    """How a kind of connection is set up, in words for the operator.

    where: what is connected to, for sentences. account: who signs in, for sentences. Each of the others completes "Set ..." or "Give ...".
    """

    where: str
    account: str
    trust: str
    plain: str
    secure: str
    credentials: str


@dataclass(frozen=True)
class _Row:
    """What the libraries say, and what is told.

    words: a regular expression; its group of that name, or all that it found, is {words} in the texts.
    sentence, remedy: str.format texts over the fields of Settings and over `words`.
    """

    words: str
    kind: type[TransportError]
    sentence: str
    remedy: str | None = None


_TABLE: tuple[_Row, ...] = (
    _Row(r"kerberos(, but \w+| library) is not installed|requests[_-]kerberos\b.*not installed|"
         r"(No module named|import) '?(gssapi|krb5)|gssapi.{0,40}(required|not installed)",
         MissingLibrary, "Kerberos needs a Python library that this machine lacks (pykerberos)",
         "Install it for the Python that runs this task: pip install 'pywinrm[kerberos]' (for psrp: 'pypsrp[kerberos]')."),
    _Row(r"kinit cmd .*(No such file|not found|not executable)", MissingLibrary,
         "The program kinit, which gets the Kerberos ticket, is not installed here",
         "Install the Kerberos client programs (Debian: krb5-user, Red Hat: krb5-workstation)."),
    _Row(r"credssp\b.{0,80}not installed", MissingLibrary, "CredSSP needs a Python library that this machine lacks (requests-credssp)",
         "Install it for the Python that runs this task: pip install requests-credssp."),
    _Row(r"requests_ntlm is not installed", MissingLibrary, "NTLM needs a Python library that this machine lacks (requests-ntlm)",
         "Install it for the Python that runs this task: pip install requests-ntlm."),
    _Row(r"pypsrp or dependencies are not installed", MissingLibrary,
         "The connection plugin psrp needs a Python library that this machine lacks (pypsrp)",
         "Install it for the Python that runs Ansible: pip install pypsrp."),
    _Row(r"(winrm or requests|xmltodict|pywinrm) is not installed", MissingLibrary, "WinRM needs a Python library that this machine lacks (pywinrm)",
         "Install it for the Python that runs this task: pip install pywinrm."),
    _Row(r"sshpass program|ssh: not found|No such file or directory: '?b?'?ssh", MissingLibrary,
         "The connection plugin ssh needs a program that this machine lacks",
         "Install ssh, and sshpass where passwords are used."),
    _Row(r"(auth method \w+ )?requires a (password|username)|No username or password|"
         r"both cert_pem and cert_key_pem must|cert_(key_)?pem file not found|Permission denied.*no password",
         NoCredentials, "There are no credentials for {where}: {words}", "Give {credentials}."),
    _Row(r"Received (error status from the server|NTStatus in TSRequest)|Server did not response with a CredSSP token", AuthenticationFailed,
         "{where} did not accept the credentials of {account} for CredSSP"),
    _Row(r"The server did not response (CredSSP being an available authentication method|with one of the following authentication methods)",
         AuthenticationFailed, "{where} does not offer the kind of authentication that this connection is set to",
         "Set another one, or switch it on on the server (winrm get winrm/config/service/auth shows what is on; for CredSSP: "
         "Enable-WSManCredSSP -Role Server)."),
    _Row(r"Kerberos auth failure for principal.*|Preauthentication failed.*|Client ('\S+' )?not found in Kerberos database.*|Clock skew too great.*|"
         r"Cannot (contact any|find) KDC for .*|Client's credentials have been revoked.*|(Kerberos|SPNEGO|GSS)\w*(Exchange)?Error.*|"
         r"Unspecified GSS failure.*|Server not found in Kerberos database.*|No Kerberos credentials available.*",
         AuthenticationFailed, "Kerberos did not let {account} in at {where}: {words}",
         "Check the realm, the clock, the service principal (the full name of the server, not its address) and the ticket or password."),
    _Row(r"credentials were rejected|failed to authenticate the user|failed to authenticate with", AuthenticationFailed,
         "{where} did not accept the credentials of {account}"),
    _Row(r"permission denied \(|Permission denied, please try again|Too many authentication failures", AuthenticationFailed,
         "{where} did not accept the credentials of {account}, or does not let that account in over ssh",
         "Check the key or the password, that the account is not locked, and AllowUsers, AllowGroups and the like in sshd_config on the server."),
    _Row(r"Host key verification failed|Host Key checking is enabled", BadCertificate,
         "The host key of {where} is not known on this machine, or is another one than before",
         "Compare it with the server's own, and put it into known_hosts of the account that Ansible runs as."),
    _Row(r"wsmanfault_code'?\"?: '?5\b|Code: 5\b", RemotingDenied, "{where} does not let {account} in for remote management"),
    _Row(r"Name or service not known|nodename nor servname|Temporary failure in name resolution|"
         r"getaddrinfo failed|NameResolutionError|Failed to resolve|No address associated|Could not resolve hostname",
         Unreachable, "The name of {where} does not resolve to an address on this machine", "Correct the name, or the DNS settings of this machine."),
    _Row(r"certificate has expired|certificate is not yet valid", BadCertificate, "The certificate of {where} is not valid today",
         "Renew the certificate of the WinRM listener, or set the clock of this machine right."),
    _Row(r"Hostname mismatch|IP address mismatch|doesn't match", BadCertificate, "The certificate of {where} is for another name",
         "Connect by the name that is in the certificate, or give the listener a certificate with this one."),
    _Row(r"certificate verify failed|CERTIFICATE_VERIFY_FAILED", BadCertificate,
         "The certificate of {where} is not trusted here: no authority that this machine knows has issued it",
         "Set {trust} to a file with the certificate of the authority that issued it."),
    _Row(r"Could not find a suitable TLS CA certificate bundle|invalid path: ", BadCertificate,
         "The file with the trusted authorities for {where} does not exist on this machine",
         "Correct {trust}."),
    _Row(r"UNSUPPORTED_PROTOCOL|unsupported protocol|TLSV1_ALERT_PROTOCOL_VERSION|tlsv1 alert protocol version|no protocols available", Unreachable,
         "{where} offers no version of TLS that this machine takes (1.2 at least): mostly a server that has TLS 1.0 alone",
         "Enable TLS 1.2 on it (Windows Server 2008 R2 and 2012 need an update and a registry value), or let NTLM or Kerberos encrypt over http: set {plain}."),
    _Row(r"wrong version number|WRONG_VERSION_NUMBER|\[SSL: (HTTP_REQUEST|UNKNOWN_PROTOCOL)|record layer failure|packet length too long", Unreachable,
         "TLS was spoken to {where}, but that port speaks plain http", "Set {plain}, or connect to the https listener (port 5986 as a rule)."),
    _Row(r"BadStatusLine.*(\\x15\\x03|\x15\x03)|HTTP request was sent to HTTPS port", Unreachable,
         "Plain http was spoken to {where}, but that port speaks TLS", "Set {secure}."),
    _Row(r"Exceeded \d+ redirects", Unreachable, "{where} sends the call on to another address, which is not followed",
         "Name the server itself: a WinRM listener does not redirect, so something else answers there."),
    _Row(r"Connection refused", Unreachable, "{where} refused the connection: nothing listens on that port",
         "Check the port, and that the WinRM service and its listener run (winrm enumerate winrm/config/listener)."),
    _Row(r"No route to host|Network is unreachable", Unreachable, "There is no way through the network to {where}", "Check routes, VPN and firewall."),
    _Row(r"kex_exchange_identification|banner exchange", Unreachable, "{where} ended the connection before anybody could sign in",
         "Check that the port is that of sshd, and that the service is not overloaded (MaxStartups)."),
    _Row(r"ConnectTimeout|connection attempt timed out|timed out\. \(connect timeout|Connection timed out|Operation timed out", Unreachable,
         "{where} did not answer: the connection timed out", "Check the address, and that no firewall swallows the connection."),
    _Row(r"ReadTimeout|Read timed out|read operation timed out|handshake operation timed out", Unreachable,
         "{where} takes the connection, but does not answer",
         "Check the port, and that the WinRM service is not hanging on the server."),
    _Row(r"Code (?P<words>404|405|411|502|503)\b", Unreachable,
         "Something answers at {where}, but it is no WinRM listener that works (http status {words})",
         "Check the port, and what else listens there; if it is the right one, look whether the WinRM service runs."),
)  # fmt: skip
#: what ssh says when it has not come as far as running a command; later words of its own begin otherwise
_SSH_BEFORE = re.compile(
    r"(^|over ssh: |via ssh: )(ssh: (connect to host|Could not resolve)|\S*: ?Permission denied|Permission denied|Received disconnect.*Too many auth|"
    r"Host key verification failed|kex_exchange_identification|unix_listener: |ControlPath too long|command-line: line|"
    r"Connection (closed|reset|timed out).{0,80}banner|banner exchange)|"
    r"Host Key checking is enabled",
    re.MULTILINE,
)
#: a connection that ends without a word: over http this is also how a TLS port takes it
_CUT_OFF = re.compile(
    r"Connection aborted|RemoteDisconnected|Connection reset|ConnectionResetError|BadStatusLine|UnexpectedEOF|EOF occurred", re.I
)


def explain(text: str, settings: Settings, *, interrupted: bool, speaks_tls: Callable[[], bool] | None = None) -> TransportError:
    """What an attempt to connect ended with.

    Args:
        text: what the libraries said (see `words_of`); only parts of it that hold nothing that was sent come into the sentence.
        interrupted: the server has answered before, so what ended is the connection and not the hope for one.
        speaks_tls: asks the port; only called for a plain connection that ended without a word.
    """
    for row in _TABLE:
        found = re.search(row.words, text, re.IGNORECASE)
        if not found:
            continue
        words = tidy(found.groupdict().get("words") or found.group(0))
        fields = {**vars(settings), "words": words}
        kind = ConnectionBroken if interrupted and row.kind is Unreachable else row.kind
        sentence = row.sentence.format(**fields)
        return kind(sentence + ".", remedy=row.remedy.format(**fields) if row.remedy else None)
    if speaks_tls is not None and not interrupted and _CUT_OFF.search(text) and speaks_tls():
        return Unreachable(f"Plain http was spoken to {settings.where}, but that port speaks TLS.", remedy=f"Set {settings.secure}.")
    kind = ConnectionBroken if interrupted else Unreachable
    if _CUT_OFF.search(text):
        return kind(f"No connection to {settings.where}: it ended before the server had answered.")
    innermost = re.sub(r" \(\w+\)$", "", text.strip().rsplit("\n", 1)[-1])
    return kind(f"No connection to {settings.where}: {tidy(innermost) or 'no reason given'}.")


def ssh_ran_nothing(text: str) -> bool:
    """Whether ssh's own words say that it ended before it could run the command; it tells that and a lost connection by the same exit code."""
    return _SSH_BEFORE.search(text) is not None


def words_of(error: BaseException) -> str:
    """The type names and texts of an exception and everything behind it, outermost first."""
    found: list[str] = []
    seen: set[int] = set()
    waiting: list[BaseException] = [error]
    while waiting and len(seen) < 20:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        found.append(f"{one} ({type(one).__name__})")
        reason = getattr(one, "reason", None)
        waiting += [item for item in (*one.args, reason, one.__cause__, one.__context__) if isinstance(item, BaseException)]
    return "\n".join(found)


def speaks_tls(host: str, port: int, seconds: float = 2.0) -> bool:
    """Whether a port answers a TLS handshake. Nothing is sent over the connection, so its certificate does not matter."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with socket.create_connection((host, port), timeout=seconds) as plain, context.wrap_socket(plain, server_hostname=host):
            return True
    except (OSError, ValueError):
        return False


def tidy(text: str) -> str:
    """The first line of a text, so that it can be printed in the middle of a sentence."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", line).strip().rstrip(".")[:300]
