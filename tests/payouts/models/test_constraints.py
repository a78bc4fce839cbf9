"""What the database itself refuses, each rule met by its name: a bug or a hand-written UPDATE meets it too."""

from collections.abc import Callable
from datetime import date
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, IntegrityError, connection, transaction

from payouts.actions import bulk
from payouts.models import PayoutLimit, ReconciledDay, ReviewRule, Route, VelocityLimit
from tests import recipes
from tests.databases import as_owner
from tests.payouts.archiving import archived
from tests.payouts.observe import by_hand, nothing_changes
from tests.recipes import (
    PAYOUTS,
    Batch,
    Payout,
    approved_batch,
    awaiting_payout,
    cancelled_payout,
    checked_batch,
    failed_payout,
    half_resolved_payout,
    held_payout,
    pending_payout,
    processed_payout,
    processing_payout,
    rejected_batch,
    sent_batch,
    stopped_batch,
    stored_batch,
    submitted_batch,
    unknown_payout,
)

pytestmark = pytest.mark.django_db

PAYOUT_RULES: list[tuple[str, Callable[..., Payout], str]] = [
    ("payout_status_known", pending_payout, "status = 'lost', due_at = NULL"),
    ("payout_user_id_positive", pending_payout, "user_id = 0"),
    ("payout_user_id_positive", pending_payout, "user_id = -7"),
    ("payout_amount_in_range", pending_payout, "amount = 0"),
    ("payout_amount_in_range", pending_payout, "amount = -0.01"),
    ("payout_amount_in_range", pending_payout, "amount = 100000000000000"),
    ("payout_amount_in_range", pending_payout, "amount = 'NaN'"),
    ("payout_amount_in_range", pending_payout, "amount = 'Infinity'"),
    ("payout_amount_decimals", pending_payout, "amount = 1.00001"),
    ("payout_currency_code", pending_payout, "currency = 'rub'"),
    ("payout_currency_code", pending_payout, "currency = 'RU'"),
    ("payout_currency_code", pending_payout, "currency = ''"),
    ("payout_has_a_maker", pending_payout, "client_id = NULL, maker_id = NULL"),
    ("payout_idempotency_key_with_hash", pending_payout, "idempotency_key = 'k'"),
    ("payout_idempotency_key_with_hash", pending_payout, "request_hash = 'x'"),
    ("payout_held_at_with_held_by", pending_payout, "held_at = now(), due_at = NULL"),
    ("payout_held_at_with_held_by", held_payout, "held_by_id = NULL"),
    ("payout_held_at_with_held_by", held_payout, "held_at = NULL"),
    ("payout_paid_has_processed_at", pending_payout, "status = 'processed', due_at = NULL"),
    ("payout_paid_has_processed_at", pending_payout, "status = 'returned', due_at = NULL"),
    ("payout_paid_has_processed_at", processed_payout, "processed_at = NULL"),
    ("payout_processing_is_approved", awaiting_payout, "status = 'processing'"),
    ("payout_processing_is_approved", processing_payout, "approvals_required = 1"),
    ("payout_due_is_watched", processed_payout, "due_at = now(), attention = 'missing'"),
    ("payout_due_is_watched", failed_payout, "due_at = now(), attention = 'contradicted'"),
    ("payout_due_is_watched", cancelled_payout, "due_at = now()"),
    ("payout_due_is_watched", unknown_payout, "attention = 'altered'"),
    ("payout_waits_for_since", pending_payout, "waits_for = 'velocity:all:day'"),
    ("payout_waits_for_since", pending_payout, "waits_since = now()"),
    ("payout_due_is_ready", awaiting_payout, "due_at = now()"),
    ("payout_due_is_ready", held_payout, "due_at = now()"),
    ("payout_lease_ends", processing_payout, "due_at = NULL"),
    ("payout_lease_ends", pending_payout, "lease_token = gen_random_uuid()"),
    ("payout_lease_ends", failed_payout, "lease_token = gen_random_uuid()"),
    ("payout_withdrawn_is_closed", pending_payout, "withdrawn_at = now(), due_at = NULL"),
    ("payout_withdrawn_is_closed", processed_payout, "withdrawn_at = now()"),
    ("payout_withdrawn_is_closed", unknown_payout, "withdrawn_at = now()"),
]


@pytest.mark.parametrize(("name", "recipe", "change"), PAYOUT_RULES)
def test_a_payout_that_breaks_a_rule_is_refused_by_it(name: str, recipe: Callable[..., Payout], change: str) -> None:
    payout = recipe()

    with nothing_changes(payout):
        _refused_by(name, f"UPDATE payouts_payout SET {change} WHERE id = %s", payout.pk)


BALANCE = "INSERT INTO payouts_accountbalance (account, currency, amount, at, committed) VALUES "


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("account_balance_unique", "('main', 'RUB', 1, now(), 0), ('main', 'RUB', 2, now(), 0)"),
        ("account_balance_currency", "('main', 'rub', 1, now(), 0)"),
        ("account_balance_committed", "('main', 'RUB', 1, now(), -1)"),
    ],
)
def test_a_balance_that_breaks_a_rule_is_refused_by_it(name: str, values: str) -> None:
    _refused_by(name, BALANCE + values)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("reconciled_day_once", "\"on\" = '2026-11-24'"),
        ("reconciled_day_agreed", "agreed_at = now()"),
        ("reconciled_day_closed_by", "closed_at = now()"),
        ("reconciled_day_closed_by", "close_reason = 'Looked into.'"),
    ],
)
def test_a_reconciled_day_that_breaks_a_rule_is_refused_by_it(name: str, change: str) -> None:
    ReconciledDay.objects.create(account="main", on=date(2026, 11, 24), zone="UTC")
    day = ReconciledDay.objects.create(account="main", on=date(2026, 11, 25), zone="UTC")

    _refused_by(name, f"UPDATE payouts_reconciledday SET {change} WHERE id = %s", day.pk)


NEWS = (
    "INSERT INTO payouts_unsignednews (account, provider_id, reference, reported, currency, message_id, asked)"
    " VALUES "
)
ONE = "('main', 'po-1', gen_random_uuid(), 'succeeded', '', '', 0)"


@pytest.mark.parametrize(
    ("name", "statement"),
    [
        ("unsigned_news_once", f"{NEWS}{ONE}, {ONE}"),
        ("unsigned_news_can_be_asked_about", NEWS + ONE.replace("po-1", "")),
        (
            "wrong_account_once",
            "INSERT INTO payouts_wrongaccount (account, code, message) VALUES ('a', 'c', ''), ('a', 'c', '')",
        ),
        (
            "figure_total_once",
            "INSERT INTO payouts_figuretotal (name, labels, value) VALUES ('a', '{b}', 1), ('a', '{b}', 2)",
        ),
    ],
)
def test_what_is_kept_of_an_account_once_is_kept_once(name: str, statement: str) -> None:
    _refused_by(name, statement)


@pytest.mark.parametrize("facts", ["NULL, ''", "now(), 'It is damaged.'"])
def test_backup_checked_is_whole(facts: str) -> None:
    _refused_by(
        "backup_checked_is_whole",
        "INSERT INTO payouts_backup (name, bytes, started_at, checked_at, finished_at, fault)"
        f" VALUES ('a', 0, now(), now(), {facts})",
    )


BANK = "INSERT INTO payouts_bank (kind, bank_id, name, seen_at) VALUES "


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("bank_unique", "('yookassa', '1', 'A', now()), ('yookassa', '1', 'B', now())"),
        ("bank_has_an_id", "('yookassa', '', 'A', now())"),
    ],
)
def test_a_bank_that_breaks_a_rule_is_refused_by_it(name: str, values: str) -> None:
    _refused_by(name, BANK + values)


@pytest.mark.parametrize("amount", ["1.5", "1.50", "1.500", "1.5000", "99999999999999.9999"])
def test_an_amount_with_the_four_decimals_of_the_finest_currency_is_taken(amount: str) -> None:
    payout = pending_payout()

    by_hand("UPDATE payouts_payout SET amount = %s WHERE id = %s", recipes.Decimal(amount), payout.pk)

    payout.refresh_from_db()
    assert str(payout.amount) == amount


def test_payout_one_per_idempotency_key() -> None:
    first = pending_payout(idempotency_key="order-7")
    other = pending_payout(client=first.client, idempotency_key="order-8")

    _refused_by(
        "payout_one_per_idempotency_key",
        "UPDATE payouts_payout SET idempotency_key = 'order-7' WHERE id = %s",
        other.pk,
    )


def test_payout_references_are_unique() -> None:
    first, other = pending_payout(), pending_payout()

    _refused_by(
        "payouts_payout_reference_key",
        "UPDATE payouts_payout SET reference = %s WHERE id = %s",
        first.reference,
        other.pk,
    )


ATTEMPT = (
    "INSERT INTO payouts_attempt (reference, payout_id, number, provider, outcome, calls, provider_id,"
    " last_called_at, last_code, last_message, last_answer, created_at, finished_at)"
    " SELECT gen_random_uuid(), payout_id, %s, 'http', %s, 1, '', now(), '', '', '', now(), {}"
    " FROM payouts_attempt WHERE payout_id = %s"
)


@pytest.mark.parametrize("recipe", ["processing", "accepted", "unknown", "processed"])
@pytest.mark.parametrize(("outcome", "finished_at"), [("open", "NULL"), ("succeeded", "now()")])
def test_attempt_one_live_per_payout(recipe: str, outcome: str, finished_at: str) -> None:
    payout = PAYOUTS[recipe]()

    _refused_by("attempt_one_live_per_payout", ATTEMPT.format(finished_at), 2, outcome, payout.pk)


def test_attempt_one_live_per_payout_leaves_room_after_a_refusal() -> None:
    payout = failed_payout()

    by_hand(ATTEMPT.format("NULL"), 2, "open", payout.pk)

    assert payout.attempts.count() == 2


def test_attempt_number_unique() -> None:
    payout = failed_payout()

    _refused_by("attempt_number_unique", ATTEMPT.format("NULL"), 1, "open", payout.pk)


@pytest.mark.parametrize(
    ("recipe", "change"),
    [
        (unknown_payout, "outcome = 'refused'"),
        (unknown_payout, "outcome = 'succeeded'"),
        (unknown_payout, "finished_at = now()"),
        (processed_payout, "finished_at = NULL"),
        (unknown_payout, "outcome = 'lost', finished_at = now()"),
    ],
)
def test_attempt_outcome_with_finished_at(recipe: Callable[..., Payout], change: str) -> None:
    payout = recipe()

    _refused_by(
        "attempt_outcome_with_finished_at", f"UPDATE payouts_attempt SET {change} WHERE payout_id = %s", payout.pk
    )


@pytest.mark.parametrize(
    ("recipe", "change"),
    [
        (unknown_payout, "reference = gen_random_uuid()"),
        (unknown_payout, "number = 2"),
        (unknown_payout, "provider = 'other'"),
        (unknown_payout, "created_at = now() + interval '1 day'"),
        (unknown_payout, "calls = 0"),
        (processed_payout, "outcome = 'refused'"),
        (processed_payout, "outcome = 'open', finished_at = NULL"),
        (failed_payout, "outcome = 'open', finished_at = NULL"),
        (unknown_payout, "account = 'another'"),
    ],
)
def test_attempt_key_is_fixed(recipe: Callable[..., Payout], change: str) -> None:
    payout = recipe()

    with nothing_changes(payout):
        _refused_by("attempt_key_is_fixed", f"UPDATE payouts_attempt SET {change} WHERE payout_id = %s", payout.pk)


EVENT = (
    "INSERT INTO payouts_event"
    " (payout_id, seq, event, from_status, to_status, at, actor, reason, trace_id, facts, mac)"
    " VALUES (%s, %s, 'held', %s, %s, now(), 'x', '', '', '{}', 'x')"
)


@pytest.mark.parametrize(
    ("name", "seq", "from_status", "to_status"),
    [
        ("event_seq_unique", 1, None, "pending"),
        ("event_first_has_no_origin", 0, "pending", "pending"),
        ("event_first_has_no_origin", 2, None, "pending"),
        ("event_status_known", 2, "lost", "pending"),
        ("event_status_known", 2, "pending", "lost"),
    ],
)
def test_an_event_that_breaks_a_rule_is_refused_by_it(
    name: str, seq: int, from_status: str | None, to_status: str
) -> None:
    payout = pending_payout()

    _refused_by(name, EVENT, payout.pk, seq, from_status, to_status)


APPROVAL = (
    "INSERT INTO payouts_approval"
    " (payout_id, attempt_id, checker_id, decision, number, terms_hash, evidence, at, mac)"
    " VALUES (%s, %s, %s, %s, 1, 'x', %s, now(), 'x')"
)


def test_approval_voice_once(checker: User) -> None:
    payout = recipes.actions.approve(awaiting_payout(amount=recipes.TWO_APPROVALS).pk, by=checker)

    _refused_by("approval_voice_once", APPROVAL, payout.pk, None, checker.pk, "approve", "")


@pytest.mark.parametrize(("decision", "number"), [("approve", 2), ("withdraw", 1), ("withdraw", 3), ("approve", 9)])
def test_approval_alternates(decision: str, number: int, checker: User) -> None:
    payout = awaiting_payout()

    _refused_by(
        "approval_alternates",
        "INSERT INTO payouts_approval (payout_id, checker_id, decision, number, terms_hash, evidence, at, mac)"
        " VALUES (%s, %s, %s, %s, 'x', '', now(), 'x')",
        payout.pk,
        checker.pk,
        decision,
        number,
    )


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("payout_limit_currency", {"currency": "rub", "day_amount": 1}),
        ("payout_limit_says_something", {"currency": "RUB"}),
        ("payout_limit_amounts", {"currency": "RUB", "day_amount": 0}),
        ("payout_limit_amounts", {"currency": "RUB", "recipient_amount": 10**14}),
    ],
)
def test_a_limit_that_says_nothing_sensible_is_refused(name: str, given: dict[str, object]) -> None:
    with pytest.raises(IntegrityError, match=name):
        PayoutLimit.objects.create(**given)


A_VELOCITY_LIMIT = {"scope": "client", "currency": "RUB", "window": "minute", "amount": 1}


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("velocity_limit_unique", {}),
        ("velocity_limit_scope_known", {"scope": "country"}),
        ("velocity_limit_window_known", {"window": "week"}),
        ("velocity_limit_currency", {"currency": "rub"}),
        ("velocity_limit_says_something", {"window": "hour", "amount": None}),
        ("velocity_limit_amount", {"window": "hour", "amount": 0}),
        ("velocity_limit_amount", {"window": "hour", "amount": 10**16}),
    ],
)
def test_a_velocity_limit_that_breaks_a_rule_is_refused_by_it(name: str, given: dict[str, object]) -> None:
    VelocityLimit.objects.create(**A_VELOCITY_LIMIT)

    with pytest.raises(IntegrityError, match=f"\\b{name}\\b"):
        VelocityLimit.objects.create(**A_VELOCITY_LIMIT | given)


A_ROUTE = {"position": 10, "account": "http"}


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("route_position_unique", {}),
        ("route_currency", {"currency": "rub"}),
        ("route_amounts", {"currency": "RUB", "from_amount": -1}),
        ("route_amounts", {"currency": "RUB", "from_amount": 10**14}),
        ("route_amounts", {"currency": "RUB", "below_amount": 0}),
        ("route_amounts_in_order", {"currency": "RUB", "from_amount": 5, "below_amount": 5}),
        ("route_amount_of_currency", {"from_amount": 5}),
        ("route_names_an_account", {"account": ""}),
    ],
)
def test_a_route_that_breaks_a_rule_is_refused_by_it(name: str, given: dict[str, object]) -> None:
    Route.objects.create(**A_ROUTE)

    with pytest.raises(IntegrityError, match=f"\\b{name}\\b"):
        Route.objects.create(**A_ROUTE | ({"position": 20} if given else {}) | given)


def test_exchange_once_per_call() -> None:
    attempt = processed_payout().attempts.get()

    with pytest.raises(IntegrityError, match="exchange_once_per_call"):
        attempt.exchanges.create(call=1, called_at=attempt.created_at, answered_at=attempt.created_at, verdict="x")


def test_a_review_rule_is_of_a_known_flag() -> None:
    with pytest.raises(IntegrityError, match="review_rule_flag_known"):
        ReviewRule.objects.create(flag="odd", effect="ask")


def test_a_review_rule_has_a_known_effect() -> None:
    with pytest.raises(IntegrityError, match="review_rule_effect_known"), transaction.atomic():
        by_hand("UPDATE payouts_reviewrule SET effect = 'refuse'")


def test_approval_resolution_nobody_twice() -> None:
    payout = half_resolved_payout()
    voice = payout.approvals.get()

    _refused_by(
        "approval_resolution_nobody_twice",
        APPROVAL,
        payout.pk,
        voice.attempt_id,
        voice.checker_id,
        "paid",
        "another statement",
    )


@pytest.mark.parametrize(
    ("has_attempt", "decision", "evidence"),
    [(True, "paid", ""), (True, "not_paid", ""), (True, "approve", "x"), (False, "paid", "x"), (False, "lost", "")],
)
def test_approval_resolution_has_evidence(has_attempt: bool, decision: str, evidence: str, checker: User) -> None:
    payout = unknown_payout()
    attempt = payout.attempts.get().pk if has_attempt else None

    _refused_by("approval_resolution_has_evidence", APPROVAL, payout.pk, attempt, checker.pk, decision, evidence)


def test_approval_maker_is_not_checker(maker: User) -> None:
    payout, unknown = awaiting_payout(maker=maker), unknown_payout(maker=maker)

    _refused_by("approval_maker_is_not_checker", APPROVAL, payout.pk, None, maker.pk, "approve", "")
    attempt = unknown.attempts.get().pk
    _refused_by("approval_maker_is_not_checker", APPROVAL, unknown.pk, attempt, maker.pk, "paid", "x")


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("approval_band_currency", {"currency": "gbp"}),
        ("approval_band_from_amount", {"from_amount": -1}),
        ("approval_band_from_amount", {"from_amount": 10**14}),
        ("approval_band_required", {"approvals_required": 6}),
        ("approval_band_unique", {"currency": "RUB"}),
    ],
)
def test_a_band_that_breaks_a_rule_is_refused_by_it(name: str, given: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError, match=name):
        recipes.band.make(**given)


def test_provider_report_period(operator: User) -> None:
    _refused_by("provider_report_period", REPORT, operator.pk, "2026-03-02", "2026-03-01")
    _refused_by("provider_report_period", REPORT, operator.pk, "2026-03-02", None)
    _refused_by("provider_report_period", REPORT, operator.pk, None, "2026-03-02")


@pytest.mark.parametrize(
    "change",
    [
        "uploaded_by_id = NULL",
        "content_hash = NULL",
        "listed_at = now()",
        "superseded_at = now()",
        "uploaded_by_id = NULL, content_hash = NULL, listed_at = now()",
        "uploaded_by_id = NULL, content_hash = NULL, listed_at = now(), from_on = '2026-03-01', to_on = '2026-03-02'",
        "uploaded_by_id = NULL, listed_at = now(), from_on = '2026-03-01', to_on = '2026-03-01'",
    ],
)
def test_provider_report_uploaded_or_listed(change: str, operator: User) -> None:
    by_hand(REPORT, operator.pk, None, None)

    _refused_by("provider_report_uploaded_or_listed", f"UPDATE payouts_providerreport SET {change}")


def test_provider_report_one_list_a_day() -> None:
    by_hand(LIST)

    _refused_by("provider_report_one_list_a_day", LIST)
    by_hand("UPDATE payouts_providerreport SET superseded_at = now()")
    by_hand(LIST)


def test_report_line_once(operator: User) -> None:
    by_hand(REPORT, operator.pk, None, None)
    by_hand(REPORT_LINE)

    _refused_by("report_line_once", REPORT_LINE)


NOT_ITS_UPLOADER = "(SELECT id FROM auth_user WHERE id <> uploaded_by_id LIMIT 1)"
BATCH_RULES: list[tuple[str, Callable[..., Batch], str]] = [
    ("batch_checked_keeps_no_content", checked_batch, "content = 'x'"),
    ("batch_sent_can_be_paid", stored_batch, "sent_at = now()"),
    ("batch_sent_can_be_paid", checked_batch, "sent_at = now()"),
    ("batch_sent_can_be_paid", sent_batch, "rows_wrong = rows_total"),
    ("batch_sent_can_be_paid", sent_batch, "rows_total = NULL"),
    ("batch_sent_can_be_paid", sent_batch, "refusal = '[]'"),
    ("batch_approved_by_with_approved_at", sent_batch, "approved_at = now()"),
    ("batch_approved_by_with_approved_at", sent_batch, f"approved_by_id = {NOT_ITS_UPLOADER}"),
    ("batch_approved_by_with_approved_at", approved_batch, "sent_at = NULL"),
    ("batch_rejected_by_with_reason", rejected_batch, "rejected_at = NULL"),
    ("batch_rejected_by_with_reason", rejected_batch, "reason = ''"),
    ("batch_uploader_does_not_approve", approved_batch, "approved_by_id = uploaded_by_id"),
    ("batch_ends_once", approved_batch, "discarded_at = now()"),
    ("batch_ends_once", rejected_batch, "discarded_at = now()"),
    ("batch_finished_was_approved", sent_batch, "finished_at = now()"),
    ("batch_stopped_by_with_reason", approved_batch, "stopped_at = now()"),
    ("batch_stopped_by_with_reason", stopped_batch, "stopped_by_id = NULL"),
    ("batch_stopped_by_with_reason", stopped_batch, "stop_reason = ''"),
    ("batch_stopped_by_with_reason", stopped_batch, "finished_at = now()"),
]


@pytest.mark.parametrize(("name", "recipe", "change"), BATCH_RULES)
def test_a_batch_that_breaks_a_rule_is_refused_by_it(name: str, recipe: Callable[..., Batch], change: str) -> None:
    recipe()
    recipes.person.make()

    _refused_by(name, f"UPDATE payouts_batch SET {change}")


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("batch_row_valid_has_terms", "user_id = NULL"),
        ("batch_row_valid_has_terms", "user_id = 0"),
        ("batch_row_valid_has_terms", "amount = NULL"),
        ("batch_row_valid_has_terms", "amount = 0"),
        ("batch_row_valid_has_terms", "currency = ''"),
        ("batch_row_valid_has_terms", "recipient_index = NULL"),
        ("batch_row_valid_has_terms", "errors = '[1]'"),
        ("batch_row_ends_once", "refusal = '[]'"),
        ("batch_row_ends_once", "is_valid = false"),
    ],
)
def test_a_batch_row_that_breaks_a_rule_is_refused_by_it(name: str, change: str) -> None:
    submitted_batch()

    _refused_by(name, f"UPDATE payouts_batchrow SET {change}")


def test_batch_file_once() -> None:
    stored_batch()

    _refused_by("batch_file_once", COPY_OF.format(table="payouts_batch", columns=COLUMNS_OF_BATCH))


def test_batch_row_once() -> None:
    checked_batch()

    _refused_by("batch_row_once", COPY_OF.format(table="payouts_batchrow", columns=COLUMNS_OF_ROW))


COPY_OF = "INSERT INTO {table} ({columns}) SELECT {columns} FROM {table}"
COLUMNS_OF_BATCH = (
    "name, content_hash, format, encoding, uploaded_by_id, rows_stored, rows_wrong, totals, sent_note, reason,"
    " revision, facts_seal, tries"
)
COLUMNS_OF_ROW = (
    "batch_id, number, is_valid, user_id, amount, currency, kind, recipient, recipient_masked, recipient_index,"
    " comment, given, errors, notes, row_seal"
)
REPORT = (
    "INSERT INTO payouts_providerreport (provider, name, content_hash, uploaded_by_id, from_on, to_on)"
    " VALUES ('http', 'march.csv', 'x', %s, %s, %s)"
)
LIST = (
    "INSERT INTO payouts_providerreport (provider, name, format, listed_at, from_on, to_on)"
    " VALUES ('http', 'http 2026-03-02', 'list', now(), '2026-03-02', '2026-03-02')"
)
REPORT_LINE = (
    "INSERT INTO payouts_reportline (report_id, number, reference, status, amount, result)"
    " SELECT max(id), 2, 'r', 'succeeded', 1, '' FROM payouts_providerreport"
)


PAUSE = (
    "INSERT INTO payouts_providerpause"
    " (provider, paused_by_id, pause_reason, resumed_at, resumed_by_id, resume_reason)"
    " VALUES ('http', %s, %s, {}, %s, %s)"
)


def test_provider_pause_one_open(operator: User, checker: User) -> None:
    by_hand(PAUSE.format("now()"), operator.pk, "Why", checker.pk, "Why not")
    by_hand(PAUSE.format("NULL"), operator.pk, "Why", None, "")

    _refused_by("provider_pause_one_open", PAUSE.format("NULL"), checker.pk, "Why", None, "")


def test_provider_pause_has_a_reason(operator: User) -> None:
    _refused_by("provider_pause_has_a_reason", PAUSE.format("NULL"), operator.pk, "", None, "")


@pytest.mark.parametrize(
    ("at", "is_named", "reason"),
    [("now()", False, "Why not"), ("NULL", True, "Why not"), ("now()", True, ""), ("NULL", False, "Why not")],
)
def test_provider_pause_resumed_at_with_resumed_by(
    at: str, is_named: bool, reason: str, operator: User, checker: User
) -> None:
    by = checker.pk if is_named else None

    _refused_by("provider_pause_resumed_at_with_resumed_by", PAUSE.format(at), operator.pk, "Why", by, reason)


def test_provider_pause_takes_two_people(operator: User) -> None:
    _refused_by("provider_pause_takes_two_people", PAUSE.format("now()"), operator.pk, "Why", operator.pk, "Why not")


@pytest.mark.parametrize(
    ("name", "statement"),
    [
        (
            "installation_is_one",
            "INSERT INTO payouts_installation (id, namespace, name) VALUES (2, gen_random_uuid(), '')",
        ),
        ("installation_known_whole", "UPDATE payouts_installation SET name = 'payouts'"),
        ("installation_known_whole", "UPDATE payouts_installation SET timeline = 1"),
    ],
)
def test_an_installation_that_breaks_a_rule_is_refused_by_it(name: str, statement: str) -> None:
    _refused_by(name, statement)


RECOVERY = (
    "INSERT INTO payouts_recovery"
    " (cause, reason, begun_by, proposed_at, proposed_by_id, evidence, ended_at, ended_by_id, end_reason)"
    " VALUES ('by_hand', {}, 'x', {}, {}, {}, {}, {}, {})"
)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("recovery_has_a_reason", "'' NULL NULL '' NULL NULL ''"),
        ("recovery_proposed_on_evidence", "'w' now() {one} '' NULL NULL ''"),
        ("recovery_proposed_on_evidence", "'w' now() NULL 'e' NULL NULL ''"),
        ("recovery_proposed_on_evidence", "'w' NULL {one} 'e' NULL NULL ''"),
        ("recovery_proposed_on_evidence", "'w' NULL NULL 'e' NULL NULL ''"),
        ("recovery_ended_after_proposal", "'w' NULL NULL '' now() {two} 'r'"),
        ("recovery_ended_after_proposal", "'w' now() {one} 'e' now() NULL 'r'"),
        ("recovery_ended_after_proposal", "'w' now() {one} 'e' NULL {two} 'r'"),
        ("recovery_ended_after_proposal", "'w' now() {one} 'e' now() {two} ''"),
        ("recovery_takes_two_people", "'w' now() {one} 'e' now() {one} 'r'"),
    ],
)
def test_a_recovery_that_breaks_a_rule_is_refused_by_it(
    name: str, values: str, operator: User, checker: User
) -> None:
    _refused_by(name, RECOVERY.format(*values.format(one=operator.pk, two=checker.pk).split()))


UNKNOWN_PAYMENT = (
    "INSERT INTO payouts_unknownpayment (provider, reference, provider_id, currency, reported, source, detail,"
    " closed_at, closed_by_id, close_reason, payout_id)"
    " VALUES ('http', %s, '', '', 'succeeded', 'webhook', '', {}, {}, {}, NULL)"
)


def test_unknown_payment_once() -> None:
    statement, key = UNKNOWN_PAYMENT.format("NULL", "NULL", "''"), uuid4()
    by_hand(statement, key)

    _refused_by("unknown_payment_once", statement, key)


@pytest.mark.parametrize("values", ["now() NULL ''", "now() {who} ''", "NULL {who} 'r'", "now() NULL 'r'"])
def test_unknown_payment_closed_by(values: str, operator: User) -> None:
    _refused_by("unknown_payment_closed_by", UNKNOWN_PAYMENT.format(*values.format(who=operator.pk).split()), uuid4())


CONFIRMATION = (
    "INSERT INTO payouts_confirmation (payout_id, version, said_by_id, said_at, evidence, agreed_by_id, mac)"
    " VALUES (%s, 1, %s, now(), %s, %s, 'x')"
)


def test_confirmation_once(checker: User) -> None:
    payout = pending_payout()
    by_hand(CONFIRMATION, payout.pk, checker.pk, "The log.", None)

    _refused_by("confirmation_once", CONFIRMATION, payout.pk, checker.pk, "The log.", None)


def test_confirmation_has_evidence(checker: User) -> None:
    _refused_by("confirmation_has_evidence", CONFIRMATION, pending_payout().pk, checker.pk, "", None)


def test_confirmation_takes_two_people(checker: User) -> None:
    _refused_by("confirmation_takes_two_people", CONFIRMATION, pending_payout().pk, checker.pk, "x", checker.pk)


def test_key_mark_once() -> None:
    columns = "setting, key_id, text"

    _refused_by("key_mark_once", COPY_OF.format(table="payouts_keymark", columns=columns))


def test_daily_total_unique() -> None:
    total = """INSERT INTO payouts_dailytotal ("on", currency, paid_count, paid_amount) VALUES (now(), 'RUB', 1, 1)"""
    by_hand(total)

    _refused_by("daily_total_unique", total)


def test_minute_sample_unique() -> None:
    columns = "at, provider, paid, refused, unknown, calls"
    sample = f"INSERT INTO payouts_minutesample ({columns}) VALUES ('2026-01-01 00:00Z', 'http', 0, 0, 0, '{{}}')"
    by_hand(sample)

    _refused_by("minute_sample_unique", sample)


EXPORT = (
    "INSERT INTO payouts_export (asked_by_id, format, query, up_to_id, finished_at, expires_at, rows_total,"
    " failed_at, failure, cancelled_at, cancelled_by_id, lease_token, lease_until, rows_done, last_id, size_bytes,"
    " lost_leases)"
    " VALUES (%(person)s, '{format}', '', 1, {finished_at}, {expires_at}, {rows_total}, {failed_at}, '{failure}',"
    " {cancelled_at}, {cancelled_by}, {lease_token}, {lease_until}, 0, 0, 0, 0)"
)
OPEN_EXPORT = {
    "format": "csv",
    "finished_at": "NULL",
    "expires_at": "NULL",
    "rows_total": "NULL",
    "failed_at": "NULL",
    "failure": "",
    "cancelled_at": "NULL",
    "cancelled_by": "NULL",
    "lease_token": "NULL",
    "lease_until": "NULL",
}
FINISHED = {"finished_at": "now()", "expires_at": "now()", "rows_total": "1"}
FAILED = {"failed_at": "now()", "failure": "filter"}
CANCELLED = {"cancelled_at": "now()", "cancelled_by": "%(person)s"}


def _export(person: User, **facts: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(EXPORT.format_map(OPEN_EXPORT | facts), {"person": person.pk})


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("export_format_known", {"format": "pdf"}),
        ("export_ends_once", FINISHED | FAILED),
        ("export_ends_once", FINISHED | CANCELLED),
        ("export_ends_once", FAILED | CANCELLED),
        ("export_finished_is_whole", {"finished_at": "now()"}),
        ("export_finished_is_whole", {"expires_at": "now()"}),
        ("export_finished_is_whole", FINISHED | {"rows_total": "NULL"}),
        ("export_failed_at_with_failure", {"failed_at": "now()"}),
        ("export_failed_at_with_failure", {"failure": "filter"}),
        ("export_cancelled_at_with_cancelled_by", {"cancelled_at": "now()"}),
        ("export_cancelled_at_with_cancelled_by", {"cancelled_by": "%(person)s"}),
        ("export_lease_ends", {"lease_token": "gen_random_uuid()"}),
        ("export_lease_ends", {"lease_until": "now()"}),
    ],
)
def test_an_export_that_cannot_be(name: str, facts: dict[str, str], operator: User) -> None:
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        _export(operator, **facts)

    for possible in ({}, FINISHED, FAILED, CANCELLED):
        _export(operator, **possible)


def test_export_chunk_once(operator: User) -> None:
    _export(operator)
    by_hand(EXPORT_CHUNK)

    _refused_by("export_chunk_once", EXPORT_CHUNK)


EXPORT_CHUNK = (
    "INSERT INTO payouts_exportchunk (export_id, number, content) SELECT max(id), 0, '' FROM payouts_export"
)


# History and money are kept


@pytest.mark.parametrize(
    ("name", "statement"),
    [
        ("event_append_only", "UPDATE payouts_event SET reason = 'better'"),
        ("event_append_only", "UPDATE payouts_event SET reason = 'better' WHERE false"),
        ("event_only_archived", "DELETE FROM payouts_event"),
        ("event_append_only", "TRUNCATE payouts_event"),
        ("approval_append_only", "UPDATE payouts_approval SET evidence = 'better'"),
        ("approval_append_only", "DELETE FROM payouts_approval"),
        ("approval_append_only", "TRUNCATE payouts_approval"),
        ("payout_never_deleted", "DELETE FROM payouts_payout"),
        ("payout_never_deleted", "TRUNCATE payouts_payout CASCADE"),
        ("attempt_never_deleted", "DELETE FROM payouts_attempt"),
        ("attempt_never_deleted", "TRUNCATE payouts_attempt CASCADE"),
        ("installation_never_deleted", "DELETE FROM payouts_installation"),
        ("installation_never_deleted", "TRUNCATE payouts_installation"),
        ("installation_namespace_is_fixed", "UPDATE payouts_installation SET namespace = gen_random_uuid()"),
        ("recovery_never_deleted", "DELETE FROM payouts_recovery"),
        ("recovery_never_deleted", "TRUNCATE payouts_recovery"),
        ("reconciled_day_never_deleted", "DELETE FROM payouts_reconciledday"),
        ("reconciled_day_never_deleted", "TRUNCATE payouts_reconciledday"),
        ("unknown_payment_never_deleted", "DELETE FROM payouts_unknownpayment"),
        ("unknown_payment_never_deleted", "TRUNCATE payouts_unknownpayment"),
        ("band_history_append_only", "UPDATE payouts_historicalapprovalband SET history_date = now()"),
        ("rule_history_append_only", "TRUNCATE payouts_historicalreviewrule"),
        ("limit_history_append_only", "DELETE FROM payouts_historicalpayoutlimit"),
        ("velocity_history_append_only", "DELETE FROM payouts_historicalvelocitylimit"),
        ("route_history_append_only", "DELETE FROM payouts_historicalroute"),
        ("client_history_append_only", "UPDATE payouts_historicalapiclient SET owner_id = NULL"),
        ("client_history_append_only", "DELETE FROM payouts_historicalapiclient"),
        ("key_history_append_only", "UPDATE payouts_historicalapikey SET history_user_id = NULL"),
        ("key_history_append_only", "DELETE FROM payouts_historicalapikey"),
        ("proposal_is_fixed", "UPDATE payouts_proposal SET reason = 'better'"),
        ("proposal_is_fixed", "UPDATE payouts_proposal SET after = '{}'"),
        ("proposal_never_deleted", "DELETE FROM payouts_proposal"),
        ("proposal_never_deleted", "TRUNCATE payouts_proposal"),
        ("configuration_seal_grows", "UPDATE payouts_configurationseal SET version = version - 1"),
        ("configuration_seal_grows", "UPDATE payouts_configurationseal SET name = name || '2'"),
        ("checkpoint_never_deleted", "DELETE FROM payouts_checkpoint"),
        ("checkpoint_never_deleted", "TRUNCATE payouts_checkpoint"),
        ("configuration_seal_never_deleted", "DELETE FROM payouts_configurationseal"),
        ("configuration_seal_never_deleted", "TRUNCATE payouts_configurationseal"),
    ],
)
def test_what_happened_can_be_neither_changed_nor_deleted(name: str, statement: str) -> None:
    payout = half_resolved_payout()
    recipes.open_proposal()
    by_hand("SET CONSTRAINTS ALL IMMEDIATE")

    with nothing_changes(payout):
        _refused_by(name, statement)


@pytest.mark.parametrize(
    ("guard", "statement"),
    [
        ("event_only_archived", "DELETE FROM payouts_event"),
        ("event_only_archived", "DELETE FROM payouts_event WHERE seq = 1"),
        ("exchange_only_archived", "DELETE FROM payouts_exchange"),
        (
            "archived_is_history",
            "INSERT INTO payouts_archived (payout_id, archived_at, submitted_event, events, exchanges, digest, mac, "
            "bundle) SELECT id, now(), 1, version, 1, sha256('x'), seal, 'x' FROM payouts_payout",
        ),
    ],
)
def test_nothing_but_what_a_bundle_holds_is_deleted(guard: str, statement: str) -> None:
    processed_payout()

    _refused_by(guard, statement)


@pytest.mark.parametrize(
    ("guard", "statement"),
    [
        ("archived_is_fixed", "UPDATE payouts_archived SET events = events + 1"),
        ("archived_is_fixed", "UPDATE payouts_archived SET bundle = 'x', back_at = now()"),
        ("archived_back_whole", "UPDATE payouts_archived SET back_at = now()"),
        ("archived_never_deleted", "DELETE FROM payouts_archived"),
        ("archived_never_emptied", "TRUNCATE payouts_archived"),
        ("payout_archived_rests", "UPDATE payouts_payout SET due_at = now()"),
        (
            "event_of_archived",
            "INSERT INTO payouts_event (payout_id, seq, event, from_status, to_status, at, actor, reason, trace_id, "
            "facts, mac) SELECT id, version + 1, 'revealed', status, status, now(), 'x', '', '', '{}', seal "
            "FROM payouts_payout",
        ),
        (
            "exchange_of_archived",
            "INSERT INTO payouts_exchange (attempt_id, call, called_at, answered_at, verdict, code, message, "
            "excerpt) SELECT reference, 9, now(), now(), 'unknown', '', '', '' FROM payouts_attempt",
        ),
    ],
)
def test_an_archived_history_stays_as_it_is(guard: str, statement: str) -> None:
    processed_payout()
    archived()
    by_hand("SET CONSTRAINTS ALL IMMEDIATE")  # PostgreSQL empties no table with checks outstanding

    _refused_by(guard, statement)


def test_the_orm_cannot_delete_a_payout_either() -> None:
    payout = cancelled_payout()

    with pytest.raises(IntegrityError), transaction.atomic():
        payout.delete()

    assert Payout.objects.filter(pk=payout.pk).exists()


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("bulk_decision_verb_known", "'pay', NULL, ''"),
        ("bulk_decision_has_a_reason", "'approve', now(), ''"),
        ("bulk_decision_has_a_reason", "'approve', NULL, 'Checked.'"),
    ],
)
def test_a_bulk_decision_that_breaks_a_rule_is_refused_by_it(name: str, values: str, operator: User) -> None:
    statement = "INSERT INTO payouts_bulkdecision (verb, decided_at, reason, by_id)"

    _refused_by(name, f"{statement} VALUES ({values}, %s)", operator.pk)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("bulk_item_says_why", "'done', 'Why not.'"),
        ("bulk_item_says_why", "'failed', ''"),
        ("bulk_item_says_why", "'lost', ''"),
        ("bulk_item_once", "'', ''"),
    ],
)
def test_an_item_of_a_bulk_decision_that_breaks_a_rule_is_refused_by_it(
    name: str, values: str, operator: User
) -> None:
    payout = pending_payout()
    decision = bulk.choose([payout.pk], verb=bulk.Verb.HOLD, by=operator)
    if name != "bulk_item_once":
        payout = pending_payout()

    statement = "INSERT INTO payouts_bulkitem (result, message, bulk_id, payout_id, version)"
    _refused_by(name, f"{statement} VALUES ({values}, %s, %s, 1)", decision.pk, payout.pk)


def test_authority_seal_once(operator: User) -> None:
    _refused_by(
        "authority_seal_once",
        "INSERT INTO payouts_authorityseal (kind, object_id, version, seal) VALUES ('person', %s, 2, 'x')",
        operator.pk,
    )


def test_saved_view_name_unique(operator: User) -> None:
    statement = "INSERT INTO payouts_savedview (owner_id, name, query) VALUES (%s, 'Mine', 'stage=held')"
    by_hand(statement, operator.pk)

    _refused_by("saved_view_name_unique", statement, operator.pk)


PASSKEY = (
    "INSERT INTO payouts_passkey (user_id, name, confirmed, credential_id, public_key, sign_count, facts_seal)"
    " VALUES (%s, %s, true, %s, '', 0, '')"
)


def test_passkey_credential_once(operator: User, checker: User) -> None:
    by_hand(PASSKEY, operator.pk, "phone", b"one")

    _refused_by("passkey_credential_once", PASSKEY, checker.pk, "laptop", b"one")


def test_passkey_name_once(operator: User) -> None:
    by_hand(PASSKEY, operator.pk, "phone", b"one")

    _refused_by("passkey_name_once", PASSKEY, operator.pk, "phone", b"two")


def test_single_sign_on_subject_once(operator: User, checker: User) -> None:
    statement = (
        "INSERT INTO payouts_singlesignon"
        " (user_id, name, confirmed, issuer, subject, refresh_token, groups_named, facts_seal)"
        " VALUES (%s, '', true, 'https://login.example.com', 's-1', '', '[]', '')"
    )
    by_hand(statement, operator.pk)

    _refused_by("single_sign_on_subject_once", statement, checker.pk)


RECIPIENT_KEY_RULES = [
    ("recipient_key_erased_by", "wrapped = NULL"),
    ("recipient_key_erased_by", "erased_at = now(), on_server = 'x', reason = 'x'"),
    ("recipient_key_erased_by", "wrapped = NULL, erased_at = now(), on_server = 'x'"),
    ("recipient_key_erased_by", "wrapped = NULL, erased_at = now(), reason = 'x'"),
    ("recipient_key_erased_by", "reason = 'x'"),
    (
        "recipient_key_takes_two_people",
        "wrapped = NULL, erased_at = now(), reason = 'x', proposed_by_id = %(one)s, confirmed_by_id = %(one)s",
    ),
]


@pytest.mark.parametrize(("name", "change"), RECIPIENT_KEY_RULES)
def test_a_recipients_key_that_breaks_a_rule_is_refused_by_it(name: str, change: str) -> None:
    recipes.pending_payout()

    _refused_by(name, f"UPDATE payouts_recipientkey SET {change}", one=recipes.person.make().pk)


@pytest.mark.parametrize(
    ("name", "number"), [("recipient_key_numbered", "number"), ("recipient_key_one_in_use", "number + 1")]
)
def test_a_recipient_has_one_key_in_use_and_each_number_once(name: str, number: str) -> None:
    recipes.pending_payout()

    _refused_by(
        name,
        "INSERT INTO payouts_recipientkey (recipient_index, number, wrapped, made_at, on_server, reason, facts_seal) "
        f"SELECT recipient_index, {number}, wrapped, made_at, '', '', facts_seal FROM payouts_recipientkey",
    )


@pytest.mark.parametrize(
    "change",
    [
        "wrapped = 'gAAAA', erased_at = NULL, on_server = '', reason = ''",
        "reason = 'Another.'",
        "on_server = 'Another.'",
        "number = 7",
    ],
)
def test_recipient_key_stays_erased(change: str) -> None:
    recipes.pending_payout()
    by_hand("UPDATE payouts_recipientkey SET wrapped = NULL, erased_at = now(), reason = 'x', on_server = 'x'")

    _refused_by("recipient_key_stays_erased", f"UPDATE payouts_recipientkey SET {change}")


def test_recipient_key_never_deleted() -> None:
    recipes.pending_payout()

    _refused_by("recipient_key_never_deleted", "DELETE FROM payouts_recipientkey")


PROPOSAL_RULES = [
    ("proposal_takes_two_people", "decision = 'confirmed', decided_at = now(), decided_by_id = proposed_by_id"),
    ("proposal_takes_two_people", "decision = 'withdrawn', decided_at = now(), decided_by_id = %(other)s"),
    ("proposal_decided_by", "decision = 'confirmed', decided_at = now()"),
    ("proposal_decided_by", "decision = 'confirmed', decided_by_id = %(other)s"),
    ("proposal_decided_by", "decision = 'expired', decided_at = now(), on_server = 'shell:root'"),
    ("proposal_decided_by", "decision = 'lost', decided_at = now(), decided_by_id = %(other)s"),
    (
        "proposal_applied_when_confirmed",
        "decision = 'declined', decided_at = now(), on_server = 'x', applied_at = now()",
    ),
    ("proposal_has_reason", "reason = ''"),
]


@pytest.mark.parametrize(("name", "change"), PROPOSAL_RULES)
def test_a_proposal_that_breaks_a_rule_is_refused_by_it(name: str, change: str) -> None:
    proposal = recipes.open_proposal()
    if name == "proposal_has_reason":
        by_hand("SET CONSTRAINTS ALL IMMEDIATE")
        by_hand("ALTER TABLE payouts_proposal DISABLE TRIGGER proposal_is_fixed")

    _refused_by(
        name,
        f"UPDATE payouts_proposal SET {change} WHERE id = %(id)s",
        id=proposal.pk,
        other=recipes.person.make().pk,
    )


def test_proposal_one_open() -> None:
    proposal = recipes.open_proposal()
    columns = "subject, object_id, act, title, before, after, reason, proposed_by_id, expires_at, decision,"
    columns += " decision_reason, on_server, result_id, facts_seal"

    _refused_by(
        "proposal_one_open",
        f"INSERT INTO payouts_proposal ({columns}) SELECT {columns} FROM payouts_proposal WHERE id = %(id)s",
        id=proposal.pk,
    )


@pytest.mark.parametrize("who", ["client", "maker", "checker"])
def test_nobody_whom_a_payout_names_can_be_deleted(who: str, checker: User, maker: User) -> None:
    payout = recipes.actions.approve(awaiting_payout(client=recipes.client.make(owner=maker)).pk, by=checker)

    with pytest.raises(IntegrityError), transaction.atomic():
        {"client": payout.client, "maker": maker, "checker": checker}[who].delete()

    assert Payout.objects.filter(pk=payout.pk).exists()


def _refused_by(name: str, sql: str, *parameters: Any, **named: Any) -> None:
    """Also to the owner of the tables, past the rights of the product's role."""
    with pytest.raises(DatabaseError) as refusal, as_owner(), connection.cursor() as cursor:
        cursor.execute(sql, named or parameters)
    diagnosis = refusal.value.__cause__.diag  # type: ignore[union-attr]
    assert diagnosis.constraint_name == name
