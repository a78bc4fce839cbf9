"""Reading YooKassa's lists: its payouts, whoever made them, and the banks of SBP. Pure functions.

A list is believed whole or not at all.
"""

from datetime import UTC, datetime
from uuid import UUID

from payouts.providers import Answer, Bank, Payment, PaymentsPage, Verdict
from payouts.providers.shapes import read
from payouts.providers.words import clean, unknown
from payouts.providers.yookassa.answers import other_mode, read_failure
from payouts.providers.yookassa.reasons import UNREADABLE_BANKS, UNREADABLE_LIST, UNREADABLE_PAYOUT
from payouts.providers.yookassa.shapes import ListedPayout, Participants, PayoutPage, Problem

BANK_NAME_LIMIT = 128


def read_payments(
    http_status: int, body: bytes, *, since: datetime, until: datetime, cursor: str, is_test: bool
) -> PaymentsPage | Answer:
    """The answer to `GET /payouts` for those created in [since, until), to the millisecond."""
    if http_status != 200:
        return read_failure(http_status)
    page = read(body, PayoutPage)
    if page is None or (page.next_cursor and page.next_cursor == cursor):
        return unknown("unparsable", UNREADABLE_LIST, http_status=200)
    payments = []
    for listed in page.items:
        if listed.test != is_test:
            return other_mode(listed.test)
        payment = _payment(listed)
        if payment is None or payment.created_at is None or not since <= payment.created_at < until:
            return unknown("unparsable", UNREADABLE_LIST, http_status=200)
        payments.append(payment)
    return PaymentsPage(payments, page.next_cursor or "")


def read_payment(http_status: int, body: bytes, *, provider_id: str, is_test: bool) -> Payment | Answer:
    """The answer to a GET of a payout by an id that somebody told us."""
    if http_status == 404 and (problem := read(body, Problem)) and problem.code == "not_found":
        return Answer(Verdict.ABSENT, http_status=404)
    if http_status != 200:
        return read_failure(http_status)
    told = read(body, ListedPayout)
    if told and told.test != is_test:
        return other_mode(told.test)
    payment = _payment(told) if told and told.id == provider_id else None
    return payment or unknown("unparsable", UNREADABLE_PAYOUT, http_status=200)


def read_banks(http_status: int, body: bytes) -> list[Bank] | Answer:
    """The answer to `GET /sbp_banks`. A list without a bank is none."""
    if http_status != 200:
        return read_failure(http_status)
    told = read(body, Participants)
    banks = [Bank(each.bank_id, clean(each.name, BANK_NAME_LIMIT)) for each in told.items] if told else []
    if not banks or not all(bank.name for bank in banks) or len({bank.id for bank in banks}) < len(banks):
        return unknown("unparsable", UNREADABLE_BANKS, http_status=200)
    return banks


def _payment(listed: ListedPayout) -> Payment | None:
    amount, created_at = listed.amount.exact, _moment(listed.created_at)
    if amount is None or created_at is None:
        return None
    return Payment(
        provider_id=listed.id,
        reference=_uuid(listed.attempt),
        verdict=listed.verdict,
        amount=amount,
        currency=listed.amount.currency,
        created_at=created_at,
    )


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
