"""The provider protocol's two calls: one request, one answer, one deadline for the whole of it."""

import hashlib
import re
import ssl
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import msgspec

from payouts import trace
from payouts.providers import Answer, Instruction
from payouts.providers.http.answers import RETRY_AFTER_LIMIT_SECONDS, read_look_up, read_pay, unknown, unparsable
from payouts.providers.http.wire import IdleConnection, OversizedError, Reply, Target, connect

REQUEST_LIMIT: Final = 64 * 1024
_TOKEN: Final = re.compile(r"[\x21-\x7e]+")
_encoder: Final = msgspec.json.Encoder(decimal_format="number")


class HttpProvider:
    """Speaks the provider protocol with `url`. Safe from any number of threads, and across fork.

    `account` names the account that the token is of; without a name the URL stands for it. `tls` replaces the
    default context, which verifies certificates against the system's authorities. Raises `ValueError` for a URL or a
    token that cannot work.
    """

    name = "http"

    def __init__(self, url: str, token: str, *, account: str = "", tls: ssl.SSLContext | None = None) -> None:
        self._target = Target.parse(url, tls)
        self.account = hashlib.sha256(f"{self.name} {account or self._target.origin}".encode()).hexdigest()[:16]
        if not _TOKEN.fullmatch(token):
            raise ValueError("PROVIDER_TOKEN must be printable ASCII without spaces, and not empty.")
        self._token = token
        self._idle = IdleConnection()
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
        reply = self._exchange("POST", head.encode("ascii") + body, deadline)
        return self._understood(instruction, reply, read_pay)

    def look_up(self, instruction: Instruction, *, deadline: float) -> Answer:
        """GET what the provider has under the reference, once."""
        head = (
            f"{self._get_head}{instruction.reference}{self._get_tail}X-Request-ID: {_request_id(instruction)}\r\n\r\n"
        )
        reply = self._exchange("GET", head.encode("ascii"), deadline)
        return self._understood(instruction, reply, read_look_up)

    def _understood(self, instruction: Instruction, reply: Reply | Answer, read: Callable[..., Answer]) -> Answer:
        if isinstance(reply, Answer):
            return reply
        if reply.encoded:
            return unparsable(instruction, reply.status, b"", token=self._token)
        return _with_retry_after(read(instruction, reply.status, reply.body, token=self._token), reply)

    def close(self) -> None:
        """Close the calling thread's connection; the next call opens another."""
        self._idle.drop()

    def _exchange(self, method: str, request: bytes, deadline: float) -> Reply | Answer:
        wire = self._idle.take()
        if wire is None:
            try:
                wire = connect(self._target, deadline)
            except TimeoutError:
                return unknown("timeout", "No connection before the deadline; nothing was sent.")
            except ssl.SSLError as error:
                reason = getattr(error, "verify_message", "") or error.reason or "handshake failed"
                return unknown("tls", f"No trusted connection to the provider ({reason}); nothing was sent.")
            except OSError as error:
                reason = error.strerror or type(error).__name__
                return unknown("unreachable", f"No connection to the provider ({reason}); nothing was sent.")

        keep = False
        try:
            reply = wire.exchange(method, request, deadline)
            keep = reply.clean
        except TimeoutError:
            return unknown("timeout", "The provider gave no whole answer before the deadline.")
        except OversizedError as error:
            return unknown("oversized", "The provider's answer is larger than 64 KiB.", http_status=error.status)
        except Exception as error:  # whatever the parser trips over, the payment may have been made
            return wire.broken(error)
        finally:
            if keep:
                self._idle.keep(wire)
            else:
                wire.close()
        return reply


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


def _with_retry_after(answer: Answer, reply: Reply) -> Answer:
    """Add the delay of a 429 or 503 (RFC 9110, 10.2.3); its form as a date is left out."""
    if reply.status not in {429, 503}:
        return answer
    seconds = reply.headers.get("Retry-After", "").strip()
    if not re.fullmatch(r"[0-9]{1,9}", seconds):
        return answer
    return replace(answer, retry_after_seconds=min(int(seconds), RETRY_AFTER_LIMIT_SECONDS))
