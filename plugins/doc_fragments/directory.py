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
      - Falls back to the environment variable E(HYBRID_IDENTITY_DIRECTORY_SERVER).
    type: str
    required: true
  port:
    description:
      - The port for LDAP over TLS.
    type: int
    default: 636
  username:
    description:
      - The account that writes, for example V(svc-onboard@corp.example) or V(CORP\\svc-onboard).
      - Falls back to E(HYBRID_IDENTITY_DIRECTORY_USERNAME).
    type: str
    required: true
  password:
    description:
      - Its password. Falls back to E(HYBRID_IDENTITY_DIRECTORY_PASSWORD).
    type: str
    required: true
  ca_cert:
    description:
      - A file with the certificates of the authorities to trust. Falls back to E(HYBRID_IDENTITY_DIRECTORY_CA_CERT).
    type: path
  validate_certs:
    description:
      - Whether the certificate of the domain controller has to be valid.
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
