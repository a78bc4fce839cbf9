"""Lists are believed whole or not at all: a gateway's payouts, and the banks of SBP."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import pytest

from payouts.providers import Answer, Bank, Payment, PaymentsPage, Verdict
from payouts.providers.wire import LIST_LIMIT
from payouts.providers.yookassa.client import YooKassaProvider
from payouts.providers.yookassa.shapes import PAGE_SIZE
from tests.payouts.providers.http.faults import answers, faulty, response
from tests.payouts.providers.programs import soon
from tests.payouts.providers.yookassa.objects import ID, body, by_sbp, canceled, error, listed, payout
from tests.payouts.providers.yookassa.stub import Stub
from tests.payouts.sandbox.yookassa import hold

type Adapter = Callable[..., YooKassaProvider]

SINCE, UNTIL = datetime(2026, 1, 13, 21, tzinfo=UTC), datetime(2026, 1, 14, 21, tzinfo=UTC)
BANK = {"bank_id": "100000000111", "name": "Сбербанк", "bic": "044525225"}


def _asked(provider: YooKassaProvider, cursor: str = "") -> PaymentsPage | Answer:
    return provider.payments(SINCE, UNTIL, cursor=cursor, deadline=soon())


def test_a_day_is_asked_for_to_the_millisecond_and_page_by_page(stub: Stub, adapter: Adapter) -> None:
    stub.lists["/v3/payouts"] = listed(payout(by_sbp()))
    moscow = timezone(timedelta(hours=3))
    since = datetime(2026, 1, 14, 0, 0, 0, 1999, tzinfo=moscow)

    adapter(stub.url).payments(since, UNTIL, cursor="a&limit=1\r\nX: 1", deadline=soon())

    target = urlsplit(stub.requests[0].target)
    assert target.path == "/v3/payouts"
    assert parse_qsl(target.query) == [
        ("created_at.gte", "2026-01-13T21:00:00.001Z"),
        ("created_at.lt", "2026-01-14T21:00:00.000Z"),
        ("limit", "100"),
        ("cursor", "a&limit=1\r\nX: 1"),
    ]


def test_payouts_are_told_whoever_made_them(stub: Stub, adapter: Adapter) -> None:
    ours, refused, pending = by_sbp("100.50"), by_sbp("7.00"), by_sbp("8.00")
    made_elsewhere = {
        **payout(by_sbp("9.00"), "succeeded", metadata={"attempt": "order 7"}),
        "payout_destination": {"type": "bank_card", "card": {"first6": "1", "last4": "2"}},
    }
    stub.lists["/v3/payouts"] = {
        "type": "list",
        "items": [
            payout(ours),
            canceled(refused, "general_decline"),
            payout(pending, "pending"),
            made_elsewhere | {"payout_destination": {"type": "unheard_of"}},
        ],
        "next_cursor": "next",
    }

    page = _asked(adapter(stub.url))

    at = datetime(2026, 1, 14, 12, 0, 0, 123_000, tzinfo=UTC)
    assert page == PaymentsPage(
        [
            Payment(ID, ours.reference, Verdict.SUCCEEDED, Decimal("100.50"), "RUB", at),
            Payment(ID, refused.reference, Verdict.REFUSED, Decimal("7.00"), "RUB", at),
            Payment(ID, pending.reference, Verdict.PENDING, Decimal("8.00"), "RUB", at),
            Payment(ID, None, Verdict.SUCCEEDED, Decimal("9.00"), "RUB", at),
        ],
        "next",
    )


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"test": True}, "test_mismatch"),
        ({"created_at": "2026-01-14T21:00:00.000Z"}, "unparsable"),
        ({"created_at": "2026-01-13T20:59:59.999Z"}, "unparsable"),
        ({"created_at": "2026-01-14T12:00:00"}, "unparsable"),
        ({"created_at": 1}, "unparsable"),
        ({"amount": {"value": "1e2", "currency": "RUB"}}, "unparsable"),
        ({"status": "waiting"}, "unparsable"),
        ({"id": "../me"}, "unparsable"),
    ],
)
def test_one_payout_that_cannot_be_believed_spoils_the_page(
    stub: Stub, adapter: Adapter, changes: dict[str, Any], code: str
) -> None:
    stub.lists["/v3/payouts"] = {"type": "list", "items": [payout(by_sbp()), payout(by_sbp()) | changes]}

    answer = _asked(adapter(stub.url))

    assert isinstance(answer, Answer)
    assert (answer.verdict, answer.code) == (Verdict.UNKNOWN, code)


def test_a_list_that_goes_in_a_circle_is_not_followed(stub: Stub, adapter: Adapter) -> None:
    stub.lists["/v3/payouts"] = listed(payout(by_sbp()), next_cursor="again")

    first, second = _asked(adapter(stub.url)), _asked(adapter(stub.url), "again")

    assert isinstance(first, PaymentsPage)
    assert isinstance(second, Answer)


def test_a_page_with_everything_at_its_longest_is_read(stub: Stub, adapter: Adapter) -> None:
    longest = {f"{number:032}": "ы" * 512 for number in range(16)}
    each = payout(by_sbp(), metadata=longest, description="ы" * 128)
    stub.lists["/v3/payouts"] = listed(*[each] * PAGE_SIZE, next_cursor="ы" * 36)

    page = _asked(adapter(stub.url))

    assert isinstance(page, PaymentsPage)
    assert len(page.payments) == PAGE_SIZE


@pytest.mark.parametrize("call", ["payments", "banks"])
def test_a_list_that_is_larger_than_any_is_not_read(adapter: Adapter, call: str) -> None:
    with faulty(answers(response(b" " * (LIST_LIMIT + 1)))) as server:
        provider = adapter(server.url)
        answer = _asked(provider) if call == "payments" else provider.banks(deadline=soon())

    assert isinstance(answer, Answer)
    assert answer.code == "oversized"


def test_a_payout_is_still_held_to_the_small_limit(adapter: Adapter) -> None:
    with faulty(answers(response(b" " * 65_537))) as server:
        answer = adapter(server.url).look_up(by_sbp(), deadline=soon())

    assert (answer.code, answer.message) == ("oversized", "The provider's answer is larger than 64 KiB.")


@pytest.mark.parametrize("status", [401, 429, 500])
@pytest.mark.parametrize("call", ["payments", "banks", "payment"])
def test_an_error_is_an_answer_and_no_list(adapter: Adapter, call: str, status: int) -> None:
    with faulty(answers(response(body(error("internal_server_error")), status))) as server:
        provider = adapter(server.url)
        match call:
            case "payments":
                answer = _asked(provider)
            case "banks":
                answer = provider.banks(deadline=soon())
            case _:
                answer = provider.payment(ID, deadline=soon())

    assert isinstance(answer, Answer)
    assert (answer.verdict, answer.is_outage) == (Verdict.UNKNOWN, True)


def test_the_banks_are_told_by_id_and_name(stub: Stub, adapter: Adapter) -> None:
    told = [BANK, BANK | {"bank_id": "10000000000A", "name": " Банк\u202e  «Ы» "}]
    stub.lists["/v3/sbp_banks"] = hold("banks", {"type": "list", "items": told})

    banks = adapter(stub.url).banks(deadline=soon())

    assert banks == [Bank("100000000111", "Сбербанк"), Bank("10000000000A", "Банк «Ы»")]


@pytest.mark.parametrize(
    "items",
    [[], [BANK, BANK], [BANK | {"name": "\u202e "}], [BANK | {"bank_id": "1"}], [BANK | {"bank_id": 1}], "none"],
    ids=["none", "twice", "nameless", "short", "number", "text"],
)
def test_a_list_of_banks_that_makes_no_sense_is_none(stub: Stub, adapter: Adapter, items: object) -> None:
    stub.lists["/v3/sbp_banks"] = {"type": "list", "items": items}

    answer = adapter(stub.url).banks(deadline=soon())

    assert isinstance(answer, Answer)
    assert (answer.verdict, answer.code) == (Verdict.UNKNOWN, "unparsable")


def test_a_payout_is_told_by_its_id_or_is_not_there(stub: Stub, adapter: Adapter) -> None:
    provider, attempt = adapter(stub.url), by_sbp()
    paid = provider.pay(attempt, deadline=soon())

    told = provider.payment(paid.provider_id, deadline=soon())
    missing = provider.payment(f"po-{uuid4()}", deadline=soon())
    asked = len(stub.requests)
    made_up = provider.payment("../me?", deadline=soon())

    assert isinstance(told, Payment)
    assert (told.provider_id, told.reference, told.verdict) == (
        paid.provider_id,
        attempt.reference,
        Verdict.SUCCEEDED,
    )
    assert missing == Answer(Verdict.ABSENT, http_status=404)
    assert (made_up, len(stub.requests)) == (Answer(Verdict.ABSENT), asked)


@pytest.mark.parametrize(
    ("told", "code"),
    [(payout(by_sbp(), test=True), "test_mismatch"), (payout(by_sbp(), id=f"po-{uuid4()}"), "unparsable")],
    ids=["test", "another"],
)
def test_another_payout_than_the_one_asked_for_is_not_believed(
    adapter: Adapter, told: dict[str, Any], code: str
) -> None:
    with faulty(answers(response(body(told), 200))) as server:
        answer = adapter(server.url).payment(ID, deadline=soon())

    assert isinstance(answer, Answer)
    assert (answer.verdict, answer.code) == (Verdict.UNKNOWN, code)
