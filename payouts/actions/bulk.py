"""One person's decision on many payouts: chosen and fixed here, confirmed with a reason, then made one by one.

Each payout is decided by its function of `payouts.actions`, together with the record of it, in one transaction. A
crash midway leaves every payout either decided and recorded, or untouched and waiting to be continued.
"""

from collections.abc import Collection
from datetime import timedelta

import structlog
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from payouts import rules
from payouts.actions.errors import PayoutError
from payouts.actions.moves import Person
from payouts.actions.verbs import IN_BULK
from payouts.database.storable import text_fault
from payouts.models import BulkDecision, BulkItem, Payout
from payouts.rules import Standing

log = structlog.get_logger(__name__)

Verb = BulkDecision.Verb
Result = BulkItem.Result

ITEMS_LIMIT = 200
CONFIRM_WITHIN = timedelta(minutes=30)


class DecisionError(PayoutError):
    """Why these payouts are not decided on together."""


def choose(payout_ids: Collection[int], *, verb: Verb, by: Person) -> BulkDecision:
    """Store what is to be decided: the payouts as they are now, and which of them are skipped, and why.

    Nothing is decided yet. Raises DecisionError for no payout, and for more than ITEMS_LIMIT.
    """
    ids = set(payout_ids)
    if len(ids) > ITEMS_LIMIT:
        raise DecisionError(
            _("At most %(limit)s payouts can be decided at once. Choose fewer.") % {"limit": ITEMS_LIMIT}
        )
    payouts = list(Payout.objects.filter(pk__in=ids).defer("recipient").order_by("pk"))
    if not payouts:
        raise DecisionError(_("Choose at least one payout."))
    who = rules.standings(payouts, by)
    with transaction.atomic():
        bulk = BulkDecision.objects.create(by=by, verb=verb)
        items = []
        for payout in payouts:
            why = obstacle(payout, who[payout.pk], verb=verb)
            items.append(
                BulkItem(
                    bulk=bulk,
                    payout=payout,
                    version=payout.version,
                    result=Result.SKIPPED if why else Result.WAITING,
                    message=why,
                )
            )
        BulkItem.objects.bulk_create(items)
    return bulk


def is_expired(bulk: BulkDecision) -> bool:
    """Whether it is too old to be confirmed: the payouts may have changed since they were seen."""
    return bulk.decided_at is None and timezone.now() - bulk.created_at > CONFIRM_WITHIN


def decide(bulk_id: int, *, by: Person, reason: str) -> BulkDecision:
    """Confirm it, and decide on every payout that waits; continue where an earlier call was interrupted.

    Once it is confirmed, its reason stands, and what was decided is not decided again. A refusal becomes the payout's
    message, and the others go on. Raises DecisionError for somebody else's, one too old, and an invalid reason.
    """
    with transaction.atomic():
        bulk = BulkDecision.objects.select_for_update().filter(pk=bulk_id, by=by).first()
        if bulk is None:
            raise DecisionError(_("This decision does not exist, or is not yours."))
        if bulk.decided_at is None:
            if is_expired(bulk):
                raise DecisionError(_("Half an hour has passed since you chose the payouts. Choose them again."))
            reason = reason.strip()
            if fault := text_fault(reason) if reason else _("Give a reason."):
                raise DecisionError(fault)
            bulk.reason, bulk.decided_at = reason, timezone.now()
            bulk.save(update_fields=["reason", "decided_at"])
    for item_id in list(bulk.items.filter(result=Result.WAITING).values_list("pk", flat=True)):
        _decide_one(item_id, bulk=bulk, by=by)
    return bulk


def again(bulk: BulkDecision, *, by: Person) -> BulkDecision:
    """A new decision on those that failed, as they are now. Raises DecisionError."""
    failed = bulk.items.filter(result=Result.FAILED, bulk__by=by)
    return choose(list(failed.values_list("payout_id", flat=True)), verb=Verb(bulk.verb), by=by)


def _decide_one(item_id: int, *, bulk: BulkDecision, by: Person) -> None:
    try:
        with transaction.atomic():
            item = BulkItem.objects.select_for_update().get(pk=item_id)
            if item.result != Result.WAITING:  # another request was faster
                return
            try:
                IN_BULK[bulk.verb].act(item.payout_id, by=by, reason=bulk.reason, version=item.version)
            except PayoutError as error:
                _close(item, Result.FAILED, str(error))
            else:
                _close(item, Result.DONE)
    except Exception:
        log.exception("bulk_item_failed", bulk=bulk.pk, item=item_id)
        with transaction.atomic():
            item = BulkItem.objects.select_for_update().get(pk=item_id)
            if item.result == Result.WAITING:
                _close(item, Result.FAILED, _("The product failed on this payout: nothing was changed. See the log."))


def _close(item: BulkItem, result: BulkItem.Result, message: str = "") -> None:
    item.result, item.message = result.value, message[:1_000]
    item.save(update_fields=["result", "message"])


def obstacle(payout: Payout, who: Standing, *, verb: str) -> str:
    """Why this payout is left out, as a sentence; empty when nothing is in the way. Its action decides again."""
    left_out = rules.why_not_in_bulk(payout, is_approval=verb == Verb.APPROVE, is_hold=verb == Verb.HOLD)
    return left_out or IN_BULK[verb].why_not(payout, who)
