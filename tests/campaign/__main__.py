"""`make campaign`: see the package."""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial

from backoffice.local.servers import ServiceError
from tests.bench.stand import ROOT, BenchError, listen
from tests.campaign.dialects.spoken import DEFAULT
from tests.campaign.drilled import DRILLED, broken_promises, false_alarms
from tests.campaign.plan import MUTANTS, Plan
from tests.campaign.report import CLEAN, UNFINISHED, VIOLATED, table
from tests.campaign.run import run, say

MUTANT_COUNT = "120"
SOUND = "none"
SOUND_IN_DRILLS = "none, in drills"


def main() -> int:
    parser = argparse.ArgumentParser(prog="make campaign", description="A storm over the product, audited outside.")
    parser.add_argument(
        "--mutants",
        nargs="*",
        metavar="name",
        help="break one mechanism after the other, or only those that are named",
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.mutants or ()) - {*MUTANTS, *DRILLED}:
        parser.error(f"there is no mutant {', '.join(sorted(unknown))}; there are {', '.join((*MUTANTS, *DRILLED))}")
    listen()
    try:
        if arguments.mutants is not None:
            return every_mutant(arguments.mutants or mutants_of(Plan.from_environment()))
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


def mutants_of(plan: Plan) -> Sequence[str]:
    """Those that show on this provider; the drills have one of their own."""
    return (*plan.dialect.mutants, *(DRILLED if plan.provider == DEFAULT else ()))


def every_mutant(names: Sequence[str]) -> int:
    """The sound product first, then each mutant, all of one size: 1 when they cannot be told apart."""
    storms = [name for name in MUTANTS if name in names]
    drilled = [name for name in DRILLED if name in names]
    runs: list[tuple[str, Callable[[], dict[str, int]]]] = []
    if storms:
        runs += [(name, partial(_violations_of, "" if name == SOUND else name)) for name in (SOUND, *storms)]
    if drilled:
        runs.append((SOUND_IN_DRILLS, partial(false_alarms, drilled)))
        runs += [(name, partial(broken_promises, name)) for name in drilled]
    rows: list[tuple[str, dict[str, int]]] = []
    for name, violations_of in runs:
        say(f"the mutant {name}")
        rows.append((name, violations_of()))
        say(table(rows[-1:]))
    print(table(rows))
    found = dict(rows)
    missed = [name for name in (*storms, *drilled) if not found[name].keys() - UNFINISHED]
    alarms = [name for name in (SOUND, SOUND_IN_DRILLS) if found.get(name)]
    caught = len(storms) + len(drilled) - len(missed)
    print(f"{caught} of {caught + len(missed)} caught{': not ' + ', '.join(missed) if missed else ''}")
    return VIOLATED if missed or alarms else CLEAN


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
