# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""The columns of a table of colleagues, and the names that people give them."""

from __future__ import annotations

import difflib
import unicodedata
from typing import Mapping, Optional

#: column -> the most characters that Active Directory (schema: rangeUpper) or Entra ID takes; 0: not a text of its own
COLUMNS: dict[str, int] = {
    "given_name": 64,
    "surname": 64,
    "display_name": 256,
    "name": 64,
    "upn": 113,
    "sam_account_name": 20,
    "mail": 256,
    "department": 64,
    "title": 128,
    "company": 64,
    "employee_id": 16,
    "office": 128,
    "phone": 64,
    "mobile": 64,
    "manager": 0,
    "groups": 0,
    "ou": 0,
    "usage_location": 0,
    "licenses": 0,
}
#: columns with several values, separated by |
LISTS = ("groups", "licenses")

#: other names of the columns: English, German, French, Spanish. What could mean two things in one of these languages is left out.
ALIASES: dict[str, tuple[str, ...]] = {
    "given_name": ("first name", "firstname", "givenname", "forename", "Vorname", "prénom", "nombre de pila"),
    "surname": ("last name", "lastname", "family name", "sn", "Nachname", "Familienname", "Zuname", "nom de famille", "apellido", "apellidos"),
    "display_name": ("displayname", "full name", "Anzeigename", "nom d'affichage", "nom affiché", "nombre para mostrar"),
    "name": ("cn", "common name", "Objektname", "nom de l'objet", "nombre del objeto"),
    "upn": ("user principal name", "userprincipalname", "Benutzerprinzipalname", "nom d'utilisateur principal", "nombre principal de usuario"),
    "sam_account_name": ("samaccountname", "sam", "logon name", "Kontoname", "nom de compte", "nombre de cuenta"),
    "mail": ("e-mail", "email", "email address", "e-mail address", "mail address", "E-Mail-Adresse", "Mailadresse", "courriel", "adresse e-mail",
             "correo", "correo electrónico"),
    "department": ("dept", "Abteilung", "département", "departamento"),
    "title": ("job title", "jobtitle", "position", "Stellenbezeichnung", "Berufsbezeichnung", "intitulé du poste", "poste", "puesto", "cargo"),
    "company": ("Firma", "Unternehmen", "entreprise", "société", "empresa"),
    "employee_id": ("employeeid", "employee number", "personnel number", "Personalnummer", "Mitarbeiternummer", "matricule",
                    "numéro d'employé", "número de empleado"),
    "office": ("Büro", "bureau", "oficina"),
    "phone": ("telephone", "phone number", "telephone number", "Telefon", "Telefonnummer", "téléphone", "teléfono"),
    "mobile": ("mobile phone", "mobile number", "cell phone", "Handy", "Mobiltelefon", "Mobilnummer", "téléphone portable", "móvil"),
    "manager": ("Vorgesetzter", "Vorgesetzte", "Führungskraft", "supérieur", "responsable", "jefe"),
    "groups": ("group", "Gruppen", "Gruppe", "groupes", "grupos"),
    "ou": ("organizational unit", "organisational unit", "Organisationseinheit", "unité d'organisation", "unidad organizativa"),
    "usage_location": ("usagelocation", "Nutzungsstandort", "Verwendungsstandort", "emplacement d'utilisation", "ubicación de uso"),
    "licenses": ("licence", "license", "licences", "Lizenz", "Lizenzen", "licencia", "licencias"),
}  # fmt: skip


def plain(name: str) -> str:
    """'Given-Name' and 'given_name' are the same name of a column; so are 'Prénom' and 'prenom', 'Büro' and 'buero'."""
    folded = name.strip().casefold()
    for umlaut, written in (("ä", "ae"), ("ö", "oe"), ("ü", "ue")):
        folded = unicodedata.normalize("NFC", folded).replace(umlaut, written)
    folded = "".join(char for char in unicodedata.normalize("NFKD", folded) if not unicodedata.combining(char))
    return "_".join("".join(char if char.isalnum() else " " for char in folded).split())


_KNOWN = {**{plain(alias): column for column, aliases in ALIASES.items() for alias in aliases}, **{column: column for column in COLUMNS}}


def column_of(header: str, own: Mapping[str, str]) -> Optional[str]:
    """The column that a header means, or None.

    Args:
        header: as written.
        own: header -> column, as the caller named them; they go before the known names.
    """
    return {plain(name): column for name, column in own.items()}.get(plain(header)) or _KNOWN.get(plain(header))


def unknown(header: str) -> str:
    """The end of a sentence on a header that means no column: what could have been meant."""
    if plain(header).startswith(("password", "passwort", "initial_password", "mot_de_passe", "contrasena", "kennwort")):
        return f"unknown column {header!r}; passwords do not belong into this table"
    close = difflib.get_close_matches(plain(header), [*COLUMNS, *_KNOWN], n=1, cutoff=0.6)
    if close:
        meant = _KNOWN[close[0]]
        return f"unknown column {header!r} (did you mean {meant!r}?)"
    return f"unknown column {header!r}; known columns are {', '.join(COLUMNS)}, and others can be named by the option columns"
