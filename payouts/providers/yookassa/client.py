"""YooKassa's calls: one request, one answer, one deadline for the whole of it. A checked name takes one before."""

import base64
import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final, TypedDict
from urllib.parse import urlencode

import msgspec

from payouts import money, trace
from payouts.providers import (
    Account,
    Answer,
    Balance,
    Bank,
    Instruction,
    Payment,
    PaymentsPage,
    RecipientKind,
    Verdict,
    fingerprint,
)
from payouts.providers.wire import BODY_LIMIT, LIST_LIMIT, Link, Reply, Target
from payouts.providers.words import unknown, unparsable
from payouts.providers.yookassa import destinations, names, webhook
from payouts.providers.yookassa.answers import Asked, read_gateway, read_known, read_pay, read_search
from payouts.providers.yookassa.lists import read_banks, read_payment, read_payments
from payouts.providers.yookassa.names import Kept
from payouts.providers.yookassa.reasons import UNCHECKABLE_NAME, UNPAYABLE_AMOUNT, UNPAYABLE_RECIPIENT
from payouts.providers.yookassa.shapes import PAGE_SIZE, PAYOUT_ID

API_URL: Final = "https://api.yookassa.ru/v3"
_GATEWAY_ID: Final = re.compile(r"[0-9A-Za-z._-]{1,64}")
_SECRET: Final = re.compile(r"[\x21-\x7e]{1,256}")


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
        checks_names: bool = False,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.name = name
        target = Target.parse(url, tls)
        if not _GATEWAY_ID.fullmatch(gateway_id):
            raise ValueError("GATEWAY_ID must be the number of a YooKassa gateway.")
        if not _SECRET.fullmatch(secret):
            raise ValueError("SECRET must be printable ASCII without spaces, and not empty.")
        # Not the URL: it may be a proxy's, or a sandbox's with another port at each start.
        self.account = fingerprint(f"yookassa {'test' if is_test else 'live'} {gateway_id}")
        self._is_test = is_test
        self._gateway_id = gateway_id
        self._takes_card_numbers = takes_card_numbers
        self._checks_names = checks_names
        self._secret = secret
        self._link = Link(target)
        self._root = target.path
        self._credentials = base64.b64encode(f"{gateway_id}:{secret}".encode()).decode()
        self._head = (
            f"Host: {target.authority}\r\nAuthorization: Basic {self._credentials}\r\n"
            "Accept: application/json\r\nAccept-Encoding: identity\r\nUser-Agent: payouts-backoffice/1\r\n"
        )

    def __repr__(self) -> str:
        return f"YooKassaProvider({self.name!r})"

    def pay(self, instruction: Instruction, *, deadline: float) -> Answer:
        """POST a payout once, and the recipient's name before it where the account checks names. Nothing is ever sent
        a second time, and no payout without the name that its account is to check.

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
        checked: dict[str, object] = {}
        if self._checks_names and destination.way == "sbp":
            kept = self._keep_name(instruction, deadline)
            if isinstance(kept, Answer):
                return kept
            checked = {"personal_data": [{"id": kept.id}]}
        body = msgspec.json.encode(
            {
                "amount": {"value": money.plain(amount), "currency": instruction.currency},
                **destination.order,
                **checked,
                "description": f"Payout {instruction.payout}",
                "metadata": {"attempt": str(instruction.reference), "payout": str(instruction.payout)},
            }
        )
        order = Order(str(instruction.reference), body)
        return self._exchange("/payouts", instruction, deadline, read_pay, order)

    def look_up(self, instruction: Instruction, *, deadline: float) -> Answer:
        """GET the payout by YooKassa's id where it is known, else search for our reference, once."""
        if re.fullmatch(PAYOUT_ID, instruction.provider_id):
            return self._exchange(f"/payouts/{instruction.provider_id}", instruction, deadline, read_known)
        search = f"/payouts/search?metadata%5Battempt%5D={instruction.reference}&limit=10"
        return self._exchange(search, instruction, deadline, read_search)

    def balances(self, *, deadline: float) -> list[Balance] | Answer:
        """GET what YooKassa says of the gateway, once: its balance, in roubles."""
        reply = self._ask("/me", deadline)
        if isinstance(reply, Answer):
            return reply
        return read_gateway(reply.status, reply.body, gateway_id=self._gateway_id, is_test=self._is_test)

    def payments(self, since: datetime, until: datetime, *, cursor: str, deadline: float) -> PaymentsPage | Answer:
        """GET a page of the gateway's payouts, whoever made them, newest first; `since` and `until` count to the
        millisecond."""
        since, until = _to_millisecond(since), _to_millisecond(until)
        query = {"created_at.gte": _written(since), "created_at.lt": _written(until), "limit": str(PAGE_SIZE)}
        asked = urlencode({**query, "cursor": cursor} if cursor else query)
        reply = self._ask(f"/payouts?{asked}", deadline, body_limit=LIST_LIMIT)
        if isinstance(reply, Answer):
            return reply
        return read_payments(reply.status, reply.body, since=since, until=until, cursor=cursor, is_test=self._is_test)

    def payment(self, provider_id: str, *, deadline: float) -> Payment | Answer:
        """GET a payout by an id that somebody told us. An id that YooKassa never gives is asked about nobody."""
        if not re.fullmatch(PAYOUT_ID, provider_id):
            return Answer(Verdict.ABSENT)
        reply = self._ask(f"/payouts/{provider_id}", deadline)
        if isinstance(reply, Answer):
            return reply
        return read_payment(reply.status, reply.body, provider_id=provider_id, is_test=self._is_test)

    def banks(self, *, deadline: float) -> list[Bank] | Answer:
        """GET the banks that take part in SBP."""
        reply = self._ask("/sbp_banks", deadline, body_limit=LIST_LIMIT)
        return reply if isinstance(reply, Answer) else read_banks(reply.status, reply.body)

    def close(self) -> None:
        """Close the calling thread's connection; the next call opens another."""
        self._link.close()

    def _keep_name(self, instruction: Instruction, deadline: float) -> Kept | Answer:
        """POST the recipient's name, once; the payout is to refer to it."""
        name = names.order(instruction.recipient)
        if name is None:
            return unknown("unsendable", UNCHECKABLE_NAME)
        order = Order(names.key(instruction), msgspec.json.encode(name))
        return self._exchange("/personal_data", instruction, deadline, names.read_kept, order)

    def _exchange[Read](
        self,
        path: str,
        instruction: Instruction,
        deadline: float,
        read: Callable[[Asked, int, bytes], Read],
        order: "Order | None" = None,
    ) -> Read | Answer:
        """About an attempt: POST an order, or GET what there is."""
        method, head, body = ("POST", order.head, order.body) if order else ("GET", "", b"")
        request_id = trace.taken_or_made(instruction.request_id)
        request = f"{method} {self._root}{path} HTTP/1.1\r\n{self._head}X-Request-ID: {request_id}\r\n{head}\r\n"
        asked = Asked(instruction, self._is_test, secret=self._secret, credentials=self._credentials)
        reply = self._link.exchange(method, request.encode("ascii") + body, deadline)
        if isinstance(reply, Answer):
            return reply
        if reply.encoded:
            return unparsable(instruction, reply.status, b"", token=self._secret)
        return read(asked, reply.status, reply.body)

    def _ask(self, path: str, deadline: float, *, body_limit: int = BODY_LIMIT) -> Reply | Answer:
        """GET what is about no attempt. A body that came compressed counts as none."""
        request = f"GET {self._root}{path} HTTP/1.1\r\n{self._head}X-Request-ID: {trace.taken_or_made('')}\r\n\r\n"
        reply = self._link.exchange("GET", request.encode("ascii"), deadline, body_limit=body_limit)
        return replace(reply, body=b"") if isinstance(reply, Reply) and reply.encoded else reply


@dataclass(frozen=True, slots=True)
class Order:
    """What is POSTed, under its idempotency key."""

    key: str
    body: bytes = field(repr=False)

    @property
    def head(self) -> str:
        return (
            f"Idempotence-Key: {self.key}\r\nContent-Type: application/json\r\nContent-Length: {len(self.body)}\r\n"
        )


def from_account(account: Account) -> YooKassaProvider:
    """Raises ValueError."""
    values = account.values
    webhook.networks(values.get("WEBHOOK_NETWORKS", ""))
    return YooKassaProvider(
        name=account.name,
        gateway_id=values.get("GATEWAY_ID", ""),
        secret=values.get("SECRET", ""),
        url=values.get("API_URL") or API_URL,
        is_test=account.is_on("TEST"),
        **_options(account),
    )


def recipients_of(account: Account) -> tuple[RecipientKind, ...]:
    """The ways in which the account pays. Raises ValueError."""
    return destinations.taken(**_options(account))


def way_of(account: Account, recipient: Mapping[str, object]) -> str:
    """The name of the way in which the account would pay the recipient; empty: it has none. Raises ValueError."""
    options = _options(account)
    found = destinations.read(recipient, takes_card_numbers=options["takes_card_numbers"])
    if found is None or (options["checks_names"] and found.way == "sbp" and names.order(recipient) is None):
        return ""
    return found.way


class Options(TypedDict):
    takes_card_numbers: bool
    checks_names: bool


def _options(account: Account) -> Options:
    """Raises ValueError."""
    return {
        "takes_card_numbers": account.is_on("CARD_NUMBERS"),
        "checks_names": account.is_on("CHECK_NAMES"),
    }


def _to_millisecond(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=moment.microsecond // 1000 * 1000)


def _written(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
