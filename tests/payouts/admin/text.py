"""Pages as their readers see them."""

import re


def plain(text: str) -> str:
    """What a reader sees: no tags, single spaces."""
    return " ".join(re.sub(r"<[^>]+>", " ", text).replace("\u00a0", " ").split())
