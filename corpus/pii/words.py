"""Words that say what a number is, by language: all that `corpus.pii` knows of vocabulary."""

from __future__ import annotations

import re

# Words before a telephone number. Compared in small letters, as whole words.
_PHONE = frozenset(
    " ".join(
        (
            "tel phone phones fax mob mobile cell cellular cellphone call dial ring voice sms hotline helpline",
            "fon telefax handy mobil anruf anrufen rufen rufnummer ruf",  # German
            "tél portable appelez appeler",  # French
            "móvil movil celular cel tfno llame llama llámenos llámanos llamar fono",  # Spanish
            "telemóvel telemovel ligue fone",  # Portuguese
            "cellulare chiamaci chiamate chiamare",  # Italian
            "mobiel bel gsm",  # Dutch, and Turkish
            "tlf tlfn puh puhelin matkapuhelin",  # Danish, Norwegian; Finnish
            "zadzwoń dzwoń komórka komórkowy",  # Polish
            "тел моб звоните звонить позвоните факс мобильный",  # Russian, and Ukrainian
            "τηλ κιν",  # Greek
            "telepon telp hubungi",  # Indonesian
            "thoại đt sđt",  # Vietnamese
            "هاتف تلفن تلفون موبايل جوال",  # Arabic, Persian
            "טלפון נייד",  # Hebrew
        )
    ).split()
)
# How compounds and inflected forms begin: `Telefonnummer`, `телефоны`.
_PHONE_BEGINS = ("telefo", "teleph", "téléph", "teléfo", "телефон", "τηλέφων", "handynum", "mobilnum", "whatsapp")
# Scripts that write no spaces; signs.
_PHONE_INSIDE = ("电话", "電話", "手机", "手機", "전화", "연락처", "휴대폰", "โทร", "☎", "📞", "📱", "✆")
# What says so only in a certain place.
_PHONE_PHRASE = re.compile(
    "|".join(
        (
            r"\b[tpmf] ?:\W{0,6}$",  # `T: 030 ...`, but not `p. 181`
            r"\bt\.\W{0,4}$",
            r"\b(?:kom|cel|ph)[.:]",  # words of their own without the stop
            r"\bcontact(?:s|ez)?\W{0,3}$",
            r"\b(?:text|reach|contact)\b[^.!?]{0,20}(?:\b(?:at|on|via)|:)\W{0,3}$",
            r"\b(?:my|our|your|his|her|their) (?:\w+ )?numbers?\b",
        )
    )
)
_WORD = re.compile(r"(?<![^\W\d])[^\W\d_]+")  # not `check_call`
_NEAR = 28  # characters between the word and the number
PHONE_REACH = 48  # bytes before a number in which its word may be
PHONE_AFTER = re.compile(rb"(?i) ?\((?:phone|tel|telephone|fax|cell|mobile|mob|office|home|work|direct|toll)\b")
"""`713 798 1626 (phone)`"""


def names_phone(before: bytes) -> bool:
    """Whether `before`, what stands in front of a number, ends with a word for telephones, no digit after it."""
    text = re.split(r"[0-9]", before.decode("utf-8", "ignore"))[-1].lower()
    near = len(text) - _NEAR
    return (
        any(
            (found.group() in _PHONE or found.group().startswith(_PHONE_BEGINS)) and found.end() >= near
            for found in _WORD.finditer(text)
        )
        or any(word in text for word in _PHONE_INSIDE)
        or _PHONE_PHRASE.search(text, max(0, near - 8)) is not None
    )


PHONE_LIST = re.compile(
    rb" ?(?:[,;/|&]|or|and|und|oder|et|ou|y|o|e|\xd0\xb8(?:\xd0\xbb\xd0\xb8)?) ?"  # and the Russian `or`
)
"""What stands between two numbers that one word is said of."""

SSN = re.compile(
    rb"(?i)(?:\b|_)ssns?(?![a-z])|\bss ?[#n]|social[ _-]?security|seguro[ _-]social|taxpayer[ _-]id"  # ITINs have 9...
)
CARD = re.compile(
    rb"(?i)card|visa|master|amex|american express|diners|discover|jcb|unionpay|maestro|credit|debit|payment|"
    rb"\bcc\b|\bpan\b|carte|karte|tarjeta|cart(?:a|\xc3\xa3o)\b|\bkort|kartu|"
    + "|".join(("карт", "Карт", "卡", "カード", "카드")).encode()
)
OTHER = re.compile(
    rb"(?i)\b(?:order|invoice|item|part|serial|s/n|sku|isbn|issn|doi|model|case|ticket|tracking|ref(?:erence)?|batch|lot|"
    rb"version|uuid|hash|transaction|timestamp|id)\W{0,3}(?:no|number|nr|code|id)?[^A-Za-z0-9]{0,3}$"
)
"""A number is something else: `Order no. 4...`."""

VERSION = re.compile(
    rb"(?i)(?:"
    rb"(?<![a-z])(?:version|ver|release|build|firmware|software|driver|kernel|update|upgrade|patch|section|sec|chapter|"
    rb"clause|article|figure|table|rev|revision|v\d{0,2}|oid|objectidentifier)[sd]?"
    rb"[\W_]{0,6}(?:(?:v8|to|from|is|was|of)\W{1,3}){0,3}|"  # `upgraded V8 to 4.5.103.24`, `__version__ = "3.5.0.1`
    rb"\xc2\xa7 ?|"  # a section sign
    rb"(?:^|[^0-9.])[0-9]*\.[0-9]+[ ,]|"  # decimal numbers: `2.83-2.12 3.51.98.32` of a path in SVG
    rb"[A-Za-z0-9][/_-]"  # `Chrome/88.0.43.24`
    rb")$"
)
HOST = re.compile(rb"(?i)(?:host|ip|server|addr|address|node|client|peer|from|to|proxy|@[a-z]{1,20})[/_-]$")
"""Of what a name may be made with an address: `host-8.8.4.4`."""

ADDRESS = re.compile(
    rb"(?i)\b(?:ip(?:v4)?s?|addr(?:ess(?:es)?)?|hosts?|hostname|servers?|ping|dns|nameservers?|clients?|remote|subnets?|"
    rb"networks?|log(?:in|ged)|connect(?:ed|ion|ions|ing)?|resolvers?|inet)\b|://|[a-z0-9]@$|\b(?:from|ssh)\W$"
)
"""A dotted quad of small parts is an address after all."""
