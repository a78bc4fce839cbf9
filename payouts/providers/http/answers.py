"""Reading what a provider says about a payment: strict, and believing nothing that does not match.

Pure functions. Whatever is not a documented answer about exactly this instruction becomes `Verdict.UNKNOWN`.
"""

from decimal import Decimal
from typing import Final

from payouts import strict_json
from payouts.providers import Answer, Instruction, Verdict
from payouts.providers.words import (
    CODE_LIMIT,
    EXCERPT_LIMIT,
    ID_LIMIT,
    MESSAGE_LIMIT,
    clean,
    exact_amount,
    scrub,
    unexpected_status,
    unknown,
    unparsable,
)
from payouts.strict_json import JsonError

_ACCEPTED: Final = frozenset({200, 201, 202})
STATUS_VERDICTS: Final = {
    "succeeded": Verdict.SUCCEEDED,
    "pending": Verdict.PENDING,
    "rejected": Verdict.REFUSED,
    "returned": Verdict.RETURNED,
}


def read_pay(instruction: Instruction, http_status: int, body: bytes, *, token: str = "") -> Answer:
    """Read the answer to a POST.

    REFUSED is a 422 with a `code`, or a payment with the status `rejected`. A 422 that speaks of the
    idempotency key (draft-ietf-httpapi-idempotency-key-header, 2.7) says nothing about the money: UNKNOWN.
    """
    if http_status not in _ACCEPTED and http_status != 422:
        return unexpected_status(instruction, http_status, body, token=token)

    try:
        answered = strict_json.read(body)
    except JsonError:
        return unparsable(instruction, http_status, body, token=token)

    if http_status == 422:
        return _read_refusal(instruction, answered, body, token=token)
    return read_payment(instruction, answered, http_status=http_status, token=token)


def read_look_up(instruction: Instruction, http_status: int, body: bytes, *, token: str = "") -> Answer:
    """Read the answer to a look-up by reference. Only a 200 with an empty `data` list is ABSENT."""
    if http_status != 200:
        return unexpected_status(instruction, http_status, body, token=token)

    try:
        found = strict_json.read(body).get("data")
    except JsonError:
        return unparsable(instruction, http_status, body, token=token)

    if not isinstance(found, list):
        return unparsable(instruction, http_status, body, token=token)
    if not found:
        return Answer(Verdict.ABSENT, http_status=http_status)
    if len(found) > 1:
        return unknown("several_matches", f"{len(found)} payments have this reference.", http_status=http_status)
    if not isinstance(found[0], dict):
        return unparsable(instruction, http_status, body, token=token)
    return read_payment(instruction, found[0], http_status=http_status, token=token)


def read_payment(
    instruction: Instruction, payment: dict[str, object], *, http_status: int | None = None, token: str = ""
) -> Answer:
    """Read a payment as the provider reports it.

    It counts only if `reference`, `amount` and `currency` are exactly those of the instruction, else UNKNOWN
    `mismatch`; without an id or a known status it is UNKNOWN `unparsable`.
    """
    sent = {"reference": str(instruction.reference), "amount": instruction.amount, "currency": instruction.currency}
    told = payment | {"amount": exact_amount(payment.get("amount"))}
    wrong = [name for name, value in sent.items() if told.get(name) != value]
    if wrong:
        message = f"The provider's {' and '.join(wrong)} differ from what was sent."
        excerpt = scrub(_summary(payment), EXCERPT_LIMIT, instruction, token=token)
        return unknown("mismatch", message, http_status=http_status, excerpt=excerpt)

    status = payment.get("status")
    verdict = STATUS_VERDICTS.get(status) if isinstance(status, str) else None
    provider_id = payment.get("id")
    if verdict is None or not isinstance(provider_id, str) or not clean(provider_id, ID_LIMIT):
        message = "The provider's payment has no known status or no id."
        excerpt = scrub(_summary(payment), EXCERPT_LIMIT, instruction, token=token)
        return unknown("unparsable", message, http_status=http_status, excerpt=excerpt)

    provider_id = scrub(provider_id, ID_LIMIT, instruction, token=token, mask_digits=False)
    if verdict is not Verdict.REFUSED:
        return Answer(verdict, provider_id=provider_id, http_status=http_status)
    return Answer(
        verdict,
        provider_id=provider_id,
        code=_words(payment, "code", CODE_LIMIT, instruction, token) or "rejected",
        message=_words(payment, "message", MESSAGE_LIMIT, instruction, token),
        http_status=http_status,
        excerpt=scrub(_summary(payment), EXCERPT_LIMIT, instruction, token=token),
    )


def _read_refusal(instruction: Instruction, refusal: dict[str, object], body: bytes, *, token: str) -> Answer:
    """Decides on the code as it came: masked, for a recipient named “Idem”, it would say something else."""
    raw_code = refusal.get("code")
    raw_code = clean(raw_code, len(raw_code)) if isinstance(raw_code, str) else ""
    if not raw_code:
        return unparsable(instruction, 422, body, token=token)

    excerpt = scrub(_summary(refusal), EXCERPT_LIMIT, instruction, token=token)
    if "idempoten" in raw_code.lower():
        message = "The provider knows the idempotency key with another request."
        return unknown("idempotency_conflict", message, http_status=422, excerpt=excerpt)
    if refusal.get("reference", str(instruction.reference)) != str(instruction.reference):
        message = "The provider refused another reference than the one sent."
        return unknown("mismatch", message, http_status=422, excerpt=excerpt)
    return Answer(
        Verdict.REFUSED,
        code=_words(refusal, "code", CODE_LIMIT, instruction, token),
        message=_words(refusal, "message", MESSAGE_LIMIT, instruction, token),
        http_status=422,
        excerpt=excerpt,
    )


def _words(source: dict[str, object], name: str, limit: int, instruction: Instruction, token: str) -> str:
    value = source.get(name)
    return scrub(value, limit, instruction, token=token) if isinstance(value, str) else ""


def _summary(source: dict[str, object]) -> str:
    names = ("id", "reference", "amount", "currency", "status", "code", "message")
    return ", ".join(f"{name}: {_brief(source[name])}" for name in names if name in source)


def _brief(value: object) -> str:
    return str(value) if isinstance(value, str | int | Decimal) else f"({type(value).__name__})"
