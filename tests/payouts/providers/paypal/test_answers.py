"""Only a documented answer about exactly this instruction counts, and nothing of the recipient comes back with it."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from payouts.providers import Answer, Instruction, Verdict
from payouts.providers.paypal.answers import Asked, read_known, read_pay
from payouts.providers.paypal.reasons import OTHER_REASON
from tests.payouts.providers.paypal.objects import (
    ADDRESS,
    ID,
    batch,
    body,
    by_email,
    duplicate,
    header,
    item,
    made,
    problem,
    reason,
)
from tests.payouts.sandbox.paypal import SECRET

ATTEMPT = by_email(reference=UUID("9f1c0f3e-7f0c-5a55-8d6e-0d7a8f7b6c5d"))
ANOTHER = by_email(reference=UUID("00000000-0000-5000-8000-000000000000"))
LINK = "https://api-m.paypal.com/v1/payments/payouts"


def asked(attempt: Instruction = ATTEMPT) -> Asked:
    return Asked(attempt, secret=SECRET)


def known(told: dict[str, Any], attempt: Instruction = ATTEMPT) -> Answer:
    return read_known(asked(replace(attempt, provider_id=ID)), 200, body(told))


# The POST


def test_an_accepted_batch_is_pending_whatever_becomes_of_its_item() -> None:
    assert read_pay(asked(), 201, body(made(ATTEMPT))) == Answer(Verdict.PENDING, provider_id=ID, http_status=201)


def test_an_accepted_batch_of_another_attempt_is_not_believed() -> None:
    answer = read_pay(asked(), 201, body(made(ANOTHER)))

    assert (answer.verdict, answer.code, answer.provider_id) == (Verdict.UNKNOWN, "mismatch", "")


def test_a_bad_request_is_refused_with_what_is_wrong() -> None:
    detail = {"field": "items[0].receiver", "issue": "Receiver is invalid or does not match with type"}

    answer = read_pay(asked(), 400, body(problem("VALIDATION_ERROR", detail)))

    assert (answer.verdict, answer.code) == (Verdict.REFUSED, "VALIDATION_ERROR")
    assert answer.message == "items[0].receiver: Receiver is invalid or does not match with type"


@pytest.mark.parametrize(
    ("links", "named"),
    [([], ""), ([f"{LINK}/{ID}"], ID), ([f"{LINK}/{ID}", f"{LINK}/OTHER"], ""), ([f"{LINK}-item/{ID}"], "")],
)
def test_a_known_id_is_unknown_and_may_name_its_payout(links: list[str], named: str) -> None:
    answer = read_pay(asked(), 400, body(duplicate(*links)))

    assert (answer.verdict, answer.code, answer.provider_id) == (Verdict.UNKNOWN, "idempotency_conflict", named)


def test_a_bad_request_that_blames_the_id_is_unknown() -> None:
    told = problem("VALIDATION_ERROR", {"field": "sender_batch_header.sender_batch_id", "issue": "Duplicate"})

    assert read_pay(asked(), 400, body(told)).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("status", [400, 422])
def test_want_of_money_is_no_fault_of_the_payment(status: int) -> None:
    answer = read_pay(asked(), status, body(problem("INSUFFICIENT_FUNDS")))

    assert (answer.verdict, answer.code, answer.lacks_funds) == (Verdict.REFUSED, "INSUFFICIENT_FUNDS", True)
    assert answer.message.startswith("The balance at PayPal is too low.")


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (200, "VALIDATION_ERROR"),
        (400, "MALFORMED_REQUEST"),
        (401, "AUTHENTICATION_FAILURE"),
        (403, "SENDER_RESTRICTED"),
        (403, "INSUFFICIENT_FUNDS"),
        (404, "RESOURCE_NOT_FOUND"),
        (415, "UNSUPPORTED_MEDIA_TYPE"),
        (422, "UNPROCESSABLE_ENTITY"),
        (422, "VALIDATION_ERROR"),
        (429, "RATE_LIMIT_REACHED"),
        (500, "INTERNAL_ERROR"),
        (503, "SERVICE_UNAVAILABLE"),
    ],
)
def test_no_other_answer_to_a_payment_is_a_refusal(status: int, name: str) -> None:
    answer = read_pay(asked(), status, body(problem(name)))

    assert answer.verdict is Verdict.UNKNOWN
    assert not answer.lacks_funds


# The look-up


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        ("SUCCESS", Verdict.SUCCEEDED),
        ("PENDING", Verdict.PENDING),
        ("ONHOLD", Verdict.PENDING),
        ("UNCLAIMED", Verdict.PENDING),
        ("FAILED", Verdict.REFUSED),
        ("BLOCKED", Verdict.REFUSED),
        ("RETURNED", Verdict.RETURNED),
        ("REFUNDED", Verdict.RETURNED),
        ("REVERSED", Verdict.RETURNED),
    ],
)
def test_the_items_status_is_the_verdict(status: str, verdict: Verdict) -> None:
    answer = known(batch(ATTEMPT, item(ATTEMPT, status)))

    assert (answer.verdict, answer.provider_id) == (verdict, ID)


@pytest.mark.parametrize(
    ("batch_status", "verdict"),
    [
        ("PENDING", Verdict.PENDING),
        ("PROCESSING", Verdict.PENDING),
        ("DENIED", Verdict.REFUSED),
        ("SUCCESS", Verdict.UNKNOWN),
        ("CANCELED", Verdict.UNKNOWN),
    ],
)
@pytest.mark.parametrize("items", [[], [item(ATTEMPT, None)]], ids=["no item", "no status"])
def test_a_batch_speaks_for_an_item_that_says_nothing(
    items: list[dict[str, Any]], batch_status: str, verdict: Verdict
) -> None:
    assert known(batch(ATTEMPT, *items, status=batch_status)).verdict is verdict


def test_a_denied_batch_does_not_overrule_its_item() -> None:
    assert known(batch(ATTEMPT, item(ATTEMPT, "SUCCESS"), status="DENIED")).verdict is Verdict.SUCCEEDED


@pytest.mark.parametrize(
    ("name", "code", "message", "lacks_funds"),
    [
        ("RECEIVER_ACCOUNT_LOCKED", "RECEIVER_ACCOUNT_LOCKED", "The recipient's PayPal account", False),
        ("INSUFFICIENT_FUNDS", "INSUFFICIENT_FUNDS", "The balance at PayPal is too low.", True),
        ("NEW_REASON", "NEW_REASON", OTHER_REASON, False),
        ("X" * 100, "X" * 64, OTHER_REASON, False),
    ],
)
def test_a_refused_item_says_why(name: str, code: str, message: str, lacks_funds: bool) -> None:
    answer = known(batch(ATTEMPT, item(ATTEMPT, "FAILED", errors=reason(name))))

    assert (answer.verdict, answer.code, answer.lacks_funds) == (Verdict.REFUSED, code, lacks_funds)
    assert answer.message.startswith(message)
    assert answer.excerpt.startswith("status: FAILED, reason: ")


def test_a_refused_item_without_a_reason_has_its_status_as_the_code() -> None:
    answer = known(batch(ATTEMPT, item(ATTEMPT, "BLOCKED")))

    assert (answer.verdict, answer.code, answer.message) == (Verdict.REFUSED, "BLOCKED", OTHER_REASON)


@pytest.mark.parametrize(
    ("status", "fee", "known_fee"),
    [
        ("SUCCESS", {"currency": "USD", "value": "2.01"}, Decimal("2.01")),
        ("RETURNED", {"currency": "USD", "value": "2.01"}, Decimal("2.01")),
        ("SUCCESS", {"currency": "EUR", "value": "1.80"}, None),
        ("PENDING", {"currency": "USD", "value": "0.00"}, None),
        ("FAILED", {"currency": "USD", "value": "0.00"}, None),
    ],
)
def test_the_fee_is_of_what_was_paid_and_in_its_currency(
    status: str, fee: dict[str, str], known_fee: Decimal | None
) -> None:
    assert known(batch(ATTEMPT, item(ATTEMPT, status, payout_item_fee=fee))).fee == known_fee


@pytest.mark.parametrize(
    "changes",
    [
        {"payout_batch_id": "OTHER"},
        {"payout_item": item(ATTEMPT)["payout_item"] | {"sender_item_id": "37"}},
        {"payout_item": item(ATTEMPT)["payout_item"] | {"receiver": "ivanov@example.com"}},
        {"payout_item": item(ATTEMPT)["payout_item"] | {"amount": {"currency": "USD", "value": "100.51"}}},
        {"payout_item": item(ATTEMPT)["payout_item"] | {"amount": {"currency": "EUR", "value": "100.50"}}},
    ],
    ids=["batch", "reference", "receiver", "amount", "currency"],
)
@pytest.mark.parametrize("status", ["SUCCESS", "FAILED", "RETURNED"])
def test_an_item_that_is_not_ours_counts_for_nothing(status: str, changes: dict[str, Any]) -> None:
    answer = known(batch(ATTEMPT, item(ATTEMPT, status, **changes)))

    assert (answer.verdict, answer.code) == (Verdict.UNKNOWN, "mismatch")


def test_a_batch_that_is_not_ours_counts_for_nothing() -> None:
    told = batch(ATTEMPT, item(ATTEMPT))

    of_another = known(told | {"batch_header": header(ANOTHER, "SUCCESS")})
    other_id = known(told | {"batch_header": told["batch_header"] | {"payout_batch_id": "OTHER"}})

    assert {of_another.code, other_id.code} == {"mismatch"}


def test_several_items_are_not_ours() -> None:
    assert known(batch(ATTEMPT, item(ATTEMPT), item(ATTEMPT))).code == "several_matches"


def test_an_id_that_it_does_not_know_is_never_absent() -> None:
    answer = read_known(asked(), 404, body(problem("INVALID_RESOURCE_ID")))

    assert (answer.verdict, answer.code) == (Verdict.UNKNOWN, "mismatch")


@pytest.mark.parametrize("status", [401, 403, 429, 500])
def test_an_error_settles_nothing(status: int) -> None:
    assert read_known(asked(), status, body(problem("ANY"))).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    "changes",
    [{"transaction_status": "NEW"}, {"transaction_status": 1}, {"payout_item": None}],
)
def test_what_is_not_documented_is_unparsable(changes: dict[str, Any]) -> None:
    told = batch(ATTEMPT, item(ATTEMPT))
    told["items"][0] |= changes

    assert known(told).code == "unparsable"


@pytest.mark.parametrize("said", [b"", b"[]", b"null", b"{}", b'{"items": [], "items": []}', b"\xff", b"<html>"])
def test_what_is_no_json_object_is_unparsable(said: bytes) -> None:
    assert read_known(asked(), 200, said).code == "unparsable"
    assert read_pay(asked(), 201, said).code == "unparsable"
    assert read_pay(asked(), 400, said).verdict is Verdict.UNKNOWN


def test_nothing_of_the_recipient_or_the_secret_comes_back() -> None:
    said = f"{ADDRESS} {ADDRESS.upper()} {SECRET}"
    detail = {"field": "items[0].receiver", "issue": said}

    answers = [
        read_pay(asked(), 400, body(problem("VALIDATION_ERROR", detail))),
        read_pay(asked(), 400, body(problem("OTHER", detail))),
        read_known(asked(), 404, body(problem("OTHER", message=said))),
        known(batch(ATTEMPT, item(ATTEMPT, "FAILED", errors={"name": "X", "message": said}))),
        known(json.loads(json.dumps(batch(ATTEMPT, item(ATTEMPT))).replace("100.50", "1.00"))),
    ]

    for answer in answers:
        for canary in (ADDRESS, ADDRESS.upper(), SECRET):
            assert canary not in repr(answer)


@pytest.mark.parametrize(
    "said",
    [
        {"details": [{"field": "sender_batch_header.sender_batch_id", "issue": "Not unique"}]},
        {"details": [{"field": "/", "issue": "Sender Batch ID already used"}]},
        {"message": "Batch with given sender_batch_id already exists", "details": []},
    ],
)
def test_a_bad_request_about_the_key_is_no_refusal_wherever_it_says_so(said: dict[str, Any]) -> None:
    answer = read_pay(asked(), 400, body({"name": "VALIDATION_ERROR", **said}))

    assert (answer.verdict, answer.code) == (Verdict.UNKNOWN, "idempotency_conflict")
