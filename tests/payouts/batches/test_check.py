"""What the worker stores of a file, however often it is stopped, and which files are refused whole."""

import io
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError, connection
from django.db.models.functions import Now
from django.utils import timezone
from openpyxl import Workbook

from payouts import recipients, vault
from payouts.actions import bank_lists
from payouts.batches import check, columns, decide, upload
from payouts.batches.columns import Given
from payouts.files import apart
from payouts.models import Batch, BatchRow, BatchState, Route
from payouts.providers import Bank
from tests import recipes
from tests.payouts.actions.test_erasure import GARBAGE_KEY
from tests.payouts.actions.test_races import at_once
from tests.payouts.observe import by_hand
from tests.recipes import BATCH_ROW, checked_batch, stored_batch

pytestmark = pytest.mark.django_db


def _refusal(content: bytes, operator: User) -> list[str]:
    batch = upload.store(content, name="x", by=operator)
    assert check.run(batch.pk)
    batch.refresh_from_db()
    assert (batch.state, batch.content, batch.rows.count()) == (BatchState.REFUSED, None, 0)
    return [columns.sentence(code, parameters) for code, parameters in batch.refusal or ()]


def test_kinds_and_columns_have_russian_names_too(operator: User) -> None:
    header = "ID пользователя;Сумма;Валюта;Тип;Счёт;ФИО;Банк;Комментарий;Отдел"
    text = f"{header}\n1;10;rub;Карта;4111111111111111;Иван;;x;y\n"

    batch = upload.store(text.encode("cp1251"), name="x", by=operator)
    check.run(batch.pk)

    row = BatchRow.objects.get()
    assert (row.is_valid, row.kind, row.currency, row.comment) == (True, "card", "RUB", "x")
    assert row.recipient_details == {"card": "4111111111111111", "name": "Иван"}


def test_an_xlsx_is_checked_like_a_csv(operator: User) -> None:
    book = Workbook()
    assert book.active is not None
    header = recipes.BATCH_HEADER.split(";")
    book.active.append(header)
    book.active.append([7, 250000.5, "RUB", "card", "4111111111111111", "Иван", None, "x"])
    book.active.append([7, 250000.5, "RUB", "card", 4111111111111111, "Иван"])
    book.active.append([7, "=1+1", "RUB", "card", "4111111111111111", "Иван"])
    content = io.BytesIO()
    book.save(content)

    batch = upload.store(content.getvalue(), name="x.xlsx", by=operator)
    check.run(batch.pk)

    rows = list(BatchRow.objects.order_by("number"))
    assert [(row.number, row.amount, row.errors) for row in rows] == [
        (2, Decimal("250000.50"), []),
        (3, None, [["account", "account_digits", {}]]),
        (4, None, [["amount", "formula", {}]]),
    ]


def test_a_comma_inside_an_amount_shifts_no_cells(operator: User) -> None:
    content = b"user_id,amount,currency,kind,account\n1,1,000,RUB,card,4111111111111111\n"

    batch = upload.store(content, name="x", by=operator)
    check.run(batch.pk)

    assert BatchRow.objects.get().errors == [["", "fields", {"found": 6, "wanted": 5}]]


@pytest.mark.parametrize(
    ("content", "sentences"),
    [
        (b"user_id;amount;currency;account\n", ["The header has no column “kind”."]),
        (
            b"user_id;amount;amount;currency;kind\n1;1;1;RUB;card\n",
            ["The header has no column “account”.", "The header has the column “amount” twice."],
        ),
        (recipes.BATCH_HEADER.encode(), ["The file has a header and no rows."]),
        (
            b'user_id;amount;currency;kind;account\n1;"5;RUB;card;4111111111111111\n',
            ["Line 2 cannot be read: a quotation mark is missing, or a field is too long."],
        ),
    ],
)
def test_a_file_that_is_no_batch_is_refused_whole(content: bytes, sentences: list[str], operator: User) -> None:
    assert _refusal(content, operator) == sentences


def test_more_rows_than_the_limit_are_refused(operator: User) -> None:
    content = recipes.BATCH_HEADER + "\n" + ("x;\n" * 50_001)

    assert _refusal(content.encode(), operator) == ["The file has more than 50,000 rows: split it."]


def test_a_check_finds_totals_errors_and_duplicates(operator: User) -> None:
    recipient = {"card": "4929111122223339"}
    earlier = recipes.pending_payout(amount=Decimal("10.00"), recipient=recipient)
    stopped = recipes.cancelled_payout(amount=Decimal("11.00"), recipient=recipient)

    batch = checked_batch(
        BATCH_ROW,
        BATCH_ROW,
        "7;10;RUB;card;4929111122223339;;;",
        "7;11;RUB;card;4929111122223339;;;",
        "7;5,5;EUR;iban;DE89370400440532013000;;;",
        "7;x;EUR;iban;DE89370400440532013000;;;",
        by=operator,
    )

    rows = list(batch.rows.order_by("number"))
    assert batch.totals == [["EUR", 1, "5.50"], ["RUB", 4, "500021.00"]]
    assert (batch.state, batch.rows_total, batch.rows_wrong, batch.rows_valid) == (BatchState.PREVIEW, 6, 1, 5)
    assert [row.same_as for row in rows] == [None, 2, None, None, None, None]
    assert [row.earlier_id for row in rows] == [None, None, earlier.pk, None, None, None]
    assert [row.notes for row in rows] == [[], [], ["card_checksum"], ["card_checksum"], [], []]
    assert stopped.pk not in [row.earlier_id for row in rows]


def test_rows_of_a_recipient_whose_key_sql_put_in_are_wrong_and_the_others_right(operator: User) -> None:
    by_hand(GARBAGE_KEY, recipients.blind_index(vault.normal({"card": "4929111122223339"})))

    batch = checked_batch(BATCH_ROW, "7;10;RUB;card;4929111122223339;;;", by=operator)

    rows = list(batch.rows.order_by("number"))
    assert [(row.is_valid, row.errors) for row in rows] == [(True, []), (False, [["account", "recipient_key", {}]])]
    assert "changed outside the product" in columns.sentence("recipient_key", {})


def test_a_check_that_is_stopped_goes_on_where_it_was(operator: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("payouts.batches.check.CHECKED_AT_ONCE", 2)
    batch = stored_batch(*recipes.batch_rows(7), by=operator)
    runs = 0

    while not check.run(batch.pk, must_stop=lambda: True):
        runs += 1

    batch.refresh_from_db()
    assert runs == 3
    assert (batch.rows_stored, batch.rows.count(), batch.state) == (7, 7, BatchState.PREVIEW)


@pytest.mark.django_db(transaction=True)
def test_checks_at_the_same_time_store_every_row_once(operator: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("payouts.batches.check.CHECKED_AT_ONCE", 5)
    batch = stored_batch(*recipes.batch_rows(40), "7;x;RUB;card;1;;;", by=operator)

    at_once(*[lambda: check.run(batch.pk)] * 4)

    batch.refresh_from_db()
    assert batch.state == BatchState.PREVIEW
    assert (batch.rows.count(), batch.rows_wrong, batch.totals[0][1]) == (41, 1, 40)


def test_a_file_at_which_the_worker_dies_again_and_again_is_given_up(operator: User) -> None:
    batch = stored_batch(by=operator)
    Batch.objects.update(tries=check.TRIES_LIMIT)  # each began, and none stored a row

    check.run(batch.pk)  # the last may still be at it
    batch.refresh_from_db()
    assert batch.refusal is None

    Batch.objects.update(seen_at=Now() - check.TRY_ENDED_AFTER)
    check.run(batch.pk)
    batch.refresh_from_db()
    assert batch.refusal == [["worker_failed", {}]]


def test_a_file_whose_reader_dies_is_tried_once_more_and_then_refused(
    operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "_arguments", lambda _kind, _rows_limit: ["-c", "raise SystemExit(1)"])
    batch = stored_batch(by=operator)

    assert [check.run(batch.pk), check.run(batch.pk)] == [False, True]

    batch.refresh_from_db()
    assert batch.refusal == [["reader_ended", {}]]
    assert batch.content is None


def test_a_file_whose_marks_take_too_long_is_given_up_too(operator: User) -> None:
    def time_out(execute: Any, sql: str, *rest: Any) -> Any:
        if "SET same_as" in sql:
            raise OperationalError("canceling statement due to statement timeout")
        return execute(sql, *rest)

    batch = stored_batch(by=operator)
    with connection.execute_wrapper(time_out):
        for _each in range(check.TRIES_LIMIT + 1):  # the first stored its rows
            with pytest.raises(OperationalError):
                check.run(batch.pk)

        Batch.objects.update(seen_at=Now() - check.TRY_ENDED_AFTER)
        assert check.run(batch.pk)

    batch.refresh_from_db()
    assert (batch.state, batch.refusal) == (BatchState.REFUSED, [["worker_failed", {}]])


def test_a_discarded_batch_is_not_checked_on(operator: User) -> None:
    batch = stored_batch(by=operator)
    decide.discard(batch.pk, by=operator, revision=1)

    assert check.run(batch.pk)
    batch.refresh_from_db()
    assert (batch.state, batch.content, batch.rows.count()) == (BatchState.DISCARDED, None, 0)


# For an account that declares what it pays


@pytest.fixture
def _main(settings: Any) -> None:
    """One account, with YooKassa, and the bank that it lists."""
    settings.PROVIDER_URL = ""
    settings.PROVIDERS = {"main": "yookassa"}
    bank_lists.note("yookassa", [Bank("100000000111", "Сбербанк")], asked_at=timezone.now())


SBP_ROW = "7;250000.00;RUB;сбп;+7 912 345-67-89;Иван Петров;сбербанк;Оплата бонуса"


@pytest.mark.usefixtures("_main")
@pytest.mark.parametrize("bank", ["сбербанк", "100000000111"])
def test_a_phones_bank_is_taken_from_the_list_by_its_name_or_id(bank: str) -> None:
    checked_batch(SBP_ROW.replace("сбербанк", bank))

    assert BatchRow.objects.get().recipient_details == {
        "phone": "+79123456789",
        "bank_id": "100000000111",
        "bank": "Сбербанк",
        "name": "Иван Петров",
    }


@pytest.mark.usefixtures("_main")
@pytest.mark.parametrize(
    ("row", "column", "says"),
    [
        (SBP_ROW.replace("сбербанк", "Сбер"), "bank", "The list has no such bank"),
        (SBP_ROW.replace("250000.00", "500000.01"), "amount", "pays at most 500,000.00\u00a0RUB at a time"),
        (BATCH_ROW, "account", "The account main cannot pay such a recipient."),
    ],
)
def test_a_row_that_no_account_can_pay_is_an_error_of_its_line(row: str, column: str, says: str) -> None:
    checked_batch(row)

    wrong = BatchRow.objects.get()
    ((where, sentence),) = columns.sentences(Given.from_json(vault.decrypt(wrong.given)), wrong.errors)
    assert (wrong.is_valid, where) == (False, column)
    assert says in sentence


@pytest.mark.usefixtures("_main")
def test_the_row_of_a_file_goes_to_the_account_that_its_route_names(settings: Any) -> None:
    settings.PROVIDERS = {"http": "http", "main": "yookassa"}
    Route.objects.create(position=10, account="main", below_amount=Decimal(100), currency="RUB")

    checked_batch(BATCH_ROW, BATCH_ROW.replace("250000.00", "99"))

    assert list(BatchRow.objects.order_by("number").values_list("is_valid", flat=True)) == [True, False]


def test_while_sql_has_changed_the_routes_a_file_is_checked_without_them() -> None:
    Route.objects.create(position=10, account="http")
    by_hand("UPDATE payouts_route SET account = 'main'")

    batch = checked_batch(BATCH_ROW)

    assert (batch.rows_total, batch.rows_wrong) == (1, 0)
