"""What a setting is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Setting:
    """A variable of the environment. One with a `remedy` is required: the remedy says how to get a value.

    A default of None depends on another setting; `default_in_words` says how.
    """

    name: str
    meaning: str
    kind: Callable[[str], Any] = str
    default: Any = ""
    default_in_words: str = ""
    remedy: str = ""
    is_secret: bool = False
