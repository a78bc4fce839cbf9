"""The figures under their names, as Prometheus reads them; docs/runbook.md says what each alert of them means.

A counter counts from the first row on, and outlives every process. What it counts appears with 0 where it can be told
beforehand, so that the first failure is an increase.
"""

import tomllib
from collections.abc import Iterable, Iterator, Sequence
from functools import cache

from django.conf import settings
from django.db import connection
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from payouts.actions import days, disclosures, funds, wrong_accounts
from payouts.actions.due import Owed
from payouts.database import replica
from payouts.figures import totals
from payouts.figures.freshness import freshness
from payouts.figures.standing import Backlog, Facts, all_waits, backlog, facts, seconds
from payouts.figures.waiting import COUNTED, Queue, queues
from payouts.jobs import in_queues
from payouts.models.sealed_sets import altered_sets
from payouts.providers import Verdict, registry
from payouts.states import OPEN, Status

# Of each open status COUNTED are counted, the oldest.
BY_STATUS = """
SELECT currency, count(*) FROM (
    SELECT currency FROM payouts_payout WHERE status = '{status}' ORDER BY created_at LIMIT %s) AS open
GROUP BY currency ORDER BY currency
"""

type Labelled = Iterable[tuple[Sequence[str], float]]


def collected(counting: totals.Counting) -> Iterator[Metric]:
    """Every family. Raises django.db.Error."""
    waiting = all_waits()
    found = facts()
    yield from _standing(found, backlog(found.now, waiting))
    counts = in_queues()
    queued = [((), counts[0])] if counts else []
    yield _labelled("queued_tasks", "Tasks that wait for a worker; none while their queue is away", [], queued)
    yield from _due(waiting.owed)
    yield from _waiting(found, queues(waiting))
    meaning = f"Payouts by open status, {COUNTED:,} of each at most"
    yield _labelled("open", meaning, ["status", "currency"], _by_status())
    yield from _accounts(found)
    yield from _reconciled(found)
    yield from _freshness(found)
    yield from _standby()
    yield from _totals(counting.bring_up(), totals.read())
    yield _labelled("build_info", "1 for what runs", ["version", "commit"], [((version(), settings.BUILD), 1)])


@cache
def version() -> str:
    with (settings.BASE_DIR / "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(f"payouts_{name}", meaning, value)


def _labelled(name: str, meaning: str, labels: Sequence[str], samples: Labelled) -> Metric:
    family = GaugeMetricFamily(f"payouts_{name}", meaning, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family


def _standing(found: Facts, waiting: Backlog) -> Iterator[Metric]:
    for name, meaning, value in (
        ("clusters_alive", "Clusters whose heartbeat is fresh", found.clusters),
        ("clusters_unfit", "Clusters that pay nothing: their keys do not fit", found.clusters_unfit),
        ("due", "Payouts that the worker should look at now", waiting.due),
        ("backlog_age_seconds", "Wait of the oldest due payout", waiting.age_seconds),
        ("over_limit", "Payouts that wait for a velocity limit", waiting.over_limit),
        ("waits_for_funds", "Payouts that the balance of their account does not cover", waiting.waits_for_funds),
        (
            "claims_failing_seconds",
            "For how long payouts cannot be claimed for a fault of ours",
            waiting.claims_failing_seconds,
        ),
        ("providers_silent", "Providers whose circuit breaker is open", found.providers_silent),
        ("recovery", "1 while the provider is asked before every payment", found.is_recovering),
        ("other_installation", "1 while nothing is paid: another installation's database", found.is_other),
        ("unknown_payments", "Payments that only the provider knows", found.unknown_payments),
        ("many_reveals", "People and clients who reached a limit of recipients seen", len(disclosures.many_seen())),
        ("configuration_altered", "Sets of the configuration that SQL has changed", len(altered_sets())),
    ):
        yield _gauge(name, meaning, value)


def _due(owed: Sequence[Owed]) -> Iterator[Metric]:
    """What is due, by whether a worker can take it now; KEDA makes clusters by what is claimable."""
    for name, meaning, some in (
        ("claimable", "Due payouts that a worker can take now", [each for each in owed if each.is_callable]),
        ("paused", "Due payouts whose account people have paused", [each for each in owed if each.is_paused]),
        (
            "silent",
            "Due payouts whose provider does not answer",
            [each for each in owed if each.is_silent and not each.is_paused],
        ),
    ):
        yield _gauge(name, meaning, sum(each.count for each in some))


def _waiting(found: Facts, waiting: dict[str, Queue]) -> Iterator[Metric]:
    yield _labelled(
        "oldest_seconds",
        "For how long the oldest of a queue waits; 0 for an empty one",
        ["queue"],
        [((name,), seconds(queue.since, found.now)) for name, queue in sorted(waiting.items())],
    )
    yield _gauge("needs_attention", "Payouts that a person must look at", waiting["attention"].count)
    yield _gauge("approvals_waiting", "Payouts that wait for an approval", waiting["approval"].count)


def _by_status() -> Labelled:
    with connection.cursor() as cursor:
        for status in sorted(OPEN):
            cursor.execute(BY_STATUS.format(status=status.value), [COUNTED])
            yield from (((status.value, currency), count) for currency, count in cursor.fetchall())


def _accounts(found: Facts) -> Iterator[Metric]:
    wrong = sorted({each.account for each in wrong_accounts.seen()})
    yield _labelled(
        "wrong_account", "1 for an account with wrong settings", ["account"], [((name,), 1) for name in wrong]
    )
    told = funds.balances()
    places = [((each.account, each.currency), each) for each in told]
    labels = ["account", "currency"]
    yield _labelled(
        "balance",
        "What the provider told that there is to pay from",
        labels,
        [(place, float(each.amount)) for place, each in places],
    )
    yield _labelled(
        "balance_age_seconds",
        "How long ago it was asked",
        labels,
        [(place, seconds(each.at, found.now)) for place, each in places],
    )


def _reconciled(found: Facts) -> Iterator[Metric]:
    """Of each account whose provider lists its payments."""
    name, figures = "reconciled_day", days.figures(now=found.now)
    yield _labelled(
        f"{name}_age_seconds",
        "How long ago the last day that agrees ended",
        ["account"],
        [((each.account,), seconds(each.agreed_until, found.now)) for each in figures if each.agreed_until],
    )
    yield _labelled(
        f"{name}_differs",
        "Open days that do not agree with the list",
        ["account"],
        [((each.account,), each.differs) for each in figures],
    )
    yield _labelled(
        f"{name}_untold",
        "Days that nobody has told for two days",
        ["account"],
        [((each.account,), each.untold) for each in figures],
    )


def _freshness(found: Facts) -> Iterator[Metric]:
    fresh = freshness()
    yield _gauge("audit_broken", "Invariants that the last audit found broken", fresh.broken)
    for name, meaning, at in (
        ("audit_age_seconds", "How long ago the last audit finished", fresh.audited_at),
        ("checkpoint_age_seconds", "How long ago the last checkpoint was made", fresh.checkpoint_at),
        ("backup_age_seconds", "How long ago the last good backup was finished", fresh.backup_at),
        ("backup_checked_age_seconds", "How long ago a backup was restored and audited", fresh.backup_checked_at),
    ):
        samples = [((), seconds(at, found.now))] if at else []
        yield _labelled(name, meaning, [], samples)


def _standby() -> Iterator[Metric]:
    """Without DATABASE_REPLICA_URL nothing is told of one."""
    found = replica.standing() if replica.is_there() else None
    for name, meaning, value in (
        ("replica_used", "1 while the standby is read from", found and float(not found.why_not)),
        (
            "replica_lag_seconds",
            f"How much older than the primary the standby is, {replica.KEPT_SECONDS:.0f} at most",
            found and min(found.lag_seconds, replica.KEPT_SECONDS),
        ),
    ):
        yield _labelled(name, meaning, [], [] if value is None else [((), value)])


def _totals(is_current: bool, counted: totals.Totals) -> Iterator[Metric]:
    """Counters, without samples while they catch up with what happened before this process began."""
    counted = counted if is_current else {}
    accounts = registry.known_names() if is_current else []
    places = {labels[1:] for labels in counted.get("moves", ())}
    zeros: dict[str, list[tuple[str, ...]]] = {
        "moves": [(status.value, *place) for place in places for status in Status],
        "calls": [(account, verdict.value) for account in accounts for verdict in Verdict],
    }
    for name, meaning, labels in (
        ("moves", "Moves of payouts into a status", ["status", "currency", "provider"]),
        ("calls", "Calls to providers that were answered for, by what they showed", ["account", "verdict"]),
        ("retries", "Calls beyond an attempt's first", ["account"]),
        ("webhooks", "Webhooks that were taken, each once", ["account"]),
    ):
        family = CounterMetricFamily(f"payouts_{name}", meaning, labels=labels)
        samples = dict.fromkeys(zeros.get(name, [(account,) for account in accounts]), 0.0) | counted.get(name, {})
        for values, value in sorted(samples.items()):
            family.add_metric(values, value)
        yield family
    yield _call_seconds(counted)
    yield CounterMetricFamily("payouts_task_failures", "Tasks of the clusters that failed", totals.task_failures())
    yield _labelled(
        "provider_unauthorized",
        "1 while an account's last answer was 401 or 403",
        ["account"],
        [((account,), _is_unauthorized(account, counted)) for account in accounts],
    )


def _call_seconds(counted: totals.Totals) -> Metric:
    family = HistogramMetricFamily(
        "payouts_call_seconds", "From a call's claim until its answer is recorded", labels=["account"]
    )
    sums = counted.get("call_seconds_sum", {})
    in_bucket = counted.get("call_seconds", {})
    for (account,), total in sorted(sums.items()):
        buckets, count = [], 0.0
        for place, bound in enumerate((*map(str, totals.BUCKETS), "+Inf")):
            count += in_bucket.get((account, str(place)), 0.0)
            buckets.append((bound, count))
        family.add_metric([account], buckets, total)
    return family


def _is_unauthorized(account: str, counted: totals.Totals) -> bool:
    refused, taken = (counted.get(name, {}).get((account,), 0.0) for name in totals.MOMENTS)
    return refused > taken
