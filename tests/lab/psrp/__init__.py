# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Runspaces over WS-Management: what the connection plugin psrp talks to. The messages are psrpcore's."""
