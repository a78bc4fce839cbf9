"""schemathesis, all of its checks, against the running API: what the document says is what the server does."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.attacks.tally import Tally
from tests.attacks.target import Target
from tests.attacks.wire import HUNG_SECONDS
from tests.bench.stand import ROOT

HERE = Path(__file__).parent


def run(target: Target, *, examples: int, is_small: bool, seed: int | None = None) -> Tally:
    """So many examples of each call, of what the document allows and what not; in the small form no chains of calls.

    A seed makes it repeatable.
    """
    tally = Tally()
    report = target.stand.folder / "schemathesis.json"
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml")),
        *("run", f"http://{target.host}/api/schema/", "--checks", "all", "--max-examples", str(examples)),
        *("--header", f"Authorization: Bearer {target.keys['all scopes']}", "--header", "X-Forwarded-Proto: https"),
        *("--request-timeout", str(HUNG_SECONDS), "--continue-on-failure", "--no-color"),
        *("--report", "json", "--report-json-path", str(report)),
        *(("--seed", str(seed)) if seed is not None else ()),
        *(("--phases", "examples,coverage,fuzzing") if is_small else ()),
    ]
    settings = os.environ | target.stand.settings
    settings |= {"SCHEMATHESIS_HOOKS": "tests.attacks.fuzz_hooks", "PYTHONPATH": str(ROOT)}
    # It writes down what it found in the folder where it runs.
    done = subprocess.run(command, cwd=target.stand.folder, env=settings, capture_output=True, text=True)
    if report.exists():
        _read(json.loads(report.read_text()), tally)
    if done.returncode:
        told = done.stdout.partition("FAILURES")[2] or done.stdout
        tally.expect(False, f"schemathesis ended with {done.returncode}: {told[:6000]}{done.stderr[-2000:]}")
    target.still_answers(tally, "schemathesis")
    return tally


def _read(report: dict[str, object], tally: Tally) -> None:
    """Its counts; what went wrong stands in its own words in its output."""
    tally.requests += report["test_cases"]["generated"]  # type: ignore[index]
    for failure in report["failures"]:  # type: ignore[attr-defined]
        if failure["type"] == "ServerError":
            tally.server_errors += failure["count"]
        else:
            tally.wrong += failure["count"]
    for error in report["errors"]:  # type: ignore[attr-defined]
        if "timeout" in error["title"].lower():
            tally.hung += error["count"]
        else:
            tally.wrong += error["count"]
