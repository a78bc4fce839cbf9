"""Names in YooKassa's dialect: kept without a trace of them, and a payout by SBP checked against one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.payouts.providers.programs import SandboxProgram
from tests.payouts.sandbox.yookassa import NAMES, ask, gateway, name, order, pay, to_wallet


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gateway")


@pytest.fixture(scope="module")
def program(folder: Path) -> Iterator[SandboxProgram]:
    with gateway(folder) as running:
        yield running
        assert "Traceback" not in running.log.read_text()


def _kept(program: SandboxProgram, *names: str) -> str:
    _, kept = ask(program, "POST", NAMES, name(*names))
    identity: str = kept["id"]
    return identity


def test_a_name_is_kept_and_used_by_a_payout(program: SandboxProgram, folder: Path) -> None:
    identity = _kept(program, "Канарейкина")
    _, before = ask(program, "GET", f"{NAMES}/{identity}")

    status, paid = pay(program, order(personal_data=[{"id": identity}]))

    _, after = ask(program, "GET", f"{NAMES}/{identity}")
    assert (status, paid["status"], paid["payout_destination"]["recipient_checked"]) == (200, "succeeded", True)
    assert (before["status"], after["status"]) == ("waiting_for_operation", "active")
    written = [path.read_bytes() for path in folder.iterdir()]
    assert not any("Канарейкина".encode() in content or b"\\u041a\\u0430\\u043d" in content for content in written)


def test_the_account_of_somebody_else_is_not_paid(program: SandboxProgram) -> None:
    _, canceled = pay(program, order(personal_data=[{"id": _kept(program, "Чужой")}]))

    assert canceled["status"] == "canceled"
    assert canceled["cancellation_details"] == {"party": "yoo_money", "reason": "recipient_check_failed"}


def test_a_name_is_kept_once_for_its_key(program: SandboxProgram) -> None:
    key = str(uuid4())

    _, first = ask(program, "POST", NAMES, name(), Idempotence_Key=key)
    _, second = ask(program, "POST", NAMES, name(), Idempotence_Key=key)
    status, other = ask(program, "POST", NAMES, name("Сидоров"), Idempotence_Key=key)

    assert first == second
    assert (status, other["parameter"]) == (400, "Idempotence-Key")


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        (name(type="payout_statement_recipient"), "type"),
        (name(""), "last_name"),
        (name("Петров2"), "last_name"),
        (name(first_name="И" * 101), "first_name"),
        (name(middle_name=None), "middle_name"),
        (name(metadata=[]), "metadata"),
        ({"type": "sbp_payout_recipient", "last_name": "Петров"}, ".first_name"),
        (name(birthdate="2000-01-01"), None),
    ],
)
def test_a_name_that_is_not_as_documented_is_refused(
    program: SandboxProgram, body: dict[str, Any], parameter: str | None
) -> None:
    status, refusal = ask(program, "POST", NAMES, body)

    assert (status, refusal.get("parameter")) == (400, parameter)


@pytest.mark.parametrize(
    "body",
    [
        order(personal_data=[]),
        order(personal_data=[{"id": f"pd-{uuid4()}"}]),
        order(personal_data=[{"id": "pd-1"}]),
        order(personal_data=["pd-1"]),
        to_wallet("41001614575714") | {"personal_data": [{"id": f"pd-{uuid4()}"}]},
    ],
    ids=["none", "unknown", "short", "text", "wallet"],
)
def test_a_payout_that_cannot_be_checked_is_refused(program: SandboxProgram, body: dict[str, Any]) -> None:
    status, refusal = pay(program, body)

    assert (status, refusal["parameter"].partition(".")[0]) == (400, "personal_data")


def test_there_is_no_such_name(program: SandboxProgram) -> None:
    status, _ = ask(program, "GET", f"{NAMES}/pd-{uuid4()}")

    assert status == 404
