# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Options of the modules that wait."""

from __future__ import annotations


class ModuleDocFragment:
    """The wait family."""

    DOCUMENTATION = r"""
options:
  wait:
    description:
      - Whether to wait for the end. Without waiting the task ends when what it started has been seen running.
    type: bool
    default: true
  wait_timeout:
    description:
      - How long to wait, in seconds, everything included. What was started goes on when the time is over.
    type: int
    default: 1800
  wait_sleep:
    description:
      - Seconds between two looks at the engine at most. The looks are made on the server, in long polls of about 20 seconds, so
        a short time costs no requests. What has begun a short while ago is looked at more often, four times a second at first. At most 10 seconds.
    type: float
    default: 1.0
"""
