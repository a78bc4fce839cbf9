"""Daily reconciliation: each account and day as a line, what is on the start page, and how a day is closed."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from django.utils import timezone

from payouts.actions import days
from payouts.models import Heartbeat, ProviderReport, ReconciledDay
from payouts.providers import PaymentsPage, Verdict
from payouts.statements import apply, ask
from tests import recipes
from tests.payouts.admin.conftest import as_user
from tests.payouts.admin.text import plain
from tests.payouts.statements.lines import HEADER, applied
from tests.payouts.statements.listing import SILENT, Lister, listing, paid_payout, payment_of, strange

pytestmark = pytest.mark.django_db

LIST = "/admin/payouts/reconciledday/"
FROM_SCRIPT = {"HX-Request": "true"}


@pytest.fixture
def main(settings: Any) -> Iterator[Lister]:
    settings.PROVIDER_URL = ""
    Heartbeat.objects.create(cluster="one")
    lister = Lister()
    with listing(lister):
        yield lister


def ago(count: int) -> date:
    return timezone.now().date() - timedelta(days=count)


def told(lister: Lister, on: date, *answers: Any) -> ReconciledDay:
    lister.answers = [PaymentsPage(answers, "")] if not answers or answers[0] is not SILENT else [SILENT]
    day = days.made(lister.name, on)
    if report := ask.ask(day):
        apply.run(report.pk)
    day.refresh_from_db()
    return day


def page(day: ReconciledDay) -> str:
    return f"{LIST}{day.pk}/change/"


@pytest.mark.parametrize("group", ["Operator", "Approver", "Auditor", "Admin"])
def test_a_day_that_agrees_has_its_count_and_sum(group: str, main: Lister, as_group: Any) -> None:
    paid = [paid_payout() for _each in range(2)]
    told(main, ago(1), *map(payment_of, paid))

    text = plain(as_group(group).get(LIST).content.decode())

    assert "main check_circle Agreed 2 payments, 201.00 RUB" in text


def test_what_differs_leads_to_its_lines(main: Lister, as_group: Any) -> None:
    day = told(main, ago(1), strange(), strange("prv-other", verdict=Verdict.PENDING))

    content = as_group("Operator").get(LIST).content.decode()

    assert "Differs 1 payment, 7.00 RUB 1 not ended" in plain(content)
    assert "Not a payment of ours: 2" in plain(content)
    assert f"/admin/payouts/providerreport/{day.report_id}/change/?result=not_ours#po-lines" in content


def test_a_day_that_was_not_told_says_why(main: Lister, as_group: Any) -> None:
    told(main, ago(1), SILENT)

    text = plain(as_group("Operator").get(LIST).content.decode())

    assert "Not told yet – The provider did not answer in time. Asked at" in text


def test_accounts_can_be_looked_at_one_by_one(main: Lister, as_group: Any) -> None:
    other = Lister("other")
    with listing(other):
        shown, hidden = told(main, ago(1)), told(other, ago(1))
        browser = as_group("Operator")

        every, one = (browser.get(f"{LIST}{query}").content.decode() for query in ("", "?account=main"))

    assert page(shown) in every
    assert page(hidden) in every
    assert page(shown) in one
    assert page(hidden) not in one


def test_an_account_without_a_list_shows_the_reports_that_cover_its_days(as_group: Any) -> None:
    browser = as_group("Approver")
    empty = plain(browser.get(LIST).content.decode())
    report = applied(f"{HEADER}r-1,pending,1\n".encode(), recipes.person.make(), from_on=ago(3), to_on=ago(2))

    content = browser.get(LIST).content.decode()

    assert "The provider of the account http lists no payments" in empty
    assert "No day has been compared yet." in empty
    assert content.count(f"/admin/payouts/providerreport/{report.pk}/change/") == 2
    assert plain(content).count("Needs review") == 2


def test_a_day_that_differs_is_an_alarm_until_a_person_closes_it(main: Lister, in_group: Any) -> None:
    day = told(main, ago(1), strange())
    person = in_group("Approver")
    browser = as_user(person)
    before = plain(browser.get("/admin/").content.decode())

    answer = browser.post(f"{LIST}{day.pk}/close/", {"reason": "Rent, from their pages."}, headers=FROM_SCRIPT)

    day.refresh_from_db()
    assert answer.headers["HX-Redirect"] == page(day)
    assert (day.closed_by, day.close_reason) == (person, "Rent, from their pages.")
    assert "1 day does not agree with the provider&#x27;s list: main," in before
    assert "does not agree" not in plain(browser.get("/admin/").content.decode())
    assert "Closed by a person" in plain(browser.get(LIST).content.decode())
    assert "Rent, from their pages." in plain(browser.get(page(day)).content.decode())


def test_a_closed_day_is_not_closed_again(main: Lister, in_group: Any) -> None:
    person = in_group("Approver")
    day = days.close(told(main, ago(1), strange()).pk, by=person, reason="Rent.")
    browser = as_user(person)

    answer = browser.post(f"{LIST}{day.pk}/close/", {"reason": "Again."}, headers=FROM_SCRIPT)

    day.refresh_from_db()
    assert "It is closed already." in answer.content.decode()
    assert day.close_reason == "Rent."


def test_a_day_that_agrees_is_not_closed(main: Lister) -> None:
    day = told(main, ago(1))
    days.settle(now=timezone.now())

    with pytest.raises(days.DayError, match="It agrees"):
        days.close(day.pk, by=recipes.person.make(), reason="Fine.")


def test_days_that_nobody_told_for_two_days_are_told_on_the_start_page(main: Lister, as_group: Any) -> None:
    told(main, ago(2), SILENT)
    browser = as_group("Operator")
    before = plain(browser.get("/admin/").content.decode())
    told(main, ago(4), SILENT)

    text = plain(browser.get("/admin/").content.decode())

    assert "has not told what it paid" not in before
    assert "The provider of the account main has not told what it paid on" in text
    assert "The provider did not answer in time." in text


def test_a_report_that_covers_a_day_stands_for_its_list(main: Lister, as_group: Any) -> None:
    told(main, ago(4), SILENT)
    applied(f"{HEADER}r-1,pending,1\n".encode(), recipes.person.make(), from_on=ago(5), to_on=ago(3))
    ProviderReport.objects.update(provider="main")

    assert "has not told" not in plain(as_group("Operator").get("/admin/").content.decode())


def test_the_list_is_in_russian_too(main: Lister, as_group: Any) -> None:
    told(main, ago(1), strange())

    answer = as_group("Operator").get(LIST, headers={"accept-language": "ru"})

    assert answer.status_code == 200
