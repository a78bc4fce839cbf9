"""Only a documented answer about exactly this instruction counts, and nothing of the recipient comes back with it."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from payouts.providers import Answer, Instruction, Verdict
from payouts.providers.yookassa.answers import Asked, read_known, read_pay, read_search
from tests.payouts.providers.yookassa.objects import (
    ID,
    SECRET,
    body,
    by_sbp,
    canceled,
    error,
    listed,
    payout,
)

ATTEMPT = by_sbp(reference=UUID("9f1c0f3e-7f0c-5a55-8d6e-0d7a8f7b6c5d"))
NOBODYS = "00000000-0000-5000-8000-000000000000"

type Read = Callable[[Asked, int, bytes], Answer]


def asked(attempt: Instruction = ATTEMPT, *, is_test: bool = False) -> Asked:
    return Asked(attempt, is_test=is_test, secret=SECRET)


READS: list[tuple[Read, Callable[[dict[str, Any]], bytes]]] = [
    (read_pay, body),
    (read_known, body),
    (read_search, lambda told: body({"type": "list", "items": [told]})),
]
every_read = pytest.mark.parametrize(("read", "written"), READS, ids=["pay", "known", "search"])


@every_read
@pytest.mark.parametrize(("status", "verdict"), [("succeeded", Verdict.SUCCEEDED), ("pending", Verdict.PENDING)])
def test_a_payout_of_ours_counts(
    read: Read, written: Callable[[object], bytes], status: str, verdict: Verdict
) -> None:
    answer = read(asked(), 200, written(payout(ATTEMPT, status)))

    assert answer == Answer(verdict, provider_id=ID, http_status=200)


@every_read
def test_a_canceled_payout_is_refused_with_its_reason(read: Read, written: Callable[[object], bytes]) -> None:
    answer = read(asked(), 200, written(canceled(ATTEMPT, "recipient_not_found")))

    assert (answer.verdict, answer.provider_id, answer.code) == (Verdict.REFUSED, ID, "recipient_not_found")
    assert answer.message.startswith("No account at the bank")
    assert answer.excerpt == "status: canceled, party: yoo_money, reason: recipient_not_found"
    assert not answer.lacks_funds


def test_want_of_money_is_no_fault_of_the_payment() -> None:
    answer = read_pay(asked(), 200, body(canceled(ATTEMPT, "insufficient_funds")))

    assert (answer.verdict, answer.code, answer.lacks_funds) == (Verdict.REFUSED, "insufficient_funds", True)


@pytest.mark.parametrize(
    ("details", "code"),
    [
        ({"party": "yoo_money", "reason": "new_reason"}, "new_reason"),
        ({"party": "yoo_money", "reason": "card 4111 1111 1111 1111"}, "card " + "*" * 19),
        ({"party": "yoo_money", "reason": "x" * 100}, "x" * 64),
        (None, "canceled"),
    ],
)
def test_a_reason_that_is_not_documented_is_a_refusal_too(details: dict[str, str] | None, code: str) -> None:
    told = payout(ATTEMPT, "canceled") | {"cancellation_details": details}

    answer = read_pay(asked(), 200, body(told))

    assert (answer.verdict, answer.code) == (Verdict.REFUSED, code)
    assert answer.message == "YooKassa canceled the payout. Ask YooKassa why before you retry."


@every_read
@pytest.mark.parametrize("status", ["succeeded", "pending", "canceled"])
@pytest.mark.parametrize(
    "changes",
    [
        {"metadata": {"attempt": NOBODYS}},
        {"metadata": {"payout": str(ATTEMPT.reference)}},
        {"metadata": {"attempt": str(ATTEMPT.reference).upper()}},
        {"amount": {"value": "100.51", "currency": "RUB"}},
        {"amount": {"value": "100.50", "currency": "USD"}},
        {
            "payout_destination": {
                "type": "sbp",
                "phone": "79000000001",
                "bank_id": "100000000111",
                "recipient_checked": False,
            }
        },
        {"payout_destination": {"type": "yoo_money", "account_number": "79000000000"}},
        {
            "payout_destination": {
                "type": "bank_card",
                "card": {"first6": "555555", "last4": "4477", "card_type": "Mir"},
            }
        },
    ],
)
def test_another_payout_is_a_mismatch_whatever_its_status(
    read: Read, written: Callable[[object], bytes], status: str, changes: dict[str, Any]
) -> None:
    answer = read(asked(), 200, written(payout(ATTEMPT, status, **changes)))

    assert (answer.verdict, answer.code, answer.provider_id) == (Verdict.UNKNOWN, "mismatch", "")


@every_read
@pytest.mark.parametrize("is_test", [True, False])
def test_money_of_another_kind_than_the_accounts_is_an_alarm(
    read: Read, written: Callable[[object], bytes], is_test: bool
) -> None:
    answer = read(asked(is_test=is_test), 200, written(payout(ATTEMPT, test=not is_test)))

    assert (answer.verdict, answer.code, answer.is_outage) == (Verdict.UNKNOWN, "test_mismatch", True)
    assert ("for tests" in answer.message) is is_test
    assert read(asked(is_test=is_test), 200, written(payout(ATTEMPT, test=is_test))).verdict is Verdict.SUCCEEDED


@every_read
@pytest.mark.parametrize(
    "changes",
    [
        {"id": ""},
        {"id": "po-1"},
        {"id": f"{ID}\n"},
        {"id": f"{ID[:-3]}/me"},
        {"id": 17},
        {"id": None},
        {"status": "SUCCEEDED"},
        {"status": "waiting"},
        {"status": None},
        {"status": ["succeeded"]},
        {"test": "false"},
        {"test": None},
        {"test": 0},
        {"amount": "100.50"},
        {"amount": {"value": 100.5, "currency": "RUB"}},
        {"amount": {"value": "100.50", "currency": "rub"}},
        {"amount": {"value": "100.50"}},
        {"payout_destination": None},
        {"payout_destination": {}},
        {"payout_destination": {"type": "cash"}},
        {"payout_destination": {"type": "sbp", "phone": "79000000000"}},
        {"metadata": None},
        {"metadata": {"attempt": 1}},
        {"cancellation_details": {"party": "yoo_money"}},
        {"cancellation_details": "general_decline"},
    ],
    ids=repr,
)
def test_a_payout_of_another_shape_is_unparsable(
    read: Read, written: Callable[[object], bytes], changes: dict[str, Any]
) -> None:
    answer = read(asked(), 200, written(payout(ATTEMPT) | changes))

    assert (answer.verdict, answer.code) == (Verdict.UNKNOWN, "unparsable")


@pytest.mark.parametrize(
    "value", ["100.5", "100.500000000000001", "1.005e2", "1_00.50", " 100.50", "100,50", "NaN", "+100.50", "١٠٠.٥٠"]
)
def test_an_amount_counts_only_if_it_is_exactly_ours(value: str) -> None:
    told = payout(ATTEMPT) | {"amount": {"value": value, "currency": "RUB"}}

    answer = read_pay(asked(), 200, body(told))

    assert answer.verdict is (Verdict.SUCCEEDED if value == "100.5" else Verdict.UNKNOWN)


@pytest.mark.parametrize("read", [read_pay, read_known, read_search])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"<html>OK</html>",
        b"\xff\xfe{}",
        b"\xef\xbb\xbf{}",
        b'{"status": "succeeded"}',
        b'{"status": "canceled"}',
        b'{"type": "error", "code": "invalid_request"}',
        b'{"type": "list"}',
        b'{"type": "list", "items": null}',
        b'{"type": "list", "items": {}}',
        b'{"type": "list", "items": [null]}',
        b'{"type": "list", "items": [], "items": []}',
        b'{"type": "list", "items": [], "next_cursor": "more"}',
        b'{"type": "payouts", "items": []}',
        b'{"items": []}',
        b"[" * 60_000,
        b'{"a":' * 10_000,
        b'{"amount": NaN}',
        b'{"amount": 1e99999999999999999999999}',
        body(payout(ATTEMPT)).replace(b'"status":', b'"status": "canceled", "status":'),
        body(payout(ATTEMPT)) + b"{}",
        body(payout(ATTEMPT))[:-1],
    ],
    ids=lambda content: repr(content[:40]),
)
def test_what_is_no_documented_json_is_unparsable(read: Read, content: bytes) -> None:
    answer = read(asked(), 200, content)

    assert (answer.verdict, answer.code) == (Verdict.UNKNOWN, "unparsable")


def test_a_request_that_is_not_valid_is_refused() -> None:
    said = error("invalid_request", parameter="payout_destination_data.bank_id", description="Incorrect value.")

    answer = read_pay(asked(), 400, body(said))

    assert (answer.verdict, answer.code, answer.http_status) == (Verdict.REFUSED, "invalid_request", 400)
    assert answer.message == "payout_destination_data.bank_id: Incorrect value."


@pytest.mark.parametrize(
    "more",
    [
        {"parameter": "Idempotence-Key"},
        {"parameter": "idempotence_key"},
        {"description": "Idempotence key duplicated"},
        {"parameter": "header", "description": "The IDEMPOTENCE-KEY is used with another body"},
    ],
)
def test_a_quarrel_about_the_key_says_nothing_about_the_money(more: dict[str, str]) -> None:
    answer = read_pay(asked(), 400, body(error("invalid_request", **more)))

    assert (answer.verdict, answer.code, answer.is_outage) == (Verdict.UNKNOWN, "idempotency_conflict", False)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>Bad Request</html>",
        b'{"code": "invalid_request"}',
        b'{"type": "error"}',
        b'{"type": "error", "code": 400}',
        b'{"type": "error", "code": "invalid_request", "parameter": 1}',
        b'{"type": "error", "code": "invalid_request", "code": "invalid_request"}',
        body(error("forbidden")),
        body(payout(ATTEMPT, "canceled")),
    ],
)
def test_a_400_that_is_not_the_documented_one_is_unknown(content: bytes) -> None:
    answer = read_pay(asked(), 400, content)

    assert (answer.verdict, answer.code) == (Verdict.UNKNOWN, "http_400")


@pytest.mark.parametrize("read", [read_pay, read_known, read_search])
@pytest.mark.parametrize(
    ("status", "said", "code"),
    [
        (201, payout(ATTEMPT), "http_201"),
        (202, {"type": "processing", "retry_after": 1800}, "http_202"),
        (204, None, "http_204"),
        (301, None, "redirect"),
        (401, error("invalid_credentials"), "http_401"),
        (403, error("forbidden"), "http_403"),
        (404, None, "http_404"),
        (405, None, "http_405"),
        (415, None, "media_type"),
        (429, error("too_many_requests"), "rate_limited"),
        (500, error("internal_server_error"), "http_500"),
        (503, canceled(ATTEMPT, "general_decline"), "http_503"),
    ],
)
def test_every_other_status_is_an_outage_and_settles_nothing(read: Read, status: int, said: Any, code: str) -> None:
    answer = read(asked(), status, body(said) if said else b"")

    assert (answer.verdict, answer.code, answer.is_outage) == (Verdict.UNKNOWN, code, True)


@pytest.mark.parametrize("read", [read_known, read_search])
def test_a_look_up_is_never_refused_by_an_error(read: Read) -> None:
    answer = read(asked(), 400, body(error("invalid_request", parameter="metadata")))

    assert answer.verdict is Verdict.UNKNOWN


def test_a_payout_that_they_named_and_no_longer_know_is_not_absent() -> None:
    answer = read_known(asked(), 404, body(error("not_found")))

    assert (answer.verdict, answer.code, answer.is_outage) == (Verdict.UNKNOWN, "mismatch", False)


@pytest.mark.parametrize(
    ("milliseconds", "seconds"), [(0, 0), (1, 1), (800, 1), (1800, 2), (60_000, 60), (10**12, 86_400), (-1, None)]
)
def test_the_pause_they_ask_for_is_read_in_milliseconds(milliseconds: int, seconds: int | None) -> None:
    answer = read_pay(asked(), 429, body(error("too_many_requests") | {"retry_after": milliseconds}))

    assert answer.retry_after_seconds == seconds


@pytest.mark.parametrize("retry_after", ["1800", 1.5, None, True, [1]])
def test_a_pause_that_is_no_number_is_left_out(retry_after: object) -> None:
    answer = read_pay(asked(), 429, body(error("too_many_requests") | {"retry_after": retry_after}))

    assert (answer.code, answer.retry_after_seconds) == ("rate_limited", None)


@pytest.mark.parametrize(
    ("age", "verdict", "code"),
    [
        (timedelta(seconds=-5), Verdict.UNKNOWN, "not_found_yet"),
        (timedelta(0), Verdict.UNKNOWN, "not_found_yet"),
        (timedelta(seconds=59), Verdict.UNKNOWN, "not_found_yet"),
        (timedelta(seconds=60), Verdict.ABSENT, ""),
        (timedelta(days=88), Verdict.ABSENT, ""),
        (timedelta(days=88, seconds=1), Verdict.UNKNOWN, "out_of_reach"),
    ],
    ids=str,
)
def test_a_search_that_finds_nothing_is_believed_only_while_it_proves_something(
    age: timedelta, verdict: Verdict, code: str
) -> None:
    attempt = replace(ATTEMPT, age=age)

    answer = read_search(asked(attempt), 200, body(listed()))

    assert (answer.verdict, answer.code, answer.is_outage) == (verdict, code, False)
    assert answer.is_heard is (verdict is Verdict.ABSENT)


@pytest.mark.parametrize("status", ["succeeded", "canceled"])
@pytest.mark.parametrize(("count", "more"), [(2, {}), (1, {"next_cursor": "37a5c87d"})])
def test_several_payouts_of_one_attempt_are_for_people(status: str, count: int, more: dict[str, str]) -> None:
    answer = read_search(asked(), 200, body(listed(*[payout(ATTEMPT, status)] * count, **more)))

    assert (answer.verdict, answer.code) == (Verdict.UNKNOWN, "several_matches")


@pytest.mark.parametrize("status", [200, 400, 403, 500])
@pytest.mark.parametrize("read", [read_pay, read_known, read_search])
def test_nothing_of_the_recipient_or_the_secret_comes_back(read: Read, status: int) -> None:
    attempt = by_sbp(recipient={"card": "5555 5555 5555 4477", "name": "Иван Петров"})
    words = f"card 5555-5555-5555-4477 of ИВАН ПЕТРОВ, key {SECRET}, other card 4111 1111 1111 1111"
    said = [
        {"type": "error", "code": "invalid_request", "description": words, "parameter": words},
        {"type": "error", "code": words, "description": words},
        payout(attempt) | {"metadata": {"attempt": words}, "description": words},
        {
            **payout(attempt, "canceled"),
            "payout_destination": {"type": "bank_card"},
            "cancellation_details": {"party": words, "reason": words},
        },
        {"words": words},
    ]
    for content in said:
        shown = repr(read(asked(attempt), status, json.dumps(content, ensure_ascii=False).encode()))

        assert "5555" not in shown
        assert "4111" not in shown
        assert "ПЕТРОВ" not in shown.upper()
        assert SECRET not in shown


@pytest.mark.parametrize("status", [200, 400, 403])
@pytest.mark.parametrize("spelled", ["8 900 000-00-00", "+7 900 000-00-00"])
def test_the_phone_does_not_come_back_as_it_was_sent_either(status: int, spelled: str) -> None:
    attempt = by_sbp(recipient={"phone": spelled, "bank_id": "100000000111"})
    another = payout(attempt, metadata={})
    for content in (another, error("invalid_request", description="No account of 79000000000.")):
        answer = read_pay(asked(attempt), status, body(content))

        assert "9000000000" not in repr(answer)
        assert answer.excerpt


def test_an_amount_of_many_digits_is_compared_exactly() -> None:
    attempt = replace(ATTEMPT, amount=Decimal("99999999999999.99"))

    assert read_pay(asked(attempt), 200, body(payout(attempt))).verdict is Verdict.SUCCEEDED
    assert read_pay(asked(attempt), 200, body(payout(ATTEMPT))).code == "mismatch"


def test_neither_our_credentials_nor_a_part_of_a_name_come_back_with_an_error() -> None:
    named = by_sbp(recipient={"phone": "+79000000000", "bank_id": "100000000111", "name": "Иванов Пётр Сергеевич"})
    said = f"POST /v3/payouts Authorization: Basic Z2F0ZTpzZWNyZXQ/ for ПЁТР СЕРГЕЕВИЧ И., last_name Иванов, {SECRET}"
    told = json.dumps({"type": "error", "code": "invalid_request", "description": said})
    held = replace(asked(named), credentials="Z2F0ZTpzZWNyZXQ/")

    answers = [read_pay(held, 400, told.encode()), read_pay(held, 502, said.encode())]

    for text in (answers[0].message, *(answer.excerpt for answer in answers)):
        assert f"Basic {15 * '*'}/ for" in text
        assert not [word for word in ("Z2F0", "ПЁТР", "СЕРГЕЕВИЧ", "Иванов", SECRET) if word in text]
