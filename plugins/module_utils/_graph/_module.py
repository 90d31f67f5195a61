# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""A module around the procedures that talk to Microsoft Graph."""

from __future__ import annotations

import os

from ansible.module_utils.basic import missing_required_lib

from .._deadline import Deadline
from .._module_exit import ModuleLike
from ._client import GraphClient
from ._options import read_graph_options
from ._tokens import GRAPH_IMPORT_ERROR, GRAPH_LIBRARY


def open_client(module: ModuleLike, timeout: float) -> GraphClient:
    """A client for the tenant of the task, with `timeout` seconds for everything, from now on.

    Leaves the module when a library is missing. Raises HybridIdentityError.
    """
    deadline = Deadline(timeout)
    if GRAPH_IMPORT_ERROR is not None:
        module.fail_json(msg=missing_required_lib(GRAPH_LIBRARY), exception=GRAPH_IMPORT_ERROR)
    options = read_graph_options(module.params, os.environ)
    for secret in (options.client_secret, options.certificate_password):
        if secret:  # one of the environment is not known to the module's own censor
            module.no_log_values.add(secret)
    return GraphClient(options, deadline, trace=module.debug)
