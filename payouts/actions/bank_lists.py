"""Keep the banks that providers list, for people to choose a recipient's from."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.utils import timezone

from payouts import providers
from payouts.database.storable import is_storable
from payouts.models import Bank
from payouts.plain_text import turns

# A list that is older is asked for again.
FRESH_FOR = timedelta(hours=20)
# An advisory lock: one list is written at a time.
LOCK = 0x62616E6B


def note(kind: str, told: Sequence[providers.Bank], *, asked_at: datetime) -> None:
    """Take down the list that a provider of this kind told when it was asked at `asked_at`; what it no longer lists
    goes. An empty list, and one that is older than what is known, changes nothing."""
    names = {bank.id: bank.name for bank in told if _is_kept(bank)}
    if not names:
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        known = Bank.objects.filter(kind=kind)
        if known.filter(seen_at__gte=asked_at).exists():
            return
        rows = [Bank(kind=kind, bank_id=each, name=name, seen_at=asked_at) for each, name in names.items()]
        Bank.objects.bulk_create(
            rows, update_conflicts=True, unique_fields=["kind", "bank_id"], update_fields=["name", "seen_at"]
        )
        known.exclude(bank_id__in=names).delete()


def due(kinds: Iterable[str]) -> list[str]:
    """Of these kinds of provider, those whose list is missing or old, in their order."""
    since = timezone.now() - FRESH_FOR
    fresh = set(Bank.objects.filter(seen_at__gt=since).values_list("kind", flat=True))
    return [kind for kind in kinds if kind not in fresh]


def _is_kept(bank: providers.Bank) -> bool:
    """Whether it can be stored and shown to people as it is."""
    texts = [bank.id, bank.name]
    return (
        bool(bank.id.strip() and bank.name.strip())
        and len(bank.id) <= 64
        and len(bank.name) <= 255
        and is_storable(texts)
        and not turns(texts)
    )
