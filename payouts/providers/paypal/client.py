"""PayPal's two calls: one request, one answer, one deadline for the whole of it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

import msgspec

from payouts.providers import ID_NOT_TOLD, Account, Answer, Instruction
from payouts.providers.paypal import payees
from payouts.providers.paypal.answers import Asked, read_known, read_pay
from payouts.providers.paypal.api import App
from payouts.providers.paypal.reasons import NO_ID, UNPAYABLE_AMOUNT, UNPAYABLE_RECIPIENT
from payouts.providers.paypal.shapes import BATCH_ID
from payouts.providers.paypal.webhook import checked_webhook_id
from payouts.providers.wire import Reply, retry_after_seconds
from payouts.providers.words import unknown, unparsable

PAYOUTS: Final = "/v1/payments/payouts"

type Read = Callable[[Asked, int, bytes], Answer]


class PayPalProvider:
    """Pays through one app. Safe from any number of threads, and across fork."""

    def __init__(self, app: App, *, name: str) -> None:
        self.name = name
        self.account = app.fingerprint
        self._app = app

    def __repr__(self) -> str:
        return f"PayPalProvider({self.name!r})"

    def pay(self, instruction: Instruction, *, deadline: float) -> Answer:
        """POST a batch of one item, once: one bad item would refuse the whole of it. Nothing is sent a second time.

        The batch's id, `sender_batch_id`, is the attempt: PayPal pays it once in 30 days. UNKNOWN `unsendable` means
        that PayPal has no way to pay such a recipient or amount, and that nothing was sent.
        """
        payee = payees.read(instruction.recipient)
        if payee is None:
            return unknown("unsendable", UNPAYABLE_RECIPIENT)
        value = payees.sent_amount(instruction.amount, instruction.currency)
        if value is None:
            return unknown("unsendable", UNPAYABLE_AMOUNT)
        reference = str(instruction.reference)
        item = {
            "recipient_type": payee.kind,
            "receiver": payee.name,
            "amount": {"currency": instruction.currency, "value": value},
            "sender_item_id": reference,
        }
        body = msgspec.json.encode({"sender_batch_header": {"sender_batch_id": reference}, "items": [item]})
        reply = self._app.api.post(PAYOUTS, body, request_id=instruction.request_id, deadline=deadline)
        return self._understood(instruction, reply, read_pay)

    def look_up(self, instruction: Instruction, *, deadline: float) -> Answer:
        """GET the batch by PayPal's id. Without it nobody can be asked: UNKNOWN `id_not_told`, never ABSENT."""
        if not re.fullmatch(BATCH_ID, instruction.provider_id):
            return unknown(ID_NOT_TOLD, NO_ID)
        path = f"{PAYOUTS}/{instruction.provider_id}?page_size=2"
        reply = self._app.api.get(path, request_id=instruction.request_id, deadline=deadline)
        return self._understood(instruction, reply, read_known)

    def _understood(self, instruction: Instruction, reply: Reply | Answer, read: Read) -> Answer:
        if isinstance(reply, Answer):
            return reply
        if reply.encoded:
            return unparsable(instruction, reply.status, b"", token=self._app.secret)
        answer = read(Asked(instruction, secret=self._app.secret), reply.status, reply.body)
        return replace(answer, retry_after_seconds=retry_after_seconds(reply))

    def close(self) -> None:
        """Close the calling thread's connection; the next call opens another."""
        self._app.api.close()


def from_account(account: Account) -> PayPalProvider:
    """Raises ValueError."""
    checked_webhook_id(account)
    return PayPalProvider(App.of(account), name=account.name)


def way_of(_account: Account, recipient: Mapping[str, object]) -> str:
    """The name of the way in which any account would pay the recipient; empty where it has none."""
    payee = payees.read(recipient)
    return payee.way if payee else ""
