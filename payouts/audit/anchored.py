"""Everything that a checkpoint has seen is still there: what rights over the database itself can remove.

With its triggers off, a table's owner can delete a payout and all its history, or put an old row back and take the
events after it away; nothing that is left contradicts itself. Checkpoints do: each names the last event of every
payout by then, and what had been paid in all.
"""

from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from decimal import Decimal

from django.conf import settings
from django.db import connection
from django.db.models import Max

from payouts.audit.findings import Broken
from payouts.checkpoints import erased, make
from payouts.checkpoints.document import LEAF_BYTES, Document, DocumentError, Leaf, name_of, of_bytes, of_row
from payouts.checkpoints.outside import checkpoints_in
from payouts.database.snapshot import snapshot
from payouts.models import Archived, BundleError, Checkpoint, Payout, RecipientKey, bundles, namespace
from payouts.places import place_of

AT_ONCE = 5_000

# Those of the leaves that are not in the database as they were. Of an archived payout the last event's seal stands in
# its row too, where the audit of the payout compares it with the bundle's; for an earlier one the bundle is opened.
GONE = """
SELECT l.payout_id, l.seq, l.mac, p.id IS NULL, f.mac IS NULL, a.payout_id IS NOT NULL AND e.id IS NULL
FROM unnest(%s::bigint[], %s::int[], %s::text[]) AS l(payout_id, seq, mac)
LEFT JOIN payouts_payout p ON p.id = l.payout_id
LEFT JOIN payouts_event e ON e.payout_id = l.payout_id AND e.seq = l.seq
LEFT JOIN payouts_archived a ON a.payout_id = l.payout_id AND a.back_at IS NULL AND e.id IS NULL
CROSS JOIN LATERAL (SELECT CASE WHEN a.payout_id IS NOT NULL AND a.events = l.seq AND p.version = l.seq
                           THEN p.event_head ELSE e.mac END AS mac) AS f
WHERE p.id IS NULL OR f.mac IS NULL OR encode(substr(f.mac, 1, %s), 'hex') <> l.mac
ORDER BY 1
"""
# What was submitted, paid and returned by events of archived payouts, a range of payouts at a time.
ARCHIVED = """
SELECT p.currency,
    count(*) FILTER (WHERE is_submitted), sum(p.amount) FILTER (WHERE is_submitted),
    count(*) FILTER (WHERE is_paid), sum(p.amount) FILTER (WHERE is_paid),
    count(*) FILTER (WHERE is_returned), sum(p.amount) FILTER (WHERE is_returned)
FROM (
    SELECT payout_id, submitted_event <= %(ends)s AS is_submitted, paid_event <= %(ends)s AS is_paid,
        returned_event <= %(ends)s AS is_returned
    FROM payouts_archived WHERE payout_id > %(after)s AND payout_id <= %(last)s AND back_at IS NULL
) a JOIN payouts_payout p ON p.id = a.payout_id GROUP BY 1
"""


def own(after_number: int = 0) -> Iterator[tuple[int, list[Broken]]]:
    """What the database's own checkpoints after that number show, one at a time, each with its number.

    What the totals show comes last, with 0.
    """
    previous = None
    if after_number:
        previous = _document(Checkpoint.objects.filter(number=after_number).first())
    for row in Checkpoint.objects.in_turn(after_number):
        document = _document(row)
        if document is None:
            yield row.number, [_broken(row.number, "checkpoint_signed", "cannot be read")]
        else:
            yield row.number, [*_chain(document, previous), *since(document)]
        previous = document
    if previous is not None:
        yield 0, list(_totals(previous))


def _document(row: Checkpoint | None) -> Document | None:
    try:
        return of_row(row) if row else None
    except DocumentError:
        return None


def against(documents: Iterable[Document]) -> Iterator[Broken]:
    """What is missing, or was put back, since these checkpoints, which were kept outside; in their order."""
    previous = None
    kept = dict(Checkpoint.objects.values_list("number", "root"))
    for document in documents:
        if document.namespace != str(namespace()):
            yield _broken(document.number, "checkpoint_ours", "is another database's")
            continue
        if kept.get(document.number) != document.root:
            yield _broken(document.number, "checkpoint_kept", "is not in the database, or is another one there")
        if previous is not None:
            yield from _chain(document, previous)
        elif not document.is_signed:
            yield _broken(document.number, "checkpoint_signed", "is signed by no key of ours, or was changed")
        yield from since(document)
        previous = document
    if previous is not None:
        yield from _totals(previous)


def kept_outside() -> Iterator[Broken]:
    """What differs between the database's checkpoints and erasures and those of CHECKPOINTS. Raises PlaceError."""
    place = place_of(settings.CHECKPOINTS)
    outside = set(checkpoints_in(place))
    placed = Checkpoint.objects.exclude(placed_at=None).order_by("number").values_list("number", "root")
    ours = {name_of(number, root): number for number, root in placed}
    for name in sorted(ours.keys() - outside):
        yield _broken(ours[name], "checkpoint_outside", f"is not in {settings.CHECKPOINTS} any more")
    for name in sorted(outside - {name_of(*row) for row in Checkpoint.objects.values_list("number", "root")}):
        try:
            yield from against([of_bytes(place.read(name))])
        except DocumentError as error:
            yield Broken(None, "checkpoint_signed", f"{name}: {error}")
    there = erased.listed(place)
    for key_id in (
        RecipientKey.objects.filter(erased.ERASED).exclude(listed_at=None).order_by("pk").values_list("pk", flat=True)
    ):
        if key_id not in there:
            text = f"the erasure of the recipient's key {key_id} is not in {settings.CHECKPOINTS}"
            yield Broken(None, "erasure_outside", text)


def _chain(document: Document, previous: Document | None) -> Iterator[Broken]:
    """It is ours, and follows from the one before, the first one from nothing."""
    if not document.is_signed:
        yield _broken(document.number, "checkpoint_signed", "is signed by no key of ours, or was changed")
    number, root = (previous.number, previous.root) if previous else (0, "")
    if (document.number, document.previous_root) != (number + 1, root):
        yield _broken(document.number, "checkpoint_chained", "does not follow from the one before it")


def since(document: Document) -> Iterator[Broken]:
    """What of this checkpoint is gone, or is another one now."""
    for begins in range(0, len(document.leaves), AT_ONCE):
        yield from _gone(document, document.leaves[begins : begins + AT_ONCE])
    now = make.versions()
    for name, version in document.versions.items():
        if now.get(name, 0) < version:
            there = f"is at version {now[name]} now" if name in now else "is gone"
            yield _broken(document.number, "seal_put_back", f"saw {name} at version {version}, which {there}")


def _gone(document: Document, leaves: tuple[Leaf, ...]) -> Iterator[Broken]:
    ids, numbers, macs = zip(*leaves, strict=True)
    with snapshot():  # a history may be archived, or come back, meanwhile
        with connection.cursor() as cursor:
            cursor.execute(GONE, [list(ids), list(numbers), list(macs), LEAF_BYTES])
            found = cursor.fetchall()
        opened = _opened([payout_id for payout_id, *_rest, is_archived in found if is_archived])
    seen = f"checkpoint {document.number} of {document.made_at}"
    for payout_id, seq, expected, has_no_payout, has_no_event, is_archived in found:
        if is_archived and (mac := opened.get((payout_id, seq))):
            if mac.hex() == expected:
                continue
            has_no_event = False
        if has_no_payout:
            yield Broken(payout_id, "payout_missing", f"{seen} saw it, with {seq} events")
        elif has_no_event:
            yield Broken(payout_id, "event_missing", f"{seen} saw event {seq}")
        else:
            yield Broken(payout_id, "event_replaced", f"{seen} saw another event {seq}")


def _opened(payout_ids: Collection[int]) -> dict[tuple[int, int], bytes]:
    """The beginning of each archived event's seal, by payout and number. What cannot be read is missing."""
    found: dict[tuple[int, int], bytes] = {}
    if not payout_ids:
        return found
    payouts = Payout.objects.in_bulk(payout_ids)
    for payout_id, bundle in bundles(payout_ids).items():
        with suppress(BundleError):
            for event in bundle.history(payouts[payout_id]).events:
                found[payout_id, event.seq] = bytes(event.mac)[:LEAF_BYTES]
    return found


def _totals(document: Document) -> Iterator[Broken]:
    """No less was submitted, paid and returned than it counted. A late commit may have made it more."""
    with snapshot():  # a history that is archived, or comes back, meanwhile counts once
        now = _counted(document.settled_event)
    for currency, kinds in document.totals.items():
        for kind, (count, amount) in kinds.items():
            is_count, is_amount = now.get(currency, {}).get(kind, [0, "0"])
            if is_count < count or Decimal(is_amount) < Decimal(amount):
                yield _broken(
                    document.number,
                    "totals_kept",
                    f"counted {count} payouts {kind} with {amount} {currency}, now {is_count} with {is_amount}",
                )


def _counted(ends: int) -> make.Totals:
    """What was submitted, paid and returned by all events up to that one, wherever they are."""
    now: make.Totals = {}
    for begins in range(0, ends, make.AT_ONCE):
        now = make.totals(begins, min(begins + make.AT_ONCE, ends), onto=now)
    last = Archived.objects.aggregate(last=Max("pk"))["last"] or 0
    for after in range(0, last, make.AT_ONCE):
        span = {"after": after, "last": after + make.AT_ONCE, "ends": ends}
        now = make.added(ARCHIVED, span, onto=now)
    return now


def _broken(number: int, invariant: str, detail: str) -> Broken:
    return Broken(None, invariant, f"checkpoint {number} {detail}")
