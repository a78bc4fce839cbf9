"""The real thing: `manage.py cluster` in processes of its own, the sandbox over HTTP, PostgreSQL."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import psutil
import pytest
from django.db import connection, transaction
from django.utils import timezone
from django_q.models import OrmQ

from backoffice.local.secrets import new_secrets
from payouts import actions, doorbell
from payouts.audit import broken_invariants
from payouts.database.rights import APP
from payouts.jobs import FILES, in_queues
from payouts.models import Batch, Event, Heartbeat, Payout, WebhookMessage
from payouts.worker import alive
from tests import recipes
from tests.databases import application_url, as_owner
from tests.payouts.providers.programs import ROOT, TOKEN, SandboxProgram, sandbox
from tests.payouts.worker.queues import use_broker
from tests.waiting import PATIENCE_SECONDS, wait_until

pytestmark = pytest.mark.django_db(transaction=True)

# A payout that was with a killed supervisor is taken up again when its lease ends: soon enough to be waited for.
SHORT_LEASES = {
    "PROVIDER_TIMEOUT_SECONDS": "5",
    "Q_TIMEOUT_SECONDS": "15",
    "LEASE_SECONDS": "20",
    "SWEEP_SECONDS": "2",
}


class ClusterProgram:
    """A running `manage.py cluster`."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.supervisor = psutil.Process(process.pid)
        self.process = process
        self.log = log

    @property
    def main(self) -> psutil.Process:
        return self.supervisor.children()[0]

    @property
    def sentinel(self) -> psutil.Process:
        return self.main.children()[0]

    @property
    def members(self) -> list[psutil.Process]:
        """q2's order of birth: the workers, the monitor, the pusher."""
        return sorted(self.sentinel.children(), key=lambda member: member.pid)

    @property
    def beat_at(self) -> datetime | None:
        """When it gave its last sign of life."""
        beats = Heartbeat.objects.filter(cluster__contains=f"-{self.process.pid}-")
        return beats.values_list("beat_at", flat=True).first()

    @property
    def is_alive(self) -> bool:
        """What `manage.py cluster --check` says."""
        probe = subprocess.run(
            [sys.executable, "manage.py", "cluster", "--check"],
            cwd=ROOT,
            env={alive.SETTING: str(self.log.with_suffix(".alive"))},
            capture_output=True,
        )
        return probe.returncode == 0

    def stop(self, stop: Callable[[int, int], None] = os.kill) -> int:
        stop(self.process.pid, signal.SIGTERM)
        return self.process.wait(PATIENCE_SECONDS)


def wait_for_beats(cluster: ClusterProgram, count: int, meanwhile: Callable[[], object] = lambda: None) -> None:
    """Until it has given so many more signs of life."""
    seen = {cluster.beat_at}

    def has_beaten() -> bool:
        meanwhile()
        seen.add(cluster.beat_at)
        return len(seen) > count

    wait_until(has_beaten, f"{count} heartbeats; {cluster.log.read_text()[-2000:]}")


@pytest.fixture(autouse=True)
def _every_ring_is_heard() -> None:
    """Rings go through the shared cache here, as they do in production."""


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[SandboxProgram]:
    with sandbox(tmp_path) as program:
        yield program


@pytest.fixture
def start(tmp_path: Path, provider: SandboxProgram) -> Iterator[Callable[..., ClusterProgram]]:
    """Starts clusters on the test's own database; none outlives the test."""
    started: list[ClusterProgram] = []

    @contextmanager
    def log_of(number: int) -> Iterator[tuple[Path, int]]:
        path = tmp_path / f"cluster-{number}.log"
        with path.open("wb") as file:
            yield path, file.fileno()

    def start(*, waits: bool = True, **environment: str) -> ClusterProgram:
        with log_of(len(started)) as (path, output):
            process = subprocess.Popen(
                [sys.executable, "manage.py", "cluster"],
                cwd=ROOT,
                env=os.environ
                | {
                    "DATABASE_URL": application_url(),
                    "PROVIDER_URL": provider.url,
                    "PROVIDER_TOKEN": TOKEN,
                    "LOG_LEVEL": "INFO",
                    alive.SETTING: str(path.with_suffix(".alive")),
                }
                | environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        program = ClusterProgram(process, path)
        started.append(program)
        if waits:
            beats = Heartbeat.objects.count()
            wait_until(lambda: Heartbeat.objects.count() > beats, f"a first heartbeat; {path.read_text()}")
        return program

    yield start
    for program in started:
        family = [program.supervisor, *_children(program.supervisor)]
        for member in family:
            _kill(member)
        program.process.wait(PATIENCE_SECONDS)


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _kill(process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        process.kill()


def _lives(process: psutil.Process) -> bool:
    """A zombie does not: it waits for whoever adopted it."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def submit(amount: str = "100.50") -> Payout:
    return actions.submit(
        client=recipes.client.make(),
        user_id=123,
        amount=Decimal(amount),
        currency="RUB",
        recipient={"card": "0000 1111 2222 3333"},
    )


def is_processed(payout: Payout) -> bool:
    payout.refresh_from_db()
    return payout.status == "processed"


def assert_paid_once(provider: SandboxProgram, *payouts: Payout) -> None:
    for payout in payouts:
        attempts = [str(attempt.reference) for attempt in payout.attempts.all()]
        payments = [payment for reference in attempts for payment in provider.payments(f"?reference={reference}")]
        assert len(payments) == 1, payments
        assert Decimal(payments[0]["amount"]) == payout.amount
    assert list(broken_invariants()) == []


def test_a_payout_is_paid_once_and_its_history_tells_how(start, provider):
    start()
    payout = submit()

    wait_until(lambda: is_processed(payout), "processed")

    names = list(Event.objects.filter(payout=payout).order_by("seq").values_list("event", flat=True))
    assert names == ["submitted", "claimed", "succeeded"]
    assert_paid_once(provider, payout)


def test_a_lost_ring_is_found_by_the_sweep(start, provider):
    start(SWEEP_SECONDS="1", STALL_SECONDS="30")
    with transaction.atomic():
        payout = submit()
        OrmQ.objects.filter(key="payouts").delete()

    wait_until(lambda: is_processed(payout), "processed without its ring")


@pytest.mark.parametrize("role", ["supervisor's child", "sentinel", "worker", "monitor", "pusher", "all workers"])
def test_the_next_payout_is_paid_after_any_process_was_killed(start, provider, role):
    cluster = start(**SHORT_LEASES)
    victims = {
        "supervisor's child": [cluster.main],
        "sentinel": [cluster.sentinel],
        "worker": cluster.members[:1],
        "monitor": cluster.members[-2:-1],
        "pusher": cluster.members[-1:],
        "all workers": cluster.members[:-2],
    }[role]
    group = [cluster.main, *_children(cluster.main)]

    for victim in victims:
        victim.kill()
    payout = submit()

    wait_until(lambda: is_processed(payout), f"processed after the death of {role}")
    assert_paid_once(provider, payout)
    wait_until(lambda: not any(_lives(member) for member in group), "the old group is gone")
    assert cluster.process.poll() is None


@pytest.mark.parametrize("role", ["monitor", "worker"])
def test_what_a_killed_group_held_is_looked_up_at_once(start, tmp_path, role):
    """It waited for its lease, two minutes by default."""
    (folder := tmp_path / "slow").mkdir()
    with sandbox(folder, "--delay-ms", "20000") as slow:
        cluster = start(PROVIDER_URL=slow.url, LEASE_SECONDS="3600")
        payout = submit()
        wait_until(lambda: Payout.objects.exclude(lease_token=None).filter(pk=payout.pk).exists(), "claimed")
        held = Payout.objects.get(pk=payout.pk)

        cluster.members[{"worker": 0, "monitor": -2}[role]].kill()

        wait_until(lambda: Payout.objects.get(pk=payout.pk).lease_token != held.lease_token, "claimed by another")
    payout.refresh_from_db()
    assert payout.lease_holder.split("/")[0] == held.lease_holder.split("/")[0], "the same cluster, started afresh"
    assert payout.attempts.get().calls == 2


def test_a_cluster_that_hangs_with_every_process_alive_is_started_afresh(start, provider):
    cluster = start(SWEEP_SECONDS="1", STALL_SECONDS="8")
    group = cluster.members
    for worker in group[:-2]:
        worker.suspend()
    payout = submit()

    wait_until(lambda: is_processed(payout), "processed after the hang")

    wait_until(lambda: not any(_lives(member) for member in group), "the hung group is gone")
    assert "no heartbeat for 8 seconds" in cluster.log.read_text()


def test_a_cluster_whose_workers_wait_for_the_provider_is_not_taken_for_hung(start, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        cluster = start(
            PROVIDER_URL=f"http://127.0.0.1:{silent.getsockname()[1]}",
            PROVIDER_TIMEOUT_SECONDS="3",
            Q_TIMEOUT_SECONDS="30",
            SWEEP_SECONDS="1",
            STALL_SECONDS="120",
        )
        last_submitted_at = 0.0

        def go_on_submitting() -> None:
            nonlocal last_submitted_at
            if time.monotonic() - last_submitted_at > 0.3:
                submit()
                last_submitted_at = time.monotonic()

        wait_until(lambda: go_on_submitting() or Payout.objects.filter(status="processing").exists(), "a call")
        wait_for_beats(cluster, 12, go_on_submitting)

    assert "no heartbeat" not in cluster.log.read_text()
    assert Payout.objects.filter(status="unknown").exists()
    assert not Payout.objects.filter(status__in=["processed", "failed"]).exists()


def test_a_heartbeat_of_one_cluster_is_no_sign_of_life_of_another(start, provider):
    healthy = start(SWEEP_SECONDS="1", STALL_SECONDS="120")
    hung = start(SWEEP_SECONDS="1", STALL_SECONDS="8")
    for worker in hung.members[:-2]:
        worker.suspend()

    wait_for_beats(healthy, 5)
    wait_until(lambda: "no heartbeat" in hung.log.read_text(), "the hung cluster is noticed")

    assert "no heartbeat" not in healthy.log.read_text()


@pytest.mark.parametrize("kill", [os.kill, os.killpg], ids=["process", "group"])
def test_one_sigterm_finishes_what_was_taken_and_exits_0(start, provider, kill):
    cluster = start()
    group = [cluster.main, *_children(cluster.main)]
    slow = submit("1313.03")
    wait_until(lambda: Payout.objects.get().status == "processing", "claimed")

    assert cluster.stop(kill) == 0

    assert is_processed(slow)
    assert_paid_once(provider, slow)
    wait_until(lambda: not any(_lives(member) for member in group), "the group is gone")
    assert not Heartbeat.objects.exists()


def test_a_cluster_is_alive_from_its_first_answer_until_it_has_drained(start, provider):
    before = Heartbeat.objects.create(cluster=socket.gethostname()[:40], unfit_at=timezone.now())  # it did not start
    cluster = start(SWEEP_SECONDS="1", waits=False)

    wait_until(lambda: cluster.is_alive, "alive")
    assert not Heartbeat.objects.filter(pk=before.pk).exists()
    assert cluster.stop() == 0

    assert not cluster.is_alive


@pytest.mark.parametrize("ill", ["supervisor stopped", "each group killed"])
def test_a_cluster_that_does_not_mend_itself_is_not_alive(start, provider, ill):
    cluster = start(SWEEP_SECONDS="1", STALL_SECONDS="3")
    wait_until(lambda: cluster.is_alive, "alive")

    def is_over() -> bool:
        if ill == "each group killed":
            with suppress(IndexError, psutil.NoSuchProcess):
                cluster.main.kill()
        return not cluster.is_alive

    if ill == "supervisor stopped":
        cluster.supervisor.suspend()

    wait_until(is_over, "not alive")


def test_a_cluster_whose_database_is_away_is_alive(start, provider):
    """The platform would start it again and again, and mend nothing."""
    cluster = start(DATABASE_URL="postgres://nobody:@127.0.0.1:9/nowhere", SWEEP_SECONDS="1", waits=False)

    wait_until(lambda: cluster.is_alive, "alive")


@contextmanager
def revoked(right: str, table: str) -> Iterator[None]:
    """The product's role is without the right meanwhile."""
    with as_owner(), connection.cursor() as cursor:
        cursor.execute(f"REVOKE {right} ON {table} FROM {APP}")
    try:
        yield
    finally:
        with as_owner(), connection.cursor() as cursor:
            cursor.execute(f"GRANT {right} ON {table} TO {APP}")


def test_a_cluster_that_the_database_refuses_is_not_alive_until_it_may_go_on(start, provider):
    """The database is not away then, and nothing is paid until somebody hears of it."""
    cluster = start(SWEEP_SECONDS="1", STALL_SECONDS="3")
    wait_until(lambda: cluster.is_alive, "alive")

    with revoked("SELECT", "payouts_unsignednews"):  # which the sweep reads
        wait_until(lambda: not cluster.is_alive, "not alive")
    payout = submit()

    wait_until(lambda: is_processed(payout), "processed once the right is back")
    wait_until(lambda: cluster.is_alive, "alive again")
    assert "heartbeat_refused" in cluster.log.read_text()


def test_a_killed_supervisor_leaves_no_process(start, provider):
    cluster = start()
    family = [cluster.main, *_children(cluster.main)]

    cluster.process.kill()

    wait_until(lambda: not any(_lives(member) for member in family), "the family is gone")


@pytest.mark.parametrize(("amount", "end"), [("1313.04", "processed"), ("1313.13", "returned")])
def test_what_the_provider_tells_by_webhook_is_fetched_from_it(start, tmp_path, live_server, settings, amount, end):
    secret = new_secrets()["PROVIDER_WEBHOOK_SECRET"]
    settings.PROVIDER_WEBHOOK_SECRET = secret
    url = f"{live_server.url}/api/webhooks/provider/"
    with sandbox(tmp_path, SANDBOX_WEBHOOK_URL=url, PROVIDER_WEBHOOK_SECRET=secret) as provider:
        start(PROVIDER_URL=provider.url)
        payout = submit(amount)
        wait_until(lambda: WebhookMessage.objects.count() == 1, "heard")
        wait_until(lambda: Payout.objects.get(pk=payout.pk).status == end, end)

    assert list(broken_invariants()) == []


def test_a_batch_is_checked_by_the_worker_that_is_for_files(start, provider):
    cluster = start()
    batch = recipes.stored_batch()

    wait_until(lambda: Batch.objects.get(pk=batch.pk).checked_at, f"checked; {cluster.log.read_text()[-2000:]}")

    batch.refresh_from_db()
    assert (batch.refusal, batch.rows_valid) == (None, 1)
    wait_until(lambda: not OrmQ.objects.filter(key=FILES).exists(), "acknowledged")
    assert cluster.stop() == 0


def test_a_cluster_on_redis_is_rung_for(start, provider, settings, monkeypatch):
    with use_broker("redis", settings, monkeypatch):
        cluster = start(Q_BROKER="redis", SWEEP_SECONDS="3600")
        payout = submit()
        wait_until(lambda: is_processed(payout), "processed by a ring alone")
        wait_until(lambda: in_queues() == (0, 0), "acknowledged")
        assert cluster.stop() == 0

    assert_paid_once(provider, payout)
    assert not OrmQ.objects.exists()


def test_a_cluster_whose_redis_is_away_pays_by_its_sweep(start, provider, settings, monkeypatch):
    with use_broker("redis", settings, monkeypatch, is_away=True):
        cluster = start(Q_BROKER="redis", Q_REDIS_URL=settings.Q_REDIS_URL, SWEEP_SECONDS="1")
        payout = submit()
        wait_until(lambda: is_processed(payout), "processed")
        assert cluster.stop() == 0

    assert_paid_once(provider, payout)
    assert "no heartbeat" not in cluster.log.read_text()


def test_tasks_carry_no_content(start, provider):
    submit()

    task = OrmQ.objects.get(key="payouts").task

    assert (task["func"], task["args"], task["kwargs"]) == (doorbell.PUMP, (), {})
