"""The attacks, bounded, against a real web server; `make attack` is all of them."""

import os
import subprocess
import sys

import pytest

from backoffice.environment import SETTINGS
from tests.attacks.tally import Tally
from tests.bench.stand import ROOT

pytestmark = pytest.mark.takes_long


def test_no_attack_breaks_the_server_hangs_it_or_gets_what_it_should_not() -> None:
    environment = {name: value for name, value in os.environ.items() if name not in SETTINGS}

    done = subprocess.run(
        [sys.executable, "-m", "tests.attacks", "--small"], cwd=ROOT, env=environment, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("0 × 5xx  0 hung  0 wrong") == 9


@pytest.mark.parametrize(
    ("status", "hung", "is_right"), [(500, False, True), (503, False, True), (None, True, True), (200, False, False)]
)
def test_a_tally_with_an_answer_that_should_not_be_is_not_clean(status, hung, is_right) -> None:
    tally = Tally()
    tally.count("a request", 200, is_right=True)
    was_clean = tally.is_clean

    tally.count("another", status, hung=hung, is_right=is_right)

    assert was_clean
    assert not tally.is_clean
    assert tally.faults


def test_a_tally_of_nothing_is_not_clean() -> None:
    assert not Tally().is_clean
