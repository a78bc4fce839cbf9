"""Each line of a report comes to its result once, however often a run is stopped, and so does what it lacks."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from payouts.models import Attempt, Attention, Event, Payout, ReportLine, UnknownPayment
from payouts.providers.csv_report import STATUSES
from payouts.statements import apply, read
from tests.payouts.actions.test_races import at_once
from tests.payouts.observe import audit_of, by_hand, everything, is_clean, nothing_changes
from tests.payouts.statements.lines import applied, csv_of, key_of, results_of
from tests.recipes import (
    PAYOUTS,
    REFUSED,
    UNKNOWN,
    accepted_payout,
    answered,
    failed_payout,
    pending_payout,
    processed_payout,
    returned_payout,
    unknown_payout,
)

Result = ReportLine.Result


@pytest.mark.django_db
def test_every_line_comes_to_its_result(operator: User) -> None:
    altered = processed_payout()
    lines = [
        (key_of(processed_payout()), "succeeded", Result.AGREES),
        (key_of(returned_payout()), "succeeded", Result.AGREES),
        (key_of(accepted_payout()), "pending", Result.AGREES),
        (key_of(unknown_payout()), "succeeded", Result.ASKED),
        (key_of(processed_payout()), "returned", Result.ASKED),
        (key_of(unknown_payout()), "rejected", Result.ASKED),
        (key_of(processed_payout(amount=Decimal("100.05"))), "succeeded", Result.AMOUNT_DIFFERS),
        (key_of(failed_payout()), "succeeded", Result.CONTRADICTS),
        (uuid4(), "succeeded", Result.NOT_OURS),
        ("INV-7", "rejected", Result.NOT_OURS),
        (key_of(unknown_payout(maker=operator)), "succeeded", Result.ASKED),
        (key_of(altered), "succeeded", Result.ALTERED),
    ]
    by_hand("UPDATE payouts_payout SET comment = 'x' WHERE id = %s", altered.pk)

    report = applied(csv_of(*((reference, status) for reference, status, _result in lines)), operator)

    assert results_of(report) == [result for _reference, _status, result in lines]
    assert report.applied_at is not None
    assert not report.lines.filter(payout=None).exclude(result=Result.NOT_OURS).exists()
    assert audit_of(altered) == {"row_sealed"}
    unknown = UnknownPayment.objects.get()
    assert (str(unknown.reference), unknown.source, unknown.detail) == (str(lines[8][0]), "report", "march.csv:10")
    assert (unknown.amount, unknown.reported) == (
        report.lines.get(reference=str(unknown.reference)).amount,
        "succeeded",
    )


@pytest.mark.django_db
@pytest.mark.parametrize("recipe", sorted(PAYOUTS))
@pytest.mark.parametrize("status", STATUSES)
def test_the_audit_finds_nothing_after_any_line_about_any_payout(recipe: str, status: str, operator: User) -> None:
    payout = PAYOUTS[recipe]()
    attempt = payout.attempts.first()

    report = applied(csv_of((attempt.reference if attempt else uuid4(), status)), operator)

    assert results_of(report) != [""]
    assert is_clean()


@pytest.mark.django_db
def test_what_a_line_did_names_the_line(operator: User) -> None:
    payout = unknown_payout()

    applied(csv_of(("r-1", "pending"), (key_of(payout), "succeeded")), operator)

    event = payout.events.latest("seq")
    assert (event.event, event.actor, event.facts["report"]) == ("asked", "user:operator", "march.csv:3")


@pytest.mark.django_db
def test_an_amount_finer_than_ours_differs(operator: User) -> None:
    payout = processed_payout()

    report = applied(csv_of((key_of(payout), "succeeded", "100.50000001")), operator)

    assert results_of(report) == [Result.AMOUNT_DIFFERS]


@pytest.mark.django_db
def test_a_second_run_changes_nothing(operator: User) -> None:
    payout = unknown_payout()
    report = applied(csv_of((key_of(payout), "succeeded")), operator)

    with nothing_changes(payout):
        assert apply.run(report.pk)


@pytest.mark.django_db
def test_a_run_that_is_stopped_goes_on_where_it_was(operator: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("payouts.statements.apply.BATCH", 2)
    payouts = [unknown_payout() for _each in range(5)]
    report = read.store(csv_of(*((key_of(payout), "succeeded") for payout in payouts)), name="x", by=operator)
    answers = iter([False, False, False, True])

    is_done = apply.run(report.pk, must_stop=lambda: next(answers))
    between = results_of(report)
    is_done_then = apply.run(report.pk)

    assert (is_done, is_done_then) == (False, True)
    assert 0 < between.count(Result.ASKED) < 5
    assert results_of(report) == [Result.ASKED] * 5
    assert Event.objects.filter(event="asked").count() == 5
    assert is_clean()


@pytest.mark.django_db(transaction=True)
def test_a_run_that_dies_in_a_line_leaves_that_line_as_it_was(operator: User) -> None:
    payouts = [unknown_payout() for _each in range(3)]
    report = read.store(csv_of(*((key_of(payout), "succeeded") for payout in payouts)), name="x", by=operator)
    # The database breaks off when the second result is stored: what the line did goes with it.
    by_hand(
        """
        CREATE FUNCTION break_off() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'away' USING ERRCODE = 'admin_shutdown'; END $$;
        CREATE TRIGGER break_off BEFORE UPDATE ON payouts_reportline
            FOR EACH ROW WHEN (NEW.number = 3) EXECUTE FUNCTION break_off();
        """
    )

    with pytest.raises(Exception, match="away"):
        apply.run(report.pk)
    between = (results_of(report), [Payout.objects.get(pk=payout.pk).version - payout.version for payout in payouts])
    by_hand("DROP TRIGGER break_off ON payouts_reportline; DROP FUNCTION break_off()")
    apply.run(report.pk)

    assert between == ([Result.ASKED, "", ""], [1, 0, 0])
    assert results_of(report) == [Result.ASKED] * 3
    assert Event.objects.filter(event="asked").count() == 3
    assert is_clean()


@pytest.mark.django_db(transaction=True)
def test_a_line_that_cannot_be_applied_holds_up_no_other_and_keeps_the_report_open(operator: User) -> None:
    stuck, other = unknown_payout(), unknown_payout()
    by_hand(f"ALTER TABLE payouts_payout ADD CONSTRAINT stuck CHECK (id <> {stuck.pk} OR news_at IS NULL)")

    report = applied(csv_of((key_of(stuck), "succeeded"), (key_of(other), "succeeded")), operator)
    between = (results_of(report), report.applied_at)
    by_hand("ALTER TABLE payouts_payout DROP CONSTRAINT stuck")
    apply.run(report.pk)

    report.refresh_from_db()
    assert between == (["", Result.ASKED], None)
    assert results_of(report) == [Result.ASKED] * 2
    assert report.applied_at is not None
    assert is_clean()


@pytest.mark.django_db(transaction=True)
def test_runs_at_the_same_time_do_everything_once(operator: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("payouts.statements.apply.BATCH", 7)
    yesterday = _let_finish_yesterday(processed_payout())
    payouts = [unknown_payout() for _each in range(30)] + [processed_payout() for _each in range(30)]
    content = csv_of(*((key_of(payout), "succeeded") for payout in payouts))
    day = (datetime.now(UTC) - timedelta(days=1)).date()
    report = read.store(content, name="x", by=operator, from_on=day, to_on=day)

    at_once(*[lambda: apply.run(report.pk)] * 4)
    apply.run(report.pk)

    report.refresh_from_db()
    assert sorted(results_of(report)) == sorted([Result.ASKED] * 30 + [Result.AGREES] * 30 + [Result.MISSING])
    assert report.applied_at is not None
    assert Event.objects.filter(event="asked").count() == 30
    assert yesterday.events.filter(event="flagged").count() == 1
    assert is_clean()


@pytest.mark.django_db
def test_five_thousand_lines_cost_few_queries(operator: User, django_assert_max_num_queries: Any) -> None:
    agreeing = [processed_payout() for _each in range(20)]
    lines = [(key_of(payout), "succeeded") for payout in agreeing]
    lines += [(uuid4(), "succeeded") for _each in range(4_979)] + [(key_of(unknown_payout()), "succeeded")]
    report = read.store(csv_of(*lines), name="march.csv", by=operator)

    with django_assert_max_num_queries(80):
        apply.run(report.pk)

    counts = {result: report.lines.filter(result=result).count() for result in Result.values}
    assert {result: count for result, count in counts.items() if count} == {
        Result.AGREES: 20,
        Result.NOT_OURS: 4_979,
        Result.ASKED: 1,
    }
    assert not report.lines.filter(result=Result.AGREES, payout=None).exists()
    assert is_clean()


def _let_finish_yesterday(payout: Payout) -> Payout:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    Attempt.objects.filter(payout=payout).update(finished_at=yesterday)
    return payout


def _yesterday() -> dict[str, date]:
    day = (datetime.now(UTC) - timedelta(days=1)).date()
    return {"from_on": day, "to_on": day}


@pytest.mark.django_db
def test_what_was_paid_in_the_period_and_is_not_reported_is_missing(operator: User) -> None:
    missing, reported = _let_finish_yesterday(processed_payout()), _let_finish_yesterday(processed_payout())
    processed_payout()
    answered(pending_payout(), UNKNOWN)
    _let_finish_yesterday(answered(pending_payout(), REFUSED))

    report = applied(csv_of((key_of(reported), "succeeded")), operator, **_yesterday())

    line = report.lines.get(number=None)
    missing.refresh_from_db()
    assert (line.payout, line.result, line.reference) == (missing, Result.MISSING, str(key_of(missing)))
    assert (missing.status, missing.attention) == ("processed", Attention.MISSING)
    assert list(Payout.objects.exclude(attention="")) == [missing]
    assert is_clean()


@pytest.mark.django_db
def test_without_a_period_nothing_is_missing(operator: User) -> None:
    _let_finish_yesterday(processed_payout())

    report = applied(csv_of(("r-1", "succeeded")), operator)

    assert results_of(report) == [Result.NOT_OURS]


@pytest.mark.django_db
def test_what_another_report_lists_is_not_missing_around_midnight(operator: User) -> None:
    payout = _let_finish_yesterday(processed_payout())
    applied(csv_of((key_of(payout), "succeeded")), operator)

    report = applied(csv_of(("r-1", "succeeded")), operator, **_yesterday())

    assert results_of(report) == [Result.NOT_OURS]


@pytest.mark.django_db
def test_a_period_is_whole_days_in_utc(operator: User) -> None:
    ends = [
        datetime(2026, 3, 1, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(2026, 3, 2, tzinfo=UTC),
        datetime(2026, 3, 3, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(2026, 3, 4, tzinfo=UTC),
    ]
    payouts = [processed_payout() for _end in ends]
    for payout, end in zip(payouts, ends, strict=True):
        Attempt.objects.filter(payout=payout).update(finished_at=end)

    with timezone.override("Asia/Tokyo"):
        report = applied(csv_of(("r-1", "pending")), operator, from_on=date(2026, 3, 2), to_on=date(2026, 3, 3))

    assert {line.payout_id for line in report.lines.filter(number=None)} == {payouts[1].pk, payouts[2].pk}


@pytest.mark.django_db
def test_a_missing_payout_that_was_altered_is_told_so(operator: User) -> None:
    payout = _let_finish_yesterday(processed_payout())
    by_hand("UPDATE payouts_payout SET comment = 'x'")

    report = applied(csv_of(("r-1", "pending")), operator, **_yesterday())

    assert report.lines.get(number=None).result == Result.ALTERED
    assert everything(payout.pk)["payout"]["attention"] == ""


@pytest.mark.django_db
def test_missing_ones_are_flagged_bit_by_bit_and_once(operator: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("payouts.statements.apply.BATCH", 2)
    for _each in range(5):
        _let_finish_yesterday(processed_payout())
    report = read.store(csv_of(("r-1", "pending")), name="x", by=operator, **_yesterday())
    answers = iter([False, False, False, False, True])

    is_done = apply.run(report.pk, must_stop=lambda: next(answers))
    between = report.lines.filter(result=Result.MISSING).count()
    apply.run(report.pk)

    report.refresh_from_db()
    assert (is_done, between) == (False, 3)
    assert report.lines.filter(result=Result.MISSING).count() == 5
    assert Event.objects.filter(event="flagged").count() == 5
    assert report.applied_at is not None
