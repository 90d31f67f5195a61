# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Options of the modules that talk to Active Directory over LDAP."""

from __future__ import annotations


class ModuleDocFragment:
    """Connection to one domain controller."""

    DOCUMENTATION = r"""
options:
  directory_server:
    description:
      - The domain controller. One controller is used for everything, so that nothing depends on replication.
      - A name or an address. C(ldap://) and every other scheme that does not encrypt is refused.
      - Falls back to the environment variable E(HYBRID_IDENTITY_DIRECTORY_SERVER).
    type: str
    required: true
  port:
    description:
      - The port. 636 when not given, which is LDAP over TLS; 389 with O(start_tls).
    type: int
  start_tls:
    description:
      - Whether the connection begins on the port for clear text and is encrypted by StartTLS before anything else is said.
      - There is no way back - a domain controller that does not take it is C(unreachable).
    type: bool
    default: false
  username:
    description:
      - The account that writes, for example V(svc-onboard@corp.example) or V(CORP\\svc-onboard).
      - Falls back to E(HYBRID_IDENTITY_DIRECTORY_USERNAME).
    type: str
    required: true
  password:
    description:
      - Its password. Falls back to E(HYBRID_IDENTITY_DIRECTORY_PASSWORD).
      - An empty one is refused, because a directory takes a sign-in without a password for an anonymous one.
    type: str
    required: true
  ca_cert:
    description:
      - A file with the certificates of the authorities to trust. Falls back to E(HYBRID_IDENTITY_DIRECTORY_CA_CERT).
    type: path
  validate_certs:
    description:
      - Whether the certificate of the domain controller has to be valid. With V(false) every run warns.
    type: bool
    default: true
  server_name:
    description:
      - The name in the certificate, where it differs from O(directory_server), for example because that is an address.
    type: str
  timeout:
    description:
      - How long to wait for an answer, in seconds.
    type: int
    default: 15
requirements:
  - "ldap3 >= 2.9.1"
notes:
  - Runs where Python runs, usually on localhost. The connection is always encrypted.
"""
