"""One campaign from its start to its report."""

import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import psycopg

from backoffice.local.servers import ends_with_parent, free_port
from tests.bench.stand import ROOT, BenchError, Stand, fetch, stand, web_command
from tests.campaign import marks
from tests.campaign.audit import World, rows_of, violations
from tests.campaign.chaos import Chaos
from tests.campaign.clients import Clients
from tests.campaign.ledger import read
from tests.campaign.plan import (
    AWAY_SECONDS,
    FROZEN_CLUSTER,
    FROZEN_SETTINGS,
    LOWERED_BANDS,
    LOWERED_SECONDS,
    ROUND_SECONDS,
    TAMPERED,
    Intent,
    Plan,
)
from tests.campaign.programs import Keeper, members
from tests.campaign.report import Report
from tests.campaign.restore import Backup
from tests.campaign.tamper import Tamperer
from tests.campaign.watch import Watch

LIMITS: Final = "limits.jsonl"
CLUSTERS: Final = ("cluster-1", "cluster-2")
START_SECONDS: Final = 300
DRAIN_SECONDS: Final = 120
# Where a search lags, a key can be sent again only in a part of its scaled life. What misses that, because look-ups
# fail too, is left to people when its time is over, and retried: 50 s each time.
LAGGING_DRAIN_SECONDS: Final = 300
MUTANT_DRAIN_SECONDS: Final = 75
FREEZE_SECONDS: Final = 125
# For what a woken process may still write.
LATE_SECONDS: Final = 3
# The product's own log line when a result comes whose lease is lost.
LATE: Final = b'"result_late"'
OPEN: Final = ("pending", "processing", "unknown", "failed")


class Campaign:
    """Everything that runs, and the phases in their order."""

    def __init__(self, stand: Stand, keeper: Keeper, plan: Plan, key: str) -> None:
        self.stand = stand
        self.keeper = keeper
        self.plan = plan
        self.ledger, self.limits = stand.folder / "ledger.sqlite3", stand.folder / LIMITS
        self.report = Report(
            *(plan.seed, plan.mutant, plan.orphans, len(plan.storm), plan.is_small, plan.settings),
            *(plan.provider, plan.look_again_seconds),
        )
        self.port = free_port()
        self.clients = Clients(plan, self.port, key)
        self.backup = Backup(stand.services.database)
        self.chaos = Chaos(keeper, plan, stand.services.redis, self.backup)
        self.watch = Watch(stand.services.database, self.port, key)
        self.tamperer = Tamperer(stand.services.database, plan)

    def run(self) -> Report:
        began_at = time.monotonic()
        self._start()
        say("the storm")
        self._storm()
        if self.plan.mutant in LOWERED_BANDS:
            say("the bands lowered by SQL")
            self._lower_bands()
        for name in self.plan.rounds:
            say(f"the round {name}")
            self._round(name)
        say("the audit")
        self._end()
        self.report.total_seconds = time.monotonic() - began_at
        return self.report

    def _start(self) -> None:
        services = self.stand.services
        for name in ("postgres", "redis"):
            self.keeper.keep_service(name, services.servers[name])
        provider = self.keeper.add("provider", "-m", "tests.campaign.provider", str(self.ledger), str(self.port))
        assert provider.process is not None
        assert provider.process.stdout is not None
        port = int(provider.process.stdout.readline() or self._failed("provider"))
        self.keeper.settings |= self.plan.dialect.settings(f"http://127.0.0.1:{port}")
        self.keeper.add_of_product("web", *web_command(self.port, "tests.campaign.launch:application"))
        for name in CLUSTERS:
            settings = FROZEN_SETTINGS if name == FROZEN_CLUSTER else {}
            self.keeper.add_of_product(name, "-m", "tests.campaign.launch", "cluster", **settings)
        self.keeper.add("operators", "-m", "tests.campaign.operators", str(self.ledger), str(self.limits))
        if not self.keeper.until(self._is_up, START_SECONDS):
            self._failed("web")

    def _failed(self, name: str) -> int:
        log = (self.stand.folder / f"{name}.log").read_text(errors="replace")
        raise BenchError(f"{name} did not start:\n{log[-3000:]}")

    def _is_up(self) -> bool:
        with suppress(OSError):
            fetch(f"http://127.0.0.1:{self.port}/healthz/")
            return self._count("SELECT count(*) FROM payouts_heartbeat") == len(CLUSTERS)
        return False

    def _storm(self) -> None:
        began_at = time.monotonic()
        extra = [intent for kind in TAMPERED for intent in self.plan.tampered(kind)]
        for part in (self.watch, self.tamperer, self.chaos):
            part.start()
        self.clients.storm(extra)
        limit = self.plan.storm_seconds + self.plan.within(60)
        self.keeper.until(lambda: self.clients.done and self.chaos.done, limit)
        self.chaos.stop()
        if self.plan.is_put_back:
            self.tamperer.was_put_back(self.backup.taken_at, self.backup.restored_at)
            # Clients do not know what was forgotten, so they ask for everything again.
            self.clients.submit([(time.monotonic(), intent) for intent in (*extra, *self.plan.storm)])
            self.keeper.until(lambda: self.clients.done, limit)
        self.keeper.reaps_orphans = True
        self.report.storm_seconds = time.monotonic() - began_at
        began_at = time.monotonic()
        drain_seconds = LAGGING_DRAIN_SECONDS if self.plan.dialect.search_lag_seconds else DRAIN_SECONDS
        limit = MUTANT_DRAIN_SECONDS if self.plan.mutant else self.plan.within(drain_seconds)
        self.keeper.until(lambda: self._are_paid(self.plan.storm), limit)
        self.report.drain_seconds = time.monotonic() - began_at
        self.keeper.until(self._is_awake, FREEZE_SECONDS)
        self.keeper.until(lambda: False, LATE_SECONDS)

    def _is_awake(self) -> bool:
        return not any(marks.state(self.keeper.programs[name].pid) == "T" for name in CLUSTERS)

    def _lower_bands(self) -> None:
        """Somebody with SQL asks for no approvals, orders, and puts the bands back as they were."""
        intents, bands = self.plan.under_lowered_bands, "payouts_approvalband"
        before = self.stand.query(f"SELECT id, approvals_required FROM {bands} WHERE currency = 'RUB'")
        self._by_hand(f"UPDATE {bands} SET approvals_required = 0 WHERE currency = 'RUB'")
        self.clients.submit([(time.monotonic(), intent) for intent in intents])
        self.keeper.until(lambda: self.clients.done, LOWERED_SECONDS)
        for band, required in before:
            self._by_hand(f"UPDATE {bands} SET approvals_required = %s WHERE id = %s", required, band)
        if not self.keeper.until(lambda: self._are_paid(intents), self.plan.within(ROUND_SECONDS)):
            self.report.findings.append(("round_not_finished", "the bands lowered by SQL"))

    def _by_hand(self, statement: str, *values: Any) -> None:
        with psycopg.connect(self.stand.services.database) as connection:
            connection.execute(statement, values)

    def _round(self, name: str) -> None:
        """Do the round's harm to the idle clusters, ask for more payouts, and wait until they are paid."""
        intents = self.plan.round(name)
        if name == "nobody_rings":
            self.keeper.stop("operators")  # what they decide rings
        else:
            self._strike_all_workers(signal.SIGKILL if name == "all_workers_killed" else signal.SIGSTOP)
        began_at = time.monotonic()
        self.clients.submit([(began_at, intent) for intent in intents])
        if not self.keeper.until(lambda: self._are_paid(intents), self.plan.within(ROUND_SECONDS)):
            self.report.findings.append(("round_not_finished", name))
        self.report.round_seconds[name] = time.monotonic() - began_at

    def _strike_all_workers(self, number: signal.Signals) -> None:
        """When both clusters are there and whole: nothing mends them but themselves."""
        programs = [self.keeper.programs[name] for name in CLUSTERS]
        found: list[dict[str, list[int]]] = []

        def are_whole() -> bool:
            found[:] = [members(program) for program in programs]
            return all(each.get("worker") and each.get("pusher") for each in found)

        if not self.keeper.until(are_whole, START_SECONDS):
            self.report.findings.append(("cluster_not_whole", str(found)))
        marks.signal_all([pid for each in found for pid in each.get("worker", [])], number)

    def _are_paid(self, intents: list[Intent]) -> bool:
        """All of them are stored and paid, and nothing of them is open."""
        users = [intent.number + 1 for intent in intents]
        paid = "SELECT count(DISTINCT user_id) FROM payouts_payout WHERE user_id = ANY(%s) AND status = 'processed'"
        still = "SELECT count(*) FROM payouts_payout WHERE user_id = ANY(%s) AND status = ANY(%s)"
        return self._count(paid, users) == len(users) and self._count(still, users, list(OPEN)) == 0

    def _count(self, query: str, *values: Any) -> int:
        """-1 while PostgreSQL is away."""
        try:
            return int(self.stand.query(query, values)[0][0])
        except psycopg.Error:
            return -1

    def _end(self) -> None:
        self.clients.stopped.set()
        self.tamperer.stop()
        self.watch.stop()
        self._note_programs()
        services = self.stand.services.servers
        codes = self.keeper.stop(*(name for name in self.keeper.programs if name not in services))
        self.report.findings += [
            ("cluster_not_drained", f"{name} ended with {codes.get(name)}")
            for name in CLUSTERS
            if codes.get(name) != 0
        ]
        rows = rows_of(self.stand.services.database, self.ledger)
        world = World(
            intents=self.plan.intents,
            acks=self.clients.acks,
            tampered=self.tamperer.altered,
            torn=sorted(self.watch.torn),
            named_by_product=self._named_by_product(),
            restored_at=self.backup.restored_at,
            limits=[(at, Decimal(amount)) for at, amount in map(json.loads, self.limits.read_text().splitlines())],
            **rows,
        )
        self.report.findings += violations(world)
        self.report.findings += [("campaign_itself_failed", text) for text in _crashes]
        self.report.findings += [("api_failed", text) for text in self.clients.refused]
        self._note_figures(rows)

    def _named_by_product(self) -> list[tuple[int | None, str]]:
        answer = subprocess.run(
            [sys.executable, "manage.py", "audit", "--json"],
            cwd=ROOT,
            env=os.environ | self.stand.settings,
            capture_output=True,
            text=True,
            preexec_fn=ends_with_parent(signal.SIGKILL),
        )
        return [(item["payout_id"], item["invariant"]) for item in json.loads(answer.stdout)["broken"]]

    def _note_programs(self) -> None:
        report, chaos = self.report, self.chaos
        report.kills, report.stops = _sorted(chaos.kills), _sorted(chaos.stops)
        report.orphans_left = dict(chaos.orphans)
        report.postgres_kills, report.redis_blows = dict(chaos.postgres_kills), dict(chaos.redis_blows)
        report.restarts = {
            name: program.starts if name in ("postgres", "redis") else program.starts - 1
            for name, program in self.keeper.programs.items()
        }
        report.put_back_seconds = self.backup.restored_at - self.backup.taken_at
        report.answers = _sorted(self.clients.answers)
        report.acks = len(self.clients.acks)
        report.doubled = sum(bool(intent.doubled) for intent in self.plan.storm)
        report.history_looks = self.watch.looks
        report.api_away_seconds = self.watch.longest_away_seconds
        if report.api_away_seconds > self.plan.within(AWAY_SECONDS):
            report.findings.append(("api_away", f"{report.api_away_seconds:.1f} s after PostgreSQL's return"))
        if len(self.tamperer.altered) < len(TAMPERED):
            report.findings.append(("nothing_tampered", "the campaign came too late to alter anything"))

    def _note_figures(self, rows: dict[str, list[Any]]) -> None:
        report = self.report
        # In recovery mode most look-ups are of keys that were never sent.
        sent = {row["key"] for row in rows["requests"] if row["method"] == "POST"}
        requests = [row for row in rows["requests"] if row["key"] in sent]
        report.never_sent = len(rows["requests"]) - len(requests)
        report.calls, report.payments = len(requests), len(rows["payments"])
        report.faults = _sorted(Counter(row["fault"] for row in requests if row["fault"]))
        report.strikes = dict(read(self.ledger, "SELECT kind, count(*) FROM strikes GROUP BY kind"))
        report.faulted = sum(report.faults.values())
        report.notices = dict(read(self.ledger, "SELECT outcome, count(*) FROM notices GROUP BY outcome"))
        report.events = _sorted(Counter(row["event"] for row in rows["events"]))
        report.recoveries = self._count("SELECT count(*) FROM payouts_recovery")
        if self.plan.is_put_back and self.plan.mutant != "no_recovery_mode" and report.recoveries < 1:
            report.findings.append(("no_recovery_mode", "the database was put back, and nobody noticed"))
        logs = [(self.stand.folder / f"{name}.log").read_bytes() for name in CLUSTERS]
        report.late_results = sum(log.count(LATE) for log in logs)


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items()))


_crashes: list[str] = []


def _note_crash(crash: threading.ExceptHookArgs) -> None:
    """A thread of the campaign that died would let everything pass."""
    threading.__excepthook__(crash)
    _crashes.append(f"{crash.thread and crash.thread.name}: {crash.exc_value!r}")


def run(plan: Plan) -> Report:
    """Raises BenchError when something cannot even start. Call it from the main thread."""
    threading.excepthook = _note_crash
    with stand() as started, _keeper(started) as keeper:
        say("services, schema, people")
        started.settings |= plan.settings | plan.dialect.settings("http://127.0.0.1:9")
        keeper.settings |= started.settings | plan.environment()
        started.migrate()
        key = subprocess.run(
            [sys.executable, "-m", "tests.campaign.people", str(started.folder / LIMITS)],
            cwd=ROOT,
            env=os.environ | started.settings | plan.environment(),
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        try:
            return Campaign(started, keeper, plan, key).run()
        finally:
            _keep_logs(started.folder)


@contextmanager
def _keeper(stand: Stand) -> Iterator[Keeper]:
    keeper = Keeper(stand.folder, secrets.token_hex(8), {})
    try:
        yield keeper
    finally:
        keeper.kill()
        keeper.close()


def _keep_logs(folder: Path) -> None:
    """Where CAMPAIGN_KEEP says, the logs and the ledger outlive the run."""
    if place := os.environ.get("CAMPAIGN_KEEP"):
        Path(place).mkdir(parents=True, exist_ok=True)
        for path in (*folder.glob("*.log"), *folder.glob("ledger.sqlite3*")):
            (Path(place) / path.name).write_bytes(path.read_bytes())


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
