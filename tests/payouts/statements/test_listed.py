"""A provider's own list of a day is held against our record as a report is, without a file and without a person."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import User

from payouts import statements
from payouts.actions import days
from payouts.models import Attempt, Attention, Payout, ProviderReport, ReportLine, UnknownPayment
from payouts.providers import Payment, Verdict
from payouts.statements import apply
from payouts.statements.lines import APPLY
from tests.payouts.actions.test_races import at_once
from tests.payouts.observe import is_clean, queued
from tests.payouts.statements.lines import applied, csv_of, key_of, results_of
from tests.recipes import failed_payout, processed_payout, returned_payout, unknown_payout

pytestmark = pytest.mark.django_db

Result = ReportLine.Result
NOW = datetime.now(UTC)
TODAY = NOW.date()
# Around midnight an attempt of now is of one day or the other.
DAYS = [TODAY + timedelta(days=each) for each in (-1, 0, 1)]


def payment(reference: UUID | None, verdict: Verdict = Verdict.SUCCEEDED, **given: Any) -> Payment:
    told = Payment(f"po-{uuid4()}", reference, verdict, Decimal("100.50"), "RUB", NOW)
    return replace(told, **given)


def of(payout: Payout, **given: Any) -> Payment:
    attempt = payout.attempts.get(reference=key_of(payout))
    if not attempt.provider_id.startswith("po-"):
        named(payout, f"po-{payout.pk}")
    attempt.refresh_from_db()
    return payment(**({"reference": attempt.reference, "provider_id": attempt.provider_id} | given))


def listed(payments: Sequence[Payment], day: date = TODAY, **given: Any) -> ProviderReport:
    report = statements.listed("http", day, payments, **({"asked_at": NOW} | given))
    assert apply.run(report.pk)
    return ProviderReport.objects.get(pk=report.pk)


def result_of(told: Payment) -> str:
    return results_of(listed([told]))[0]


def named(payout: Payout, provider_id: str) -> Payout:
    Attempt.objects.filter(payout=payout).update(provider_id=provider_id)
    return payout


def test_a_list_is_a_report_of_nobody_with_one_task() -> None:
    told = payment(uuid4(), fee=Decimal("2.5"))

    report = statements.listed("http", date(2026, 3, 2), [told], asked_at=NOW)

    line = report.lines.get()
    assert (report.uploaded_by, report.content_hash, report.listed_at) == (None, None, NOW)
    assert (report.from_on, report.to_on, report.zone, str(report)) == (
        date(2026, 3, 2),
        date(2026, 3, 2),
        "UTC",
        "http 2026-03-02",
    )
    assert (line.reference, line.provider_id) == (str(told.reference), told.provider_id)
    assert (line.status, line.amount, line.currency, line.fee) == (
        "succeeded",
        Decimal("100.50"),
        "RUB",
        Decimal("2.5"),
    )
    assert queued(APPLY.task) == [(report.pk,)]


def test_the_days_of_an_account_are_those_of_its_register(settings: Any) -> None:
    settings.PROVIDERS = {"http": "yookassa"}

    report = statements.listed("http", date(2026, 3, 2), [], asked_at=NOW)

    assert report.zone == "Europe/Moscow"
    assert days.bounds(date(2026, 3, 2), date(2026, 3, 2), report.zone) == (
        datetime(2026, 3, 1, 21, tzinfo=UTC),
        datetime(2026, 3, 2, 21, tzinfo=UTC),
    )


def test_every_payment_comes_to_its_result() -> None:
    told = [
        (of(processed_payout()), Result.AGREES),
        (of(unknown_payout()), Result.ASKED),
        (of(processed_payout(), verdict=Verdict.RETURNED), Result.ASKED),
        (of(returned_payout()), Result.AGREES),
        (of(failed_payout(), verdict=Verdict.REFUSED), Result.AGREES),
        (of(failed_payout()), Result.CONTRADICTS),
        (of(processed_payout(), amount=Decimal("100.51")), Result.AMOUNT_DIFFERS),
        (of(processed_payout(), currency="USD"), Result.CURRENCY_DIFFERS),
        (payment(uuid4()), Result.NOT_OURS),
        (payment(None), Result.NOT_OURS),
        (of(processed_payout(), reference=None), Result.AGREES),
    ]

    report = listed([each for each, _result in told])

    assert results_of(report) == [result for _each, result in told]
    assert report.applied_at is not None
    unknown = UnknownPayment.objects.get()
    assert (unknown.reference, unknown.provider_id) == (told[8][0].reference, told[8][0].provider_id)
    assert (unknown.currency, unknown.detail) == ("RUB", f"http {TODAY}:9")
    assert is_clean()


def test_what_a_list_did_was_done_by_the_provider() -> None:
    payout = unknown_payout()

    listed([of(payout)])

    event = payout.events.latest("seq")
    assert (event.event, event.actor, event.person) == ("asked", "provider:http", None)


def test_another_currency_calls_a_person() -> None:
    payout = processed_payout()

    listed([of(payout, currency="USD")])

    payout.refresh_from_db()
    assert payout.attention == Attention.AMOUNT_DIFFERS


def test_a_second_payment_under_a_key_calls_a_person() -> None:
    payout = named(processed_payout(), "po-1")

    report = listed([of(payout, provider_id="po-2")])

    payout.refresh_from_db()
    assert results_of(report) == [Result.CONTRADICTS]
    assert payout.attention == Attention.CONTRADICTED
    assert is_clean()


def test_of_two_payments_under_a_key_one_is_not_ours() -> None:
    payout = named(processed_payout(), "po-1")

    report = listed([of(payout), of(payout, provider_id="po-2")])

    assert results_of(report) == [Result.AGREES, Result.NOT_OURS]
    assert list(report.lines.values_list("reference", flat=True)) == ["po-1", "po-2"]


def test_what_two_pages_tell_is_kept_once_as_it_was_told_last() -> None:
    payout = named(processed_payout(), "po-1")

    report = listed([of(payout, verdict=Verdict.PENDING), of(payout)])

    assert list(report.lines.values_list("status", "result")) == [("succeeded", Result.AGREES)]


def test_a_payment_of_another_accounts_attempt_is_not_ours() -> None:
    payout = processed_payout()

    report = statements.listed("eu", TODAY, [of(payout)], asked_at=NOW)
    apply.run(report.pk)

    assert results_of(report) == [Result.NOT_OURS]
    assert UnknownPayment.objects.get().provider == "eu"


def test_a_fee_is_kept_where_none_was_told_and_changes_nothing_else() -> None:
    new, known, unpaid = processed_payout(), processed_payout(), unknown_payout()
    Attempt.objects.filter(payout=known).update(fee=Decimal(1))
    version = new.version

    listed([of(each, fee=Decimal("2.5")) for each in (new, known, unpaid)])

    new.refresh_from_db()
    assert [each.attempts.get().fee for each in (new, known, unpaid)] == [Decimal("2.5"), Decimal(1), Decimal("2.5")]
    assert new.version == version
    assert is_clean()


def test_a_fee_of_what_differs_is_not_kept() -> None:
    payout = processed_payout()

    listed([of(payout, amount=Decimal(7), fee=Decimal("2.5"))])

    assert payout.attempts.get().fee is None


def test_a_later_list_supersedes_and_an_earlier_one_does_not() -> None:
    payout = processed_payout()
    first = statements.listed("http", TODAY, [], asked_at=NOW)
    other_day = statements.listed("http", TODAY - timedelta(days=1), [], asked_at=NOW)

    second = statements.listed("http", TODAY, [of(payout)], asked_at=NOW + timedelta(hours=1))
    late = statements.listed("http", TODAY, [], asked_at=NOW + timedelta(minutes=1))
    apply.run(first.pk)

    first.refresh_from_db()
    other_day.refresh_from_db()
    assert late == second
    assert (first.applied_at, other_day.superseded_at) == (None, None)
    assert first.superseded_at is not None
    assert not first.lines.exists()
    assert ProviderReport.objects.filter(superseded_at=None, from_on=TODAY).get() == second


@pytest.mark.django_db(transaction=True)
def test_lists_of_a_day_at_the_same_time_leave_one() -> None:
    def ask(second: int) -> Any:
        return lambda: statements.listed("http", TODAY, [payment(None)], asked_at=NOW + timedelta(seconds=second))

    at_once(*map(ask, range(6)))

    assert ProviderReport.objects.filter(superseded_at=None).count() == 1


def test_what_was_paid_and_is_in_no_list_is_missing() -> None:
    missing, present = processed_payout(), processed_payout()
    failed_payout()
    unknown_payout()

    for day in DAYS:
        listed([of(present)] if day == TODAY else [], day)

    missing.refresh_from_db()
    assert missing.attention == Attention.MISSING
    assert set(ReportLine.objects.filter(number=None).values_list("payout", "result")) == {
        (missing.pk, Result.MISSING)
    }
    assert list(Payout.objects.exclude(attention="")) == [missing]
    assert is_clean()


def test_a_payment_is_missing_only_once_all_its_days_are_listed() -> None:
    payout = processed_payout()
    Attempt.objects.update(finished_at=NOW + timedelta(days=1))
    listed([], DAYS[2])
    listed([], DAYS[2] + timedelta(days=1))
    before = ReportLine.objects.exists()

    for day in DAYS[:2]:
        listed([], day)

    payout.refresh_from_db()
    assert (before, payout.attention) == (False, Attention.MISSING)


def test_what_a_superseded_list_had_is_missing_in_the_later_one() -> None:
    payout = processed_payout()
    for day in DAYS:
        listed([of(payout)] if day == TODAY else [], day)

    for day in DAYS:
        listed([], day, asked_at=NOW + timedelta(hours=1))

    payout.refresh_from_db()
    assert payout.attention == Attention.MISSING


def test_a_report_of_a_person_lacks_nothing_that_a_list_has(operator: User) -> None:
    payout, other = processed_payout(), processed_payout()
    Attempt.objects.update(finished_at=NOW - timedelta(days=1))
    listed([of(payout), of(other)])
    day = TODAY - timedelta(days=1)

    report = applied(csv_of((key_of(other), "succeeded")), operator, from_on=day, to_on=day)

    payout.refresh_from_db()
    assert (payout.attention, results_of(report)) == ("", [Result.AGREES])
