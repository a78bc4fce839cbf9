"""Archives the histories of payouts that came to rest long ago, and brings one back when something happens to it.

The rows of its events and exchanges become one sealed bundle (payouts.models.archived). The audit passes each payout
before, and again from its bundle, in one transaction; what it does not pass is left and named. Deleting takes the
rights of the tables' owner, which the product's own role has not; bringing back deletes nothing and takes none.
"""

import hashlib
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import connection, transaction
from django.db.models import Exists, OuterRef

from payouts.actions import keys
from payouts.actions.errors import AlteredError, KeysChangeError, KeysError
from payouts.audit import broken_of, one_payout
from payouts.audit.findings import Broken
from payouts.database import rows
from payouts.database.clock import clock
from payouts.models import (
    RESTING,
    Archived,
    Attention,
    BundleError,
    Checkpoint,
    FigureSource,
    Payout,
    bundles,
    packed,
)
from payouts.states import Status

log = structlog.get_logger(__name__)

# Payouts that one transaction looks at: their rows are locked for a fraction of a second.
AT_ONCE = 200
# Younger ones may not be archived: until then late results, reports, reveals and pictures look at the rows.
AT_LEAST = timedelta(days=30)

# Higher than any row's id.
NO_COUNTER = 2**63

# As the trigger `archived_is_history` has it, which takes nothing else.
TEXTS = """
SELECT p.id, jsonb_build_object(
    'events', (SELECT coalesce(jsonb_agg(to_jsonb(e) ORDER BY e.seq), '[]') FROM payouts_event e
               WHERE e.payout_id = p.id),
    'exchanges', (SELECT coalesce(jsonb_agg(to_jsonb(x) ORDER BY a.number, x.call), '[]')
                  FROM payouts_attempt a JOIN payouts_exchange x ON x.attempt_id = a.reference
                  WHERE a.payout_id = p.id))::text
FROM unnest(%s::bigint[]) AS p (id)
"""
WINDOW = """
SELECT max(id), bool_and(created_at >= %s) FROM (
    SELECT id, created_at FROM payouts_payout WHERE id > %s ORDER BY id LIMIT %s) AS p
"""
DELETE = """
WITH x AS (DELETE FROM payouts_exchange USING payouts_attempt a
           WHERE a.payout_id = ANY (%(ids)s) AND attempt_id = a.reference)
DELETE FROM payouts_event WHERE payout_id = ANY (%(ids)s)
"""
BACK = """
WITH h AS MATERIALIZED (
    SELECT text::jsonb AS history FROM unnest(%(texts)s::text[]) AS h (text)
), a AS (
    UPDATE payouts_archived SET back_at = clock_timestamp() WHERE payout_id = ANY (%(ids)s) AND back_at IS NULL
), x AS (
    INSERT INTO payouts_exchange
    SELECT r.* FROM h, jsonb_populate_recordset(NULL::payouts_exchange, h.history -> 'exchanges') AS r
)
INSERT INTO payouts_event
SELECT r.* FROM h, jsonb_populate_recordset(NULL::payouts_event, h.history -> 'events') AS r
"""


class ArchiveError(RuntimeError):
    """An archived history does not read as the rows did: a fault of ours, and nothing of that slice is kept."""


@dataclass(slots=True)
class Slice:
    """What became of the payouts up to an id."""

    last_id: int
    archived: int = 0
    uncounted: int = 0
    """No checkpoint has seen all of their events, or a counter of figures has not."""
    unfit: list[Broken] = field(default_factory=list)
    """What the audit does not pass, and is left as it is."""


def archive(before: datetime, *, after_id: int = 0) -> Iterator[Slice]:
    """Archive what came to rest before that moment, a slice at a time, each in a transaction of its own.

    What is archived already is passed over, so that a run that was broken off begins anew. What somebody holds a lock
    on is left to the next run. Raises ArchiveError, KeysError.
    """
    last_id = after_id
    while done := _next(before, last_id):
        last_id = done.last_id
        yield done


def why_too_young(before: datetime) -> str:
    if before <= clock() - AT_LEAST:
        return ""
    return f"Payouts are archived {AT_LEAST.days} days after they came to rest, and no sooner."


def _next(before: datetime, after_id: int) -> Slice | None:
    with connection.cursor() as cursor:
        cursor.execute(WINDOW, [before, after_id, AT_ONCE])
        last_id, is_young = cursor.fetchone()
    if last_id is None or is_young:
        return None
    done = Slice(last_id)
    with transaction.atomic():
        keys.begin_writing()
        payouts = list(
            Payout.objects.select_for_update(no_key=True, skip_locked=True)
            .filter(
                ~Exists(Archived.objects.filter(payout=OuterRef("pk"), back_at=None)),
                pk__gt=after_id,
                pk__lte=last_id,
                status__in=RESTING,
                attention=Attention.NONE,
                due_at=None,
                updated_at__lt=before,
            )
            .order_by("pk")
        )
        # Another run may have archived one between this statement's snapshot and its lock: the row does not tell.
        already = bundles([payout.pk for payout in payouts])
        payouts = [payout for payout in payouts if payout.pk not in already]
        done.unfit = broken_of(payouts)
        unfit = {broken.payout_id for broken in done.unfit}
        fit = {payout.pk: payout for payout in payouts if payout.pk not in unfit}
        texts = _texts(fit.keys())
        seen = _seen()
        at = clock()
        made = [
            archived
            for payout_id, text in texts.items()
            if (archived := _archived(fit[payout_id], text, at=at, seen=seen))
        ]
        done.uncounted = len(fit) - len(made)
        _replace(made)
        done.archived = len(made)
        _read_again(fit, {each.payout_id: texts[each.payout_id] for each in made})
    if done.archived:
        log.info("archived", payouts=done.archived, last_id=last_id)
    return done


def _texts(payout_ids: Collection[int]) -> dict[int, str]:
    """The history of each as the database spells it."""
    with connection.cursor() as cursor:
        # What is signed and compared has one spelling, whatever the session says.
        cursor.execute("SELECT set_config('timezone', 'UTC', true), set_config('bytea_output', 'hex', true)")
        cursor.execute(TEXTS, [list(payout_ids)])
        return dict(cursor.fetchall())


def _seen() -> tuple[int, int]:
    """Up to which event and which exchange everything has been counted, by checkpoints and by counters of figures.

    A counter that has never counted begins with what is there then.
    """
    checkpoint = Checkpoint.objects.order_by("number").last()
    counters = dict(FigureSource.objects.filter(counted_to__gt=0).values_list("name", "counted_to"))
    settled = checkpoint.settled_event if checkpoint else 0
    return min(settled, counters.get("events", settled)), counters.get("exchanges", NO_COUNTER)


def _archived(payout: Payout, text: str, *, at: datetime, seen: tuple[int, int]) -> Archived | None:
    """None where something of it has not been counted yet."""
    history = json.loads(text)
    events, exchanges = history["events"], history["exchanges"]
    if max(each["id"] for each in events) > seen[0] or max((each["id"] for each in exchanges), default=0) > seen[1]:
        return None
    became = {each["to_status"]: each["id"] for each in events if each["from_status"] != each["to_status"]}
    archived = Archived(
        payout=payout,
        archived_at=at,
        submitted_event=events[0]["id"],
        paid_event=became.get(Status.PROCESSED),
        returned_event=became.get(Status.RETURNED),
        events=len(events),
        exchanges=len(exchanges),
        digest=hashlib.sha256(text.encode()).digest(),
        bundle=packed(text.encode()),
    )
    archived.mac = archived.expected_mac(payout.reference)
    return archived


def _replace(made: Collection[Archived]) -> None:
    """Put the bundles in, and take the rows away that they hold."""
    if not made:
        return
    ids = [each.payout_id for each in made]
    Archived.objects.filter(pk__in=ids, back_at__isnull=False).delete()
    rows.insert(list(made))
    with connection.cursor() as cursor:
        cursor.execute(DELETE, {"ids": ids})


def _read_again(payouts: dict[int, Payout], texts: dict[int, str]) -> None:
    """Each bundle says what the rows said, and reads as a history that the audit passes. Raises ArchiveError."""
    found = bundles(texts.keys())
    for payout_id, text in texts.items():
        try:
            archived, payout = found[payout_id], payouts[payout_id]
            is_same = archived.text(payout.reference) == text
            broken = list(one_payout.history(payout, archived.history(payout).events))
        except (BundleError, KeyError, ValueError) as error:
            raise ArchiveError(f"Payout {payout_id} cannot be read from its bundle: {error!r}.") from error
        if broken or not is_same:
            raise ArchiveError(f"Payout {payout_id} reads otherwise from its bundle: {broken}.")


def bring_back(payouts: Collection[Payout]) -> list[int]:
    """Put back the rows of those of these payouts that are archived; their own rows are locked. Returns their ids.

    In the caller's transaction, so that what is refused afterwards leaves it archived. Raises AlteredError where a
    bundle is not what was sealed, and KeysChangeError where a process with a newer key has sealed it.
    """
    resting = {payout.pk: payout for payout in payouts if payout.status in RESTING}
    found = bundles(resting.keys()) if resting else {}
    if not found:
        return []
    try:
        texts = {pk: archived.text(resting[pk].reference) for pk, archived in found.items()}
    except BundleError as error:
        _require_keys(next(iter(resting.values())))
        log.error("archived_altered", payouts=sorted(found), reason=str(error))
        raise AlteredError from error
    with connection.cursor() as cursor:
        cursor.execute(BACK, {"ids": list(texts), "texts": list(texts.values())})
    back = _texts(texts.keys())
    if any(_said(back[pk]) != _said(text) for pk, text in texts.items()):
        raise ArchiveError(f"The histories of the payouts {sorted(texts)} do not come back as they were.")
    log.info("brought_back", payouts=sorted(texts))
    return sorted(texts)


def _require_keys(payout: Payout) -> None:
    try:
        keys.require_fit()
    except KeysError as error:
        raise KeysChangeError(payout) from error


def _said(text: str) -> dict[str, list[dict[str, Any]]]:
    """What a history says, without the columns that say nothing: those that came since it was packed do."""
    return {
        kind: [{name: value for name, value in row.items() if value is not None} for row in found]
        for kind, found in json.loads(text).items()
    }


def bring_back_by_id(payout_ids: Collection[int]) -> list[int]:
    """Of these payouts those that were archived are not any more; returns their ids. Raises AlteredError."""
    with transaction.atomic():
        return bring_back(
            list(Payout.objects.select_for_update(no_key=True).filter(pk__in=payout_ids).order_by("pk"))
        )
