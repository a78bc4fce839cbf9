"""What the review rules say of a new payout: its flags, and how many approvals it needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection

from payouts import recipients, vault
from payouts.models import Payout, ReviewFlag

# The same terms again within this time, without an idempotency key, may be a payout that was sent twice.
REPEATED_WITHIN = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Judgement:
    """`asked_by` are the flags that ask for one more approval; several flags still add only one."""

    flags: tuple[ReviewFlag, ...]
    asked_by: tuple[ReviewFlag, ...]
    approvals_required: int


def preview(*, user_id: int | None, amount: Decimal, currency: str, recipient: dict[str, Any]) -> Judgement:
    """What would be said of a payout that a person enters by hand; nothing is stored or counted."""
    recipient = vault.normal(recipient)
    facing: dict[str, Any] = {
        "client": None,
        "user_id": user_id,
        "currency": currency,
        "amount": amount,
        "recipient_index": recipients.blind_index(recipient),
        "is_keyless": True,
        "within": REPEATED_WITHIN,
    }
    with connection.cursor() as cursor:
        cursor.execute(PREVIEW, facing)
        return _judgement(cursor.fetchone(), recipients.findings(recipient), is_by_hand=True)


def judge(payout: Payout, findings: Sequence[ReviewFlag]) -> tuple[datetime, dict[str, Any]]:
    """Give a new payout its id, its time, its flags and the approvals that it needs; returns the time and the facts.

    Payouts that may be each other's duplicates, or exceed one recipient's limit together, are judged one at a time.
    """
    facing: dict[str, Any] = {
        "client": payout.client_id,
        "user_id": payout.user_id,
        "currency": payout.currency,
        "amount": payout.amount,
        "recipient_index": bytes(payout.recipient_index),
        "is_keyless": payout.idempotency_key is None,
    }
    answering: Any = {**facing, "within": REPEATED_WITHIN}
    with connection.cursor() as cursor:
        cursor.execute(
            TURN,
            {
                "repetition": _lock_number("repetition", *map(str, facing.values())),
                "recipient": _lock_number("recipient", payout.currency, bytes(payout.recipient_index).hex()),
                "currency": payout.currency,
                "is_keyless": facing["is_keyless"],
            },
        )
        cursor.execute(JUDGEMENT, answering)
        payout.pk, at, *answers = cursor.fetchone()
    judgement = _judgement(answers, findings, is_by_hand=payout.client_id is None)
    payout.review_flags = [flag.value for flag in judgement.flags]
    payout.created_at = at
    payout.approvals_required = judgement.approvals_required
    facts: dict[str, Any] = {"approvals_required": payout.approvals_required}
    if judgement.flags:
        facts["review_flags"] = payout.review_flags
    if judgement.asked_by:
        facts["asked_by"] = [flag.value for flag in judgement.asked_by]
    return at, facts


def _judgement(answers: Sequence[Any], findings: Sequence[ReviewFlag], *, is_by_hand: bool) -> Judgement:
    required, is_repeated, is_above_recipient, is_above_day, asking = answers
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
TURN = """
SELECT (SELECT pg_advisory_xact_lock(%(repetition)s) WHERE %(is_keyless)s)::text,
       (SELECT pg_advisory_xact_lock(%(recipient)s) FROM payouts_payoutlimit
        WHERE currency = %(currency)s AND recipient_amount IS NOT NULL)::text
"""
ANSWERS = """
       coalesce((SELECT approvals_required FROM payouts_approvalband
                 WHERE currency = %(currency)s AND from_amount <= %(amount)s
                 ORDER BY from_amount DESC LIMIT 1), 1),
       %(is_keyless)s AND EXISTS (
           SELECT 1 FROM payouts_payout
           WHERE recipient_index = %(recipient_index)s AND created_at > now() - %(within)s
             AND user_id = %(user_id)s AND client_id IS NOT DISTINCT FROM %(client)s
             AND currency = %(currency)s AND amount = %(amount)s AND status NOT IN ('cancelled', 'rejected')),
       coalesce((SELECT %(amount)s + coalesce((
                     SELECT sum(amount) FROM payouts_payout
                     WHERE recipient_index = %(recipient_index)s AND created_at > now() - interval '1 day'
                       AND currency = %(currency)s AND status NOT IN ('cancelled', 'rejected', 'failed')), 0)
                     > recipient_amount
                 FROM payouts_payoutlimit
                 WHERE currency = %(currency)s AND recipient_amount IS NOT NULL), false),
       coalesce((SELECT is_above FROM used), false),
       ARRAY(SELECT flag FROM payouts_reviewrule WHERE effect = 'ask')
"""
USED_WITH_IT = """
%(amount)s + CASE WHEN used_on = (now() AT TIME ZONE 'UTC')::date THEN used_amount ELSE 0 END
"""
JUDGEMENT = f"""
WITH used AS (
    UPDATE payouts_payoutlimit
    SET used_on = (now() AT TIME ZONE 'UTC')::date, used_amount = {USED_WITH_IT}
    WHERE currency = %(currency)s AND day_amount IS NOT NULL
    RETURNING used_amount > day_amount AS is_above
)
SELECT nextval(pg_get_serial_sequence('payouts_payout', 'id')), clock_timestamp(), {ANSWERS}
"""  # noqa: S608 (constants)
PREVIEW = f"""
WITH used AS (
    SELECT {USED_WITH_IT} > day_amount AS is_above FROM payouts_payoutlimit
    WHERE currency = %(currency)s AND day_amount IS NOT NULL
)
SELECT {ANSWERS}
"""  # noqa: S608 (constants)
