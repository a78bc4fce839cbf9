"""What monitoring would have said: the provider is down, all clusters are killed, an invariant is broken.

The exporter is scraped meanwhile, and promtool lets the alert rules go over what it said. Where promtool is missing
(Debian's package prometheus) nothing is shown, and the figure says so.
"""

import json
import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

from prometheus_client.parser import text_string_to_metric_families

from backoffice.local.servers import free_port
from tests.bench.stand import ROOT, BenchError, Stand
from tests.deploy.check import AwayError, tool
from tests.drills.ground import PATIENCE_SECONDS, SHORT_LEASES, Drill, Result, ground, until

RULES = ROOT / "deploy" / "prometheus" / "rules.yaml"
QUIET = "nothing is wrong"


@dataclass(frozen=True)
class Numbers:
    payouts: int
    scrape_seconds: float
    told_seconds: int
    """What the rules are told lies between two scrapes: more than it is, where time is short."""
    hold_scrapes: int
    """So long each state lasts: longer than its rule waits."""


@dataclass
class Recording:
    """What the exporter said, scrape by scrape."""

    url: str
    numbers: Numbers
    named: set[str]
    scrapes: list[dict[str, float]] = field(default_factory=list)
    states: dict[str, int] = field(default_factory=dict)
    """The scrape at which each state had lasted."""

    def watch(self, state: str, holds: Callable[[], object]) -> None:
        """Scrape until that is so, and for as long again as the rules wait. Raises BenchError."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not holds():
            if time.monotonic() > deadline:
                raise BenchError(f"Not in {PATIENCE_SECONDS:.0f} seconds: {state}. {self.scrapes[-1:]}")
            self.scrape()
        for _each in range(self.numbers.hold_scrapes):
            self.scrape()
        self.states[state] = len(self.scrapes) - 1

    def last(self, name: str) -> float:
        return self.scrapes[-1].get(name, 0.0) if self.scrapes else 0.0

    def scrape(self) -> None:
        time.sleep(self.numbers.scrape_seconds)
        with build_opener(ProxyHandler({})).open(self.url, timeout=30) as answer:
            text = answer.read().decode()
        self.scrapes.append(
            {
                _spelled(sample.name, sample.labels): sample.value
                for family in text_string_to_metric_families(text)
                for sample in family.samples
                if sample.name in self.named
            }
        )

    @property
    def series(self) -> list[dict[str, str]]:
        """As promtool's tests have them."""
        names = sorted({name for scrape in self.scrapes for name in scrape})
        return [
            {
                "series": name,
                "values": " ".join(f"{scrape[name]:.3f}" if name in scrape else "_" for scrape in self.scrapes),
            }
            for name in names
        ]


def alerts(stand: Stand, numbers: Numbers) -> Result:
    try:
        promtool = tool("promtool")
    except AwayError as away:
        return Result(f"left out: {away} (Debian's package prometheus)")
    with ground(stand, "alerts") as here:
        provider, hands, port = here.start_provider(), here.start_hands(), free_port()
        cluster = here.start_cluster(provider, **SHORT_LEASES)
        here.start("exporter", "manage.py", "exporter", "--port", str(port), **SHORT_LEASES)
        named = set(re.findall(r"\bpayouts_\w+", RULES.read_text()))
        said = Recording(f"http://127.0.0.1:{port}/metrics", numbers, named)
        until(lambda: _answers(said.url), "the exporter answers")
        # The audit is as old as the installation, and there is none of it yet: nobody is called for that.
        here.manage("shell", "--verbosity", "0", "--command", "from payouts.tasks import audit; audit()")

        hands.do("submit", numbers.payouts)
        said.watch(QUIET, lambda: here.statuses() == {"processed": numbers.payouts})

        provider.tell("refuse")
        hands.do("submit", numbers.payouts)
        said.watch("PayoutsProviderSilent", lambda: said.last("payouts_providers_silent"))
        provider.tell("listen")
        here.await_processed(2 * numbers.payouts)

        cluster.process.kill()
        said.watch("PayoutsNoCluster", lambda: said.scrapes and not said.last("payouts_clusters_alive"))
        here.start_cluster(provider, **SHORT_LEASES)

        ((broken, comment),) = here.query("SELECT id, comment FROM payouts_payout ORDER BY id LIMIT 1")
        here.query("UPDATE payouts_payout SET comment = 'x' WHERE id = %s RETURNING 1", [broken])
        here.manage("shell", "--verbosity", "0", "--command", "from payouts.tasks import audit; audit()")
        said.watch("PayoutsInvariantBroken", lambda: said.last("payouts_audit_broken"))
        here.query("UPDATE payouts_payout SET comment = %s WHERE id = %s RETURNING 1", [comment, broken])

        fired = {state: _firing(promtool, here.folder, said, at) for state, at in said.states.items()}
        expected = [state for state in fired if state != QUIET]
        result = Result(
            f"{len(said.scrapes)} scrapes; fired: "
            + ", ".join(f"{state} ({'yes' if state in fired[state] else 'no'})" for state in expected)
            + f"; {len(fired[QUIET])} while nothing was wrong"
        )
        for state in expected:
            result.expect(state in fired[state], f"{state} did not fire: {sorted(fired[state])}")
            result.expect(state not in fired[QUIET], f"{state} fired before its time")
        result.expect(not fired[QUIET], f"fired while nothing was wrong: {sorted(fired[QUIET])}")
        return here.judge(result, provider)


def _answers(url: str) -> bool:
    try:
        with build_opener(ProxyHandler({})).open(url, timeout=30):
            return True
    except OSError:
        return False


def _firing(promtool: str, folder: Path, said: Recording, scrape: int) -> set[str]:
    """The alerts that fire at that scrape. Raises BenchError for what promtool cannot read.

    A test that expects none tells which there are.
    """
    seconds = said.numbers.told_seconds
    test = {
        "rule_files": [str(RULES)],
        "evaluation_interval": f"{seconds}s",
        "tests": [
            {
                "interval": f"{seconds}s",
                "input_series": said.series,
                "promql_expr_test": [
                    {
                        "expr": 'ALERTS{alertstate="firing"}',
                        "eval_time": f"{scrape * seconds}s",
                        "exp_samples": [],
                    }
                ],
            }
        ],
    }
    file = folder / "alerts_test.yaml"
    file.write_text(json.dumps(test))  # which is YAML
    done = subprocess.run([promtool, "test", "rules", str(file)], capture_output=True, text=True, timeout=120)
    told = done.stdout + done.stderr
    if done.returncode and "got:" not in told:
        raise BenchError(f"promtool: {told[-2000:]}")
    return set(re.findall(r'alertname="(\w+)"', told)) if done.returncode else set()


def _spelled(name: str, labels: dict[str, str]) -> str:
    shown = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
    return f"{name}{{{shown}}}" if shown else name


ALERTS = Drill(
    alerts,
    full=Numbers(payouts=200, scrape_seconds=5, told_seconds=5, hold_scrapes=36),
    # For the rules time passes sixty times as quickly.
    small=Numbers(payouts=40, scrape_seconds=0.25, told_seconds=15, hold_scrapes=12),
)
