"""What the sandbox answers in YooKassa's dialect; `ask` holds each answer to the schema."""

import base64
import http.client
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.payouts.providers.programs import SandboxProgram, sandbox
from tests.payouts.sandbox import requests
from tests.payouts.sandbox.yookassa import (
    CARD,
    GATEWAY_ID,
    SBP,
    SECRET,
    ask,
    gateway,
    of_amount,
    order,
    pay,
    payouts,
    to_wallet,
)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProgram]:
    with gateway(tmp_path_factory.mktemp("gateway")) as running:
        yield running
        assert "Traceback" not in running.log.read_text()


def _basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


@pytest.mark.parametrize(
    "authorization",
    ["", "Basic ", _basic(f"{GATEWAY_ID}:wrong"), _basic(f"1:{SECRET}"), _basic(SECRET), f"Bearer {SECRET}"],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v3/payouts"), ("GET", "/v3/payouts"), ("GET", "/v3/me"), ("GET", "/v3/nothing")],
)
def test_only_the_gateways_secret_opens(program: SandboxProgram, method: str, path: str, authorization: str) -> None:
    body = order()

    status, error = ask(program, method, path, body if method == "POST" else None, Authorization=authorization)

    assert (status, error["parameter"]) == (401, "Authorization")
    assert [each for each in payouts(program) if each["metadata"] == body["metadata"]] == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v3/", 404),
        ("GET", "/v3/payments", 404),
        ("GET", "/v3/payouts/po-1", 404),
        ("GET", "/v3/payouts/po-1/cancel", 404),
        ("DELETE", "/v3/payouts", 405),
        ("PUT", "/v3/payouts/search", 405),
        ("DELETE", "/v3/payouts/po-1", 405),
        ("DELETE", "/v3/me", 405),
    ],
)
def test_what_is_not_there_is_refused(program: SandboxProgram, method: str, path: str, status: int) -> None:
    assert ask(program, method, path)[0] == status


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_a_body_that_does_not_call_itself_json_is_refused(program: SandboxProgram, content_type: str) -> None:
    assert ask(program, "POST", "/v3/payouts", order(), Content_Type=content_type)[0] == 415


@pytest.mark.parametrize("key", ["", "a" * 65, "a b", "a:b", "ключ".encode().decode("latin-1")])
def test_a_key_of_a_wrong_form_is_refused(program: SandboxProgram, key: str) -> None:
    status, error = ask(program, "POST", "/v3/payouts", order(), Idempotence_Key=key)

    assert (status, error["parameter"]) == (400, "Idempotence-Key")


@pytest.mark.parametrize("key", ["a" * 64, "A-z_0.9+", "0"])
def test_a_key_of_a_right_form_is_taken(program: SandboxProgram, key: str) -> None:
    assert pay(program, order(), key)[0] == 200


def test_one_key_at_once_pays_once(program: SandboxProgram) -> None:
    key, body = str(uuid4()), order()

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: pay(program, body, key), range(16)))

    assert {status for status, _ in found} == {200}
    assert len({payout["id"] for _, payout in found}) == 1


def test_the_same_key_with_another_body_is_refused_and_pays_nothing(program: SandboxProgram) -> None:
    key, other = str(uuid4()), order()
    pay(program, order(), key)

    status, error = pay(program, other, key)

    assert (status, error["description"], error["parameter"]) == (
        400,
        "Idempotence key duplicated",
        "Idempotence-Key",
    )
    assert [each for each in payouts(program) if each["metadata"] == other["metadata"]] == []


def test_a_key_is_remembered_across_a_restart_until_its_time_is_over(tmp_path: Path) -> None:
    key, body = str(uuid4()), order()
    with gateway(tmp_path) as program:
        first = pay(program, body, key)
    with gateway(tmp_path) as program:
        again = pay(program, body, key)
    with gateway(tmp_path, SANDBOX_KEY_TTL_SECONDS="0") as program:
        anew, with_another_body = pay(program, body, key), pay(program, order(), key)
        made = payouts(program)

    assert again == first
    assert {status for status, _ in (first, anew, with_another_body)} == {200}
    assert [each["id"] for each in made] == [with_another_body[1]["id"], anew[1]["id"], first[1]["id"]]


@pytest.mark.parametrize(
    ("wallet", "reason"),
    [
        ("41001614575572", "one_time_limit_exceeded"),
        ("41001614575643", "periodic_limit_exceeded"),
        ("410011806060766", "insufficient_funds"),
        ("410011788545536", "general_decline"),
    ],
)
def test_a_documented_test_wallet_is_refused_for_its_reason(
    program: SandboxProgram, wallet: str, reason: str
) -> None:
    _, payout = pay(program, to_wallet(wallet))

    assert (payout["status"], payout["cancellation_details"]["reason"]) == ("canceled", reason)
    assert ask(program, "GET", f"/v3/payouts/{payout['id']}") == (200, payout)


@pytest.mark.parametrize("wallet", ["41001614575714", "4100116075156746", "4100116074720387"])
def test_a_documented_test_wallet_is_paid(program: SandboxProgram, wallet: str) -> None:
    assert pay(program, to_wallet(wallet))[1]["status"] == "succeeded"


@pytest.mark.parametrize(
    ("number", "card_type"),
    [
        (CARD, "MasterCard"),
        ("4111111111111111", "Visa"),
        ("2200111753579001", "Mir"),
        ("6250941006528599", "UnionPay"),
        ("9999999999999999999", "Unknown"),
    ],
)
def test_of_a_card_only_its_ends_and_its_kind_are_told(program: SandboxProgram, number: str, card_type: str) -> None:
    _, payout = pay(program, order(payout_destination_data={"type": "bank_card", "card": {"number": number}}))

    assert payout["payout_destination"]["card"] == {
        "first6": number[:6],
        "last4": number[-4:],
        "card_type": card_type,
    }


@pytest.mark.parametrize(
    ("amount", "statuses", "made"),
    [
        ("1313.01", [400, 400], []),
        ("1313.02", [200, 200], ["canceled"]),
        ("1313.07", [500, 200], ["succeeded"]),
        ("1313.08", [500, 200], ["succeeded"]),
        ("1313.10", [429, 429, 200], ["succeeded"]),
        ("1313.12", [200, 200], ["pending"]),
        ("1313.13", [200, 200], ["succeeded"]),
    ],
)
def test_a_magic_amount_does_what_it_does_in_every_dialect(
    program: SandboxProgram, amount: str, statuses: list[int], made: list[str]
) -> None:
    key, body = str(uuid4()), of_amount(amount)

    answered = [pay(program, body, key)[0] for _ in statuses]

    assert answered == statuses
    assert [each["status"] for each in payouts(program) if each["metadata"] == body["metadata"]] == made


@pytest.mark.parametrize(("amount", "fault"), [("1313.09", ValueError), ("1313.11", ConnectionError)])
def test_a_magic_amount_pays_and_spoils_the_first_answer(
    program: SandboxProgram, amount: str, fault: type[Exception]
) -> None:
    key, body = str(uuid4()), of_amount(amount)

    with pytest.raises((fault, http.client.HTTPException)):
        pay(program, body, key)

    assert pay(program, body, key)[1]["status"] == "succeeded"


def test_a_gateway_with_a_balance_pays_no_more_than_there_is(tmp_path: Path) -> None:
    with gateway(tmp_path, SANDBOX_BALANCE="150") as program:
        paid = [pay(program, of_amount(value))[1] for value in ("100.50", "49.51", "49.50", "1.00")]
        _, me = ask(program, "GET", "/v3/me")

    assert [payout["status"] for payout in paid] == ["succeeded", "canceled", "succeeded", "canceled"]
    assert {payout["cancellation_details"]["reason"] for payout in paid if payout["status"] == "canceled"} == {
        "insufficient_funds"
    }
    assert me["payout_balance"] == {"value": "0.00", "currency": "RUB"}


def test_a_test_gateway_goes_below_zero_and_counts_what_is_pending(tmp_path: Path) -> None:
    with gateway(tmp_path) as program:
        for body in (order(), of_amount("1313.12"), to_wallet("410011788545536")):
            pay(program, body)
        _, me = ask(program, "GET", "/v3/me")

    assert me["payout_balance"] == {"value": "-1413.62", "currency": "RUB"}


def test_each_dialect_has_its_own_payments_even_under_one_key(program: SandboxProgram) -> None:
    ours = requests.order()
    requests.send(program, "POST", "/v1/payouts", ours)

    _, theirs = pay(program, order(), ours["reference"])

    assert [payment["reference"] for payment in program.payments() if payment["id"] == theirs["id"]] == []
    assert len(program.payments(f"?reference={ours['reference']}")) == 1
    assert [payout["id"] for payout in payouts(program) if not payout["id"].startswith("po-")] == []


def test_a_sandbox_without_a_gateway_has_no_such_paths(tmp_path: Path) -> None:
    with sandbox(tmp_path, SANDBOX_GATEWAY_ID="", SANDBOX_SECRET="") as program:
        assert requests.send(program, "GET", "/v3/me")[0] == 404


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"SANDBOX_SECRET": ""}, "SANDBOX_GATEWAY_ID and SANDBOX_SECRET must be set together."),
        ({"SANDBOX_GATEWAY_ID": ""}, "SANDBOX_GATEWAY_ID and SANDBOX_SECRET must be set together."),
        ({"SANDBOX_KEY_TTL_SECONDS": "1d"}, "SANDBOX_KEY_TTL_SECONDS must be a number from 0 on."),
        ({"SANDBOX_SEARCH_LAG_SECONDS": "-1"}, "SANDBOX_SEARCH_LAG_SECONDS must be a number from 0 on."),
        ({"SANDBOX_BALANCE": "NaN"}, "SANDBOX_BALANCE must be a number from 0 on."),
    ],
)
def test_it_does_not_start_with_settings_that_make_no_sense(
    tmp_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(AssertionError, match=sentence), gateway(tmp_path, **changes):
        pass


def test_no_card_number_and_no_secret_is_written_down_and_the_log_has_no_recipient(tmp_path: Path) -> None:
    with gateway(tmp_path) as program:
        card = order(payout_destination_data={"type": "bank_card", "card": {"number": "4111111111111112"}})
        for body in (order(payout_destination_data=SBP | {"phone": "79161234567"}), card):
            pay(program, body, "key-1" if body is card else "key-2")
        ask(program, "GET", "/v3/payouts/4111111111111112")
        ask(program, "GET", "/v3/payouts/search", query={"metadata[attempt]": "attempt-1"})
        program.stop()
        log = program.log.read_text()
        written = b"".join(path.read_bytes() for path in tmp_path.iterdir())

    for canary in (SECRET, "4111111111111112"):
        assert canary.encode() not in written
    assert "79161234567" not in log
    assert "POST /v3/payouts status=200 key=key-1" in log
    assert "GET /v3/payouts/search status=200 key=attempt-1" in log
