"""Requests to the sandbox in PayPal's dialect, each answer held to the schema."""

import base64
import http.client
import json
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from jsonschema import Draft202012Validator

from tests.payouts.providers.programs import SandboxProgram, sandbox

CLIENT_ID = "AQkquBDf1zctJOWGKWUEtKXm6qVhueUEMvXO"
SECRET = "EO422dn3gQLgDbuwqTjzrFgFtaRLRR5BdHEE_canary"
WEBHOOK_ID = "1JE4291016473214C"
SCHEMA = json.loads((Path(__file__).parent / "schemas" / "paypal.json").read_text(encoding="utf-8"))
PAYOUTS = "/v1/payments/payouts"


def hold(name: str, content: Any) -> Any:
    """Return `content` if it is what the schema calls `name`. Raises jsonschema's ValidationError."""
    Draft202012Validator(SCHEMA | {"$ref": f"#/$defs/{name}"}).validate(content)
    return content


def held_answer(method: str, path: str, status: int, body: bytes) -> Any:
    content = json.loads(body)
    if status == 401 or (status == 400 and path == "/v1/oauth2/token"):
        return hold("access error", content)
    if status >= 400:
        return hold("error", content)
    if path == "/v1/oauth2/token":
        return hold("access", content)
    if path == "/v1/notifications/verify-webhook-signature":
        return hold("verification", content)
    if method == "POST":
        return hold("made", content)
    return hold("item" if path.startswith(f"{PAYOUTS}-item/") else "batch", content)


def business(folder: Path, *arguments: str, **environment: str) -> AbstractContextManager[SandboxProgram]:
    """Run the sandbox with an account at PayPal."""
    usual = {"SANDBOX_PAYPAL_CLIENT_ID": CLIENT_ID, "SANDBOX_PAYPAL_SECRET": SECRET}
    return sandbox(folder, *arguments, **(usual | environment))


def order(amount: str = "100.50", currency: str = "USD", **changes: Any) -> dict[str, Any]:
    """The body of a POST that is paid to an email address; changes are the item's."""
    reference = str(uuid4())
    item = {
        "recipient_type": "EMAIL",
        "receiver": "petrov@example.com",
        "amount": {"currency": currency, "value": amount},
        "sender_item_id": reference,
    }
    return {"sender_batch_header": {"sender_batch_id": reference}, "items": [item | changes]}


def send(
    program: SandboxProgram, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, Any]:
    """Make one request by hand. Returns the status and the content."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with closing(http.client.HTTPConnection(urlsplit(program.url).netloc, timeout=20)) as connection:
        connection.request(method, path, body, named)
        response = connection.getresponse()
        return response.status, held_answer(method, path, response.status, response.read())


def token(program: SandboxProgram) -> str:
    status, access = send(program, "POST", "/v1/oauth2/token", b"grant_type=client_credentials", **basic())
    assert status == 200
    value: str = access["access_token"]
    return value


def basic(secret: str = SECRET) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'{CLIENT_ID}:{secret}'.encode()).decode()}"}


def ask(
    program: SandboxProgram, method: str, path: str, content: dict[str, Any] | None = None, **headers: str
) -> tuple[int, Any]:
    """Make one request with a new token."""
    if content is not None:
        headers = {"Content_Type": "application/json"} | headers
    body = None if content is None else json.dumps(content).encode()
    return send(program, method, path, body, **{"Authorization": f"Bearer {token(program)}", **headers})


def pay(program: SandboxProgram, content: dict[str, Any]) -> tuple[int, Any]:
    return ask(program, "POST", PAYOUTS, content)


def found(program: SandboxProgram, made: dict[str, Any]) -> Any:
    """The batch, as it is now."""
    status, batch = ask(program, "GET", f"{PAYOUTS}/{made['batch_header']['payout_batch_id']}")
    assert status == 200
    return batch
