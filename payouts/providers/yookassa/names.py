"""The check of a recipient's name, before a payout by SBP: YooKassa keeps the name, and the bank compares it.

A payout that refers to a name is canceled (`recipient_check_failed`) where the account is another person's.
https://yookassa.ru/developers/payouts/scenario-extensions/recipient-check
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from payouts.providers import Answer, Instruction, Verdict
from payouts.providers.shapes import read
from payouts.providers.words import unknown, unparsable
from payouts.providers.yookassa.answers import Asked, read_error
from payouts.providers.yookassa.reasons import KEY_CONFLICT, NAME_NOT_KEPT, NAME_NOT_TAKEN
from payouts.providers.yookassa.shapes import PersonalData, Problem

_PART: Final = re.compile("[A-Za-zА-Яа-яЁё‐–—-]{1,100}")


@dataclass(frozen=True, slots=True)
class Kept:
    """The name as YooKassa calls it."""

    id: str


def order(recipient: Mapping[str, object]) -> dict[str, str] | None:
    """The request that has a name kept. None where the details have no `name` of a surname and a first name, in this
    order, and perhaps a patronymic, in Russian or Latin letters."""
    name = recipient.get("name")
    parts = name.split() if isinstance(name, str) else []
    if not 2 <= len(parts) <= 4 or not all(map(_PART.fullmatch, parts)):
        return None
    last, first, *rest = parts
    said = {"type": "sbp_payout_recipient", "last_name": last, "first_name": first}
    return {**said, "middle_name": " ".join(rest)} if rest else said


def key(instruction: Instruction) -> str:
    """The idempotency key of that request: sent again, it is answered with the same id, and so is the payout's."""
    return f"{instruction.reference}.name"


def read_kept(asked: Asked, http_status: int, body: bytes) -> Kept | Answer:
    """The answer to that request. Nothing of it is kept: it speaks of the name."""
    problem = read(body, Problem) if http_status == 400 else None
    if problem and problem.code == "invalid_request":
        if "idempoten" in f"{problem.parameter} {problem.description}".lower():
            return unknown("idempotency_conflict", KEY_CONFLICT, http_status=400)
        return Answer(Verdict.REFUSED, code=problem.code, message=NAME_NOT_TAKEN, http_status=400)
    if http_status != 200:
        return replace(read_error(asked, http_status, body), excerpt="")
    kept = read(body, PersonalData)
    if kept is None:
        return replace(unparsable(asked.private, 200, b""), excerpt="")
    if kept.status == "canceled":
        return unknown("unsendable", NAME_NOT_KEPT, http_status=200)
    return Kept(kept.id)
