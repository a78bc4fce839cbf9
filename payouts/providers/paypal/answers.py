"""Reading what PayPal answers: strict, and believing nothing that does not match.

Pure functions. Whatever is not a documented answer about exactly this instruction becomes `Verdict.UNKNOWN`.

| answer                                                      | verdict                                           |
|-------------------------------------------------------------|---------------------------------------------------|
| 201 or 200 to the POST                                      | PENDING: what becomes of the item is asked later  |
| 400 `VALIDATION_ERROR` to the POST, not of the batch's id   | REFUSED                                           |
| 400 or 422 `INSUFFICIENT_FUNDS` to the POST                 | REFUSED, and `lacks_funds`                        |
| 400 `USER_BUSINESS_ERROR` to the POST                       | UNKNOWN: the batch's id is known there            |
| 200, the item SUCCESS                                       | SUCCEEDED, with the fee                           |
| 200, the item PENDING, ONHOLD, UNCLAIMED                    | PENDING                                           |
| 200, the item FAILED, BLOCKED, DENIED                       | REFUSED                                           |
| 200, the item RETURNED, REFUNDED, REVERSED                  | RETURNED                                          |
| 200, a batch DENIED whose item says nothing                 | REFUSED                                           |
| 401, 403, 415, 429, 5xx                                     | UNKNOWN: our settings or their load               |
"""

import re
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final

from payouts.providers import Answer, Instruction, Verdict
from payouts.providers.paypal import payees
from payouts.providers.paypal.payees import Payee
from payouts.providers.paypal.reasons import KEY_KNOWN, LACKS_FUNDS, OTHER_REASON, REASONS, SEVERAL, UNKNOWN_ID
from payouts.providers.paypal.shapes import BATCH_VERDICTS, ITEM_VERDICTS, Batch, Header, Item, Made, Problem
from payouts.providers.shapes import read
from payouts.providers.words import (
    CODE_LIMIT,
    EXCERPT_LIMIT,
    MESSAGE_LIMIT,
    excerpt_of,
    scrub,
    unexpected_status,
    unknown,
    unparsable,
)

_PAID: Final = (Verdict.SUCCEEDED, Verdict.RETURNED)


@dataclass(frozen=True, slots=True)
class Asked:
    """What an answer is held to."""

    instruction: Instruction
    secret: str = field(repr=False)

    @property
    def payee(self) -> Payee | None:
        """Whom the money goes to; None where nothing can have been sent."""
        return payees.read(self.instruction.recipient)

    @property
    def private(self) -> Instruction:
        """With the recipient's details as they are and as they are sent: none of it comes back with an answer."""
        if not self.payee:
            return self.instruction
        details: dict[str, object] = {"given": self.instruction.recipient, "sent": self.payee.name}
        return replace(self.instruction, recipient=details)


def read_pay(asked: Asked, http_status: int, body: bytes) -> Answer:
    """The answer to the POST."""
    if http_status in {200, 201}:
        made = read(body, Made)
        if made is None:
            return unparsable(asked.private, http_status, body, token=asked.secret)
        if wrong := _differing(asked, made.batch_header, None):
            return _mismatch(asked, wrong, http_status, body)
        return Answer(Verdict.PENDING, provider_id=made.batch_header.payout_batch_id, http_status=http_status)
    problem = read(body, Problem) if http_status in {400, 422} else None
    if problem is None:
        return _read_error(asked, http_status, body)
    if problem.name == "USER_BUSINESS_ERROR" or (problem.name == "VALIDATION_ERROR" and _is_about_key(problem)):
        answer = unknown("idempotency_conflict", KEY_KNOWN, http_status=http_status, excerpt=_excerpt(asked, body))
        return replace(answer, provider_id=problem.named_batch)
    is_refusal = problem.name == LACKS_FUNDS or (problem.name == "VALIDATION_ERROR" and http_status == 400)
    if not is_refusal:
        return _read_error(asked, http_status, body)
    return Answer(
        Verdict.REFUSED,
        code=problem.name,
        message=REASONS.get(problem.name) or _told(asked, problem),
        http_status=http_status,
        excerpt=_excerpt(asked, body),
        lacks_funds=problem.name == LACKS_FUNDS,
    )


def read_known(asked: Asked, http_status: int, body: bytes) -> Answer:
    """The answer to a GET of a batch by the id that PayPal gave it."""
    if http_status == 404:
        return unknown("mismatch", UNKNOWN_ID, http_status=404, excerpt=_excerpt(asked, body))
    if http_status != 200:
        return _read_error(asked, http_status, body)
    batch = read(body, Batch)
    if batch is None:
        return unparsable(asked.private, 200, body, token=asked.secret)
    if len(batch.items) > 1:
        return unknown("several_matches", SEVERAL, http_status=200)
    item = batch.items[0] if batch.items else None
    if wrong := _differing(asked, batch.batch_header, item):
        return _mismatch(asked, wrong, 200, body)
    status = item.transaction_status if item else None
    verdict = ITEM_VERDICTS[status] if status else BATCH_VERDICTS.get(batch.batch_header.batch_status)
    if verdict is None:
        return unparsable(asked.private, 200, body, token=asked.secret)
    return _judged(asked, batch.batch_header, item, verdict)


def _judged(asked: Asked, header: Header, item: Item | None, verdict: Verdict) -> Answer:
    status = (item and item.transaction_status) or header.batch_status
    problem = (item and item.errors) or header.errors
    name = problem.name if problem else ""
    told = f"status: {status}, reason: {name}" if name else ""
    answer = Answer(verdict, provider_id=header.payout_batch_id, http_status=200, fee=_fee(asked, item, verdict))
    if verdict is not Verdict.REFUSED:
        return replace(answer, excerpt=_scrubbed(asked, told, EXCERPT_LIMIT))
    return replace(
        answer,
        code=name if name in REASONS else _scrubbed(asked, name, CODE_LIMIT) or status,
        message=REASONS.get(name, OTHER_REASON),
        excerpt=_scrubbed(asked, told or f"status: {status}", EXCERPT_LIMIT),
        lacks_funds=name == LACKS_FUNDS,
    )


def _fee(asked: Asked, item: Item | None, verdict: Verdict) -> Decimal | None:
    """Only of what was paid: before, it is zero or an estimate. PayPal may take it in another currency."""
    fee = item.payout_item_fee if item else None
    if fee is None or verdict not in _PAID or fee.currency != asked.instruction.currency:
        return None
    return fee.exact


def _differing(asked: Asked, header: Header, item: Item | None) -> list[str]:
    """What is not as it was sent."""
    instruction, payee = asked.instruction, asked.payee
    reference = str(instruction.reference)
    fits = {
        "reference": header.sender_batch_header.sender_batch_id == reference,
        "ID": not instruction.provider_id or header.payout_batch_id == instruction.provider_id,
    }
    if item:
        sent = item.payout_item
        fits["reference"] = fits["reference"] and sent.sender_item_id == reference
        fits["ID"] = fits["ID"] and item.payout_batch_id == header.payout_batch_id
        fits["amount"] = sent.amount.exact == instruction.amount
        fits["currency"] = sent.amount.currency == instruction.currency
        fits["recipient"] = payee is not None and payee.is_told(sent.payee)
    return [name for name, is_so in fits.items() if not is_so]


def _mismatch(asked: Asked, wrong: list[str], http_status: int, body: bytes) -> Answer:
    message = f"The provider's {' and '.join(wrong)} differ from what was sent."
    return unknown("mismatch", message, http_status=http_status, excerpt=_excerpt(asked, body))


def _is_about_key(problem: Problem) -> bool:
    said = (problem.message, *(text for detail in problem.details for text in (detail.field, detail.issue)))
    return any("senderbatchid" in re.sub(r"[\s_]", "", text).lower() for text in said)


def _told(asked: Asked, problem: Problem) -> str:
    """What PayPal found wrong, for a person."""
    details = (": ".join(filter(None, (detail.field, detail.issue))) for detail in problem.details)
    return _scrubbed(asked, "; ".join(filter(None, details)) or problem.message, MESSAGE_LIMIT)


def _read_error(asked: Asked, http_status: int, body: bytes) -> Answer:
    answer = unexpected_status(asked.private, http_status, body, token=asked.secret)
    # No payment has another media type than the rest.
    return replace(answer, code="media_type") if http_status == 415 else answer


def _excerpt(asked: Asked, body: bytes) -> str:
    return excerpt_of(asked.private, body, asked.secret)


def _scrubbed(asked: Asked, text: str, limit: int) -> str:
    return scrub(text, limit, asked.private, token=asked.secret)
