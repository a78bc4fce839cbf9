"""What a stored text may do to the one who reads it: nothing. Directions are refused and marked, cards are masked.

Characters that change the direction of text (Unicode's bidirectional controls) make a name show another card number
than the one that is paid. None is taken any more, and one that is stored is shown as what it is.
"""

import re

from stdnum import luhn

from payouts import vault

CONTROLS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_ACCOUNT = re.compile(r"\d{13,}")
_NUMBER = re.compile(r"\d(?:[\s.\-\u2010-\u2015]{0,2}\d){7,}")
# A card's check number, where a word says that it is one.
_CHECK_NUMBER = re.compile(r"\b((?:cvv|cvc|cid|csc)2?\W{0,3})(\d{3,4})\b", re.IGNORECASE)


def turns(content: object) -> bool:
    """Whether a text in the JSON content changes the direction of text; the names of an object are texts too."""
    match content:
        case str():
            return bool(CONTROLS.search(content))
        case list():
            return any(turns(item) for item in content)
        case dict():
            return any(turns(name) or turns(item) for name, item in content.items())
        case _:
            return False


def marked(text: str) -> str:
    """The text with each such character as its name, as in [U+202E]."""
    return CONTROLS.sub(lambda found: f"[U+{ord(found[0]):04X}]", text)


def without_cards(text: str) -> str:
    """The text with every number that is as long as an account's masked by itself, and a card's check number."""
    text = _CHECK_NUMBER.sub(lambda found: found[1] + vault.BULLET * len(found[2]), text)
    return _NUMBER.sub(lambda number: vault.masked_text(number[0]), text)


def key_without_cards(key: str) -> str:
    """A client's own key as it is, but for what may be an account: 13 digits on end, or a card with a right checksum.

    A key is looked up by its text, and most have numbers of orders, days and UUIDs.
    """
    return _NUMBER.sub(lambda number: without_cards(number[0]) if _may_be_account(number[0]) else number[0], key)


def _may_be_account(number: str) -> bool:
    digits = re.sub(r"\D", "", number)
    return bool(_ACCOUNT.search(number)) or (13 <= len(digits) <= 19 and bool(luhn.is_valid(digits)))
