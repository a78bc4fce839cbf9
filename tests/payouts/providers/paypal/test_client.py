"""What goes out is what PayPal documents, exactly, and no payment goes out twice."""

from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from payouts.providers import Instruction, Verdict
from payouts.providers.paypal.client import PayPalProvider
from tests.payouts.providers.http.faults import answers, faulty, response
from tests.payouts.providers.paypal.objects import ADDRESS, body, by_email, problem
from tests.payouts.providers.paypal.stub import GRANT, TOKEN, Stub, granting
from tests.payouts.providers.programs import instruction, soon
from tests.payouts.sandbox.paypal import CLIENT_ID, PAYOUTS, SECRET

type Adapter = Callable[..., PayPalProvider]

NOWHERE = "http://127.0.0.1:1"


def test_the_requests_are_the_documented_ones(stub: Stub, adapter: Adapter) -> None:
    attempt = by_email("100.50")

    adapter(stub.url).pay(attempt, deadline=soon())

    grant, post = stub.requests
    assert (grant.method, grant.target, grant.body) == ("POST", GRANT, b"grant_type=client_credentials")
    assert grant.headers["authorization"] == f"Basic {b64encode(f'{CLIENT_ID}:{SECRET}'.encode()).decode()}"
    assert (post.method, post.target) == ("POST", PAYOUTS)
    assert (
        post.headers.items()
        >= {
            "authorization": f"Bearer {stub.tokens[0]}",
            "content-type": "application/json",
            "accept": "application/json",
            "accept-encoding": "identity",
            "x-request-id": "trace-1",
        }.items()
    )
    assert post.content == {
        "sender_batch_header": {"sender_batch_id": str(attempt.reference)},
        "items": [
            {
                "recipient_type": "EMAIL",
                "receiver": ADDRESS,
                "amount": {"currency": "USD", "value": "100.50"},
                "sender_item_id": str(attempt.reference),
            }
        ],
    }


def test_a_payment_is_accepted_and_then_found_by_the_id_of_its_batch(stub: Stub, adapter: Adapter) -> None:
    provider, attempt = adapter(stub.url), by_email()

    paid = provider.pay(attempt, deadline=soon())
    found = provider.look_up(replace(attempt, provider_id=paid.provider_id), deadline=soon())

    assert (paid.verdict, paid.provider_id) == (Verdict.PENDING, "BATCH0")
    assert (found.verdict, found.provider_id, found.fee) == (Verdict.SUCCEEDED, "BATCH0", Decimal("2.01"))
    assert stub.calls[-1] == f"GET {PAYOUTS}/BATCH0?page_size=2"


@pytest.mark.parametrize("provider_id", ["", "../../oauth2/token", "x" * 31, "A?B"])
def test_nothing_is_asked_without_an_id_and_nothing_is_absent(stub: Stub, adapter: Adapter, provider_id: str) -> None:
    answer = adapter(stub.url).look_up(by_email(provider_id=provider_id), deadline=soon())

    assert (answer.verdict, answer.code) == (Verdict.UNKNOWN, "id_not_told")
    assert not answer.is_outage
    assert not answer.is_heard
    assert stub.requests == []


def test_a_second_post_of_an_attempt_is_no_refusal_and_names_the_payout(stub: Stub, adapter: Adapter) -> None:
    provider, attempt = adapter(stub.url), by_email("1313.11")

    lost = provider.pay(attempt, deadline=soon())
    again = provider.pay(attempt, deadline=soon())
    found = provider.look_up(replace(attempt, provider_id=again.provider_id), deadline=soon())

    assert (lost.verdict, lost.code) == (Verdict.UNKNOWN, "reset")
    assert (again.verdict, again.code, again.provider_id) == (Verdict.UNKNOWN, "idempotency_conflict", "BATCH0")
    assert found.verdict is Verdict.SUCCEEDED


# Tokens


def test_one_token_serves_every_call_and_account_of_the_process(stub: Stub, adapter: Adapter) -> None:
    provider = adapter(stub.url)

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: provider.pay(by_email(), deadline=soon()), range(16)))
    adapter(stub.url).pay(by_email(), deadline=soon())

    assert {answer.verdict for answer in answers} == {Verdict.PENDING}
    assert stub.calls.count(f"POST {GRANT}") == 1


def test_a_token_is_not_used_when_it_is_about_to_end(stub: Stub, adapter: Adapter) -> None:
    stub.token_life_seconds = 60
    provider = adapter(stub.url)

    for _time in range(2):
        provider.pay(by_email(), deadline=soon())

    assert stub.calls.count(f"POST {GRANT}") == 2


def test_a_look_up_is_asked_once_more_with_a_new_token(stub: Stub, adapter: Adapter) -> None:
    provider, attempt = adapter(stub.url), by_email()
    paid = provider.pay(attempt, deadline=soon())
    stub.revoke()

    found = provider.look_up(replace(attempt, provider_id=paid.provider_id), deadline=soon())

    assert found.verdict is Verdict.SUCCEEDED
    asked = f"GET {PAYOUTS}/BATCH0?page_size=2"
    assert stub.calls[2:] == [asked, f"POST {GRANT}", asked]


def test_a_payment_is_not_sent_again_for_want_of_a_token_and_the_next_has_a_new_one(
    stub: Stub, adapter: Adapter
) -> None:
    provider = adapter(stub.url)
    provider.pay(by_email(), deadline=soon())
    stub.revoke()

    refused = provider.pay(by_email(), deadline=soon())
    next_one = provider.pay(by_email(), deadline=soon())

    assert (refused.verdict, refused.code, refused.is_outage) == (Verdict.UNKNOWN, "http_401", True)
    assert next_one.verdict is Verdict.PENDING
    post, grant = f"POST {PAYOUTS}", f"POST {GRANT}"
    assert stub.calls == [grant, post, post, grant, post]


@pytest.mark.parametrize("status", [400, 401, 403, 429, 500, 503])
def test_without_a_token_nothing_is_sent_and_it_is_an_outage(stub: Stub, adapter: Adapter, status: int) -> None:
    stub.grants_status = status
    provider = adapter(stub.url)

    answers = [
        provider.pay(by_email(), deadline=soon()),
        provider.look_up(by_email(provider_id="BATCH0"), deadline=soon()),
    ]

    assert {(answer.verdict, answer.code, answer.is_outage) for answer in answers} == {
        (Verdict.UNKNOWN, "no_access", True)
    }
    assert stub.calls == [f"POST {GRANT}"] * 2


@pytest.mark.parametrize(
    "granted",
    [
        b"",
        b"[]",
        b'{"access_token": "a\\r\\nX-Evil: 1", "token_type": "Bearer", "expires_in": 32400}',
        b'{"access_token": "", "token_type": "Bearer", "expires_in": 32400}',
        b'{"access_token": "A", "token_type": "Basic", "expires_in": 32400}',
        b'{"access_token": "A", "token_type": "Bearer", "expires_in": -1}',
        b'{"access_token": "A", "token_type": "Bearer"}',
    ],
)
def test_what_is_no_token_is_not_used(adapter: Adapter, granted: bytes) -> None:
    with faulty(answers(response(granted, 200))) as server:
        answer = adapter(server.url).pay(by_email(), deadline=soon())

    assert answer.code == "no_access"
    assert len(server.requests) == 1


# What is not sent


@pytest.mark.parametrize(
    "attempt",
    [
        instruction(recipient={}),
        instruction(recipient={"card": "5555555555554477"}),
        by_email("0"),
        by_email("-1.00"),
        by_email("1.001"),
        by_email("100.50", "HUF"),
        by_email(amount=Decimal("NaN")),
        by_email(currency="XXX"),
    ],
    ids=["nobody", "card", "zero", "negative", "fine", "forint", "nan", "currency"],
)
def test_what_cannot_be_paid_is_not_sent(adapter: Adapter, attempt: Instruction) -> None:
    answer = adapter(NOWHERE).pay(attempt, deadline=soon())

    assert (answer.verdict, answer.code) == (Verdict.UNKNOWN, "unsendable")


@pytest.mark.parametrize(
    ("status", "headers"),
    [(202, ""), (307, "Location: /v1/payments/payouts\r\n"), (429, "Retry-After: 7\r\n"), (500, ""), (503, "")],
)
def test_no_payment_is_sent_a_second_time(adapter: Adapter, status: int, headers: str) -> None:
    said = response(body(problem("INTERNAL_ERROR")), status, headers)
    with faulty(granting(said)) as server:
        answer = adapter(server.url).pay(by_email(), deadline=soon())

    assert answer.verdict is Verdict.UNKNOWN
    assert answer.retry_after_seconds == (7 if status == 429 else None)
    assert len(server.requests) == 2


# The account


@pytest.mark.parametrize(
    ("changes", "is_same"),
    [
        ({"secret": "another"}, True),
        ({"url": "http://127.0.0.1:9100"}, True),
        ({"client_id": "another"}, False),
        ({"is_test": False}, False),
    ],
)
def test_the_account_is_the_app_and_whether_it_is_for_tests(
    adapter: Adapter, changes: dict[str, Any], is_same: bool
) -> None:
    main = adapter(NOWHERE)

    assert (adapter(**({"url": NOWHERE} | changes)).account == main.account) is is_same
    assert len(main.account) == 16


def test_no_repr_and_no_answer_shows_a_secret_or_a_recipient(adapter: Adapter) -> None:
    said = problem("NOT_AUTHORIZED", message=f"{SECRET} may not pay {ADDRESS}")
    with faulty(granting(response(body(said), 403))) as server:
        provider = adapter(server.url)
        answer = provider.pay(by_email(), deadline=soon())

    assert (answer.verdict, answer.code, answer.is_outage) == (Verdict.UNKNOWN, "http_403", True)
    for canary in (SECRET, ADDRESS):
        assert canary not in repr(answer)
        assert canary not in repr(provider)


def test_a_token_that_an_error_page_repeats_is_not_kept(adapter: Adapter) -> None:
    page = response(f"POST {PAYOUTS} Authorization: Bearer {TOKEN}".encode(), 502)
    with faulty(granting(page)) as server:
        answer = adapter(server.url).pay(by_email(), deadline=soon())

    assert (answer.code, answer.excerpt) == ("http_502", f"POST {PAYOUTS} Authorization: Bearer {'*' * len(TOKEN)}")
