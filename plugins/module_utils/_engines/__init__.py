# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The engines, one file each, and the registry of them. Private to the collection."""

from __future__ import annotations

from ._contract import Engine
from .connect import ConnectEngine

#: every engine that can be driven, the likeliest first: with engine=auto they are tried in this order
ENGINES: tuple[Engine, ...] = (ConnectEngine(),)
