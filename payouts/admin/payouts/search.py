"""Finding payouts by what a person may hold in hand: an id, a reference or its beginning, a key, a provider's ID.

Exact or prefix matches over indexes alone; never a part of a text.
"""

import re
import uuid

from django.db import DEFAULT_DB_ALIAS

from payouts.models import ApiClient, Attempt, Payout

LIMIT = 200
UUID_PREFIX = re.compile(r"[0-9a-f]{8}[0-9a-f-]{0,28}")
LARGEST_ID = 2**63 - 1


def matching_ids(term: str, *, using: str = DEFAULT_DB_ALIAS) -> list[int]:
    """Ids of the payouts that the term names, newest first, LIMIT at most, as this database has them."""
    payouts, attempts = Payout.objects.using(using), Attempt.objects.using(using)
    term = term.strip()
    if not term or "\x00" in term:
        return []
    found: set[int] = set()
    number = term.removeprefix("#")
    if number.isascii() and number.isdigit() and len(number) <= 19 and int(number) <= LARGEST_ID:
        found.update(payouts.filter(pk=int(number)).values_list("pk", flat=True))
    if bounds := _uuid_bounds(term.lower()):
        found.update(payouts.filter(reference__range=bounds).values_list("pk", flat=True)[:LIMIT])
        if bounds[0] == bounds[1]:
            found.update(attempts.filter(reference=bounds[0]).values_list("payout_id", flat=True))
    if len(term) <= 128:
        # The condition is the partial index's own.
        named = attempts.exclude(provider_id="").filter(provider_id=term)
        found.update(named.values_list("payout_id", flat=True)[:LIMIT])
    if len(term) <= 255:
        # Clients first: the index on keys begins with the client.
        clients = list(ApiClient.objects.using(using).values_list("pk", flat=True)[:1_000])
        keyed = payouts.filter(client__in=clients, idempotency_key=term)
        found.update(keyed.values_list("pk", flat=True)[:LIMIT])
    return sorted(found, reverse=True)[:LIMIT]


def _uuid_bounds(term: str) -> tuple[uuid.UUID, uuid.UUID] | None:
    """The least and the greatest UUID that begin so, for 8 hex digits and more."""
    digits = term.replace("-", "")
    if not UUID_PREFIX.fullmatch(term) or len(digits) > 32:
        return None
    return uuid.UUID(digits.ljust(32, "0")), uuid.UUID(digits.ljust(32, "f"))
