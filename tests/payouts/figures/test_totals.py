"""Counters count each row once, whatever commits late, restarts or counts beside them."""

import os
import threading
from datetime import timedelta
from itertools import pairwise

import psycopg
import pytest
from django.db import connection, connections, transaction
from django.utils import timezone
from django_q.models import Task
from structlog.testing import capture_logs

from payouts import actions, tasks
from payouts.actions import news
from payouts.figures import totals
from payouts.models import Attempt, FigureSource, FigureTotal, Payout, WebhookMessage
from payouts.providers import Answer, Verdict
from tests import OWNER_URL, recipes
from tests.payouts.figures.scraped import scraped
from tests.recipes import answered, claimed, pending_payout

pytestmark = pytest.mark.django_db(transaction=True)

PLACE = {"currency": "RUB", "provider": "http"}


def moved(status: str) -> float | None:
    return scraped().value("moves_total", status=status, **PLACE)


def test_each_move_into_a_status_is_counted_once_and_what_moves_nowhere_is_not() -> None:
    recipes.processed_payout()
    recipes.failed_payout()
    actions.hold(pending_payout().pk, by=recipes.person.make(), reason="The card looks odd.")

    found = scraped()

    told = {status: found.value("moves_total", status=status, **PLACE) for status in ("pending", "processing")}
    assert told == {"pending": 3, "processing": 2}
    assert [moved(status) for status in ("processed", "failed", "unknown", "rejected")] == [1, 1, 0, 0]


def test_a_counter_goes_on_where_another_exporter_left_it() -> None:
    recipes.processed_payout()
    first, second = totals.Counting(), totals.Counting()

    told = [scraped(first).value("moves_total", status="processed", **PLACE)]
    recipes.processed_payout()
    told += [scraped(each).value("moves_total", status="processed", **PLACE) for each in (second, first, second)]

    assert told == [1, 2, 2, 2]


def test_a_row_that_commits_late_with_a_lower_number_is_counted() -> None:
    recipes.processed_payout()
    one, another = recipes.client.make(), recipes.client.make()
    began, may_commit = threading.Event(), threading.Event()

    def late() -> None:
        with transaction.atomic():
            pending_payout(client=one)
            began.set()
            may_commit.wait(60)
        connections.close_all()

    counting = totals.Counting()
    assert counting.bring_up()
    writer = threading.Thread(target=late)
    writer.start()
    assert began.wait(60)
    pending_payout(client=another)  # of a higher number, and committed

    counting.bring_up()
    while_open = totals.read()["moves"]["pending", "RUB", "http"]
    may_commit.set()
    writer.join()
    counting.bring_up()

    assert (while_open, totals.read()["moves"]["pending", "RUB", "http"]) == (1, 3)


def test_a_counter_never_falls_when_a_payout_is_routed_to_another_account_after_it_was_counted() -> None:
    payout = pending_payout()
    counting = totals.Counting()
    before = scraped(counting)
    Payout.objects.filter(pk=payout.pk).update(provider="other")
    recipes.processed_payout()

    after = scraped(counting)

    fallen = {
        key for key, value in before.samples.items() if key[0].endswith("_total") and after.samples[key] < value
    }
    assert fallen == set()


def test_slices_count_each_row_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(totals, "AT_ONCE", 3)
    for _each in range(4):
        recipes.processed_payout()

    assert [moved("pending"), moved("processed")] == [4, 4]
    assert FigureSource.objects.get(name="events").counted_to > 0


def test_while_it_catches_up_with_what_was_before_it_a_counter_has_no_samples(monkeypatch) -> None:
    for _each in range(3):
        recipes.processed_payout()
    monkeypatch.setattr(totals, "AT_ONCE", 2)
    monkeypatch.setattr(totals, "COUNT_SECONDS", -1.0)
    counting = totals.Counting()

    found = [scraped(counting) for _each in range(12)]

    told = [each.value("moves_total", status="processed", **PLACE) for each in found]
    assert (told[0], told[-1]) == (None, 3)
    assert "payouts_moves_total" in found[0].names
    assert all(before is None or before == after for before, after in pairwise(told))


def test_calls_are_counted_by_what_they_showed_and_retries_and_seconds_with_them() -> None:
    payout = answered(pending_payout(), recipes.UNKNOWN)
    payout = answered(payout, Answer(Verdict.ABSENT, http_status=200))
    answered(payout, recipes.SUCCEEDED)

    found = scraped()

    told = {verdict: found.value("calls_total", account="http", verdict=verdict.value) for verdict in Verdict}
    assert told == dict.fromkeys(Verdict, 0) | {Verdict.UNKNOWN: 1, Verdict.ABSENT: 1, Verdict.SUCCEEDED: 1}
    assert found.value("retries_total", account="http") == 2
    assert found.value("call_seconds_count", account="http") == 3
    assert found.value("call_seconds_bucket", account="http", le="300.0") == 3
    assert (found.value("call_seconds_sum", account="http") or 0) > 0


@pytest.mark.parametrize("status", [401, 403])
def test_an_account_whose_last_answer_was_401_is_unauthorized_until_it_answers_otherwise(status: int) -> None:
    payout = pending_payout()
    told = [scraped().value("provider_unauthorized", account="http")]

    for http_status in (200, status, None, 200):
        assignment = claimed(Payout.objects.get(pk=payout.pk))
        actions.record_outcomes([(assignment, Answer(Verdict.UNKNOWN, code="odd", http_status=http_status))])
        told.append(scraped().value("provider_unauthorized", account="http"))

    assert told == [0, 0, 1, 1, 0]


def test_webhooks_are_counted_by_account_each_once(settings) -> None:
    attempt = Attempt.objects.get(payout=recipes.accepted_payout())
    settings.PROVIDERS, settings.PROVIDER_VALUES = {"main": "yookassa"}, {"main": {}}
    said = {"reference": attempt.reference, "reported": Verdict.SUCCEEDED}

    for message_id, provider in (("a", "http"), ("a", "http"), ("other:b", "http"), ("a", "main")):
        news.hear(message_id=message_id, provider=provider, **said)
    WebhookMessage.objects.update(received_at=timezone.now() - timedelta(seconds=5))
    found = scraped()

    assert WebhookMessage.objects.count() == 3
    assert [found.value("webhooks_total", account=account) for account in ("http", "main")] == [2, 1]


def test_a_webhook_of_this_moment_is_counted_when_it_is_settled_and_once() -> None:
    counting = totals.Counting()
    WebhookMessage.objects.create(message_id="a", received_at=timezone.now() - timedelta(seconds=5))
    WebhookMessage.objects.create(message_id="b")

    told = [scraped(counting).value("webhooks_total", account="http")]
    WebhookMessage.objects.filter(message_id="b").update(
        received_at=timezone.now() - timedelta(seconds=2, milliseconds=1)
    )
    told += [scraped(counting).value("webhooks_total", account="http") for _each in range(2)]

    assert told == [1, 2, 2]


def test_failed_tasks_stay_counted_when_they_are_pruned() -> None:
    for number, days_ago, success in ((1, 20, False), (2, 20, True), (3, 1, False)):
        at = timezone.now() - timedelta(days=days_ago)
        Task.objects.create(id=str(number), name="x", func="x", started=at, stopped=at, success=success)
    before = scraped().value("task_failures_total")

    tasks.prune()

    assert Task.objects.count() == 1
    assert (before, scraped().value("task_failures_total")) == (2, 2)


def test_a_process_that_counts_keeps_no_other_waiting() -> None:
    recipes.processed_payout()
    counting = totals.Counting()
    assert counting.bring_up()
    recipes.processed_payout()
    locked, may_go = threading.Event(), threading.Event()

    def count_for_long() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT FROM payouts_figuresource FOR UPDATE")
            locked.set()
            may_go.wait(60)
        connections.close_all()

    other = threading.Thread(target=count_for_long)
    other.start()
    assert locked.wait(60)
    try:
        counting.bring_up()
        assert totals.read()["moves"]["processed", "RUB", "http"] == 1
    finally:
        may_go.set()
        other.join()


def test_counters_that_a_transaction_keeps_still_for_long_are_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(totals, "STILL_SECONDS", 0.0)
    counting = totals.Counting()
    assert counting.bring_up()

    with psycopg.connect(os.environ[OWNER_URL], dbname=connection.settings_dict["NAME"]) as forgotten:
        forgotten.execute("SELECT pg_current_xact_id()")
        recipes.processed_payout()
        with capture_logs() as said:
            still = [counting.bring_up(), counting.bring_up()]

    assert still == [False, False]
    assert said[0]["event"] == "figures_wait_for_a_transaction"
    assert counting.bring_up()


def test_no_total_stands_twice() -> None:
    recipes.processed_payout()
    scraped()
    scraped()

    labels = [(name, tuple(labels)) for name, labels in FigureTotal.objects.values_list("name", "labels")]

    assert len(labels) == len(set(labels)) > 3


def test_a_database_that_was_put_back_meanwhile_is_counted_by_its_own_numbers() -> None:
    recipes.processed_payout()
    counting = totals.Counting()
    counting._mark = totals.Mark({"events": 10**9, "exchanges": 10**9, "webhooks": 0}, frozenset())

    assert scraped(counting).value("moves_total", status="processed", **PLACE) == 1
    assert FigureSource.objects.get(name="events").counted_to < 10**9
