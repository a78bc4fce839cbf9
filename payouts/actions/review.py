"""What the review rules say of a new payout: its flags, and how many approvals it needs."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Self

from django.db import connection

from payouts import recipients, vault
from payouts.actions import submitted
from payouts.models import ApprovalBand, Payout, PayoutLimit, ReviewFlag, ReviewRule, Route
from payouts.models.sealed_sets import verified_sets

# The same terms again within this time, without an idempotency key, may be a payout that was sent twice.
REPEATED_WITHIN = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Judgement:
    """`asked_by` are the flags that ask for one more approval; several flags still add only one."""

    flags: tuple[ReviewFlag, ...]
    asked_by: tuple[ReviewFlag, ...]
    approvals_required: int


@dataclass(frozen=True, slots=True)
class InForce:
    """What is configured for a currency, as the product wrote it."""

    bands: tuple[ApprovalBand, ...]
    limit: PayoutLimit | None
    asking: frozenset[str]  # the flags that ask for one more approval
    routes: tuple[Route, ...]  # of every currency

    @classmethod
    def of(cls, currency: str) -> Self:
        """Raises ConfigurationAlteredError where SQL has changed it."""
        found = verified_sets(["bands", "rules", "limits", "routes"])
        return cls(
            bands=tuple(band for band in found["bands"] if band.currency == currency),
            limit=next((limit for limit in found["limits"] if limit.currency == currency), None),
            asking=frozenset(rule.flag for rule in found["rules"] if rule.effect == ReviewRule.Effect.ASK),
            routes=found["routes"],
        )

    def approvals_for(self, amount: Decimal) -> int:
        """One where no band says otherwise."""
        reached = [band for band in self.bands if band.from_amount <= amount]
        return max(reached, key=lambda band: band.from_amount).approvals_required if reached else 1

    @property
    def amounts(self) -> dict[str, Decimal | None]:
        return {
            "recipient_amount": self.limit.recipient_amount if self.limit else None,
            "day_amount": self.limit.day_amount if self.limit else None,
        }


def preview(*, user_id: int | None, amount: Decimal, currency: str, recipient: dict[str, Any]) -> Judgement:
    """What would be said of a payout that a person enters by hand; nothing is stored or counted."""
    recipient = vault.normal(recipient)
    in_force = InForce.of(currency)
    facing: dict[str, Any] = {
        "client": None,
        "user_id": user_id,
        "currency": currency,
        "amount": amount,
        "recipient_index": recipients.blind_index(recipient),
        "is_keyless": True,
        "within": REPEATED_WITHIN,
        **in_force.amounts,
    }
    with connection.cursor() as cursor:
        cursor.execute(PREVIEW, facing)
        answers = cursor.fetchone()
    required = in_force.approvals_for(amount)
    return _judgement(required, answers, in_force.asking, recipients.findings(recipient), is_by_hand=True)


def judge(payout: Payout, findings: Sequence[ReviewFlag], in_force: InForce) -> tuple[datetime, dict[str, Any]]:
    """Give a new payout its id, its time, its flags and the approvals that it needs; returns the time and the facts.

    Payouts that may be each other's duplicates are judged one at a time. Where there is a limit, it is added to the
    sums of its currency and recipient; what others submit in the same instant is not seen (submitted.py).
    """
    facing: dict[str, Any] = {
        "client": payout.client_id,
        "user_id": payout.user_id,
        "currency": payout.currency,
        "amount": payout.amount,
        "recipient_index": bytes(payout.recipient_index),
        "is_keyless": payout.idempotency_key is None,
    }
    answering: Any = {**facing, **in_force.amounts, "within": REPEATED_WITHIN}
    with connection.cursor() as cursor:
        if facing["is_keyless"]:
            cursor.execute(TURN, [_lock_number("repetition", *map(str, facing.values()))])
        cursor.execute(JUDGEMENT, answering)
        payout.pk, at, *answers = cursor.fetchone()
    required = in_force.approvals_for(payout.amount)
    judgement = _judgement(required, answers, in_force.asking, findings, is_by_hand=payout.client_id is None)
    payout.review_flags = [flag.value for flag in judgement.flags]
    payout.created_at = at
    payout.approvals_required = judgement.approvals_required
    facts: dict[str, Any] = {"approvals_required": payout.approvals_required}
    if judgement.flags:
        facts["review_flags"] = payout.review_flags
    if judgement.asked_by:
        facts["asked_by"] = [flag.value for flag in judgement.asked_by]
    return at, facts


def _judgement(
    required: int,
    answers: Sequence[Any],
    asking: Collection[str],
    findings: Sequence[ReviewFlag],
    *,
    is_by_hand: bool,
) -> Judgement:
    is_repeated, is_above_recipient, is_above_day = answers
    flags = list(findings)
    if is_repeated:
        flags.append(ReviewFlag.POSSIBLE_DUPLICATE)
    if is_above_recipient:
        flags.append(ReviewFlag.ABOVE_RECIPIENT_LIMIT)
    if is_above_day:
        flags.append(ReviewFlag.ABOVE_DAY_LIMIT)
    asked_by = tuple(flag for flag in flags if flag.value in asking)
    return Judgement(tuple(flags), asked_by, (max(required, 1) if is_by_hand else required) + bool(asked_by))


def _lock_number(*parts: str) -> int:
    """For PostgreSQL's advisory locks: a signed number of 64 bits."""
    return int.from_bytes(vault.fingerprint("lock", *parts)[:8], signed=True)


# A statement of its own: the judgement must see what was committed while this one waited.
TURN = "SELECT pg_advisory_xact_lock(%s)"
ANSWERS = f"""
       %(is_keyless)s AND EXISTS (
           SELECT 1 FROM payouts_payout
           WHERE recipient_index = %(recipient_index)s AND amount = %(amount)s AND created_at > now() - %(within)s
             AND user_id = %(user_id)s AND client_id IS NOT DISTINCT FROM %(client)s
             AND currency = %(currency)s AND status NOT IN ('cancelled', 'rejected')),
       coalesce(%(amount)s + {submitted.OF_RECIPIENT} > %(recipient_amount)s::numeric, false),
       coalesce(%(amount)s + {submitted.OF_CURRENCY} > %(day_amount)s::numeric, false)
"""  # noqa: S608 (constants)
JUDGEMENT = f"""
WITH present AS MATERIALIZED (SELECT clock_timestamp() AS at), counted AS MATERIALIZED (
    SELECT kind, key, %(currency)s::varchar AS currency, date_trunc('hour', at, 'UTC') AS hour,
           1 AS count, %(amount)s::numeric AS amount
    FROM present CROSS JOIN (
        VALUES ('currency', ''::bytea, %(day_amount)s::numeric),
               ('recipient', %(recipient_index)s::bytea, %(recipient_amount)s::numeric)) AS w (kind, key, most)
    WHERE most IS NOT NULL
), {submitted.ADD}
SELECT nextval(pg_get_serial_sequence('payouts_payout', 'id')), at, {ANSWERS} FROM present
"""  # noqa: S608 (constants)
PREVIEW = f"SELECT {ANSWERS}"
