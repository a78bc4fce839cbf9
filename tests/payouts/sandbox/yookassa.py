"""Requests to the sandbox in YooKassa's dialect, each answer held to the schema."""

import base64
import http.client
import json
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

from jsonschema import Draft202012Validator

from tests.payouts.providers.programs import SandboxProgram, sandbox

GATEWAY_ID = "507000"
SECRET = "test_canary_5f0f2d6c1b"
WALLET = "41001614575714"
CARD = "5555555555554477"
SBP = {"type": "sbp", "phone": "79000000000", "bank_id": "100000000111"}
SCHEMA = json.loads((Path(__file__).parent / "schemas" / "yookassa.json").read_text(encoding="utf-8"))
OF_PATH = {"payouts": "payouts", "search": "payouts", "sbp_banks": "banks", "me": "me"}
NAMES = "/v3/personal_data"


def hold(name: str, content: Any) -> Any:
    """Return `content` if it is what the schema calls `name`. Raises jsonschema's ValidationError."""
    Draft202012Validator(SCHEMA | {"$ref": f"#/$defs/{name}"}).validate(content)
    return content


def held_answer(method: str, path: str, status: int, body: bytes) -> Any:
    """Return an answer's content if it is what the schema says of the path and the status; None where it is empty."""
    if status in {405, 415}:
        assert body == b""
        return None
    if status != 200:
        return hold(f"error {status}", json.loads(body))
    if path.startswith(NAMES):
        return hold("personal_data", json.loads(body))
    name = "payout" if method == "POST" else OF_PATH.get(path.rpartition("/")[2], "payout")
    return hold(name, json.loads(body))


def gateway(folder: Path, *arguments: str, **environment: str) -> AbstractContextManager[SandboxProgram]:
    """Run the sandbox with a gateway whose searches do not lag."""
    usual = {"SANDBOX_GATEWAY_ID": GATEWAY_ID, "SANDBOX_SECRET": SECRET, "SANDBOX_SEARCH_LAG_SECONDS": "0"}
    return sandbox(folder, *arguments, **(usual | environment))


def order(**changes: Any) -> dict[str, Any]:
    """The body of a POST that is paid through SBP."""
    fields: dict[str, Any] = {
        "amount": {"value": "100.50", "currency": "RUB"},
        "payout_destination_data": SBP,
        "description": "Выплата по договору 37",
        "metadata": {"attempt": str(uuid4()), "payout": str(uuid4())},
    }
    return fields | changes


def of_amount(value: str, **changes: Any) -> dict[str, Any]:
    return order(amount={"value": value, "currency": "RUB"}, **changes)


def to_wallet(number: str) -> dict[str, Any]:
    return order(payout_destination_data={"type": "yoo_money", "account_number": number})


def name(last_name: str = "Петров", **changes: Any) -> dict[str, Any]:
    """The body of a POST that has a recipient's name kept."""
    fields = {"type": "sbp_payout_recipient", "last_name": last_name, "first_name": "Иван", "middle_name": "Ильич"}
    return fields | changes


def ask(
    program: SandboxProgram,
    method: str,
    path: str,
    body: bytes | dict[str, Any] | None = None,
    query: dict[str, str] | None = None,
    **headers: str,
) -> tuple[int, Any]:
    """Make one request; a POST has a new key unless it is given one. Returns the status and the content."""
    if method == "POST":
        headers = {"Idempotence_Key": str(uuid4()), "Content_Type": "application/json"} | headers
    token = base64.b64encode(f"{GATEWAY_ID}:{SECRET}".encode()).decode()
    headers.setdefault("Authorization", f"Basic {token}")
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    content = json.dumps(body).encode() if isinstance(body, dict) else body
    target = f"{path}?{urlencode(query)}" if query else path
    with closing(http.client.HTTPConnection(urlsplit(program.url).netloc, timeout=20)) as connection:
        connection.request(method, target, content, named)
        response = connection.getresponse()
        return response.status, held_answer(method, path, response.status, response.read())


def pay(program: SandboxProgram, body: dict[str, Any], key: str = "") -> tuple[int, Any]:
    return ask(program, "POST", "/v3/payouts", body, Idempotence_Key=key or str(uuid4()))


def payouts(program: SandboxProgram) -> list[dict[str, Any]]:
    """All that there are, up to 100, newest first."""
    _, content = ask(program, "GET", "/v3/payouts", query={"limit": "100"})
    listed: list[dict[str, Any]] = content["items"]
    return listed
