"""The provider protocol's two calls: one request, one answer, one deadline for the whole of it."""

import re
import ssl
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import msgspec

from payouts import trace
from payouts.providers import Account, Answer, Instruction, fingerprint
from payouts.providers.http.answers import read_look_up, read_pay
from payouts.providers.wire import Link, Reply, Target, retry_after_seconds
from payouts.providers.words import unknown, unparsable

REQUEST_LIMIT: Final = 64 * 1024
_TOKEN: Final = re.compile(r"[\x21-\x7e]+")
_encoder: Final = msgspec.json.Encoder(decimal_format="number")


class HttpProvider:
    """Speaks the provider protocol with `url`. Safe from any number of threads, and across fork.

    `account` names the account that the token is of; without a name the URL stands for it. `name` is the account's in
    the environment. `tls` replaces the default context, which verifies certificates against the system's authorities.
    Raises `ValueError` for a URL or a token that cannot work.
    """

    def __init__(
        self, url: str, token: str, *, account: str = "", name: str = "http", tls: ssl.SSLContext | None = None
    ) -> None:
        self.name = name
        self._target = Target.parse(url, tls)
        self.account = fingerprint(f"http {account or self._target.origin}")
        if not _TOKEN.fullmatch(token):
            raise ValueError("The provider's token must be printable ASCII without spaces, and not empty.")
        self._token = token
        self._link = Link(self._target)
        common = (
            f" HTTP/1.1\r\nHost: {self._target.authority}\r\n"
            f"Authorization: Bearer {token}\r\n"
            "Accept: application/json\r\nAccept-Encoding: identity\r\nUser-Agent: payouts-backoffice/1\r\n"
        )
        self._post_head = f"POST {self._target.path}/v1/payouts{common}Content-Type: application/json\r\n"
        self._get_head = f"GET {self._target.path}/v1/payouts?reference="
        self._get_tail = common

    def __repr__(self) -> str:
        return f"HttpProvider({self._target.authority!r})"

    def pay(self, instruction: Instruction, *, deadline: float) -> Answer:
        """POST the instruction once. Nothing is ever sent a second time.

        UNKNOWN `unsendable` means that the instruction has no JSON form, and that nothing was sent.
        """
        body = _body(instruction)
        if body is None:
            return unknown("unsendable", "The instruction cannot be written as JSON; nothing was sent.")
        head = (
            f"{self._post_head}Idempotency-Key: {instruction.reference}\r\n"
            f"X-Request-ID: {_request_id(instruction)}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        reply = self._link.exchange("POST", head.encode("ascii") + body, deadline)
        return self._understood(instruction, reply, read_pay)

    def look_up(self, instruction: Instruction, *, deadline: float) -> Answer:
        """GET what the provider has under the reference, once."""
        head = (
            f"{self._get_head}{instruction.reference}{self._get_tail}X-Request-ID: {_request_id(instruction)}\r\n\r\n"
        )
        reply = self._link.exchange("GET", head.encode("ascii"), deadline)
        return self._understood(instruction, reply, read_look_up)

    def _understood(self, instruction: Instruction, reply: Reply | Answer, read: Callable[..., Answer]) -> Answer:
        if isinstance(reply, Answer):
            return reply
        if reply.encoded:
            return unparsable(instruction, reply.status, b"", token=self._token)
        answer = read(instruction, reply.status, reply.body, token=self._token)
        return replace(answer, retry_after_seconds=retry_after_seconds(reply))

    def close(self) -> None:
        """Close the calling thread's connection; the next call opens another."""
        self._link.close()


def from_account(account: Account) -> HttpProvider:
    """Raises ValueError."""
    values = account.values
    return HttpProvider(
        values.get("URL", ""), values.get("TOKEN", ""), account=values.get("ACCOUNT", ""), name=account.name
    )


def _body(instruction: Instruction) -> bytes | None:
    amount = instruction.amount
    if not amount.is_finite() or amount <= 0:
        return None
    try:
        body = _encoder.encode(
            {
                "reference": str(instruction.reference),
                "payout": str(instruction.payout),
                "amount": format(amount, "f"),
                "currency": instruction.currency,
                "recipient": instruction.recipient,
            }
        )
    except (ValueError, TypeError, ArithmeticError, RecursionError, msgspec.MsgspecError):
        return None
    return body if len(body) <= REQUEST_LIMIT else None


def _request_id(instruction: Instruction) -> str:
    if trace.ACCEPTED.fullmatch(instruction.request_id):
        return instruction.request_id
    return instruction.reference.hex
