"""Batches: what their rows say and what is wrong with them, who decides, and that no row is ever paid twice."""

import io
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F
from django.utils import timezone, translation
from django_q.models import OrmQ
from openpyxl import Workbook

from payouts import tasks, vault
from payouts.actions import FourEyesError, NotFoundError, PayoutError
from payouts.batches import check, columns, decide, submit, upload
from payouts.batches.columns import Given
from payouts.batches.errors import BatchAlteredError, BatchError, BatchVersionError
from payouts.models import Approval, Batch, BatchRow, BatchState, Event, Payout
from tests import recipes
from tests.payouts.actions.test_races import at_once
from tests.payouts.observe import audit_of, by_hand, is_clean, queued
from tests.recipes import BATCH_ROW, approved_batch, checked_batch, sent_batch, stored_batch, submitted_batch

pytestmark = pytest.mark.django_db

GOOD = {
    "user_id": "7",
    "amount": "250000.00",
    "currency": "RUB",
    "kind": "card",
    "account": "4111 1111 1111 1111",
    "name": "Иван Петров",
}


def _faults(marks: dict[str, str] | None = None, **texts: str) -> list[tuple[str, str]]:
    order, faults = columns.read(Given(GOOD | texts, marks or {}))
    assert (order is None) == bool(faults)
    return [(column, code) for column, code, _parameters in faults]


def _sentences(**texts: str) -> list[str]:
    given = Given(GOOD | texts)
    return [text for _column, text in columns.sentences(given, columns.read(given)[1])]


def _refusal(content: bytes, operator: User) -> list[str]:
    batch = upload.store(content, name="x", by=operator)
    assert check.run(batch.pk)
    batch.refresh_from_db()
    assert (batch.state, batch.content, batch.rows.count()) == (BatchState.REFUSED, None, 0)
    return [columns.sentence(code, parameters) for code, parameters in batch.refusal or ()]


# Rows


@pytest.mark.parametrize(
    ("text", "currency", "amount"),
    [
        ("1000", "RUB", "1000.00"),
        ("1000.5", "RUB", "1000.50"),
        ("1 000,50", "RUB", "1000.50"),
        ("1,000.50", "RUB", "1000.50"),
        ("1\u00a0000\u202f000,50", "rub", "1000000.50"),
        ("1000.00", "JPY", "1000"),
        ("1.125", "KWD", "1.125"),
    ],
)
def test_an_amount_is_read_exactly(text: str, currency: str, amount: str) -> None:
    order, faults = columns.read(Given(GOOD | {"amount": text, "currency": currency}))

    assert faults == []
    assert order is not None
    assert (str(order.amount), order.currency) == (amount, currency.upper())


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "missing"),
        ("1,000", "amount_ambiguous"),
        ("12.345", "amount_ambiguous"),
        ("1'000", "amount"),
        ("1e3", "amount"),
        ("NaN", "amount"),
        ("١٠٠", "amount"),
        ("0", "amount_exact"),
        ("-5", "amount_exact"),
        ("1.0001", "amount_exact"),
        ("1" * 15, "amount_exact"),
    ],
)
def test_an_amount_that_is_none_is_told(text: str, code: str) -> None:
    assert _faults(amount=text) == [("amount", code)]


def test_a_number_of_a_spreadsheet_is_never_ambiguous_and_never_rounded() -> None:
    marks = {"amount": "number"}

    assert _faults(marks, amount="12.345") == [("amount", "amount_exact")]
    assert _faults(marks, amount="0.30000000000000004") == [("amount", "amount_exact")]
    assert _faults(marks, amount="1.125", currency="KWD") == []


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"user_id": "0"}, ("user_id", "user_id")),
        ({"user_id": "12.5"}, ("user_id", "user_id")),
        ({"user_id": str(2**63)}, ("user_id", "user_id")),
        ({"currency": "RUR"}, ("currency", "currency")),
        ({"kind": "cash"}, ("kind", "kind")),
        ({"account": "4111"}, ("account", "recipient")),
        ({"kind": "phone", "account": "+79123456789"}, ("bank", "recipient")),
        ({"kind": "phone", "account": "+79123456789", "bank": "Т", "currency": "USD"}, ("account", "recipient")),
        ({"comment": "x" * 1001}, ("comment", "too_long")),
        ({"name": "a\0b"}, ("name", "too_long")),
    ],
)
def test_what_is_wrong_with_a_row_is_told_by_its_column(given: dict[str, str], fault: tuple[str, str]) -> None:
    assert _faults(**given) == [fault]


def test_all_that_is_wrong_with_a_row_is_told_at_once() -> None:
    assert _faults(user_id="", amount="x", currency="", account="1") == [
        ("user_id", "missing"),
        ("amount", "amount"),
        ("currency", "missing"),
        ("account", "recipient"),
    ]


def test_cells_of_a_spreadsheet_that_are_no_values_are_told() -> None:
    assert _faults({"amount": "formula"}, amount="=A1*2") == [("amount", "formula")]
    assert _faults({"name": "error"}, name="#REF!") == [("name", "cell_error")]
    assert _faults({"account": "number"}, account="4111111111111111") == [("account", "account_digits")]
    assert _faults({"account": "number"}, kind="phone", account="79123456789", bank="Т-Банк") == []


def test_the_same_fault_is_told_to_each_reader_in_their_language() -> None:
    with translation.override("en"):
        english = _sentences(account="4111", amount="0")
    with translation.override("ru"):
        russian = _sentences(account="4111", amount="0")

    assert english == ["The amount must be greater than zero.", "A card number has 13 to 19 digits."]
    assert russian[0] == "Сумма должна быть больше нуля."


def test_kinds_and_columns_have_russian_names_too(operator: User) -> None:
    header = "ID пользователя;Сумма;Валюта;Тип;Счёт;ФИО;Банк;Комментарий;Отдел"
    text = f"{header}\n1;10;rub;Карта;4111111111111111;Иван;;x;y\n"

    batch = upload.store(text.encode("cp1251"), name="x", by=operator)
    check.run(batch.pk)

    row = BatchRow.objects.get()
    assert (row.is_valid, row.kind, row.currency, row.comment) == (True, "card", "RUB", "x")
    assert vault.decrypt(row.recipient) == {"card": "4111111111111111", "name": "Иван"}


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


# Files


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

    assert _refusal(content.encode(), operator) == ["The file has more than 50000 rows: split it."]


def test_what_is_no_table_is_refused_at_the_upload(operator: User) -> None:
    for content in (b"", b"x\0y", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        with pytest.raises(BatchError):
            upload.store(content, name="x", by=operator)

    assert not Batch.objects.exists()
    assert not OrmQ.objects.exists()


def test_the_same_file_is_taken_once_and_names_the_first(operator: User, checker: User) -> None:
    first = stored_batch(by=operator)

    with pytest.raises(BatchError, match=r"“march.csv”, uploaded by operator") as refusal:
        stored_batch(by=checker, name="again.csv")

    assert refusal.value.earlier == first
    assert (Batch.objects.count(), len(queued(check.CHECK.task))) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_the_same_file_at_the_same_time_is_taken_once(operator: User) -> None:
    results = at_once(*[lambda: stored_batch(by=operator)] * 6)

    assert sum(isinstance(each, Batch) for each in results) == 1
    assert (Batch.objects.count(), len(queued(check.CHECK.task))) == (1, 1)


def test_a_file_that_paid_nothing_may_come_again(operator: User) -> None:
    decide.discard(stored_batch(by=operator).pk, by=operator, revision=1)
    recipes.rejected_batch()

    again = checked_batch(by=operator)

    assert again.state == BatchState.PREVIEW


def test_the_file_is_encrypted_while_it_is_kept_and_then_deleted(operator: User) -> None:
    batch = stored_batch(by=operator)

    kept = bytes(Batch.objects.get().content or b"")
    check.run(batch.pk)

    assert b"4111" not in kept
    assert vault.decrypt_file(kept) == recipes.batch_csv()
    assert Batch.objects.get().content is None
    assert "1111 1111" not in str(list(BatchRow.objects.values()))


def test_a_card_number_in_a_files_name_is_masked(operator: User) -> None:
    assert stored_batch(by=operator, name="pay 4111111111111111.csv").name == "pay 411111••••••1111.csv"


# Checked


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

    check.run(batch.pk)

    batch.refresh_from_db()
    assert batch.refusal == [["worker_failed", {}]]


def test_a_discarded_batch_is_not_checked_on(operator: User) -> None:
    batch = stored_batch(by=operator)
    decide.discard(batch.pk, by=operator, revision=1)

    assert check.run(batch.pk)
    batch.refresh_from_db()
    assert (batch.state, batch.content, batch.rows.count()) == (BatchState.DISCARDED, None, 0)


# People decide


def test_only_the_uploader_sends_or_discards(operator: User, checker: User) -> None:
    batch = checked_batch(by=operator)

    with pytest.raises(FourEyesError, match="Only operator"):
        decide.send(batch.pk, by=checker, revision=batch.revision)
    with pytest.raises(FourEyesError, match="Only operator"):
        decide.discard(batch.pk, by=checker, revision=batch.revision)

    batch.refresh_from_db()
    assert batch.state == BatchState.PREVIEW


def test_errors_are_left_out_only_when_the_uploader_says_so(operator: User) -> None:
    batch = checked_batch(BATCH_ROW, "7;x;RUB;card;1;;;", by=operator)

    with pytest.raises(BatchError, match="left out"):
        decide.send(batch.pk, by=operator, revision=batch.revision)
    sent = decide.send(batch.pk, by=operator, leaves_errors_out=True, note="May", revision=batch.revision)

    assert (sent.state, sent.sent_note) == (BatchState.AWAITING_APPROVAL, "May")


def test_a_batch_without_a_valid_row_cannot_be_sent(operator: User) -> None:
    batch = checked_batch("7;x;RUB;card;1;;;", by=operator)

    with pytest.raises(BatchError, match="nothing to send"):
        decide.send(batch.pk, by=operator, leaves_errors_out=True, revision=batch.revision)

    assert Batch.objects.get().sent_at is None


def test_the_uploader_does_not_approve_or_reject(operator: User) -> None:
    batch = sent_batch(by=operator)

    with pytest.raises(FourEyesError):
        decide.approve(batch.pk, by=operator, revision=batch.revision)
    with pytest.raises(FourEyesError):
        decide.reject(batch.pk, by=operator, reason="x", revision=batch.revision)

    assert Batch.objects.get().state == BatchState.AWAITING_APPROVAL
    assert queued(submit.SUBMIT.task) == []


def test_a_batch_that_changed_since_it_was_seen_is_not_decided_on(operator: User, checker: User) -> None:
    batch = sent_batch(by=operator)

    with pytest.raises(BatchVersionError):
        decide.approve(batch.pk, by=checker, revision=batch.revision - 1)

    assert Batch.objects.get().approved_at is None


def test_who_comes_second_is_told_who_was_first(operator: User, checker: User, second_checker: User) -> None:
    batch = approved_batch(by=operator, checker=checker)

    with pytest.raises(BatchError, match="already approved by checker"):
        decide.reject(batch.pk, by=second_checker, reason="x", revision=batch.revision - 1)
    with pytest.raises(BatchError, match="already approved by checker"):
        decide.discard(batch.pk, by=operator, revision=batch.revision)

    assert Batch.objects.get().state == BatchState.SUBMITTING


@pytest.mark.django_db(transaction=True)
def test_one_of_two_decisions_at_the_same_time_counts(operator: User, checker: User, second_checker: User) -> None:
    batch = sent_batch(by=operator)

    results = at_once(
        lambda: decide.approve(batch.pk, by=checker, revision=batch.revision),
        lambda: decide.reject(batch.pk, by=second_checker, reason="x", revision=batch.revision),
    )

    batch.refresh_from_db()
    assert sum(isinstance(each, PayoutError) for each in results) == 1
    assert (batch.approved_at is None) != (batch.rejected_at is None)


def test_a_rejection_needs_a_reason(checker: User) -> None:
    batch = sent_batch()

    with pytest.raises(BatchError):
        decide.reject(batch.pk, by=checker, reason=" ", revision=batch.revision)

    assert Batch.objects.get().rejected_at is None


def test_a_batch_that_is_not_there_is_not_found(checker: User) -> None:
    with pytest.raises(NotFoundError):
        decide.approve(7, by=checker, revision=1)


TAMPERING = [
    "UPDATE payouts_batchrow SET amount = 900000 WHERE number = 2",
    "UPDATE payouts_batchrow SET user_id = 8 WHERE number = 2",
    "UPDATE payouts_batchrow SET comment = 'x' WHERE number = 2",
    "UPDATE payouts_batchrow a SET recipient = b.recipient FROM payouts_batchrow b"
    " WHERE a.number = 2 AND b.number = 3",
    "UPDATE payouts_batchrow SET is_valid = true, user_id = 1, amount = 5, currency = 'RUB', errors = '[]',"
    " recipient_index = 'x' WHERE number = 4",
    "DELETE FROM payouts_batchrow WHERE number = 2",
]
ROWS = (BATCH_ROW, "8;5;RUB;card;4929 1111 2222 3339;;;", "7;x;RUB;card;1;;;")


@pytest.mark.parametrize("change", TAMPERING)
def test_a_row_that_was_changed_by_hand_is_not_approved(change: str, checker: User) -> None:
    batch = sent_batch(*ROWS)
    by_hand(change)

    with pytest.raises(BatchAlteredError):
        decide.approve(batch.pk, by=checker, revision=batch.revision)

    assert Batch.objects.get().approved_at is None


@pytest.mark.parametrize("change", TAMPERING)
def test_of_a_batch_that_was_changed_after_its_approval_nothing_is_paid(change: str) -> None:
    batch = approved_batch(*ROWS)
    by_hand(change)

    assert submit.run(batch.pk)
    assert submit.run(batch.pk)

    batch.refresh_from_db()
    assert batch.state == BatchState.ALTERED
    assert not Payout.objects.exists()


def test_an_approval_that_was_written_by_hand_pays_nothing(checker: User) -> None:
    batch = sent_batch()
    by_hand("UPDATE payouts_batch SET approved_by_id = %s, approved_at = now()", checker.pk)

    submit.run(batch.pk)

    assert Batch.objects.get().state == BatchState.ALTERED
    assert not Payout.objects.exists()


# Submitted


def test_each_valid_row_becomes_a_payout_of_the_uploader_approved_by_the_approver(
    operator: User, checker: User
) -> None:
    batch = submitted_batch(*ROWS, by=operator, checker=checker)

    first, second, wrong = batch.rows.order_by("number")
    assert batch.state == BatchState.SUBMITTED
    assert wrong.payout is None
    for row in (first, second):
        payout = row.payout
        assert payout is not None
        assert (payout.user_id, payout.amount, payout.maker, payout.client) == (
            row.user_id,
            row.amount,
            operator,
            None,
        )
        assert payout.recipient_details == vault.decrypt(row.recipient)
        assert (payout.approvals_given, payout.approvals_required, payout.stage) == (1, 1, "ready")
        events = list(payout.events.order_by("seq").values_list("event", "actor", "reason"))
        assert events == [("submitted", "user:operator", ""), ("approved", "user:checker", "batch march.csv")]
        assert [approval.checker for approval in payout.approvals.all()] == [checker]
    assert is_clean()


def test_a_payout_that_needs_more_approvals_waits_for_them() -> None:
    batch = submitted_batch("7;2000000;RUB;card;4111111111111111;;;")

    payout = Payout.objects.get()
    assert (payout.approvals_given, payout.approvals_required, payout.stage) == (1, 2, "awaiting_approval")
    assert batch.state == BatchState.SUBMITTED


def test_a_batch_without_its_approval_is_not_submitted() -> None:
    for batch in (stored_batch(), sent_batch(BATCH_ROW, BATCH_ROW), recipes.rejected_batch(*ROWS)):
        assert submit.run(batch.pk)

    assert not Payout.objects.exists()


def test_a_submission_that_is_stopped_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("payouts.batches.submit.SUBMITTED_AT_ONCE", 2)
    batch = approved_batch(*recipes.batch_rows(7))

    is_done = submit.run(batch.pk, must_stop=lambda: True)
    between = Payout.objects.count()
    while not submit.run(batch.pk, must_stop=lambda: True):
        pass

    batch.refresh_from_db()
    assert (is_done, between) == (False, 2)
    assert (batch.state, Payout.objects.count(), Approval.objects.count()) == (BatchState.SUBMITTED, 7, 7)
    assert is_clean()


@pytest.mark.django_db(transaction=True)
def test_a_submission_that_dies_in_a_row_leaves_that_row_as_it_was() -> None:
    batch = approved_batch(*recipes.batch_rows(4))
    # The database breaks off when the third row gets its payout: the payout goes with it.
    by_hand(
        """
        CREATE FUNCTION break_off() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'away' USING ERRCODE = 'admin_shutdown'; END $$;
        CREATE TRIGGER break_off BEFORE UPDATE ON payouts_batchrow
            FOR EACH ROW WHEN (NEW.number = 4) EXECUTE FUNCTION break_off();
        """
    )

    with pytest.raises(Exception, match="away"):
        submit.run(batch.pk)
    between = (Payout.objects.count(), batch.rows.filter(payout=None).count())
    by_hand("DROP TRIGGER break_off ON payouts_batchrow; DROP FUNCTION break_off()")
    submit.run(batch.pk)

    batch.refresh_from_db()
    assert between == (2, 2)
    assert (batch.state, Payout.objects.count()) == (BatchState.SUBMITTED, 4)
    assert is_clean()


@pytest.mark.django_db(transaction=True)
def test_submissions_at_the_same_time_pay_every_row_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("payouts.batches.submit.SUBMITTED_AT_ONCE", 3)
    batch = approved_batch(*recipes.batch_rows(25))

    at_once(*[lambda: submit.run(batch.pk)] * 4)
    submit.run(batch.pk)

    batch.refresh_from_db()
    assert batch.state == BatchState.SUBMITTED
    assert Payout.objects.count() == batch.rows.filter(payout__isnull=False).count() == 25
    assert Event.objects.filter(event="approved").count() == 25
    assert is_clean()


def test_a_row_whose_record_was_wiped_is_not_paid_again() -> None:
    batch = submitted_batch(*recipes.batch_rows(3))
    by_hand("UPDATE payouts_batchrow SET payout_id = NULL")
    by_hand("UPDATE payouts_batch SET finished_at = NULL")

    submit.run(batch.pk)

    assert Payout.objects.count() == batch.rows.filter(payout__isnull=False).count() == 3
    assert Approval.objects.count() == 3


@pytest.mark.django_db(transaction=True)
def test_a_row_that_fails_takes_no_other_with_it_and_says_why() -> None:
    batch = approved_batch(*recipes.batch_rows(3))
    by_hand("ALTER TABLE payouts_payout ADD CONSTRAINT stuck CHECK (user_id <> 2)")

    submit.run(batch.pk)
    by_hand("ALTER TABLE payouts_payout DROP CONSTRAINT stuck")

    batch.refresh_from_db()
    assert [row.refusal for row in batch.rows.order_by("number")] == [None, ["row_failed", {}], None]
    assert (batch.state, Payout.objects.count()) == (BatchState.SUBMITTED, 2)
    assert is_clean()


def test_a_recipient_that_cannot_be_decrypted_is_told_by_its_row(settings: Any) -> None:
    batch = approved_batch()
    settings.FIELD_ENCRYPTION_KEYS = ["A" * 43 + "="]

    submit.run(batch.pk)

    assert BatchRow.objects.get().refusal == ["unreadable", {}]
    assert not Payout.objects.exists()


# The worker


def test_the_tasks_do_the_work_and_ask_for_another_when_time_is_up(
    settings: Any, checker: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("payouts.batches.check.CHECKED_AT_ONCE", 2)
    batch = stored_batch(*recipes.batch_rows(3))
    settings.Q_TIMEOUT_SECONDS = 0
    tasks.check_batch(batch.pk)
    again = len(queued(check.CHECK.task))
    settings.Q_TIMEOUT_SECONDS = 60
    tasks.check_batch(batch.pk)
    decide.send(batch.pk, by=batch.uploaded_by, revision=1)
    decide.approve(batch.pk, by=checker, revision=2)
    tasks.submit_batch(batch.pk)

    assert again == 2
    assert Batch.objects.get().state == BatchState.SUBMITTED


def test_a_batch_whose_task_was_lost_is_found_by_the_sweep() -> None:
    unchecked, unsubmitted = stored_batch(), approved_batch(BATCH_ROW, BATCH_ROW)
    done = submitted_batch(*ROWS)
    OrmQ.objects.all().delete()

    tasks.sweep()
    fresh = (queued(check.CHECK.task), queued(submit.SUBMIT.task))
    Batch.objects.update(rung_at=F("rung_at") - timedelta(minutes=3))
    tasks.sweep()
    tasks.sweep()

    assert fresh == ([], [])
    assert (queued(check.CHECK.task), queued(submit.SUBMIT.task)) == ([(unchecked.pk,)], [(unsubmitted.pk,)])
    assert done.finished_at is not None
    assert timezone.now() - Batch.objects.get(pk=unchecked.pk).rung_at < timedelta(minutes=1)  # type: ignore[operator]


def test_tasks_carry_ids_alone() -> None:
    approved_batch()

    assert [each.task["args"] for each in OrmQ.objects.all() if "batch" in each.task["func"]] == [
        (Batch.objects.get().pk,)
    ] * 2


@pytest.mark.parametrize("refused", ["4111111111111111", "4111 1111 1111 1111"])
def test_an_account_is_masked_in_whatever_column_it_was_put(refused: str) -> None:
    masked = columns.masked(Given(dict.fromkeys(columns.COLUMNS, refused)))

    assert not any("111111111" in text.replace(" ", "") for text in masked.values())
    assert all(text.endswith("1111") for text in masked.values())


def test_payouts_of_a_batch_hold_the_audit_to_their_own_seals(operator: User) -> None:
    submitted_batch(by=operator)
    payout = Payout.objects.get()
    with transaction.atomic():
        by_hand("UPDATE payouts_payout SET user_id = 8")

    assert "row_sealed" in audit_of(payout)
