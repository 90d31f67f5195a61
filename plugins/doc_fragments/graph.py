# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Options of the modules that talk to Microsoft Graph."""

from __future__ import annotations


class ModuleDocFragment:
    """Sign-in to the tenant."""

    DOCUMENTATION = r"""
options:
  tenant_id:
    description:
      - The tenant, by id or by one of its domains.
      - Falls back to E(AZURE_TENANT) and E(AZURE_TENANT_ID).
    type: str
  client_id:
    description:
      - The application that signs in.
      - Falls back to E(AZURE_CLIENT_ID).
    type: str
  client_secret:
    description:
      - The secret of the application.
      - Only one of O(client_secret), O(certificate_path) and O(federated_token_file) can be given. If none is, the first
        one that the environment has is taken, in this order.
      - Falls back to E(AZURE_SECRET) and E(AZURE_CLIENT_SECRET).
    type: str
  certificate_path:
    description:
      - A PEM file with the certificate of the application and its private key, or a file in the format PKCS12 (C(.pfx),
        C(.p12)). That it can be opened, that it has both and that they belong together is checked before any connection.
      - Falls back to E(AZURE_X509_CERTIFICATE_PATH) and E(AZURE_CLIENT_CERTIFICATE_PATH).
    type: path
  certificate_password:
    description:
      - The password of the file in O(certificate_path).
      - Falls back to E(AZURE_CLIENT_CERTIFICATE_PASSWORD).
    type: str
  federated_token_file:
    description:
      - A file with the token of a federated identity (workload identity federation).
      - Falls back to E(AZURE_FEDERATED_TOKEN_FILE).
    type: path
  cloud:
    description:
      - The cloud in which the tenant is. V(global) includes GCC; V(usgov) is GCC High, V(dod) is DoD, V(china) is
        operated by 21Vianet.
    type: str
    default: global
    choices: [global, usgov, dod, china]
  graph_url:
    description:
      - The address of Microsoft Graph, where it differs from that of O(cloud). Only C(https) is taken, and no user name or
        password in it.
    type: str
  authority_url:
    description:
      - The address of the sign-in service, where it differs from that of O(cloud). It is not looked up in Microsoft's
        list of known authorities. Only C(https) is taken, and no user name or password in it.
    type: str
  ca_cert:
    description:
      - A file with the certificate authorities to trust, in PEM form, for example that of a proxy.
      - Falls back to E(HYBRID_IDENTITY_GRAPH_CA_CERT).
    type: path
requirements:
  - "requests"
  - "msal >= 1.35.0"
"""
