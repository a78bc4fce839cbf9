"""YooKassa's two calls: one request, one answer, one deadline for the whole of it."""

import base64
import hashlib
import re
import ssl
from collections.abc import Callable
from typing import Final

import msgspec

from payouts import money, trace
from payouts.providers import Account, Answer, Balance, Instruction
from payouts.providers.wire import Link, Target
from payouts.providers.words import unknown, unparsable
from payouts.providers.yookassa import destinations, webhook
from payouts.providers.yookassa.answers import Asked, read_gateway, read_known, read_pay, read_search
from payouts.providers.yookassa.reasons import UNPAYABLE_AMOUNT, UNPAYABLE_RECIPIENT
from payouts.providers.yookassa.shapes import PAYOUT_ID

API_URL: Final = "https://api.yookassa.ru/v3"
_GATEWAY_ID: Final = re.compile(r"[0-9A-Za-z._-]{1,64}")
_SECRET: Final = re.compile(r"[\x21-\x7e]{1,256}")

type Read = Callable[[Asked, int, bytes], Answer]


class YooKassaProvider:
    """Pays through one gateway. Safe from any number of threads, and across fork.

    `tls` replaces the default context, which verifies certificates against the system's authorities. Raises
    `ValueError` for what cannot work.
    """

    def __init__(
        self,
        *,
        name: str,
        gateway_id: str,
        secret: str,
        url: str = API_URL,
        is_test: bool = False,
        takes_card_numbers: bool = False,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.name = name
        target = Target.parse(url, tls)
        if not _GATEWAY_ID.fullmatch(gateway_id):
            raise ValueError("GATEWAY_ID must be the number of a YooKassa gateway.")
        if not _SECRET.fullmatch(secret):
            raise ValueError("SECRET must be printable ASCII without spaces, and not empty.")
        # Not the URL: it may be a proxy's, or a sandbox's with another port at each start.
        whose = f"yookassa {'test' if is_test else 'live'} {gateway_id}"
        self.account = hashlib.sha256(whose.encode()).hexdigest()[:16]
        self._is_test = is_test
        self._gateway_id = gateway_id
        self._takes_card_numbers = takes_card_numbers
        self._secret = secret
        self._link = Link(target)
        self._root = target.path
        self._path = f"{target.path}/payouts"
        credentials = base64.b64encode(f"{gateway_id}:{secret}".encode()).decode()
        self._head = (
            f"Host: {target.authority}\r\nAuthorization: Basic {credentials}\r\n"
            "Accept: application/json\r\nAccept-Encoding: identity\r\nUser-Agent: payouts-backoffice/1\r\n"
        )

    def __repr__(self) -> str:
        return f"YooKassaProvider({self.name!r})"

    def pay(self, instruction: Instruction, *, deadline: float) -> Answer:
        """POST a payout once. Nothing is ever sent a second time.

        UNKNOWN `unsendable` means that YooKassa has no way to pay such a recipient or amount, and that nothing was
        sent. The limits of an amount are left to YooKassa, which refuses what is beyond them.
        """
        destination = destinations.read(instruction.recipient, takes_card_numbers=self._takes_card_numbers)
        if destination is None:
            return unknown("unsendable", UNPAYABLE_RECIPIENT)
        try:
            amount = money.exact(instruction.amount, instruction.currency)
        except money.AmountError:
            return unknown("unsendable", UNPAYABLE_AMOUNT)
        body = msgspec.json.encode(
            {
                "amount": {"value": money.plain(amount), "currency": instruction.currency},
                **destination.order,
                "description": f"Payout {instruction.payout}",
                "metadata": {"attempt": str(instruction.reference), "payout": str(instruction.payout)},
            }
        )
        head = (
            f"Idempotence-Key: {instruction.reference}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        )
        return self._exchange("POST", "", instruction, deadline, read_pay, head=head, body=body)

    def look_up(self, instruction: Instruction, *, deadline: float) -> Answer:
        """GET the payout by YooKassa's id where it is known, else search for our reference, once."""
        if re.fullmatch(PAYOUT_ID, instruction.provider_id):
            return self._exchange("GET", f"/{instruction.provider_id}", instruction, deadline, read_known)
        search = f"/search?metadata%5Battempt%5D={instruction.reference}&limit=10"
        return self._exchange("GET", search, instruction, deadline, read_search)

    def balances(self, *, deadline: float) -> list[Balance] | Answer:
        """GET what YooKassa says of the gateway, once: its balance, in roubles."""
        request_id = trace.taken_or_made("")
        request = f"GET {self._root}/me HTTP/1.1\r\n{self._head}X-Request-ID: {request_id}\r\n\r\n"
        reply = self._link.exchange("GET", request.encode("ascii"), deadline)
        if isinstance(reply, Answer):
            return reply
        body = b"" if reply.encoded else reply.body
        return read_gateway(reply.status, body, gateway_id=self._gateway_id, is_test=self._is_test)

    def close(self) -> None:
        """Close the calling thread's connection; the next call opens another."""
        self._link.close()

    def _exchange(
        self,
        method: str,
        path: str,
        instruction: Instruction,
        deadline: float,
        read: Read,
        *,
        head: str = "",
        body: bytes = b"",
    ) -> Answer:
        request_id = trace.taken_or_made(instruction.request_id)
        request = f"{method} {self._path}{path} HTTP/1.1\r\n{self._head}X-Request-ID: {request_id}\r\n{head}\r\n"
        asked = Asked(instruction, is_test=self._is_test, secret=self._secret)
        reply = self._link.exchange(method, request.encode("ascii") + body, deadline)
        if isinstance(reply, Answer):
            return reply
        if reply.encoded:
            return unparsable(instruction, reply.status, b"", token=self._secret)
        return read(asked, reply.status, reply.body)


def from_account(account: Account) -> YooKassaProvider:
    """Raises ValueError."""
    values = account.values
    webhook.networks(values.get("WEBHOOK_NETWORKS", ""))
    return YooKassaProvider(
        name=account.name,
        gateway_id=values.get("GATEWAY_ID", ""),
        secret=values.get("SECRET", ""),
        url=values.get("API_URL") or API_URL,
        is_test=_is_on("TEST", values.get("TEST", "")),
        takes_card_numbers=_is_on("CARD_NUMBERS", values.get("CARD_NUMBERS", "")),
    )


def _is_on(name: str, value: str) -> bool:
    if value.lower() not in {"", "on", "off"}:
        raise ValueError(f"{name} must be on or off.")
    return value.lower() == "on"
