"""An account that checks names pays nobody by SBP whose name was not sent first; no other way is checked."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from payouts.providers import Account, Instruction, Verdict
from payouts.providers.yookassa import KIND, names
from payouts.providers.yookassa.client import YooKassaProvider
from tests.payouts.providers.http.faults import answers, faulty, response
from tests.payouts.providers.programs import instruction, soon
from tests.payouts.providers.yookassa.objects import SBP, by_sbp, error
from tests.payouts.providers.yookassa.objects import body as written
from tests.payouts.providers.yookassa.stub import Stub

type Adapter = Callable[..., YooKassaProvider]

NAMED = SBP | {"name": "Канарейкина  Анна Ильинична"}


def _attempt(**changes: Any) -> Instruction:
    return by_sbp(recipient=dict(NAMED), **changes)


def test_the_name_goes_first_under_a_key_of_its_own_and_the_payout_refers_to_it(stub: Stub, adapter: Adapter) -> None:
    attempt = _attempt()

    answer = adapter(stub.url, checks_names=True).pay(attempt, deadline=soon())

    name, payout = stub.requests
    assert answer.verdict is Verdict.SUCCEEDED
    assert (name.target, payout.target) == ("/v3/personal_data", "/v3/payouts")
    assert name.headers["idempotence-key"] == f"{attempt.reference}.name"
    assert name.content == {
        "type": "sbp_payout_recipient",
        "last_name": "Канарейкина",
        "first_name": "Анна",
        "middle_name": "Ильинична",
    }
    assert payout.headers["idempotence-key"] == str(attempt.reference)
    assert [each["id"][:3] for each in payout.content["personal_data"]] == ["pd-"]


def test_the_same_attempt_refers_to_the_same_name(stub: Stub, adapter: Adapter) -> None:
    attempt = _attempt()

    paid = [adapter(stub.url, checks_names=True).pay(attempt, deadline=soon()) for _time in range(2)]

    assert paid[0] == paid[1]
    assert stub.requests[1].body == stub.requests[3].body


@pytest.mark.parametrize("recipient", [NAMED, {"wallet": "41001614575714"}, {"payout_token": "hoiCz.SC.001.202101"}])
def test_no_name_goes_where_none_is_checked(stub: Stub, adapter: Adapter, recipient: dict[str, object]) -> None:
    provider = adapter(stub.url, checks_names="phone" not in recipient)

    assert provider.pay(instruction(recipient=dict(recipient)), deadline=soon()).verdict is Verdict.SUCCEEDED

    (payout,) = stub.requests
    assert "personal_data" not in payout.content
    assert "Канарейкина" not in payout.body.decode()


@pytest.mark.parametrize(
    "name", [None, "", "Канарейкина", "ООО «Ромашка»", "Иван 2", "О'Нил Иван", "а " * 5, ["Канарейкина", "Анна"]]
)
def test_a_name_that_cannot_be_checked_is_paid_nothing(stub: Stub, adapter: Adapter, name: object) -> None:
    attempt = by_sbp(recipient=SBP | {"name": name})

    answer = adapter(stub.url, checks_names=True).pay(attempt, deadline=soon())

    assert (answer.verdict, answer.code) == (Verdict.UNKNOWN, "unsendable")
    assert stub.requests == []


@pytest.mark.parametrize(
    ("status", "verdict", "code"),
    [
        (400, Verdict.REFUSED, "invalid_request"),
        (403, Verdict.UNKNOWN, "http_403"),
        (500, Verdict.UNKNOWN, "http_500"),
    ],
)
def test_without_its_name_kept_nothing_is_paid_and_nothing_of_it_is_told(
    stub: Stub, adapter: Adapter, status: int, verdict: Verdict, code: str
) -> None:
    stub.keeps_names = status

    answer = adapter(stub.url, checks_names=True).pay(_attempt(), deadline=soon())

    assert (answer.verdict, answer.code, answer.excerpt) == (verdict, code, "")
    assert "Канарейкина" not in repr(answer)
    assert [each.target for each in stub.requests] == ["/v3/personal_data"]


def test_a_name_that_is_no_longer_kept_is_paid_nothing(stub: Stub, adapter: Adapter) -> None:
    stub.name_status = "canceled"

    answer = adapter(stub.url, checks_names=True).pay(_attempt(), deadline=soon())

    assert (answer.verdict, answer.code) == (Verdict.UNKNOWN, "unsendable")
    assert len(stub.requests) == 1


@pytest.mark.parametrize("told", [b"{", b"{}", b'{"id": "pd-1"}', b'"Canary"'])
def test_an_answer_about_a_name_that_cannot_be_read_stops_the_payout(adapter: Adapter, told: bytes) -> None:
    with faulty(answers(response(told, 200))) as server:
        answer = adapter(server.url, checks_names=True).pay(_attempt(), deadline=soon())

    assert (answer.verdict, answer.code, answer.excerpt) == (Verdict.UNKNOWN, "unparsable", "")
    assert len(server.requests) == 1


def test_a_key_that_is_known_with_another_name_is_a_conflict(adapter: Adapter) -> None:
    told = error("invalid_request", parameter="Idempotence-Key")
    with faulty(answers(response(written(told), 400))) as server:
        answer = adapter(server.url, checks_names=True).pay(_attempt(), deadline=soon())

    assert (answer.verdict, answer.code) == (Verdict.UNKNOWN, "idempotency_conflict")


def test_two_attempts_have_two_keys() -> None:
    first = _attempt()

    assert names.key(first) != names.key(_attempt())
    assert names.key(first) == names.key(replace(first, request_id="another"))


def test_what_an_account_pays_to_is_what_its_settings_say() -> None:
    def ways(**values: str) -> dict[str, tuple[str, ...]]:
        assert KIND.recipients_of is not None
        return {way.name: way.fields for way in KIND.recipients_of(Account("main", KIND.name, values))}

    assert ways().keys() == {"sbp", "card_token", "wallet"}
    assert ways(CARD_NUMBERS="on").keys() == {way.name for way in KIND.recipients or ()}
    assert (ways()["sbp"], ways(CHECK_NAMES="on")["sbp"]) == (("phone", "bank_id"), ("phone", "bank_id", "name"))
