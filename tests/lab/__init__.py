# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The lab: a simulated estate (sync server, Active Directory, Entra ID) on loopback, for tests, demos and a user's own CI."""
