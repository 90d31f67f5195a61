# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""What Windows does on the simulated sync server: command lines, PowerShell or its fakes, local tasks."""
