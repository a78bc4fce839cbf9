"""Reading what YooKassa answers: strict, and believing nothing that does not match.

Pure functions. Whatever is not a documented answer about exactly this instruction becomes `Verdict.UNKNOWN`.

| answer                                        | verdict                                                  |
|-----------------------------------------------|----------------------------------------------------------|
| 200 succeeded, pending, canceled              | SUCCEEDED, PENDING, REFUSED                              |
| 400 `invalid_request` to a POST               | REFUSED; UNKNOWN where it speaks of the Idempotence-Key  |
| 202, 401, 403, 404, 405, 415, 429, 5xx        | UNKNOWN: our settings or their load, not this payment    |
| a payout of a test gateway for a live account | UNKNOWN `test_mismatch`, and the reverse                 |
| a search that finds nothing                   | ABSENT; UNKNOWN while that proves nothing                |
"""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Final

from payouts.providers import TEST_MISMATCH, Answer, Balance, Instruction, Verdict
from payouts.providers.shapes import read
from payouts.providers.wire import RETRY_AFTER_LIMIT_SECONDS
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
from payouts.providers.yookassa import destinations
from payouts.providers.yookassa.destinations import Destination
from payouts.providers.yookassa.reasons import (
    KEY_CONFLICT,
    LACKS_FUNDS,
    NOT_FOUND_YET,
    OTHER_GATEWAY,
    OTHER_REASON,
    OUT_OF_REACH,
    REASONS,
    SAYS_LIVE,
    SAYS_TEST,
    SEVERAL,
    UNKNOWN_ID,
)
from payouts.providers.yookassa.shapes import Gateway, Payout, PayoutList, Problem

# The search runs behind, and nothing says by how much; they give a POST up after half of this.
SEARCH_LAG: Final = timedelta(minutes=1)
# It knows three months.
SEARCH_REACH: Final = timedelta(days=88)


@dataclass(frozen=True, slots=True)
class Asked:
    """What an answer is held to."""

    instruction: Instruction
    is_test: bool
    """Whether the account's gateway is one for tests."""
    secret: str = field(repr=False)
    credentials: str = field(default="", repr=False)
    """The secret as it is sent: some error pages repeat the request."""

    @property
    def destination(self) -> Destination | None:
        """Where the money goes; None where nothing can have been sent."""
        return destinations.read(self.instruction.recipient, takes_card_numbers=True)

    @property
    def private(self) -> Instruction:
        """With the recipient's details as they are and as they are sent, and each part of the name: none of it comes
        back with an answer, and neither do our credentials."""
        given, destination = self.instruction.recipient, self.destination
        details: dict[str, object] = {
            "given": given,
            "sent": destination.account if destination else "",
            "name": str(given.get("name", "")).split(),
            "credentials": self.credentials,
        }
        return replace(self.instruction, recipient=details)


def read_pay(asked: Asked, http_status: int, body: bytes) -> Answer:
    """The answer to a POST."""
    problem = _problem(body) if http_status == 400 else None
    if problem is None or problem.code != "invalid_request":
        return _read_payout(asked, http_status, body)
    if "idempoten" in f"{problem.parameter} {problem.description}".lower():
        return unknown("idempotency_conflict", KEY_CONFLICT, http_status=400, excerpt=_excerpt(asked, body))
    return Answer(
        Verdict.REFUSED,
        code=problem.code,
        message=_scrubbed(asked, ": ".join(filter(None, (problem.parameter, problem.description))), MESSAGE_LIMIT),
        http_status=400,
        excerpt=_excerpt(asked, body),
    )


def read_known(asked: Asked, http_status: int, body: bytes) -> Answer:
    """The answer to a GET of a payout by the id that YooKassa gave it."""
    if http_status == 404 and (problem := _problem(body)) and problem.code == "not_found":
        return unknown("mismatch", UNKNOWN_ID, http_status=404, excerpt=_excerpt(asked, body))
    return _read_payout(asked, http_status, body)


def read_search(asked: Asked, http_status: int, body: bytes) -> Answer:
    """The answer to a search for our reference.

    Whether an empty list is believed is decided by the attempt's times alone. It proves nothing in the first minute,
    because the search runs behind, nor once the attempt is older than what it knows.
    """
    if http_status != 200:
        return read_error(asked, http_status, body)
    found = read(body, PayoutList)
    if found is None:
        return unparsable(asked.private, 200, body, token=asked.secret)
    if len(found.items) > 1 or (found.items and found.next_cursor):
        return unknown("several_matches", SEVERAL, http_status=200)
    if found.items:
        return _judged(asked, found.items[0], body)
    if found.next_cursor:
        return unparsable(asked.private, 200, body, token=asked.secret)
    if asked.instruction.searched_after < SEARCH_LAG:
        return unknown("not_found_yet", NOT_FOUND_YET, http_status=200)
    if asked.instruction.age > SEARCH_REACH:
        return unknown("out_of_reach", OUT_OF_REACH, http_status=200)
    return Answer(Verdict.ABSENT, http_status=200)


def read_gateway(http_status: int, body: bytes, *, gateway_id: str, is_test: bool) -> list[Balance] | Answer:
    """The answer to `GET /me`: what there is to pay from. No excerpt of it is kept.

    A gateway for tests pays whatever its balance, which falls below zero: one that is not above it tells nothing.
    """
    if http_status != 200:
        return read_failure(http_status)
    gateway = read(body, Gateway)
    if gateway is None:
        message = f"The provider's answer cannot be read (HTTP 200, {len(body)} bytes)."
        return unknown("unparsable", message, http_status=200)
    if gateway.test != is_test:
        return other_mode(gateway.test)
    if gateway.account_id != gateway_id:
        return unknown("mismatch", OTHER_GATEWAY, http_status=200)
    told = gateway.payout_balance
    if told is None or (is_test and Decimal(told.value) <= 0):
        return []
    return [Balance(told.currency, Decimal(told.value))]


def read_failure(http_status: int) -> Answer:
    """The answer to what is asked about no payout of ours; no excerpt of it is kept."""
    return unknown(f"http_{http_status}", f"The provider answered HTTP {http_status}.", http_status=http_status)


def other_mode(is_test: bool) -> Answer:
    """The money is of another kind than the account's: of tests for a live one, or the reverse."""
    return unknown(TEST_MISMATCH, SAYS_TEST if is_test else SAYS_LIVE, http_status=200)


def _read_payout(asked: Asked, http_status: int, body: bytes) -> Answer:
    if http_status != 200:
        return read_error(asked, http_status, body)
    payout = read(body, Payout)
    if payout is None:
        return unparsable(asked.private, 200, body, token=asked.secret)
    return _judged(asked, payout, body)


def _judged(asked: Asked, payout: Payout, body: bytes) -> Answer:
    """What a payout says, if it is the one that was asked about, of the gateway that the account is."""
    instruction = asked.instruction
    if payout.test != asked.is_test:
        return other_mode(payout.test)
    destination = asked.destination
    told = {
        "reference": payout.attempt == str(instruction.reference),
        "amount": payout.amount.exact == instruction.amount,
        "currency": payout.amount.currency == instruction.currency,
        "recipient": destination is not None and destination.is_told(payout.payout_destination),
    }
    if wrong := [name for name, fits in told.items() if not fits]:
        message = f"The provider's {' and '.join(wrong)} differ from what was sent."
        return unknown("mismatch", message, http_status=200, excerpt=_excerpt(asked, body))
    if payout.verdict is not Verdict.REFUSED:
        return Answer(payout.verdict, provider_id=payout.id, http_status=200)
    cancellation = payout.cancellation_details
    party, reason = (cancellation.party, cancellation.reason) if cancellation else ("", "")
    return Answer(
        Verdict.REFUSED,
        provider_id=payout.id,
        code=reason if reason in REASONS else _scrubbed(asked, reason, CODE_LIMIT) or "canceled",
        message=REASONS.get(reason, OTHER_REASON),
        http_status=200,
        excerpt=_scrubbed(asked, f"status: {payout.status}, party: {party}, reason: {reason}", EXCERPT_LIMIT),
        lacks_funds=reason == LACKS_FUNDS,
    )


def read_error(asked: Asked, http_status: int, body: bytes) -> Answer:
    """UNKNOWN, with the pause that they ask for."""
    answer = unexpected_status(asked.private, http_status, body, token=asked.secret)
    if http_status == 415:
        answer = replace(answer, code="media_type")  # no payment has another media type than the rest
    problem = _problem(body)
    if problem is None or problem.retry_after is None or problem.retry_after < 0:
        return answer
    seconds = min(-(-problem.retry_after // 1000), RETRY_AFTER_LIMIT_SECONDS)
    return replace(answer, retry_after_seconds=seconds)


def _problem(body: bytes) -> Problem | None:
    return read(body, Problem)


def _excerpt(asked: Asked, body: bytes) -> str:
    return excerpt_of(asked.private, body, asked.secret)


def _scrubbed(asked: Asked, text: str, limit: int) -> str:
    return scrub(text, limit, asked.private, token=asked.secret)
