"""Payments that only the provider knows: red on the start page, listed, closed by a person."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from payouts.actions import unknown_payments
from payouts.actions.unknown_payments import Heard
from payouts.models import UnknownPayment
from payouts.providers import Verdict
from tests.payouts.admin.conftest import as_user
from tests.payouts.admin.text import plain

pytestmark = pytest.mark.django_db

LIST = "/admin/payouts/unknownpayment/"
FROM_SCRIPT = {"HX-Request": "true"}


def heard(amount: str = "100.50", currency: str = "RUB") -> UnknownPayment:
    payment = Heard(uuid4(), Verdict.SUCCEEDED, Decimal(amount), currency, "prv_9", "msg_1")
    unknown_payments.note([payment], provider="http", source=UnknownPayment.Source.WEBHOOK)
    return UnknownPayment.objects.get(reference=payment.reference)


def test_the_start_page_tells_how_many_and_how_much(as_group: Any) -> None:
    for amount, currency in (("100.50", "RUB"), ("50", "RUB"), ("7", "USD"), ("3", "")):
        heard(amount, currency)

    shown = as_group("Operator").get("/admin/").content.decode()

    assert "The provider has 4 payments that we do not know (150.50 RUB, 7.00 USD, without a currency: 1)." in plain(
        shown
    )
    assert LIST in shown


def test_a_closed_one_is_told_no_more(as_group: Any, operator: Any) -> None:
    unknown_payments.close(heard().pk, by=operator, reason="Of the old system.")

    assert "that we do not know" not in as_group("Operator").get("/admin/").content.decode()


@pytest.mark.parametrize("group", ["Operator", "Approver", "Auditor", "Admin"])
def test_they_are_listed_with_their_amounts(group: str, as_group: Any) -> None:
    payment = heard()
    browser = as_group(group)

    listed = plain(browser.get(LIST).content.decode())
    shown = plain(browser.get(f"{LIST}{payment.pk}/change/").content.decode())

    for text in (listed, shown):
        assert str(payment.reference) in text
        assert "100.50 RUB" in text


@pytest.mark.parametrize("group", ["Approver", "Admin"])
def test_a_person_closes_one_with_a_reason(group: str, in_group: Any) -> None:
    payment = heard()
    user = in_group(group)
    path = f"{LIST}{payment.pk}/close/"

    refused = as_user(user).post(path, {"reason": " "}, headers=FROM_SCRIPT)
    done = as_user(user).post(path, {"reason": "Of the old system."}, headers=FROM_SCRIPT)

    assert refused.status_code == 200
    assert "HX-Redirect" in done.headers
    payment.refresh_from_db()
    assert (payment.closed_by, payment.close_reason) == (user, "Of the old system.")
    again = as_user(user).get(path, headers=FROM_SCRIPT).content.decode()
    assert "It is closed already." in plain(again)


@pytest.mark.parametrize("group", ["Operator", "Auditor"])
def test_others_close_none(group: str, as_group: Any) -> None:
    payment = heard()

    assert as_group(group).post(f"{LIST}{payment.pk}/close/", {"reason": "Odd."}).status_code == 403
    assert UnknownPayment.objects.filter(closed_at=None).count() == 1
