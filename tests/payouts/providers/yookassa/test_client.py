"""What goes out is what YooKassa documents, exactly, and nothing goes out twice."""

import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from payouts.providers import Instruction, Verdict
from payouts.providers.yookassa.client import YooKassaProvider
from tests.payouts.providers.http.faults import answers, faulty, response
from tests.payouts.providers.programs import instruction, soon
from tests.payouts.providers.yookassa.objects import GATEWAY_ID, SBP, SECRET, body, by_sbp, error, payout
from tests.payouts.providers.yookassa.stub import Stub

type Adapter = Callable[..., YooKassaProvider]


def test_the_request_is_the_documented_one(stub: Stub, adapter: Adapter) -> None:
    attempt = by_sbp("100.50")

    adapter(stub.url).pay(attempt, deadline=soon())

    (request,) = stub.requests
    assert (request.method, request.target) == ("POST", "/v3/payouts")
    assert (
        request.headers.items()
        >= {
            "authorization": f"Basic {b64encode(f'{GATEWAY_ID}:{SECRET}'.encode()).decode()}",
            "idempotence-key": str(attempt.reference),
            "content-type": "application/json",
            "accept": "application/json",
            "accept-encoding": "identity",
            "x-request-id": "trace-1",
        }.items()
    )
    assert request.content == {
        "amount": {"value": "100.50", "currency": "RUB"},
        "payout_destination_data": {"type": "sbp", "phone": "79000000000", "bank_id": "100000000111"},
        "description": f"Payout {attempt.payout}",
        "metadata": {"attempt": str(attempt.reference), "payout": str(attempt.payout)},
    }


@pytest.mark.parametrize(
    "recipient",
    [
        SBP,
        {"payout_token": "hoiCz_UVAdi_eKEthqhjRIJp.SC.001.202101"},
        {"card": "5555 5555 5555 4477", "name": "Иван Петров"},
        {"wallet": "41001614575714"},
    ],
    ids=["sbp", "token", "card", "wallet"],
)
def test_each_way_is_paid_and_found_again(stub: Stub, adapter: Adapter, recipient: dict[str, object]) -> None:
    provider, attempt = adapter(stub.url, takes_card_numbers=True), instruction(recipient=recipient)

    answer = provider.pay(attempt, deadline=soon())

    assert answer.verdict is Verdict.SUCCEEDED
    assert provider.look_up(attempt, deadline=soon()) == answer
    assert provider.look_up(replace(attempt, provider_id=answer.provider_id), deadline=soon()) == answer


def test_the_same_attempt_goes_out_in_the_same_bytes(stub: Stub, adapter: Adapter) -> None:
    attempt = by_sbp()

    for _time in range(2):
        adapter(stub.url).pay(attempt, deadline=soon())

    first, second = stub.requests
    assert first.body == second.body


def test_a_payment_is_looked_up_by_its_id_where_it_is_known_and_else_searched(stub: Stub, adapter: Adapter) -> None:
    provider, attempt = adapter(stub.url), by_sbp()
    paid = provider.pay(attempt, deadline=soon())

    provider.look_up(attempt, deadline=soon())
    provider.look_up(replace(attempt, provider_id=paid.provider_id), deadline=soon())
    provider.look_up(replace(attempt, provider_id="../me?"), deadline=soon())

    search = f"/v3/payouts/search?metadata%5Battempt%5D={attempt.reference}&limit=10"
    assert [each.target for each in stub.requests[1:]] == [search, f"/v3/payouts/{paid.provider_id}", search]


def test_a_search_that_runs_behind_is_not_absent(stub: Stub, adapter: Adapter) -> None:
    provider, attempt = adapter(stub.url), by_sbp(age=timedelta())
    provider.pay(attempt, deadline=soon())
    stub.hides = True

    early = provider.look_up(attempt, deadline=soon())
    later = provider.look_up(replace(attempt, age=timedelta(minutes=2)), deadline=soon())

    assert (early.verdict, early.code) == (Verdict.UNKNOWN, "not_found_yet")
    assert later.verdict is Verdict.ABSENT


@pytest.mark.parametrize(
    "attempt",
    [
        instruction(recipient={"card": "5555555555554477"}),
        instruction(recipient={"iban": "DE89370400440532013000"}),
        instruction(recipient={}),
        by_sbp("0"),
        by_sbp("-1.00"),
        by_sbp("1.001"),
        by_sbp(amount=Decimal("NaN")),
        by_sbp(currency="XXX"),
    ],
    ids=["card", "iban", "nobody", "zero", "negative", "fine", "nan", "currency"],
)
def test_what_cannot_be_paid_is_not_sent(stub: Stub, adapter: Adapter, attempt: Instruction) -> None:
    answer = adapter(stub.url).pay(attempt, deadline=soon())

    assert (answer.verdict, answer.code) == (Verdict.UNKNOWN, "unsendable")
    assert stub.requests == []


@pytest.mark.parametrize("operation", ["pay", "look_up"])
def test_wrong_credentials_are_an_outage_and_no_refusal(stub: Stub, adapter: Adapter, operation: str) -> None:
    answer = getattr(adapter(stub.url, secret="another"), operation)(by_sbp(), deadline=soon())

    assert (answer.verdict, answer.code, answer.is_outage) == (Verdict.UNKNOWN, "http_401", True)


@pytest.mark.parametrize(
    ("status", "headers"),
    [(202, ""), (307, "Location: /v3/payouts\r\n"), (429, "Retry-After: 0\r\n"), (500, ""), (503, "")],
)
def test_nothing_is_sent_a_second_time(adapter: Adapter, status: int, headers: str) -> None:
    with faulty(answers(response(body(error("internal_server_error", retry_after=1)), status, headers))) as server:
        answer = adapter(server.url).pay(by_sbp(), deadline=soon())

    assert answer.verdict is Verdict.UNKNOWN
    assert len(server.requests) == 1


def test_a_compressed_answer_is_not_read(adapter: Adapter) -> None:
    attempt = by_sbp()
    sent = response(body(payout(attempt)), 200, "Content-Encoding: gzip\r\n")
    with faulty(answers(sent)) as server:
        answer = adapter(server.url).pay(attempt, deadline=soon())

    assert (answer.verdict, answer.code) == (Verdict.UNKNOWN, "unparsable")


@pytest.mark.parametrize("request_id", ["", "a\r\nX-Evil: 1", "é", "x" * 129])
def test_a_request_id_that_is_no_header_is_replaced(stub: Stub, adapter: Adapter, request_id: str) -> None:
    adapter(stub.url).pay(by_sbp(request_id=request_id), deadline=soon())

    (request,) = stub.requests
    assert len(request.headers["x-request-id"]) == 32
    assert "x-evil" not in request.headers


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"gateway_id": ""}, "GATEWAY_ID"),
        ({"gateway_id": "1:2"}, "GATEWAY_ID"),
        ({"secret": ""}, "SECRET"),
        ({"secret": "a\r\nb"}, "SECRET"),
        ({"url": "api.yookassa.ru"}, "URL"),
    ],
)
def test_what_cannot_work_is_refused_and_not_quoted(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as refused:
        YooKassaProvider(**({"name": "main", "gateway_id": GATEWAY_ID, "secret": SECRET} | options))

    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    ("options", "is_same"),
    [
        ({"secret": "another"}, True),
        ({"name": "other"}, True),
        ({"url": "http://127.0.0.1:9100/v3"}, True),
        ({"gateway_id": "500002"}, False),
        ({"is_test": True}, False),
    ],
)
def test_the_account_is_the_gateway_and_whether_it_is_for_tests(options: dict[str, Any], is_same: bool) -> None:
    usual: dict[str, Any] = {"name": "main", "gateway_id": GATEWAY_ID, "secret": SECRET}
    main = YooKassaProvider(**usual)

    assert (YooKassaProvider(**(usual | options)).account == main.account) is is_same
    assert len(main.account) == 16


def test_no_repr_and_no_answer_shows_the_secret(adapter: Adapter) -> None:
    said = json.dumps({"type": "error", "code": "forbidden", "description": f"Key {SECRET} of {GATEWAY_ID}"})
    with faulty(answers(response(said.encode(), 403))) as server:
        provider = adapter(server.url)
        answer = provider.pay(by_sbp(), deadline=soon())

    assert SECRET not in repr(answer)
    assert SECRET not in repr(provider)
