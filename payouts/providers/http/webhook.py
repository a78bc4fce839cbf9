"""What a webhook of the provider says."""

from uuid import UUID

from payouts import strict_json
from payouts.providers import Verdict
from payouts.providers.http.answers import STATUS_VERDICTS
from payouts.strict_json import JsonError


class UnreadableError(ValueError):
    """The webhook is not one of the protocol's."""


def read_news(body: bytes) -> tuple[UUID, Verdict] | None:
    """Read a webhook's body: the attempt that it speaks of and what it says; None when it speaks of something else.

    Only a reason to ask, so amount and currency are not read. Raises `UnreadableError` when it is not the protocol's.
    """
    try:
        message = strict_json.read(body)
    except JsonError as error:
        raise UnreadableError("The body is not a JSON object.") from error
    payment = message.get("data")
    if message.get("type") != "payout.updated":
        return None
    if not isinstance(payment, dict):
        raise UnreadableError("The webhook has no payment.")
    reference, status = payment.get("reference"), payment.get("status")
    verdict = STATUS_VERDICTS.get(status) if isinstance(status, str) else None
    if verdict is None or not isinstance(reference, str):
        raise UnreadableError("The webhook's payment has no reference or no known status.")
    try:
        return UUID(reference), verdict
    except ValueError:
        return None  # a payment that somebody else made with this provider
