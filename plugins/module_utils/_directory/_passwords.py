# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Initial passwords: how they are made, whose is whose, and what the domain's policy says of them. Pure; private to the collection."""

from __future__ import annotations

import json
import math
import re
import secrets
import unicodedata
from dataclasses import dataclass
from typing import Any, Iterable, Mapping

from ._characters import unseen_character
from ._names import Entry

#: nothing that looks like something else on paper, and nothing that differs between the usual keyboards
ALPHABET = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789.!?%"
LENGTH = 20
#: the longest that the dialogs of Windows and Entra ID take alike; below so many different characters or bits a password could be guessed
_LONGEST, _VARIETY, _BITS = 127, 10, 50
#: DOMAIN_PASSWORD_COMPLEX of pwdProperties (MS-ADTS, "pwdProperties"), and how many kinds of characters it asks for
_COMPLEX, _KINDS = 0x1, 3
#: Microsoft, "Password must meet complexity requirements": what separates the parts of a display name, and the shortest part that counts
_PARTS, _SHORTEST_PART = re.compile(r"[,.\-_ #\t]+"), 3
_ASCII_SIGNS = set("~!@#$%^&*_-+=`|\\(){}[]:;\"'<>,.?/")


@dataclass(frozen=True)
class PasswordRule:
    """How passwords are generated: so many characters out of these."""

    length: int = LENGTH
    alphabet: str = ALPHABET

    def fault(self) -> str | None:
        """What is wrong with it, or None."""
        if any(unseen_character(char) or char.isspace() for char in self.alphabet):
            return "password_alphabet has a blank or an invisible character in it."
        letters = len(set(self.alphabet))
        if self.length < 1:
            return f"password_length {self.length} is no length."
        if self.length > _LONGEST:
            return f"password_length {self.length} is too long: {_LONGEST} is the most."
        if letters < _VARIETY or self.length * math.log2(letters) < _BITS:
            return f"{self.length} characters out of {letters} different ones can be guessed: give a larger password_length or password_alphabet."
        return None

    def make(self, names: Iterable[str] = ()) -> str:
        """A password with as many kinds of characters as a policy may ask for, that contains none of the names; from the system's generator."""
        alphabet = sorted(set(self.alphabet))
        wanted = min(_KINDS, len(kinds_in(self.alphabet)))
        taken = list(names)
        while True:
            # What does not fit is thrown away whole, so that all that fit are equally likely.
            made = "".join(secrets.choice(alphabet) for _place in range(self.length))
            if len(kinds_in(made)) >= wanted and not part_within(made, taken):
                return made


def kinds_in(text: str) -> set[str]:
    """Which of Active Directory's five kinds of characters are there (Microsoft, as above)."""
    found = set()
    for char in text:
        category = unicodedata.category(char)
        if category == "Lu":
            found.add("upper")
        elif category == "Ll":
            found.add("lower")
        elif char in "0123456789":
            found.add("digit")
        elif char in _ASCII_SIGNS:
            found.add("sign")
        elif category[0] == "L":
            found.add("letter")
    return found


def part_within(password: str, names: Iterable[str]) -> bool:
    """Whether a password contains one of the names as Active Directory looks at it: the shortest that count have three characters."""
    return any(len(name) >= _SHORTEST_PART and name.lower() in password.lower() for name in names)


def names_of(sam: str, display_name: str) -> list[str]:
    """What a password must not contain: the logon name whole, and each part of the display name."""
    return [sam, *_PARTS.split(display_name)]


@dataclass(frozen=True)
class PasswordPolicy:
    """The policy of the domain. What could not be read asks for nothing; fine-grained policies are not looked at."""

    shortest: int = 0
    is_complex: bool = False

    @classmethod
    def of(cls, domain: Entry | None) -> PasswordPolicy:
        """As the head of the domain has it (minPwdLength, pwdProperties)."""
        return cls() if domain is None else cls(domain.number("minPwdLength"), bool(domain.number("pwdProperties") & _COMPLEX))

    def fault(self, password: str, sam: str, display_name: str) -> str | None:
        """What a password lacks, in words without it; None when the domain should take it."""
        what = None
        if len(password) < self.shortest:
            what = f"has fewer than {self.shortest} characters"
        elif self.is_complex and len(kinds_in(password)) < _KINDS:
            what = "has not three of: capital letters, small letters, digits, signs"
        elif self.is_complex and part_within(password, names_of(sam, display_name)):
            what = "contains the logon name, or a part of the display name"
        return f"the password {what}, which {_SAYS_WHO}." if what else None

    def fault_of_rule(self, rule: PasswordRule) -> str | None:
        """The same of passwords that are still to be generated."""
        if rule.length < self.shortest:
            return f"password_length is {rule.length}, less than the {self.shortest} characters that {_ASKS_WHO}."
        if self.is_complex and len(kinds_in(rule.alphabet)) < _KINDS:
            return f"password_alphabet has not three of: capital letters, small letters, digits, signs, which {_ASKS_WHO}."
        return None


_SAYS_WHO = "the password policy of the domain refuses (fine-grained policies are not looked at)"
_ASKS_WHO = "the password policy of the domain asks for (fine-grained policies are not looked at)"


def read_passwords(value: Any) -> dict[str, str] | None:
    """Passwords by the name of the person in lower case; None for what is neither a dictionary of texts nor the JSON text of one."""
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.strip() else {}
        except ValueError:
            return None
    if not isinstance(value, Mapping):
        return {} if value is None else None
    if not all(isinstance(password, str) or password is None for password in value.values()):
        return None
    return {person_key(name): str(password) for name, password in value.items() if password}


def person_key(name: Any) -> str:
    """By what passwords are told apart: the user principal name, or the identity of a row without one."""
    return str(name or "").strip().lower()
