# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Which engine has which password part. Private to the collection."""

from __future__ import annotations

from typing import Mapping

from ._connect_passwords import AdsyncPasswords
from ._contract import Engine
from ._password_contract import PasswordDriver

#: name of an engine -> its password part; an engine may also bring it along as its attribute `passwords`
PASSWORDS: Mapping[str, PasswordDriver] = {"connect": AdsyncPasswords(), "aadsync": AdsyncPasswords()}


def driver_of(engine: Engine) -> PasswordDriver | None:
    """The password part of an engine; None where it has none that can be driven."""
    own: PasswordDriver | None = getattr(engine, "passwords", None)
    return own or PASSWORDS.get(engine.name)
