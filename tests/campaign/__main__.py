"""`make campaign`: see the package."""

import argparse
import json
import os
import subprocess
import sys

from backoffice.local.servers import ServiceError
from tests.bench.stand import ROOT, BenchError, listen
from tests.campaign.plan import MUTANTS, Plan
from tests.campaign.report import CLEAN, UNFINISHED, VIOLATED, table
from tests.campaign.run import run, say

MUTANT_COUNT = "120"
SOUND = "none"


def main() -> int:
    parser = argparse.ArgumentParser(prog="make campaign", description="A storm over the product, audited outside.")
    parser.add_argument("--mutants", action="store_true", help="break one mechanism after the other")
    arguments = parser.parse_args()
    listen()
    try:
        if arguments.mutants:
            return every_mutant()
        report = run(Plan.from_environment())
    except KeyboardInterrupt:
        say("Stopped.")
        return 130
    except (BenchError, ServiceError, ValueError) as error:
        say(str(error))
        return VIOLATED
    print(report.as_text())
    print(report.as_json())
    return report.exit_code


def every_mutant() -> int:
    """The sound product first, then each mutant, all of one size: 1 when they cannot be told apart."""
    rows: list[tuple[str, dict[str, int]]] = []
    for name in (SOUND, *MUTANTS):
        say(f"the mutant {name}")
        rows.append((name, _violations_of("" if name == SOUND else name)))
        say(table(rows[-1:]))
    print(table(rows))
    (_sound, false_alarms), *mutants = rows
    missed = [name for name, violations in mutants if not violations.keys() - UNFINISHED]
    print(f"{len(mutants) - len(missed)} of {len(mutants)} caught{': not ' + ', '.join(missed) if missed else ''}")
    return VIOLATED if missed or false_alarms else CLEAN


def _violations_of(mutant: str) -> dict[str, int]:
    """In a campaign of its own. Raises BenchError when it does not come to its end."""
    answer = subprocess.run(
        [sys.executable, "-m", "tests.campaign"],
        cwd=ROOT,
        env={"CAMPAIGN_N": MUTANT_COUNT} | os.environ | {"CAMPAIGN_MUTANT": mutant},
        stdout=subprocess.PIPE,
        text=True,
    )
    lines = answer.stdout.splitlines()
    if not lines:
        raise BenchError(f"The campaign of {mutant or SOUND} did not run.")
    violations: dict[str, int] = json.loads(lines[-1])["violations"]
    return violations


if __name__ == "__main__":
    sys.exit(main())
