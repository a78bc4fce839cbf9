"""What stands in an export's file, and that no text in it is a formula."""

from decimal import Decimal

import pytest
from django.contrib.auth.models import User

from payouts.exports import cells
from payouts.models import Payout
from payouts.providers import Answer, Verdict
from tests import recipes
from tests.payouts.exports.files import file, from_csv, from_xlsx, written

pytestmark = pytest.mark.django_db


HOSTILE = (
    "=1+1",
    "+7 999 123-45-67",
    "-2+3",
    "@SUM(A1)",
    "\t=1+1",
    "   =HYPERLINK(A1)",
    "\u3000\uff1d1+1",  # full-width
    "\u200b=1+1",
    "\ufe621+1",
    "\u22122+3",
    "paid;=1+1;",  # of a program that separates by semicolons
    "two lines\n=1+1",
)


HARMLESS = ("Bonus", "a=b", "1-2", 'О\'Нил, "Рога"', "#N/A", "mail@example.com", "", "'=1")


def commented(text: str) -> Payout:
    return recipes.pending_payout(comment=text, recipient={"card": "4111 1111 1111 1111", "name": text or "Anna"})


def test_a_csv_says_of_each_payout_what_machines_read(approver: User) -> None:
    payout = recipes.processed_payout(amount=Decimal("1234.5"), idempotency_key=None)
    yen = recipes.pending_payout(amount=Decimal(7000), currency="JPY")

    export = written(approver)

    first, second = from_csv(export)
    assert list(first) == list(cells.COLUMNS)
    assert first == {
        "id": str(payout.pk),
        "reference": str(payout.reference),
        "created_at": payout.created_at.isoformat().replace("+00:00", "Z"),
        "status": "processed",
        "stage": "processed",
        "amount": "1234.50",
        "currency": "RUB",
        "recipient_name": payout.recipient_masked["name"],
        "recipient_account": payout.recipient_masked["card"],
        "user_id": "123",
        "client": payout.client.name,
        "maker": "",
        "provider": "http",
        "approvals_given": "0",
        "approvals_required": "0",
        "held_at": "",
        "attention": "",
        "failure_code": "",
        "failure_message": "",
        "processed_at": payout.processed_at.isoformat().replace("+00:00", "Z"),
        "comment": "Оплата бонуса",
        "idempotency_key": "",
        "fee": "",
    }
    assert (second["id"], second["amount"], second["stage"]) == (str(yen.pk), "7000", "awaiting_approval")
    assert (export.rows_done, export.rows_total, export.size_bytes) == (2, 2, len(file(export)))
    assert b"4111 1111 1111 1111" not in file(export)


@pytest.mark.parametrize("format", ["csv", "xlsx"])
def test_what_the_provider_took_for_a_payment_is_told(approver: User, format: str) -> None:
    told = Answer(Verdict.SUCCEEDED, provider_id="prv_1", fee=Decimal("12.30"))
    recipes.answered(recipes.answered(recipes.pending_payout(), recipes.LACKS_FUNDS), told)

    (row,) = (from_csv if format == "csv" else from_xlsx)(written(approver, format=format))

    assert str(getattr(row["fee"], "value", row["fee"])) in ("12.30", "12.3")


def test_an_xlsx_has_numbers_where_they_are_exact_and_texts_elsewhere(approver: User) -> None:
    recipes.awaiting_payout(amount=Decimal("1234.50"))
    recipes.awaiting_payout(amount=Decimal("99999999999999.99"))  # of 16 digits

    exact, long = from_xlsx(written(approver, format="xlsx"))

    assert (exact["amount"].value, exact["amount"].data_type, exact["amount"].number_format) == (1234.5, "n", "0.00")
    assert (long["amount"].value, long["amount"].data_type) == ("99999999999999.99", "s")
    assert (exact["id"].data_type, exact["created_at"].data_type) == ("n", "s")


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_no_text_is_a_formula_in_either_format(text: str, approver: User) -> None:
    commented(text)

    (in_csv,) = from_csv(written(approver))
    (in_xlsx,) = from_xlsx(written(approver, format="xlsx"))

    for name in ("comment", "recipient_name"):
        for cell in in_csv[name].replace("\n", ";").split(";"):
            assert cell.strip()[:1] not in ("=", "+", "-", "@", "\uff1d", "\ufe62", "\u2212")
        assert not in_csv[name].startswith(("\t", "\u200b", "\u3000"))
        assert "'" in in_csv[name]
        assert in_xlsx[name].data_type == "s"
        assert in_xlsx[name].value.replace("\r\n", "\n") == in_csv[name].replace("\r\n", "\n")


@pytest.mark.parametrize("text", HARMLESS)
def test_a_text_that_is_no_formula_stays_as_it_is(text: str, approver: User) -> None:
    commented(text)

    (in_csv,) = from_csv(written(approver))
    (in_xlsx,) = from_xlsx(written(approver, format="xlsx"))

    assert in_csv["comment"] == text
    assert (in_xlsx["comment"].value or "", in_xlsx["comment"].data_type) == (text, "s" if text else "n")


def test_every_state_can_be_exported(approver: User) -> None:
    made = {name: make() for name, make in recipes.PAYOUTS.items()}

    rows = {int(row["id"]): row for row in from_csv(written(approver))}

    assert rows.keys() == {payout.pk for payout in made.values()}
    assert {row["stage"] for row in rows.values()} == {str(payout.stage) for payout in made.values()}
