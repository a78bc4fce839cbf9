"""Providers' reports: what is read and what is refused, and what their lines come to, whatever dies on the way."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone, translation
from django_q.models import OrmQ

from payouts import tasks
from payouts.files import tables
from payouts.models import Attempt, Attention, Event, Payout, ProviderReport, ReportLine
from payouts.statements import apply, read
from payouts.statements.read import ReportError
from tests.payouts.actions.test_races import at_once
from tests.payouts.observe import audit_of, by_hand, everything, is_clean, nothing_changes, queued
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
HEADER = "reference,status,amount\n"


def _key(payout: Payout) -> UUID:
    attempt = payout.attempts.order_by("number").first()
    assert attempt is not None
    return attempt.reference


def _csv(*lines: tuple[Any, str] | tuple[Any, str, str]) -> bytes:
    rows = [",".join(map(str, (*line, *("100.50",)[: 3 - len(line)]))) for line in lines]
    return (HEADER + "\n".join(rows) + "\n").encode()


def _applied(content: bytes, by: User, **given: Any) -> ProviderReport:
    report = read.store(content, name="march.csv", by=by, **given)
    assert apply.run(report.pk)
    return ProviderReport.objects.get(pk=report.pk)


def _results(report: ProviderReport) -> list[str]:
    return list(report.lines.order_by("number", "pk").values_list("result", flat=True))


def _problems(content: bytes) -> list[tuple[int | None, str]]:
    with pytest.raises(ReportError) as refusal:
        read.lines_of(content)
    return [(problem.number, problem.text) for problem in refusal.value.problems]


# Read


@pytest.mark.parametrize(
    "text",
    [
        "reference,status,amount\nr-1,succeeded,100.50\n",
        "\ufeffreference,status,amount\r\nr-1,succeeded,100.50\r\n",
        "Amount; STATUS ;fee;Reference\n100.50;Succeeded;1,5;r-1",
        '"amount","note","reference","status"\n"100.50","a, ""b""\nand c","r-1","succeeded"\n',
        "reference,status,amount\n\n , ,\nr-1 , succeeded ,100.50\n\n",
        "reference,status,amount,\nr-1,succeeded,100.50,\n",
    ],
)
def test_a_report_is_read_in_every_spelling_of_csv(text: str) -> None:
    (line,) = read.lines_of(text.encode())

    assert (line.reference, line.status, line.amount) == ("r-1", "succeeded", Decimal("100.50"))


def test_a_line_is_numbered_as_an_editor_numbers_it() -> None:
    lines = read.lines_of(b'note,reference,status,amount\n\n"a\nb",r-1,pending,1\nc,r-2,pending,2\n')

    assert [line.number for line in lines] == [3, 5]


def test_a_key_of_ours_is_the_same_in_every_spelling() -> None:
    key = uuid4()

    problems = _problems(_csv((key, "succeeded"), (key.hex.upper(), "succeeded")))

    assert problems == [(3, "The reference stands in line 2 already.")]


@pytest.mark.parametrize("amount", ["100", "0.00000001", "99999999999999.99", "007.5", "0"])
def test_an_amount_is_taken_exactly(amount: str) -> None:
    (line,) = read.lines_of(_csv(("r-1", "succeeded", amount)))

    assert line.amount == Decimal(amount)


@pytest.mark.parametrize(
    "amount",
    [
        "",
        "1e2",
        "1E+2",
        "-5",
        "+5",
        "NaN",
        "Infinity",
        "1 000.50",
        "1'000",
        "1_000",
        ".5",
        "5.",
        "0x10",
        "١٠٠",
        "1" * 15,
    ],
)
def test_an_amount_that_is_no_plain_number_is_refused(amount: str) -> None:
    (problem,) = _problems(_csv(("r-1", "succeeded", amount)))

    assert problem[0] == 2
    assert problem[1].startswith(f"The amount is “{amount}”")


def test_a_comma_inside_an_amount_makes_no_other_amount() -> None:
    unquoted = _problems(b"reference,status,amount\nr-1,succeeded,1,000.50\n")
    quoted = _problems(b'reference,status,amount\nr-1,succeeded,"1,000.50"\n')
    decimals = _problems(b"reference;status;amount\nr-1;succeeded;1000,50\n")

    assert unquoted == [(2, "The line has 4 fields, and the header has 3.")]
    assert "1,000.50" in quoted[0][1]
    assert "1000,50" in decimals[0][1]


def test_everything_that_is_wrong_is_told_by_line() -> None:
    problems = _problems(_csv(("r-1", "paid", "x"), ("", "succeeded"), ("r-1", "returned"), ("r" * 65, "pending")))

    assert [number for number, _text in problems] == [2, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "The file is empty."),
        (b"\xef\xbb\xbf \n", "The file is empty."),
        (b",,\n , \n", "The file is empty."),
        (b"PK\x03\x04\x14\x00\x08\x00", "not a text file"),
        ("reference,status,amount\nr-1,succeeded,1\n".encode("utf-16"), "not a text file"),
        ("reference,status,amount\nсчёт,succeeded,1\n".encode("cp1251"), "not a text file"),
        (b"reference,status,amount\n", "a header and no lines"),
        (b"reference,status\nr-1,succeeded\n", "no column “amount”"),
        (b"reference,status,amount,Amount\nr-1,succeeded,1,2\n", "the column “amount” twice"),
        (b"what is this\n", "no column “reference”"),
        (b'reference,status,amount\n"r-1,succeeded,1\nr-2,succeeded,1\n', "cannot be read"),
        (b'reference,status,amount\n"r"1,succeeded,1\n', "cannot be read"),
        (b'x,reference,status,amount\n"' + b"x" * 140_000 + b'",r-1,succeeded,1\n', "cannot be read"),
        (b"x" * (tables.SIZE_LIMIT + 1), "larger than 20 MB"),
    ],
)
def test_a_file_that_is_no_report_is_refused(content: bytes, text: str) -> None:
    assert text in _problems(content)[0][1]


def test_a_report_has_so_many_lines_and_not_one_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("payouts.statements.read.LINES_LIMIT", 3)

    assert len(read.lines_of(_csv(*((f"r-{each}", "pending") for each in range(3))))) == 3
    assert "more than" in _problems(_csv(*((f"r-{each}", "pending") for each in range(4))))[0][1]


def test_what_is_wrong_is_told_in_the_callers_language() -> None:
    with translation.override("ru"):
        (problem,) = _problems(_csv(("r-1", "paid")))

    assert "Статус" in problem[1]


# Stored


@pytest.mark.django_db
def test_a_report_is_stored_with_its_lines_and_one_task_that_names_it(operator: User) -> None:
    report = read.store(_csv(("r-1", "succeeded"), ("r-2", "pending")), name="march.csv", by=operator)

    lines = list(report.lines.order_by("number").values_list("number", "reference", "status", "amount", "result"))
    assert lines == [(2, "r-1", "succeeded", Decimal("100.50"), ""), (3, "r-2", "pending", Decimal("100.50"), "")]
    assert queued(read.APPLY.task) == [(report.pk,)]


@pytest.mark.django_db
def test_a_report_with_one_bad_line_leaves_nothing_behind(operator: User) -> None:
    with pytest.raises(ReportError):
        read.store(_csv(("r-1", "succeeded"), ("r-2", "paid")), name="march.csv", by=operator)

    assert not ProviderReport.objects.exists()
    assert queued(read.APPLY.task) == []


@pytest.mark.django_db
def test_the_same_file_is_taken_once_and_names_the_first(operator: User, checker: User) -> None:
    first = read.store(_csv(("r-1", "succeeded")), name="march.csv", by=operator)

    with pytest.raises(ReportError, match=r"“march.csv”, uploaded by operator") as refusal:
        read.store(_csv(("r-1", "succeeded")), name="again.csv", by=checker)

    assert refusal.value.earlier == first
    assert (ReportLine.objects.count(), len(queued(read.APPLY.task))) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_the_same_file_at_the_same_time_is_taken_once(operator: User) -> None:
    content = _csv(*((f"r-{each}", "succeeded") for each in range(200)))

    results = at_once(*[lambda: read.store(content, name="march.csv", by=operator)] * 6)

    assert sum(isinstance(each, ProviderReport) for each in results) == 1
    assert (ProviderReport.objects.count(), ReportLine.objects.count(), len(queued(read.APPLY.task))) == (1, 200, 1)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("from_on", "to_on"),
    [
        (date(2026, 3, 2), None),
        (None, date(2026, 3, 2)),
        (date(2026, 3, 2), date(2026, 3, 1)),
        (date(2026, 3, 1), date(2026, 4, 1)),
        (date(1, 1, 1), date(2026, 3, 1)),
        (date(9999, 12, 30), date(9999, 12, 31)),
    ],
)
def test_a_period_that_cannot_be_checked_is_refused(from_on: date | None, to_on: date | None, operator: User) -> None:
    with pytest.raises(ReportError):
        read.store(_csv(("r-1", "succeeded")), name="march.csv", by=operator, from_on=from_on, to_on=to_on)

    assert not ProviderReport.objects.exists()


@pytest.mark.django_db
def test_a_day_that_is_not_over_cannot_be_covered(operator: User) -> None:
    today = datetime.now(UTC).date()

    with pytest.raises(ReportError, match="must be over"):
        read.store(_csv(("r-1", "succeeded")), name="march.csv", by=operator, from_on=today, to_on=today)


@pytest.mark.django_db
def test_a_files_name_is_kept_as_far_as_it_can_be_shown(operator: User) -> None:
    names = ["a\x00b\n.csv", "\ud800", "x" * 300 + ".csv"]

    stored = [
        read.store(_csv((f"r-{each}", "pending")), name=name, by=operator).name for each, name in enumerate(names)
    ]

    assert stored == ["ab.csv", "report.csv", "x" * 251 + ".csv"]


# Applied


@pytest.mark.django_db
def test_every_line_comes_to_its_result(operator: User) -> None:
    altered = processed_payout()
    lines = [
        (_key(processed_payout()), "succeeded", Result.AGREES),
        (_key(returned_payout()), "succeeded", Result.AGREES),
        (_key(accepted_payout()), "pending", Result.AGREES),
        (_key(unknown_payout()), "succeeded", Result.SETTLED),
        (_key(processed_payout()), "returned", Result.RETURNED),
        (_key(unknown_payout()), "rejected", Result.ASKED),
        (_key(processed_payout(amount=Decimal("100.05"))), "succeeded", Result.AMOUNT_DIFFERS),
        (_key(failed_payout()), "succeeded", Result.CONTRADICTS),
        (uuid4(), "succeeded", Result.NOT_OURS),
        ("INV-7", "rejected", Result.NOT_OURS),
        (_key(unknown_payout(maker=operator)), "succeeded", Result.OWN),
        (_key(altered), "succeeded", Result.ALTERED),
    ]
    by_hand("UPDATE payouts_payout SET comment = 'x' WHERE id = %s", altered.pk)

    report = _applied(_csv(*((reference, status) for reference, status, _result in lines)), operator)

    assert _results(report) == [result for _reference, _status, result in lines]
    assert report.applied_at is not None
    assert not report.lines.filter(payout=None).exclude(result=Result.NOT_OURS).exists()
    assert audit_of(altered) == {"row_sealed"}


@pytest.mark.django_db
@pytest.mark.parametrize("recipe", sorted(PAYOUTS))
@pytest.mark.parametrize("status", read.VERDICTS)
def test_the_audit_finds_nothing_after_any_line_about_any_payout(recipe: str, status: str, operator: User) -> None:
    payout = PAYOUTS[recipe]()
    attempt = payout.attempts.first()

    report = _applied(_csv((attempt.reference if attempt else uuid4(), status)), operator)

    assert _results(report) != [""]
    assert is_clean()


@pytest.mark.django_db
def test_what_a_line_did_names_the_line(operator: User) -> None:
    payout = unknown_payout()

    _applied(_csv(("r-1", "pending"), (_key(payout), "succeeded")), operator)

    event = payout.events.latest("seq")
    assert (event.event, event.actor, event.facts["report"]) == ("reconciled", "user:operator", "march.csv:3")


@pytest.mark.django_db
def test_an_amount_finer_than_ours_differs(operator: User) -> None:
    payout = processed_payout()

    report = _applied(_csv((_key(payout), "succeeded", "100.50000001")), operator)

    assert _results(report) == [Result.AMOUNT_DIFFERS]


@pytest.mark.django_db
def test_a_second_run_changes_nothing(operator: User) -> None:
    payout = unknown_payout()
    report = _applied(_csv((_key(payout), "succeeded")), operator)

    with nothing_changes(payout):
        assert apply.run(report.pk)


@pytest.mark.django_db
def test_a_run_that_is_stopped_goes_on_where_it_was(operator: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("payouts.statements.apply.BATCH", 2)
    payouts = [unknown_payout() for _each in range(5)]
    report = read.store(_csv(*((_key(payout), "succeeded") for payout in payouts)), name="x", by=operator)
    answers = iter([False, False, False, True])

    is_done = apply.run(report.pk, must_stop=lambda: next(answers))
    between = _results(report)
    is_done_then = apply.run(report.pk)

    assert (is_done, is_done_then) == (False, True)
    assert 0 < between.count(Result.SETTLED) < 5
    assert _results(report) == [Result.SETTLED] * 5
    assert Event.objects.filter(event="reconciled").count() == 5
    assert is_clean()


@pytest.mark.django_db(transaction=True)
def test_a_run_that_dies_in_a_line_leaves_that_line_as_it_was(operator: User) -> None:
    payouts = [unknown_payout() for _each in range(3)]
    report = read.store(_csv(*((_key(payout), "succeeded") for payout in payouts)), name="x", by=operator)
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
    between = (_results(report), [Payout.objects.get(pk=payout.pk).status for payout in payouts])
    by_hand("DROP TRIGGER break_off ON payouts_reportline; DROP FUNCTION break_off()")
    apply.run(report.pk)

    assert between == ([Result.SETTLED, "", ""], ["processed", "unknown", "unknown"])
    assert _results(report) == [Result.SETTLED] * 3
    assert Event.objects.filter(event="reconciled").count() == 3
    assert is_clean()


@pytest.mark.django_db(transaction=True)
def test_a_line_that_cannot_be_applied_holds_up_no_other_and_keeps_the_report_open(operator: User) -> None:
    stuck, other = unknown_payout(), unknown_payout()
    by_hand(f"ALTER TABLE payouts_payout ADD CONSTRAINT stuck CHECK (id <> {stuck.pk} OR status = 'unknown')")

    report = _applied(_csv((_key(stuck), "succeeded"), (_key(other), "succeeded")), operator)
    between = (_results(report), report.applied_at)
    by_hand("ALTER TABLE payouts_payout DROP CONSTRAINT stuck")
    apply.run(report.pk)

    report.refresh_from_db()
    assert between == (["", Result.SETTLED], None)
    assert _results(report) == [Result.SETTLED] * 2
    assert report.applied_at is not None
    assert is_clean()


@pytest.mark.django_db(transaction=True)
def test_runs_at_the_same_time_do_everything_once(operator: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("payouts.statements.apply.BATCH", 7)
    yesterday = _let_finish_yesterday(processed_payout())
    payouts = [unknown_payout() for _each in range(30)] + [processed_payout() for _each in range(30)]
    content = _csv(*((_key(payout), "succeeded") for payout in payouts))
    day = (datetime.now(UTC) - timedelta(days=1)).date()
    report = read.store(content, name="x", by=operator, from_on=day, to_on=day)

    at_once(*[lambda: apply.run(report.pk)] * 4)
    apply.run(report.pk)

    report.refresh_from_db()
    assert sorted(_results(report)) == sorted([Result.SETTLED] * 30 + [Result.AGREES] * 30 + [Result.MISSING])
    assert report.applied_at is not None
    assert Event.objects.filter(event="reconciled").count() == 30
    assert yesterday.events.filter(event="flagged").count() == 1
    assert is_clean()


@pytest.mark.django_db
def test_five_thousand_lines_cost_few_queries(operator: User, django_assert_max_num_queries: Any) -> None:
    agreeing = [processed_payout() for _each in range(20)]
    lines = [(_key(payout), "succeeded") for payout in agreeing]
    lines += [(uuid4(), "succeeded") for _each in range(4_979)] + [(_key(unknown_payout()), "succeeded")]
    report = read.store(_csv(*lines), name="march.csv", by=operator)

    with django_assert_max_num_queries(80):
        apply.run(report.pk)

    counts = {result: report.lines.filter(result=result).count() for result in Result.values}
    assert {result: count for result, count in counts.items() if count} == {
        Result.AGREES: 20,
        Result.NOT_OURS: 4_979,
        Result.SETTLED: 1,
    }
    assert not report.lines.filter(result=Result.AGREES, payout=None).exists()
    assert is_clean()


# What the report lacks


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

    report = _applied(_csv((_key(reported), "succeeded")), operator, **_yesterday())

    line = report.lines.get(number=None)
    missing.refresh_from_db()
    assert (line.payout, line.result, line.reference) == (missing, Result.MISSING, str(_key(missing)))
    assert (missing.status, missing.attention) == ("processed", Attention.MISSING)
    assert list(Payout.objects.exclude(attention="")) == [missing]
    assert is_clean()


@pytest.mark.django_db
def test_without_a_period_nothing_is_missing(operator: User) -> None:
    _let_finish_yesterday(processed_payout())

    report = _applied(_csv(("r-1", "succeeded")), operator)

    assert _results(report) == [Result.NOT_OURS]


@pytest.mark.django_db
def test_what_another_report_lists_is_not_missing_around_midnight(operator: User) -> None:
    payout = _let_finish_yesterday(processed_payout())
    _applied(_csv((_key(payout), "succeeded")), operator)

    report = _applied(_csv(("r-1", "succeeded")), operator, **_yesterday())

    assert _results(report) == [Result.NOT_OURS]


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
        report = _applied(_csv(("r-1", "pending")), operator, from_on=date(2026, 3, 2), to_on=date(2026, 3, 3))

    assert {line.payout_id for line in report.lines.filter(number=None)} == {payouts[1].pk, payouts[2].pk}


@pytest.mark.django_db
def test_a_missing_payout_that_was_altered_is_told_so(operator: User) -> None:
    payout = _let_finish_yesterday(processed_payout())
    by_hand("UPDATE payouts_payout SET comment = 'x'")

    report = _applied(_csv(("r-1", "pending")), operator, **_yesterday())

    assert report.lines.get(number=None).result == Result.ALTERED
    assert everything(payout.pk)["payout"]["attention"] == ""


@pytest.mark.django_db
def test_missing_ones_are_flagged_bit_by_bit_and_once(operator: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("payouts.statements.apply.BATCH", 2)
    for _each in range(5):
        _let_finish_yesterday(processed_payout())
    report = read.store(_csv(("r-1", "pending")), name="x", by=operator, **_yesterday())
    answers = iter([False, False, False, False, True])

    is_done = apply.run(report.pk, must_stop=lambda: next(answers))
    between = report.lines.filter(result=Result.MISSING).count()
    apply.run(report.pk)

    report.refresh_from_db()
    assert (is_done, between) == (False, 3)
    assert report.lines.filter(result=Result.MISSING).count() == 5
    assert Event.objects.filter(event="flagged").count() == 5
    assert report.applied_at is not None


# Tasks


@pytest.mark.django_db
def test_the_task_applies_the_report(operator: User) -> None:
    report = read.store(_csv(("r-1", "succeeded")), name="x", by=operator)

    tasks.apply_report(report.pk)

    report.refresh_from_db()
    assert report.applied_at is not None


@pytest.mark.django_db
def test_a_task_whose_time_is_up_goes_on_in_one_of_its_own(operator: User, settings: Any) -> None:
    settings.Q_TIMEOUT_SECONDS = 0
    payout = unknown_payout()
    report = read.store(_csv((_key(payout), "succeeded")), name="x", by=operator)
    OrmQ.objects.all().delete()

    tasks.apply_report(report.pk)

    report.refresh_from_db()
    assert report.applied_at is None
    assert queued(read.APPLY.task) == [(report.pk,)]


@pytest.mark.django_db
def test_the_sweep_finds_a_report_whose_task_was_lost_and_rings_once(operator: User) -> None:
    report = read.store(_csv(("r-1", "succeeded")), name="x", by=operator)
    OrmQ.objects.all().delete()

    tasks.sweep()
    fresh = queued(read.APPLY.task)
    ProviderReport.objects.update(rung_at=timezone.now() - timedelta(minutes=5))
    tasks.sweep()
    tasks.sweep()

    assert fresh == []
    assert queued(read.APPLY.task) == [(report.pk,)]


@pytest.mark.django_db
def test_the_sweep_leaves_an_applied_report_alone(operator: User) -> None:
    report = _applied(_csv(("r-1", "succeeded")), operator)
    OrmQ.objects.all().delete()
    ProviderReport.objects.filter(pk=report.pk).update(rung_at=timezone.now() - timedelta(minutes=5))

    tasks.sweep()

    assert queued(read.APPLY.task) == []


@pytest.mark.django_db(transaction=True)
def test_a_report_that_is_not_stored_rings_for_nobody(operator: User) -> None:
    with transaction.atomic():
        read.store(_csv(("r-1", "succeeded")), name="x", by=operator)
        transaction.set_rollback(True)

    assert queued(read.APPLY.task) == []
    assert not ProviderReport.objects.exists()
