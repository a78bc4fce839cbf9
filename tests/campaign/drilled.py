"""Mutants that the storm hardly ever meets: each is caught by the drill that makes its moment (tests/drills)."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from typing import Final

from tests.bench.stand import ROOT
from tests.campaign.run import say
from tests.drills.accounts import PAID_ELSEWHERE
from tests.drills.funds import SENT_BEYOND
from tests.drills.late import LEFT_FAILED
from tests.drills.leases import STILL_LEASED
from tests.drills.pinned import PAID_THERE

# The drill, and how it says that what it promises does not hold: nothing else that goes wrong in it catches a mutant.
DRILLED: Final = {
    "dropped_success": ("late-success", LEFT_FAILED),
    "no_pinning": ("other-account", PAID_ELSEWHERE),
    "another_account": ("pinned", PAID_THERE),
    "beyond_the_balance": ("funds", SENT_BEYOND),
    "outliving_leases": ("leases", STILL_LEASED),
}


def broken_promises(mutant: str) -> dict[str, int]:
    """For how many payouts the mutant's drill found its promise broken."""
    drill, sentence = DRILLED[mutant]
    _exit_code, told = _drill([drill], mutant)
    found = count_of(sentence, told)
    return {f"{drill} ({sentence})": found} if found else {}


def false_alarms(mutants: Sequence[str]) -> dict[str, int]:
    """1 when one of these mutants' drills fails for the sound product."""
    exit_code, _told = _drill([DRILLED[mutant][0] for mutant in mutants], "")
    return {"drills_failed": 1} if exit_code else {}


def count_of(sentence: str, told: str) -> int:
    """The sum of the counts of which a drill's faults say so."""
    return sum(map(int, re.findall(rf"^ .*?\b(\d+) {re.escape(sentence)}$", told, re.MULTILINE)))


def _drill(names: Sequence[str], mutant: str) -> tuple[int, str]:
    """Its exit code and what it told."""
    answer = subprocess.run(
        [sys.executable, "-m", "tests.drills", "--small", *names],
        cwd=ROOT,
        env=os.environ | {"CAMPAIGN_MUTANT": mutant},
        stdout=subprocess.PIPE,
        text=True,
    )
    say(answer.stdout.rstrip())
    return answer.returncode, answer.stdout
