"""Reading what a provider says about a payment: strict, and believing nothing that does not match.

Pure functions. Whatever is not a documented answer about exactly this instruction becomes `Verdict.UNKNOWN`. The
provider's words are cleaned, capped and masked before they leave this module.
"""

import re
import unicodedata
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from payouts import strict_json
from payouts.providers import Answer, Instruction, Verdict
from payouts.strict_json import JsonError

CODE_LIMIT: Final = 64
MESSAGE_LIMIT: Final = 255
ID_LIMIT: Final = 128
EXCERPT_LIMIT: Final = 300
RETRY_AFTER_LIMIT_SECONDS: Final = 86_400
_EXCERPT_SOURCE_LIMIT: Final = 4 * EXCERPT_LIMIT
_SECRET_FLOOR: Final = 4  # letters and digits below which a recipient's value identifies nobody ("RU", "12")
_MASK: Final = "*"
_ACCEPTED: Final = frozenset({200, 201, 202})
STATUS_VERDICTS: Final = {
    "succeeded": Verdict.SUCCEEDED,
    "pending": Verdict.PENDING,
    "rejected": Verdict.REFUSED,
    "returned": Verdict.RETURNED,
}
_PLAIN_DECIMAL: Final = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,10})?")
# Card numbers have 13 to 19 digits (ISO/IEC 7812-1), account numbers more: runs from 13 up are masked.
_DIGIT_RUN: Final = re.compile(r"\d(?:[\s\-\u2010-\u2015._/]{0,3}\d){12,}")
_JSON_ESCAPE: Final = re.compile(r"\\u([0-9a-fA-F]{4})")


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


def unexpected_status(instruction: Instruction, http_status: int, body: bytes, *, token: str = "") -> Answer:
    """UNKNOWN for a status that the protocol gives no meaning."""
    if http_status == 429:
        code, message = "rate_limited", "The provider asked to slow down (HTTP 429)."
    elif 300 <= http_status < 400:
        code, message = "redirect", f"The provider redirected (HTTP {http_status}), which is not followed."
    else:
        code, message = f"http_{http_status}", f"The provider answered HTTP {http_status}."
    return unknown(code, message, http_status=http_status, excerpt=_excerpt(instruction, body, token))


def unparsable(instruction: Instruction, http_status: int, body: bytes, *, token: str = "") -> Answer:
    """UNKNOWN for a body that is not the documented JSON."""
    message = f"The provider's answer cannot be read (HTTP {http_status}, {len(body)} bytes)."
    return unknown("unparsable", message, http_status=http_status, excerpt=_excerpt(instruction, body, token))


def unknown(code: str, message: str, *, http_status: int | None = None, excerpt: str = "") -> Answer:
    """An UNKNOWN answer in our own words."""
    return Answer(Verdict.UNKNOWN, code=code, message=message, http_status=http_status, excerpt=excerpt)


def clean(text: str, limit: int) -> str:
    """Return at most `limit` characters of `text`, without control, format and surrogate characters.

    Runs of white space become one space. The result can be stored by PostgreSQL and printed by a log.
    """
    if not (text.isascii() and text.isprintable()):
        kept = (" " if char.isspace() else char for char in text)
        text = "".join(char for char in kept if not unicodedata.category(char).startswith("C"))
    return " ".join(text.split())[:limit]


def scrub(text: str, limit: int, instruction: Instruction, *, token: str = "", mask_digits: bool = True) -> str:
    """`clean` a provider's words and mask every value of the recipient, the token and long runs of digits.

    Values are recognised however their letters and digits are spaced and capitalised. Masks keep the length,
    so that nothing behind the limit moves into it.
    """
    text = clean(text, _EXCERPT_SOURCE_LIMIT)
    chars = list(text)
    positions = [index for index, char in enumerate(chars) if char.isalnum()]
    compact = "".join(chars[index].lower()[0] for index in positions)
    for secret in (*_values(instruction.recipient), token):
        wanted = "".join(char.lower()[0] for char in secret if char.isalnum())[:EXCERPT_LIMIT]
        if len(wanted) < _SECRET_FLOOR:
            continue
        start = compact.find(wanted)
        while start >= 0:
            for index in range(positions[start], positions[start + len(wanted) - 1] + 1):
                chars[index] = _MASK
            start = compact.find(wanted, start + 1)
    masked = "".join(chars)
    if mask_digits:
        masked = _DIGIT_RUN.sub(lambda run: _MASK * len(run.group()), masked)
    return masked[:limit]


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


def exact_amount(amount: object) -> Decimal | None:
    """None for what is no plain decimal."""
    if isinstance(amount, str) and _PLAIN_DECIMAL.fullmatch(amount):
        return Decimal(amount)
    if isinstance(amount, Decimal) or (isinstance(amount, int) and not isinstance(amount, bool)):
        return Decimal(amount)
    return None


def _words(source: dict[str, object], name: str, limit: int, instruction: Instruction, token: str) -> str:
    value = source.get(name)
    return scrub(value, limit, instruction, token=token) if isinstance(value, str) else ""


def _summary(source: dict[str, object]) -> str:
    names = ("id", "reference", "amount", "currency", "status", "code", "message")
    return ", ".join(f"{name}: {_brief(source[name])}" for name in names if name in source)


def _brief(value: object) -> str:
    return str(value) if isinstance(value, str | int | Decimal) else f"({type(value).__name__})"


def _excerpt(instruction: Instruction, body: bytes, token: str) -> str:
    text = body[: 2 * _EXCERPT_SOURCE_LIMIT].decode("utf-8", errors="replace")
    plain = _JSON_ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), text)
    return scrub(plain, EXCERPT_LIMIT, instruction, token=token)


def _values(recipient: object) -> Iterator[str]:
    waiting = [recipient]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list | tuple):
            waiting.extend(value)
        elif isinstance(value, str | int | Decimal) and not isinstance(value, bool):
            yield str(value)
