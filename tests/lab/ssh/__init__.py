# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The OpenSSH server of a Windows host, as far as Ansible's ssh connection sees it. The protocol is asyncssh's."""

from __future__ import annotations

from lab.ssh.keys import SshKeys, make_keys
from lab.ssh.server import SshServer

__all__ = ["SshKeys", "SshServer", "make_keys"]
