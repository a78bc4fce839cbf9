"""What the worker finds due, by index: nothing that waits costs a claim anything, and nothing is paid early."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import close_old_connections, connection, connections, transaction
from django.utils import timezone

from payouts import actions
from payouts.actions import claims, due, pauses, waits
from payouts.models import BatchRow, Breaker, Payout
from payouts.providers import registry
from tests import recipes
from tests.payouts.many import copied
from tests.payouts.observe import by_hand, is_clean
from tests.recipes import SUCCEEDED, checked_batch, make_due, pending_payout, scheduled_payout

pytestmark = pytest.mark.django_db


def _rows_read(statement: str, parameters: dict[str, Any]) -> tuple[int, str]:
    """How many rows of payouts PostgreSQL reads for it, those that it throws away included, and the plan."""
    by_hand("ANALYZE payouts_payout")
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters)
        (plan,) = cursor.fetchone()
    return sum(_read(node) for node in _nodes(plan[0]["Plan"])), str(plan)


def _nodes(node: dict[str, Any]) -> list[dict[str, Any]]:
    return [node, *(inner for child in node.get("Plans", ()) for inner in _nodes(child))]


def _read(node: dict[str, Any]) -> int:
    if node.get("Relation Name") != "payouts_payout" and "payout" not in node.get("Index Name", ""):
        return 0
    thrown_away = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return int((node["Actual Rows"] + thrown_away) * node["Actual Loops"])


@pytest.mark.parametrize("obstacle", ["paused", "silent"])
def test_what_a_paused_or_silent_provider_owes_is_never_read(obstacle: str, operator: User) -> None:
    model = pending_payout()
    copied(model, 5_000, provider="'elsewhere'")
    if obstacle == "paused":
        pauses.pause("elsewhere", by=operator, reason="It pays to the wrong accounts.")
    else:
        Breaker.objects.create(provider="elsewhere", failures=10, open_until=timezone.now() + timedelta(hours=1))

    for statement, parameters in (
        (due.OWING.format(condition=due.CONDITIONS["all"]), {"most": 10}),
        (due.OWING.format(condition=due.CONDITIONS["suspect"]), {"most": 1}),
        (due.TAKE.format(condition=due.CONDITIONS["sound"]), {"providers": ["http"], "shares": [10]}),
    ):
        read, plan = _rows_read(statement, parameters)
        assert read <= 40, plan

    assert [each.payout_id for each in actions.claim(limit=10)] == [model.pk]


def test_a_probe_of_a_silent_provider_reads_few_of_what_it_owes() -> None:
    model = pending_payout()
    copied(model, 5_000, due_at="now() - random() * interval '1 day'")
    parameters = {"provider": "http", "oldest_at": timezone.now() - timedelta(days=1), "place": 0.5, "sample": 100}

    read, plan = _rows_read(due.TAKE_ANY.format(condition=due.CONDITIONS["sound"]), parameters)

    assert read <= 2 * due.PROBE_SAMPLE, plan


def test_every_provider_gets_its_share_of_a_claim_and_what_one_leaves_is_the_others(
    monkeypatch: pytest.MonkeyPatch,
    settings: Any,
) -> None:
    settings.PROVIDERS = dict.fromkeys("abc", "http")
    for provider, count in (("a", 9), ("b", 2), ("c", 9)):
        monkeypatch.setattr(registry, "default", lambda provider=provider: provider)
        for _each in range(count):
            pending_payout()

    taken = actions.claim(limit=12)

    by_provider = [each.attempt.provider for each in taken]
    assert [by_provider.count(provider) for provider in "abc"] == [5, 2, 5]


def test_nothing_is_claimed_for_an_account_that_the_environment_no_longer_names(settings: Any) -> None:
    settings.PROVIDERS, settings.PROVIDER_URL = {"main": "http"}, ""
    payout = pending_payout()
    settings.PROVIDERS = {"other": "http"}

    assert actions.claim(limit=10) == []
    payout.refresh_from_db()
    assert (payout.provider, payout.attempts.count(), payout.waits_for) == ("main", 0, "account")
    settings.PROVIDERS = {"main": "http"}
    recipes.make_due(payout)

    assert [each.payout_id for each in actions.claim(limit=10)] == [payout.pk]


def test_nothing_is_asked_of_one_either(settings: Any) -> None:
    settings.PROVIDERS, settings.PROVIDER_URL = {"main": "http"}, ""
    payout = recipes.unknown_payout()
    recipes.make_due(payout)
    settings.PROVIDERS = {"other": "http"}

    assert actions.claim(limit=10) == []
    payout.refresh_from_db()
    assert (payout.status, payout.waits_for, payout.lost_leases, payout.lease_token) == (
        "unknown",
        "account",
        0,
        None,
    )


@pytest.mark.parametrize(
    ("owing", "limit", "shares"),
    [
        ({"a": 9}, 4, {"a": 4}),
        ({"a": 9, "b": 9}, 5, {"a": 3, "b": 2}),
        ({"a": 1, "b": 9, "c": 9}, 9, {"a": 1, "b": 4, "c": 4}),
        ({"a": 9, "b": 9, "c": 9}, 2, {"a": 1, "b": 1}),
        ({}, 5, {}),
    ],
)
def test_a_claim_is_divided_fairly(owing: dict[str, int], limit: int, shares: dict[str, int]) -> None:
    owed = [due.Owed(name, count, timezone.now(), False, False) for name, count in owing.items()]

    assert due.shares(owed, limit) == shares


# Nothing is paid before its time, whatever SQL says


@pytest.mark.parametrize("recipe", ["scheduled", "released"])
def test_a_due_at_that_sql_brought_forward_pays_nothing_early(
    recipe: str, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.RELEASE_DELAY_SECONDS = 3_600
    payout = scheduled_payout() if recipe == "scheduled" else recipes.approved_payout()
    make_due(payout)

    assert actions.claim(limit=10) == []

    payout.refresh_from_db()
    assert (payout.status, payout.attention, payout.due_at) == ("pending", "", payout.not_before)
    assert "due_before_its_time" in caplog.text
    assert is_clean()


# When claims fail for a fault of ours


def _breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_given: Any) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(claims, "payment_problem", broken)


def test_when_claims_fail_for_a_fault_of_ours_payouts_wait_seconds_and_it_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    payouts = [pending_payout() for _each in range(5)]
    with monkeypatch.context() as patched:
        _breaks(patched)
        assert actions.claim(limit=10) == []

        count, since = waits.failing()
        assert (count, since is not None) == (5, True)
        first = Payout.objects.get(pk=payouts[0].pk)
        assert (first.waits_for, first.attention) == ("claim", "")
        assert first.due_at is not None
        assert first.waits_since is not None
        assert first.due_at - first.waits_since == waits.SHORTEST_PAUSE
        by_hand("UPDATE payouts_payout SET waits_since = now() - interval '1 day', due_at = now()")
        assert actions.claim(limit=10) == []
        first.refresh_from_db()
        assert timedelta(seconds=50) < first.due_at - timezone.now() <= waits.LONGEST_PAUSE

    for payout in payouts:
        make_due(payout)
    assert len(actions.claim(limit=10)) == 5
    assert waits.failing() == (0, None)


# Row locks that do not collide


@pytest.mark.django_db(transaction=True)
def test_a_batchs_check_and_the_recording_of_outcomes_do_not_wait_for_each_other() -> None:
    """The check points rows at payouts in any order, which locks these; shown: a deadlock, every few checks."""
    payouts = [pending_payout() for _each in range(2)]
    batch = checked_batch(*[f"{number};5;RUB;card;4929 1111 2222 3339;;;" for number in (1, 2)])
    lines = list(batch.rows.order_by("number"))
    claimed = actions.claim(limit=2)
    failures: list[BaseException] = []

    def record() -> None:
        try:
            actions.record_outcomes([(each, SUCCEEDED) for each in claimed])
        except BaseException as error:
            failures.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=record)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        BatchRow.objects.filter(pk=lines[0].pk).update(earlier=payouts[1])
        thread.start()
        thread.join(2)
        BatchRow.objects.filter(pk=lines[1].pk).update(earlier=payouts[0])
    thread.join()

    close_old_connections()
    assert failures == []
    assert set(Payout.objects.filter(pk__in=[each.pk for each in payouts]).values_list("status", flat=True)) == {
        "processed"
    }
