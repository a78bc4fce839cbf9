"""What the figures say of each state of things."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from payouts import actions
from payouts.actions import claims, days, pauses, recovery, unknown_payments, wrong_accounts
from payouts.models import (
    AccountBalance,
    Attention,
    AuditRun,
    Breaker,
    Checkpoint,
    Heartbeat,
    Payout,
    UnknownPayment,
    VelocityLimit,
)
from payouts.providers import TEST_MISMATCH, Answer, Verdict
from payouts.statements import apply, ask
from tests import recipes
from tests.payouts.figures.scraped import Scrape, scraped
from tests.payouts.observe import by_hand, unguarded
from tests.payouts.statements.listing import Lister, listing, strange
from tests.recipes import pending_payout

pytestmark = pytest.mark.django_db

QUEUES = {"approval", "held", "due", "processing", "unknown", "attention", "funds", "velocity", "batches"}


def ago(**length: float) -> datetime:
    return timezone.now() - timedelta(**length)


def scraped_when(since: datetime) -> tuple[Scrape, "Between"]:
    """A scrape, and what an age that began then can be in it."""
    least = timezone.now() - since
    found = scraped()
    return found, Between(least.total_seconds(), (timezone.now() - since).total_seconds())


@dataclass(frozen=True)
class Between:
    least: float
    most: float

    def __contains__(self, seconds: float | None) -> bool:
        return seconds is not None and self.least <= seconds <= self.most


def test_an_empty_installation_has_every_queue_and_nothing_in_it() -> None:
    found = scraped()

    assert {found.value("oldest_seconds", queue=queue) for queue in QUEUES} == {0}
    assert {found.value(name) for name in ("due", "claimable", "paused", "silent", "needs_attention")} == {0}
    assert found.value("clusters_alive") == 0


def test_no_recipient_stands_in_the_figures() -> None:
    pending_payout(recipient={"card": "0000 1111 2222 3333"})

    found = scraped()

    assert (found.value("due"), found.value("open", status="pending", currency="RUB")) == (1, 1)
    assert "0000 1111" not in found.text


def test_a_scrape_asks_each_question_once() -> None:
    pending_payout()
    scraped()  # what is read once and kept

    with CaptureQueriesContext(connection) as asked:
        scraped()

    often = Counter(query["sql"] for query in asked if query["sql"].lstrip().startswith("SELECT"))
    assert [sql for sql, times in often.items() if times > 1 and "payouts_payout" in sql] == []


def test_what_is_due_is_claimable_unless_its_account_is_paused_or_its_provider_silent(operator) -> None:
    pending_payout()
    Payout.objects.update(due_at=(since := ago(minutes=10)))

    before, age_before = scraped_when(since)
    Breaker.objects.create(provider="http", failures=10, open_until=timezone.now() + timedelta(hours=1))
    silent, age_silent = scraped_when(since)
    pauses.pause("http", by=operator, reason="It pays to the wrong accounts.")
    paused = scraped()

    told = [[found.value(name) for name in ("claimable", "silent", "paused")] for found in (before, silent, paused)]
    assert told == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert before.value("oldest_seconds", queue="due") in age_before
    assert silent.value("oldest_seconds", queue="due") == 0
    assert silent.value("backlog_age_seconds") in age_silent


@pytest.fixture
def operator():
    return recipes.person.make()


def test_each_queue_tells_for_how_long_its_oldest_waits() -> None:
    recipes.awaiting_payout()
    recipes.held_payout()
    recipes.processing_payout()
    recipes.unknown_payout()
    by_hand(
        "UPDATE payouts_payout SET created_at = now() - interval '2 hours' WHERE approvals_given < approvals_required"
    )
    by_hand("UPDATE payouts_payout SET held_at = now() - interval '3 hours' WHERE held_at IS NOT NULL")
    with unguarded("payouts_attempt"):
        by_hand("UPDATE payouts_attempt SET created_at = now() - interval '4 hours'")

    found = scraped()

    told = {queue: round((found.value("oldest_seconds", queue=queue) or 0) / 3600, 1) for queue in QUEUES}
    assert told == dict.fromkeys(QUEUES, 0) | {"approval": 2, "held": 3, "processing": 4, "unknown": 4}
    assert (found.value("approvals_waiting"), found.value("needs_attention")) == (1, 0)


def test_what_needs_attention_is_counted_and_aged() -> None:
    payout = recipes.unknown_payout()
    Payout.objects.filter(pk=payout.pk).update(attention=Attention.MISSING, due_at=None, updated_at=ago(hours=5))

    found = scraped()

    assert found.value("needs_attention") == 1
    assert round((found.value("oldest_seconds", queue="attention") or 0) / 3600, 1) == 5


def test_a_batch_that_waits_for_its_approval_has_an_age() -> None:
    batch = recipes.sent_batch()
    type(batch).objects.filter(pk=batch.pk).update(sent_at=ago(hours=6))

    assert round((scraped().value("oldest_seconds", queue="batches") or 0) / 3600, 1) == 6


def test_what_waits_for_a_limit_is_told() -> None:
    VelocityLimit.objects.create(scope="all", currency="RUB", window="minute", amount=50)
    pending_payout()
    actions.claim(limit=10)
    Payout.objects.update(waits_since=(since := ago(minutes=7)))

    found, age = scraped_when(since)

    assert (found.value("over_limit"), found.value("due")) == (1, 0)
    assert found.value("oldest_seconds", queue="velocity") in age


def test_what_waits_for_funds_and_the_balances_are_told(settings) -> None:
    settings.PROVIDER_URL, settings.PROVIDERS = "", {"main": "yookassa"}
    settings.PROVIDER_VALUES = {"main": {"CARD_NUMBERS": "on"}}
    AccountBalance.objects.create(account="main", currency="RUB", amount=50, at=timezone.now())
    pending_payout()
    actions.claim(limit=10)
    Payout.objects.update(waits_since=(since := ago(minutes=7)))

    found, age = scraped_when(since)

    assert found.value("waits_for_funds") == 1
    assert found.value("balance", account="main", currency="RUB") == 50
    assert found.value("balance_age_seconds", account="main", currency="RUB") is not None
    assert found.value("oldest_seconds", queue="funds") in age


def test_what_was_reconciled_is_told_by_account() -> None:
    lister = Lister()
    with listing(lister):
        start = timezone.now().date()
        for days_ago, payments in ((5, []), (2, [strange()]), (1, [])):
            day = days.made("main", start - timedelta(days=days_ago))
            if days_ago == 5:
                continue
            lister.lists(*payments)
            apply.run(ask.ask(day).pk)
        days.settle(now=timezone.now())

        found = scraped()

    assert found.value("reconciled_day_age_seconds", account="main") is not None
    assert found.value("reconciled_day_differs", account="main") == 1
    assert found.value("reconciled_day_untold", account="main") == 1


def test_an_account_that_is_not_what_its_settings_say_is_told() -> None:
    wrong_accounts.note([("main", Answer(Verdict.UNKNOWN, code=TEST_MISMATCH))])

    assert scraped().value("wrong_account", account="main") == 1


def test_claims_that_fail_for_a_fault_of_ours_are_told_and_count_as_due(monkeypatch) -> None:
    def broken(*_given):
        raise RuntimeError("a fault of ours")

    for _each in range(5):
        pending_payout()
    monkeypatch.setattr(claims, "payment_problem", broken)
    actions.claim(limit=10)
    Payout.objects.update(waits_since=(since := ago(minutes=10)))

    found, age = scraped_when(since)

    assert found.value("due") == 5
    assert found.value("claims_failing_seconds") in age


def test_recovery_mode_anothers_database_and_unknown_payments_are_told(settings) -> None:
    recovery.look()
    recovery.begin(by="shell:root", reason="Restored the backup of 03:00.")
    heard = unknown_payments.Heard(recipes.pending_payout().reference, Verdict.SUCCEEDED)
    unknown_payments.note([heard], provider="http", source=UnknownPayment.Source.WEBHOOK)
    settings.INSTALLATION = "staging"

    found = scraped()

    assert [found.value(name) for name in ("recovery", "other_installation", "unknown_payments")] == [1, 1, 1]


@pytest.mark.parametrize(("minutes", "counted"), [(0, 1), (3, 0)])
def test_the_clusters_whose_keys_do_not_fit_now_are_counted(minutes: int, counted: int) -> None:
    Heartbeat.objects.create(cluster="one", unfit_at=ago(minutes=minutes))

    assert scraped().value("clusters_unfit") == counted


def test_what_has_never_happened_is_as_old_as_the_installation() -> None:
    by_hand("UPDATE django_migrations SET applied = now() - interval '30 hours'")

    found = scraped()

    ages = [found.value(name) for name in ("audit_age_seconds", "checkpoint_age_seconds")]
    assert [round(age / 3600) for age in ages if age is not None] == [30, 30]
    assert (found.value("audit_broken"), found.value("backup_age_seconds")) == (0, None)


def test_the_last_audit_that_finished_and_what_the_last_one_found_are_told() -> None:
    AuditRun.objects.create(finished_at=ago(hours=20))
    AuditRun.objects.create(broken_count=2)

    found = scraped()

    assert (round((found.value("audit_age_seconds") or 0) / 3600), found.value("audit_broken")) == (20, 2)


def test_a_clean_audit_ends_what_the_one_before_found() -> None:
    AuditRun.objects.create(broken_count=2, finished_at=ago(hours=20))
    AuditRun.objects.create(finished_at=ago(hours=1))

    assert scraped().value("audit_broken") == 0


def test_the_last_checkpoint_has_an_age() -> None:
    facts = {"from_event": 0, "to_event": 0, "settled_event": 0, "leaves": b"", "root": "", "signature": b""}
    Checkpoint.objects.create(number=1, made_at=ago(hours=3), **facts)

    assert round((scraped().value("checkpoint_age_seconds") or 0) / 3600) == 3


def test_a_checkpoint_that_is_not_where_it_is_kept_is_none(settings) -> None:
    settings.CHECKPOINTS = "s3://bucket/checkpoints"
    facts = {"from_event": 0, "to_event": 0, "settled_event": 0, "leaves": b"", "root": "", "signature": b""}
    Checkpoint.objects.create(number=1, made_at=ago(hours=5), placed_at=ago(hours=5), **facts)
    Checkpoint.objects.create(number=2, made_at=ago(hours=1), **facts)

    assert round((scraped().value("checkpoint_age_seconds") or 0) / 3600) == 5


BACKUP = "INSERT INTO payouts_backup (name, bytes, started_at, finished_at, checked_at, fault) VALUES "


@pytest.mark.parametrize(
    ("rows", "hours", "checked_hours"),
    [
        ("('a', 1, now() - interval '5 h', NULL, NULL, '')", 5, 5),  # none was ever finished
        ("('a', 1, now() - interval '5 h', now() - interval '4 h', NULL, '')", 4, 5),
        (
            "('a', 1, now() - interval '9 h', now() - interval '8 h', now() - interval '7 h', ''),"
            "('b', 0, now() - interval '5 h', now() - interval '4 h', NULL, 'The disk is full.')",
            8,
            7,
        ),
    ],
)
def test_the_last_good_backup_and_the_last_that_was_restored_have_ages(rows, hours, checked_hours) -> None:
    by_hand(BACKUP + rows)

    found = scraped()

    assert round((found.value("backup_age_seconds") or 0) / 3600) == hours
    assert round((found.value("backup_checked_age_seconds") or 0) / 3600) == checked_hours


def test_a_backup_that_nobody_checks_grows_old_though_the_first_ones_are_removed() -> None:
    by_hand("UPDATE django_migrations SET applied = now() - interval '30 days'")
    by_hand(BACKUP + "('young', 1, now() - interval '5 days', now() - interval '5 days', NULL, '')")

    assert round((scraped().value("backup_checked_age_seconds") or 0) / 86_400) == 30


def test_an_old_backup_that_is_checked_today_says_nothing_of_those_since() -> None:
    by_hand("UPDATE django_migrations SET applied = now() - interval '60 days'")
    rows = [
        f"('{days}', 1, now() - interval '{days} days', now() - interval '{days} days', {checked}, '')"
        for days, checked in ((40, "now()"), (20, "now() - interval '19 days'"), (1, "NULL"))
    ]
    by_hand(BACKUP + ", ".join(rows))

    assert round((scraped().value("backup_checked_age_seconds") or 0) / 86_400) == 19


def test_where_backups_should_be_made_and_none_was_begun_they_are_as_old_as_the_installation(settings) -> None:
    settings.BACKUPS = "s3://bucket/backups"
    by_hand("UPDATE django_migrations SET applied = now() - interval '30 hours'")

    found = scraped()

    ages = [found.value(name) for name in ("backup_age_seconds", "backup_checked_age_seconds")]
    assert [round(age / 3600) for age in ages if age is not None] == [30, 30]


def test_what_runs_is_told(settings) -> None:
    settings.BUILD = "0123abc"

    assert scraped().value("build_info", version="0.1.0", commit="0123abc") == 1
