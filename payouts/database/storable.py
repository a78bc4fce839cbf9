"""What JSON content PostgreSQL and the next reader can take as it is."""

import math
from decimal import Decimal

from django.utils.translation import gettext as _

from payouts.plain_text import turns

LEVELS_LIMIT = 16
TEXT_LIMIT = 1_000


def is_storable(content: object, levels: int = LEVELS_LIMIT) -> bool:
    """Whether no text has NUL or half a surrogate pair, no number is NaN or infinite, no nesting beyond 16."""
    if levels < 0:
        return False
    match content:
        case str():
            return not any(character == "\0" or "\ud800" <= character <= "\udfff" for character in content)
        case float():
            return math.isfinite(content)
        case Decimal():
            return content.is_finite()
        case list():
            return all(is_storable(item, levels - 1) for item in content)
        case dict():
            return all(is_storable(name, levels) and is_storable(item, levels - 1) for name, item in content.items())
        case _:
            return True


def text_fault(text: str) -> str:
    """Why a reason or a comment cannot be kept, as a sentence; empty when it can."""
    if len(text) > TEXT_LIMIT or not is_storable(text):
        return _("Give at most 1000 characters, all of them printable.")
    return turn_fault(text)


def turn_fault(content: object) -> str:
    """Why none of this is kept where it would change the direction of text; else empty."""
    if turns(content):
        return _("A character here changes the direction of text (such as U+202E). Leave it out.")
    return ""
