"""Providers' reports in the back office: who may upload, how faults are told, what the page says of the lines."""

import csv
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from payouts import statements
from payouts.models import Attempt, Payout, ProviderReport, ReportLine
from payouts.providers import Payment, Verdict
from payouts.providers.csv_report import STATUSES
from payouts.statements import apply, read
from tests import recipes
from tests.payouts.admin.conftest import as_user
from tests.payouts.admin.urls import page

pytestmark = pytest.mark.django_db

REPORTS = "/admin/payouts/providerreport/"
ADD = f"{REPORTS}add/"
TEMPLATE = f"{REPORTS}template/"
Result = ReportLine.Result


def rows(*lines: tuple[Any, ...]) -> str:
    return "reference,status,amount\n" + "".join(",".join(map(str, line)) + "\n" for line in lines)


def line(payout: Payout, status: str = "succeeded", amount: str = "100.50") -> tuple[Any, ...]:
    return payout.attempts.earliest("number").reference, status, amount


def upload(browser: Client, text: str | bytes, name: str = "march.csv", **given: Any) -> Any:
    content = text.encode() if isinstance(text, str) else text
    return browser.post(ADD, {"file": SimpleUploadedFile(name, content, "text/csv")} | given)


def address(report: ProviderReport) -> str:
    return f"{REPORTS}{report.pk}/change/"


def applied(text: str, **given: Any) -> ProviderReport:
    report = read.store(text.encode(), name="march.csv", by=recipes.person.make(), **given)
    apply.run(report.pk)
    return ProviderReport.objects.get(pk=report.pk)


@pytest.mark.parametrize(
    ("group", "may"), [("Operator", False), ("Auditor", False), ("Approver", True), ("Admin", True)]
)
def test_everybody_sees_reports_and_those_who_decide_upload_them(group: str, may: bool, as_group: Any) -> None:
    report = applied(rows(("r-1", "succeeded", "1")))
    browser = as_group(group)

    seen = [browser.get(path).status_code for path in (REPORTS, address(report))]
    may_upload = [browser.get(path).status_code for path in (ADD, TEMPLATE)]
    uploaded = upload(browser, rows(("r-2", "succeeded", "1"))).status_code

    assert seen == [200, 200]
    assert (may_upload, uploaded) == (([200, 200], 302) if may else ([403, 403], 403))
    assert ProviderReport.objects.count() == 1 + may
    assert ("Provider reports" in browser.get("/admin/").content.decode()) is True


def test_a_member_of_staff_without_a_group_sees_no_report() -> None:
    report = applied(rows(("r-1", "succeeded", "1")))
    browser = as_user(recipes.person.make())

    assert [browser.get(path).status_code for path in (REPORTS, ADD, TEMPLATE, address(report))] == [403] * 4
    assert "Provider reports" not in browser.get("/admin/").content.decode()


def test_nobody_changes_or_deletes_a_report() -> None:
    report = applied(rows(("r-1", "succeeded", "1")))
    browser = as_user(recipes.superuser.make())

    assert browser.post(address(report), {"name": "x"}).status_code == 403
    assert browser.post(f"{REPORTS}{report.pk}/delete/", {"post": "yes"}).status_code == 403
    assert ProviderReport.objects.get().name == "march.csv"


def test_an_upload_leads_to_the_report_which_looks_again_until_it_is_applied(as_group: Any) -> None:
    browser = as_group("Approver")

    answer = upload(browser, rows(line(recipes.unknown_payout())))
    report = ProviderReport.objects.get()
    before = browser.get(answer.headers["Location"]).content.decode()
    apply.run(report.pk)
    after = browser.get(address(report)).content.decode()

    assert answer.headers["Location"] == address(report)
    assert ("data-about-to-change" in before, "0 of 1" in before) == (True, True)
    assert ("data-about-to-change" in after, "Applied" in after) == (False, True)


def test_a_page_of_a_report_whose_task_gives_no_sign_does_not_look_again_for_ever(as_group: Any) -> None:
    report = read.store(rows(("r-1", "pending", "1")).encode(), name="x.csv", by=recipes.person.make())
    ProviderReport.objects.update(seen_at=timezone.now() - timedelta(hours=1))

    text = as_group("Auditor").get(address(report)).content.decode()

    assert "data-about-to-change" not in text
    assert "see its log" in text


def test_faults_are_told_by_line_and_nothing_is_imported(as_group: Any) -> None:
    answer = upload(as_group("Admin"), rows(*((f"r-{each}", "paid", "1") for each in range(60))))

    text = answer.content.decode()
    assert "Nothing was imported" in text
    assert "The first 50 of 60 errors" in text
    assert "<strong>Line 2</strong>" in text
    assert "Line 52" not in text
    assert not ProviderReport.objects.exists()


@pytest.mark.parametrize("text", ["", "PK\x03\x04\x00", "reference,status\n", rows(), rows(("<b>", "<i>x", "1"))])
def test_a_file_that_is_no_report_is_told_so(text: str, as_group: Any) -> None:
    answer = upload(as_group("Admin"), text)

    assert answer.status_code == 200
    assert "Nothing was imported" in answer.content.decode()
    assert "<i>x" not in answer.content.decode()


def test_without_a_file_nothing_happens(as_group: Any) -> None:
    answer = as_group("Admin").post(ADD, {"from_on": "yesterday"})

    assert "This field is required." in answer.content.decode()
    assert "Enter a valid date." in answer.content.decode()
    assert not ProviderReport.objects.exists()


def test_the_same_file_again_leads_to_the_first(as_group: Any) -> None:
    first = applied(rows(("r-1", "succeeded", "1")))

    text = upload(as_group("Approver"), rows(("r-1", "succeeded", "1")), "again.csv").content.decode()

    assert "This file is a report already" in text
    assert f'href="{address(first)}"' in text


def test_a_period_is_kept_and_a_half_one_refused(as_group: Any) -> None:
    browser = as_group("Approver")
    day = (datetime.now(UTC) - timedelta(days=2)).date()

    half = upload(browser, rows(("r-1", "pending", "1")), from_on=day.isoformat())
    whole = upload(browser, rows(("r-1", "pending", "1")), from_on=day.isoformat(), to_on=f"{day:%d.%m.%Y}")

    assert "Give both days" in half.content.decode()
    assert whole.status_code == 302
    assert ProviderReport.objects.get().to_on == day


def test_the_template_is_a_report_that_is_read(as_group: Any) -> None:
    answer = as_group("Approver").get(TEMPLATE)

    assert "attachment" in answer.headers["Content-Disposition"]
    assert {each.status for each in read.lines_of(answer.content)} == set(STATUSES)
    assert next(csv.reader(StringIO(answer.content.decode()))) == ["reference", "status", "amount"]


def test_results_are_counted_and_lead_to_their_lines(as_group: Any) -> None:
    paid, differs, missing = (recipes.processed_payout() for _each in range(3))
    yesterday = datetime.now(UTC) - timedelta(days=1)
    Attempt.objects.filter(payout=missing).update(finished_at=yesterday)
    report = applied(
        rows(line(paid), line(differs, amount="100.505"), ("=1+1", "succeeded", "1234.50")),
        from_on=yesterday.date(),
        to_on=yesterday.date(),
    )
    browser = as_group("Operator")

    everything = browser.get(address(report)).content.decode()
    agreeing = browser.get(address(report), {"result": "agrees"}).content.decode()
    lacking = browser.get(address(report), {"result": "missing"}).content.decode()

    for result in ("agrees", "amount_differs", "missing", "not_ours"):
        assert f'href="?result={result}#po-lines"' in everything
    assert all(f'href="{page(payout)}"' in everything for payout in (paid, differs, missing))
    assert "100.505\u00a0RUB" in everything
    assert "1,234.50<" in everything
    assert everything.count("ours: 100.50\u00a0RUB") == 2
    assert (page(paid) in agreeing, page(differs) in agreeing) == (True, False)
    assert (page(missing) in lacking, page(paid) in lacking) == (True, False)
    assert "needs review" in everything
    assert "needs review" in browser.get(REPORTS).content.decode()


@pytest.mark.parametrize(
    "query", [{"result": "nonsense"}, {"result": "\x00"}, {"page": "x"}, {"page": "99999999999"}]
)
def test_a_bad_address_of_lines_is_no_error(query: dict[str, str], as_group: Any) -> None:
    report = applied(rows(("INV-77", "succeeded", "1")))

    text = as_group("Operator").get(address(report), query).content.decode()

    assert ("INV-77" in text) == ("page" in query)


def test_lines_come_in_pages_and_cost_few_queries(as_group: Any, django_assert_max_num_queries: Any) -> None:
    payouts = [recipes.processed_payout(amount=Decimal("100.50")) for _each in range(60)]
    report = applied(rows(*map(line, payouts)))
    browser = as_group("Operator")

    with django_assert_max_num_queries(14):
        first = browser.get(address(report)).content.decode()
    second = browser.get(address(report), {"page": 2, "result": "agrees"}).content.decode()

    assert ("Page 1 of 2" in first, page(payouts[0]) in first, page(payouts[59]) in first) == (True, True, False)
    assert (page(payouts[59]) in second, "?result=agrees&amp;page=1#po-lines" in second) == (True, True)


# Accounts, formats and lists


def test_with_one_format_nobody_is_asked_whose_report_it_is(as_group: Any) -> None:
    text = as_group("Approver").get(ADD).content.decode()

    assert 'name="source"' not in text
    assert "time zone UTC" in text


def test_a_register_is_uploaded_for_its_account(as_group: Any, settings: Any) -> None:
    settings.PROVIDERS, settings.PROVIDER_URL = {"main": "yookassa", "eu": "http"}, ""
    browser = as_group("Approver")

    text = browser.get(ADD).content.decode()
    source = "main:yookassa_register"
    wrong = upload(browser, rows(("r-1", "pending", "1")), source=source)
    unheard = upload(browser, rows(("r-1", "pending", "1")), source="main:x")
    answer = upload(browser, rows(("r-1", "pending", "1")), source="eu:payments")

    assert [each in text for each in (source, "main:payments", "eu:payments", "eu:yookassa_register")] == [
        True,
        True,
        True,
        False,
    ]
    assert "no column “идентификатор выплаты”" in wrong.content.decode()
    assert "Select a valid choice" in unheard.content.decode()
    assert answer.status_code == 302
    report = ProviderReport.objects.get()
    assert (report.provider, report.format) == ("eu", "payments")


def test_a_list_is_shown_without_a_person_and_a_file(as_group: Any) -> None:
    paid = recipes.processed_payout()
    told = [
        Payment("po-1", line(paid)[0], Verdict.SUCCEEDED, Decimal("100.50"), "USD", None, fee=Decimal("2.50")),
        Payment("po-2", None, Verdict.SUCCEEDED, Decimal(7), "RUB", None),
    ]
    now = timezone.now()
    first = statements.listed("http", now.date(), [], asked_at=now)
    report = statements.listed("http", now.date(), told, asked_at=now + timedelta(minutes=1))
    apply.run(report.pk)
    browser = as_group("Auditor")

    text = browser.get(address(report)).content.decode()
    superseded = browser.get(address(first)).content.decode()
    listing = browser.get(REPORTS).content.decode()

    for each in (
        "the provider, when asked",
        "po-1",
        "po-2",
        "100.50\u00a0USD",
        "fee: 2.50\u00a0USD",
        "Currency differs",
    ):
        assert each in text
    assert "ours: 100.50\u00a0RUB" in text
    assert ("SHA-256" in text, "Superseded" in superseded, "data-about-to-change" in superseded) == (
        False,
        True,
        False,
    )
    assert "the provider, when asked" in listing
