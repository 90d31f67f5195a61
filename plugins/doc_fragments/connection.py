# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Options of the modules that talk to a sync server."""

from __future__ import annotations


class ModuleDocFragment:
    """Connection to the sync server."""

    DOCUMENTATION = r"""
options:
  server:
    description:
      - The sync server, by name or address. With this option the task runs as a Python module where the task is
        (on localhost, or on a jump host with C(delegate_to)), and connects by itself through C(pywinrm).
      - Without it the task uses the connection of the host it runs for (winrm, psrp, ssh), which is the better way
        where the inventory or an AWX Machine credential has set that up.
      - Several servers are looked at together, and the one that is not in staging mode is chosen. One that cannot be
        looked at does not keep the active one from being used; a warning says so.
      - Refused on a host that Ansible connects to as a Windows host; the other options of the connection are refused without it.
      - Falls back to the environment variable E(HYBRID_IDENTITY_SERVER).
    type: list
    elements: str
  username:
    description:
      - The account for the connection, for example V(svc-sync@corp.example) or V(CORP\\svc-sync).
      - Only with O(server). Falls back to E(HYBRID_IDENTITY_USERNAME).
    type: str
  password:
    description:
      - The password of the account. Only with O(server). Falls back to E(HYBRID_IDENTITY_PASSWORD).
    type: str
  port:
    description:
      - The port of the WinRM listener; V(5986) with O(use_tls=true), else V(5985). Only with O(server).
    type: int
  use_tls:
    description:
      - Whether to use https. Over http the messages are encrypted with NTLM, Kerberos and CredSSP. Only with O(server).
    type: bool
    default: true
  authentication:
    description:
      - How to sign in. Only with O(server).
      - V(kerberos) takes the ticket that the account has which the task runs as (C(kinit)); the password is not used.
      - V(certificate) needs O(client_certificate) and O(client_key), and https; V(credssp) has to be switched on on the server.
    type: str
    default: ntlm
    choices: [ntlm, kerberos, basic, credssp, certificate]
  validate_certs:
    description:
      - Whether the certificate of the listener has to be valid. Only with O(server).
    type: bool
    default: true
  ca_cert:
    description:
      - A file with the certificates of the authorities to trust. Only with O(server). Falls back to E(HYBRID_IDENTITY_CA_CERT).
    type: path
  client_certificate:
    description:
      - The client certificate for O(authentication=certificate), a PEM file. Only with O(server).
    type: path
  client_key:
    description:
      - The key of O(client_certificate), a PEM file. Only with O(server).
    type: path
  kerberos_hostname:
    description:
      - The name in the service principal, where it differs from O(server). Only with O(server).
    type: str
  on_unreachable:
    description:
      - How to tell that the server could not be reached, or did not let the account in, before anything was done there.
      - V(fail) - the task fails, with its RV(failure_reason) in the registered result, and can be rescued.
      - V(unreachable) - the host counts as unreachable, as Ansible tells it of its own connections; C(ignore_unreachable) applies, and
        C(rescue) does not. With O(server) it is the host that the task runs for that counts as unreachable.
    type: str
    default: fail
    choices: [fail, unreachable]
requirements:
  - "pywinrm >= 0.5.0 with O(server), with C(pywinrm[kerberos]) or C(pywinrm[credssp]) for these; without it, what the connection plugin needs"
notes:
  - The account needs the right to remote (a member of C(Remote Management Users), or a local administrator) and has to be
    a member of C(ADSyncOperators) or C(ADSyncAdmins) on the sync server (on DirSync, of C(MIISOperators) or C(MIISAdmins)).
  - Windows PowerShell 3.0 is the least that the sync server needs to have.
  - From Azure AD Connect 1.4.18 on the run history refuses network logons. An account that may register a scheduled task on the server reads it in a
    one-shot task; without that right results rest on the event log, and a warning says so.
"""

    ENGINE = r"""
options:
  engine:
    description:
      - Which sync engine the server runs. V(auto) finds out.
      - V(connect) is Azure AD Connect 1.1 and later, and Microsoft Entra Connect Sync.
      - V(aadsync) is AAD Sync and Azure AD Connect 1.0, which a scheduled task and an executable drive.
      - V(dirsync) is DirSync from build 6862 on, V(dirsync_legacy) every earlier one.
      - Another engine than the one that is named fails with C(not_a_sync_server).
    type: str
    default: auto
    choices: [auto, connect, aadsync, dirsync, dirsync_legacy]
"""
