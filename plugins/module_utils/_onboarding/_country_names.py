# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Names of countries in English, German, French and Spanish, to guess which code was meant. Source of the names: Unicode CLDR."""

from __future__ import annotations

import unicodedata

_NAMES = """
    AD Andorra|Andorre
    AE United Arab Emirates|Vereinigte Arabische Emirate|Émirats arabes unis|Emiratos Árabes Unidos
    AF Afghanistan|Afganistán
    AG Antigua & Barbuda|Antigua und Barbuda|Antigua-et-Barbuda|Antigua y Barbuda
    AI Anguilla|Anguila
    AL Albania|Albanien|Albanie
    AM Armenia|Armenien|Arménie
    AO Angola
    AQ Antarctica|Antarktis|Antarctique|Antártida
    AR Argentina|Argentinien|Argentine
    AS American Samoa|Amerikanisch-Samoa|Samoa américaines|Samoa Americana
    AT Austria|Österreich|Autriche
    AU Australia|Australien|Australie
    AW Aruba
    AX Åland Islands|Ålandinseln|Îles Åland|Islas Aland
    AZ Azerbaijan|Aserbaidschan|Azerbaïdjan|Azerbaiyán
    BA Bosnia & Herzegovina|Bosnien und Herzegowina|Bosnie-Herzégovine|Bosnia y Herzegovina
    BB Barbados|Barbade
    BD Bangladesh|Bangladesch|Bangladés
    BE Belgium|Belgien|Belgique|Bélgica
    BF Burkina Faso
    BG Bulgaria|Bulgarien|Bulgarie
    BH Bahrain|Bahreïn|Baréin
    BI Burundi
    BJ Benin|Bénin|Benín
    BL St. Barthélemy|Saint-Barthélemy|San Bartolomé
    BM Bermuda|Bermudes|Bermudas
    BN Brunei|Brunei Darussalam|Brunéi
    BO Bolivia|Bolivien|Bolivie
    BQ Caribbean Netherlands|Karibische Niederlande|Pays-Bas caribéens|Caribe neerlandés
    BR Brazil|Brasilien|Brésil|Brasil
    BS Bahamas
    BT Bhutan|Bhoutan|Bután
    BV Bouvet Island|Bouvetinsel|Île Bouvet|Isla Bouvet
    BW Botswana|Botsuana
    BY Belarus|Biélorussie|Bielorrusia
    BZ Belize|Belice
    CA Canada|Kanada|Canadá
    CC Cocos (Keeling) Islands|Kokosinseln|Îles Cocos|Islas Cocos
    CD Congo - Kinshasa|Kongo-Kinshasa|Congo-Kinshasa|República Democrática del Congo
    CF Central African Republic|Zentralafrikanische Republik|République centrafricaine|República Centroafricana
    CG Congo - Brazzaville|Kongo-Brazzaville|Congo-Brazzaville|Congo
    CH Switzerland|Schweiz|Suisse|Suiza
    CI Côte d'Ivoire
    CK Cook Islands|Cookinseln|Îles Cook|Islas Cook
    CL Chile|Chili
    CM Cameroon|Kamerun|Cameroun|Camerún
    CN China|Chine
    CO Colombia|Kolumbien|Colombie
    CR Costa Rica
    CU Cuba|Kuba
    CV Cape Verde|Cabo Verde|Cap-Vert
    CW Curaçao|Curazao
    CX Christmas Island|Weihnachtsinsel|Île Christmas|Isla de Navidad
    CY Cyprus|Zypern|Chypre|Chipre
    CZ Czechia|Tschechien|Tchéquie|Chequia|Czech Republic|Tschechische Republik
    DE Germany|Deutschland|Allemagne|Alemania
    DJ Djibouti|Dschibuti|Yibuti
    DK Denmark|Dänemark|Danemark|Dinamarca
    DM Dominica|Dominique
    DO Dominican Republic|Dominikanische Republik|République dominicaine|República Dominicana
    DZ Algeria|Algerien|Algérie|Argelia
    EC Ecuador|Équateur
    EE Estonia|Estland|Estonie
    EG Egypt|Ägypten|Égypte|Egipto
    EH Western Sahara|Westsahara|Sahara occidental|Sáhara Occidental
    ER Eritrea|Érythrée
    ES Spain|Spanien|Espagne|España
    ET Ethiopia|Äthiopien|Éthiopie|Etiopía
    FI Finland|Finnland|Finlande|Finlandia
    FJ Fiji|Fidschi|Fidji|Fiyi
    FK Falkland Islands|Falklandinseln|Îles Malouines|Islas Malvinas
    FM Micronesia|Mikronesien|Micronésie
    FO Faroe Islands|Färöer|Îles Féroé|Islas Feroe
    FR France|Frankreich|Francia
    GA Gabon|Gabun|Gabón
    GB United Kingdom|Vereinigtes Königreich|Royaume-Uni|Reino Unido|Great Britain|Grossbritannien|England
    GD Grenada|Grenade|Granada
    GE Georgia|Georgien|Géorgie
    GF French Guiana|Französisch-Guayana|Guyane française|Guayana Francesa
    GG Guernsey|Guernesey
    GH Ghana
    GI Gibraltar
    GL Greenland|Grönland|Groenland|Groenlandia
    GM Gambia|Gambie
    GN Guinea|Guinée
    GP Guadeloupe|Guadalupe
    GQ Equatorial Guinea|Äquatorialguinea|Guinée équatoriale|Guinea Ecuatorial
    GR Greece|Griechenland|Grèce|Grecia
    GS South Georgia & South Sandwich Islands|Südgeorgien und die Südlichen Sandwichinseln
    GT Guatemala
    GU Guam
    GW Guinea-Bissau|Guinée-Bissau|Guinea-Bisáu
    GY Guyana
    HK Hong Kong SAR China|Sonderverwaltungsregion Hongkong|R.A.S. chinoise de Hong Kong|RAE de Hong Kong (China)
    HM Heard & McDonald Islands|Heard und McDonaldinseln|Îles Heard-et-MacDonald|Islas Heard y McDonald
    HN Honduras
    HR Croatia|Kroatien|Croatie|Croacia
    HT Haiti|Haïti|Haití
    HU Hungary|Ungarn|Hongrie|Hungría
    ID Indonesia|Indonesien|Indonésie
    IE Ireland|Irland|Irlande|Irlanda
    IL Israel|Israël
    IM Isle of Man|Île de Man|Isla de Man
    IN India|Indien|Inde
    IO British Indian Ocean Territory|Britisches Territorium im Indischen Ozean
    IQ Iraq|Irak
    IR Iran|Irán
    IS Iceland|Island|Islande|Islandia
    IT Italy|Italien|Italie|Italia
    JE Jersey
    JM Jamaica|Jamaika|Jamaïque
    JO Jordan|Jordanien|Jordanie|Jordania
    JP Japan|Japon|Japón
    KE Kenya|Kenia
    KG Kyrgyzstan|Kirgisistan|Kirghizstan|Kirguistán
    KH Cambodia|Kambodscha|Cambodge|Camboya
    KI Kiribati
    KM Comoros|Komoren|Comores|Comoras
    KN St. Kitts & Nevis|St. Kitts und Nevis|Saint-Christophe-et-Niévès|San Cristóbal y Nieves
    KP North Korea|Nordkorea|Corée du Nord|Corea del Norte
    KR South Korea|Südkorea|Corée du Sud|Corea del Sur|Korea
    KW Kuwait|Koweït
    KY Cayman Islands|Kaimaninseln|Îles Caïmans|Islas Caimán
    KZ Kazakhstan|Kasachstan|Kazajistán
    LA Laos
    LB Lebanon|Libanon|Liban|Líbano
    LC St. Lucia|Sainte-Lucie|Santa Lucía
    LI Liechtenstein
    LK Sri Lanka
    LR Liberia
    LS Lesotho|Lesoto
    LT Lithuania|Litauen|Lituanie|Lituania
    LU Luxembourg|Luxemburg|Luxemburgo
    LV Latvia|Lettland|Lettonie|Letonia
    LY Libya|Libyen|Libye|Libia
    MA Morocco|Marokko|Maroc|Marruecos
    MC Monaco|Mónaco
    MD Moldova|Republik Moldau|Moldavie|Moldavia
    ME Montenegro|Monténégro
    MF St. Martin|Saint-Martin|San Martín
    MG Madagascar|Madagaskar
    MH Marshall Islands|Marshallinseln|Îles Marshall|Islas Marshall
    MK North Macedonia|Nordmazedonien|Macédoine du Nord|Macedonia del Norte
    ML Mali
    MM Myanmar (Burma)|Myanmar|Myanmar (Birmanie)|Myanmar (Birmania)
    MN Mongolia|Mongolei|Mongolie
    MO Macao SAR China|Sonderverwaltungsregion Macau|R.A.S. chinoise de Macao|RAE de Macao (China)
    MP Northern Mariana Islands|Nördliche Marianen|Îles Mariannes du Nord|Islas Marianas del Norte
    MQ Martinique|Martinica
    MR Mauritania|Mauretanien|Mauritanie
    MS Montserrat
    MT Malta|Malte
    MU Mauritius|Maurice|Mauricio
    MV Maldives|Malediven|Maldivas
    MW Malawi|Malaui
    MX Mexico|Mexiko|Mexique|México
    MY Malaysia|Malaisie|Malasia
    MZ Mozambique|Mosambik
    NA Namibia|Namibie
    NC New Caledonia|Neukaledonien|Nouvelle-Calédonie|Nueva Caledonia
    NE Niger|Níger
    NF Norfolk Island|Norfolkinsel|Île Norfolk|Isla Norfolk
    NG Nigeria
    NI Nicaragua
    NL Netherlands|Niederlande|Pays-Bas|Países Bajos|Holland
    NO Norway|Norwegen|Norvège|Noruega
    NP Nepal|Népal
    NR Nauru
    NU Niue
    NZ New Zealand|Neuseeland|Nouvelle-Zélande|Nueva Zelanda
    OM Oman|Omán
    PA Panama|Panamá
    PE Peru|Pérou|Perú
    PF French Polynesia|Französisch-Polynesien|Polynésie française|Polinesia Francesa
    PG Papua New Guinea|Papua-Neuguinea|Papouasie-Nouvelle-Guinée|Papúa Nueva Guinea
    PH Philippines|Philippinen|Filipinas
    PK Pakistan|Pakistán
    PL Poland|Polen|Pologne|Polonia
    PM St. Pierre & Miquelon|St. Pierre und Miquelon|Saint-Pierre-et-Miquelon|San Pedro y Miquelón
    PN Pitcairn Islands|Pitcairninseln|Îles Pitcairn|Islas Pitcairn
    PR Puerto Rico|Porto Rico
    PS Palestinian Territories|Palästinensische Autonomiegebiete|Territoires palestiniens|Territorios Palestinos
    PT Portugal
    PW Palau|Palaos
    PY Paraguay
    QA Qatar|Katar|Catar
    RE Réunion|La Réunion|Reunión
    RO Romania|Rumänien|Roumanie|Rumanía
    RS Serbia|Serbien|Serbie
    RU Russia|Russland|Russie|Rusia|Russian Federation
    RW Rwanda|Ruanda
    SA Saudi Arabia|Saudi-Arabien|Arabie saoudite|Arabia Saudí
    SB Solomon Islands|Salomonen|Îles Salomon|Islas Salomón
    SC Seychelles|Seychellen
    SD Sudan|Soudan|Sudán
    SE Sweden|Schweden|Suède|Suecia
    SG Singapore|Singapur|Singapour
    SH St. Helena|Sainte-Hélène|Santa Elena
    SI Slovenia|Slowenien|Slovénie|Eslovenia
    SJ Svalbard & Jan Mayen|Spitzbergen und Jan Mayen|Svalbard et Jan Mayen|Svalbard y Jan Mayen
    SK Slovakia|Slowakei|Slovaquie|Eslovaquia
    SL Sierra Leone|Sierra Leona
    SM San Marino|Saint-Marin
    SN Senegal|Sénégal
    SO Somalia|Somalie
    SR Suriname|Surinam
    SS South Sudan|Südsudan|Soudan du Sud|Sudán del Sur
    ST São Tomé & Príncipe|São Tomé und Príncipe|Sao Tomé-et-Principe|Santo Tomé y Príncipe
    SV El Salvador|Salvador
    SX Sint Maarten|Saint-Martin (partie néerlandaise)
    SY Syria|Syrien|Syrie|Siria
    SZ Eswatini|Esuatini
    TC Turks & Caicos Islands|Turks- und Caicosinseln|Îles Turques-et-Caïques|Islas Turcas y Caicos
    TD Chad|Tschad|Tchad
    TF French Southern Territories|Französische Süd- und Antarktisgebiete|Terres australes françaises|Territorios Australes Franceses
    TG Togo
    TH Thailand|Thaïlande|Tailandia
    TJ Tajikistan|Tadschikistan|Tadjikistan|Tayikistán
    TK Tokelau
    TL Timor-Leste|Timor oriental
    TM Turkmenistan|Turkménistan|Turkmenistán
    TN Tunisia|Tunesien|Tunisie|Túnez
    TO Tonga
    TR Türkiye|Türkei|Turquie|Turquía|Turkey
    TT Trinidad & Tobago|Trinidad und Tobago|Trinité-et-Tobago|Trinidad y Tobago
    TV Tuvalu
    TW Taiwan|Taïwan|Taiwán
    TZ Tanzania|Tansania|Tanzanie
    UA Ukraine|Ucrania
    UG Uganda|Ouganda
    UM U.S. Outlying Islands|Amerikanische Überseeinseln|Îles mineures éloignées des États-Unis|Islas menores alejadas de EE. UU.
    US United States|Vereinigte Staaten|États-Unis|Estados Unidos|USA|United States of America
    UY Uruguay
    UZ Uzbekistan|Usbekistan|Ouzbékistan|Uzbekistán
    VA Vatican City|Vatikanstadt|État de la Cité du Vatican|Ciudad del Vaticano
    VC St. Vincent & Grenadines|St. Vincent und die Grenadinen|Saint-Vincent-et-les Grenadines|San Vicente y las Granadinas
    VE Venezuela
    VG British Virgin Islands|Britische Jungferninseln|Îles Vierges britanniques|Islas Vírgenes Británicas
    VI U.S. Virgin Islands|Amerikanische Jungferninseln|Îles Vierges des États-Unis|Islas Vírgenes de EE. UU.
    VN Vietnam|Viêt Nam
    VU Vanuatu
    WF Wallis & Futuna|Wallis und Futuna|Wallis-et-Futuna|Wallis y Futuna
    WS Samoa
    YE Yemen|Jemen|Yémen
    YT Mayotte
    ZA South Africa|Südafrika|Afrique du Sud|Sudáfrica
    ZM Zambia|Sambia|Zambie
    ZW Zimbabwe|Simbabwe|Zimbabue
"""


def code_of(name: str) -> str:
    """The code of ISO 3166-1 for the name of a country, whatever its case and accents; empty when it is none."""
    return _CODES.get(_plain(name), "")


def _plain(name: str) -> str:
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    return " ".join("".join(char if char.isalnum() else " " for char in decomposed if not unicodedata.combining(char)).split())


_CODES = {_plain(name): line[:2] for line in (line.strip() for line in _NAMES.splitlines()) if line for name in line[3:].split("|")}
