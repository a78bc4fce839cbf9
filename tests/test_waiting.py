"""Tests wait in one way."""

import re

import pytest

from backoffice.local import ROOT
from tests.waiting import wait_until

# Programs of their own, which say by errors of their own that something does not come.
OTHERS = {"attacks", "bench", "campaign", "drills", "image"}
# Installs what takes minutes.
EXEMPT = {"tests/waiting.py", "tests/browser/chromium.py"}


def test_no_test_has_a_loop_of_its_own_that_waits() -> None:
    files = [path for path in (ROOT / "tests").rglob("*.py") if path.relative_to(ROOT).parts[1] not in OTHERS]
    by_the_clock = re.compile(r"monotonic\(\) [+<>]")

    found = {path for path in files if by_the_clock.search(text := path.read_text()) and "time.sleep(" in text}

    assert {str(path.relative_to(ROOT)) for path in found} == EXEMPT


def test_what_is_found_is_given_and_errors_mean_not_yet() -> None:
    answers = iter([OSError(), 0, 7])

    def look() -> int:
        answer = next(answers)
        if isinstance(answer, OSError):
            raise answer
        return answer

    assert wait_until(look, errors=OSError) == 7


def test_whoever_has_ended_is_not_waited_for() -> None:
    with pytest.raises(AssertionError, match="ended before the start; its log"):
        wait_until(lambda: False, "the start", lives=lambda: False, say=lambda: "its log")
