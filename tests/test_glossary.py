"""The Russian catalogue keeps to docs/glossary.md: no term is translated in two ways."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from django.conf import settings

from tests.payouts.admin.test_russian import written


class Term(NamedTuple):
    forms: tuple[str, ...]  # English
    never: tuple[str, ...]  # how Russian words begin that would be another translation


def terms() -> Iterator[Term]:
    for line in (settings.BASE_DIR / "docs/glossary.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("| ") or cells[0] == "English":
            continue
        forms, _russian, never, _meaning = cells
        assert all(cells), line
        yield Term(tuple(forms.split(", ")), tuple(never.split(", ")))


def catalogue() -> list[tuple[str, str]]:
    return [(name.split("\x04")[-1], text) for (name, _form), text in written().items()]  # type: ignore[misc]


def faults(known: Iterable[Term], pairs: Iterable[tuple[str, str]]) -> list[str]:
    found = []
    pairs = list(pairs)
    for term in known:
        english = re.compile(rf"\b({'|'.join(map(re.escape, term.forms))})\b", re.I)
        other = re.compile(rf"\b({'|'.join(map(re.escape, term.never))})", re.I)
        found += [
            f"{term.forms[0]}: not “{wrong[0]}” in “{text}” for “{name}”"
            for name, text in pairs
            if english.search(name) and (wrong := other.search(text))
        ]
    return found


def test_no_term_is_translated_in_two_ways() -> None:
    assert not faults(terms(), catalogue())


def test_a_second_translation_of_a_term_is_found() -> None:
    planted = [("The batch is approved.", "Пакет одобрен."), ("The batch is approved.", "Реестр согласован.")]

    assert faults(terms(), planted) == [
        "approve: not “одобр” in “Пакет одобрен.” for “The batch is approved.”",
        "batch: not “Пакет” in “Пакет одобрен.” for “The batch is approved.”",
    ]


def test_every_term_of_the_glossary_is_used() -> None:
    names = "\n".join(name for name, _text in catalogue())

    unused = [term.forms for term in terms() if not re.search(rf"\b({'|'.join(term.forms)})\b", names, re.I)]

    assert not unused
