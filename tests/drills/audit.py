"""`manage.py audit` over many payouts: how long, how much memory, and a row that SQL has changed is named."""

import json
import math
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

from tests.bench.stand import ROOT, BenchError, Stand
from tests.drills.ground import Drill, Ground, Result, ground


@dataclass(frozen=True)
class Numbers:
    few: int
    many: int
    seconds: float
    growth: float
    """Twice the memory for ten times the payouts would be too much."""


@dataclass(frozen=True)
class Audited:
    seconds: float
    megabytes: float
    code: int
    report: dict[str, Any]


def audit(stand: Stand, numbers: Numbers) -> Result:
    with ground(stand, "audit") as here:
        _fill(here, numbers.few)
        few = _audited(here)
        _fill(here, numbers.many - numbers.few)
        middle = numbers.many // 2
        here.query(f"UPDATE payouts_payout SET user_id = user_id + 1 WHERE id = {middle} RETURNING id")
        many = _audited(here)
        named = [(each["payout_id"], each["invariant"]) for each in many.report["broken"]]
        result = Result(
            f"{numbers.many:,} payouts in {many.seconds:.0f} s with {many.megabytes:.0f} MB at most "
            f"({numbers.few:,}: {few.seconds:.0f} s, {few.megabytes:.0f} MB); the one row that SQL changed is named"
        )
        result.expect(
            (few.code, few.report["payouts"], few.report["broken"]) == (0, numbers.few, []), f"{few.report}"
        )
        result.expect((many.code, named) == (1, [(middle, "row_sealed")]), f"exit {many.code}, {named}")
        result.expect(many.report["payouts"] == numbers.many, f"{many.report['payouts']} payouts")
        result.expect(many.seconds < numbers.seconds, f"{many.seconds:.0f} s")
        result.expect(many.megabytes < numbers.growth * few.megabytes, "memory grows with the payouts")
        return result


def _fill(here: Ground, count: int) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.drills.sound", str(count)],
        cwd=ROOT,
        env=os.environ | here.settings | {"DATABASE_URL": here.services.database},  # who may count and analyze
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise BenchError(f"The payouts could not be made:\n{done.stderr[-3000:]}")


def _audited(here: Ground) -> Audited:
    began_at = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "manage.py", "audit", "--json"],
        cwd=ROOT,
        env=os.environ | here.settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    report = json.loads(process.stdout.read())
    _pid, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return Audited(time.monotonic() - began_at, usage.ru_maxrss / 1024, process.returncode, report)


AUDIT = Drill(
    audit,
    full=Numbers(few=10_000, many=100_000, seconds=60, growth=1.25),
    small=Numbers(few=200, many=800, seconds=math.inf, growth=math.inf),
)
