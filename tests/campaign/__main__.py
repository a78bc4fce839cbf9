"""`make campaign`: see the package."""

import argparse
import json
import os
import subprocess
import sys

from backoffice.services import ServiceError
from tests.bench.stand import ROOT, BenchError, listen
from tests.campaign.plan import MUTANTS, Plan
from tests.campaign.report import VIOLATED, table
from tests.campaign.run import run, say

MUTANT_COUNT = "120"


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
    """Each in a campaign of its own; 1 when one of them is not caught."""
    rows: list[tuple[str, dict[str, int]]] = []
    for name in MUTANTS:
        say(f"the mutant {name}")
        answer = subprocess.run(
            [sys.executable, "-m", "tests.campaign"],
            cwd=ROOT,
            env={"CAMPAIGN_N": MUTANT_COUNT} | os.environ | {"CAMPAIGN_MUTANT": name},
            stdout=subprocess.PIPE,
            text=True,
        )
        lines = answer.stdout.splitlines()
        if not lines:
            raise BenchError(f"The campaign of {name} did not run.")
        rows.append((name, json.loads(lines[-1])["violations"]))
        say(table(rows[-1:]))
    print(table(rows))
    missed = [name for name, violations in rows if not violations]
    print(f"{len(rows) - len(missed)} of {len(rows)} caught{': not ' + ', '.join(missed) if missed else ''}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
