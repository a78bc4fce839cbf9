"""One person's decision on many payouts: chosen and fixed here, confirmed with a reason, then made one by one.

Each payout is decided by its function of `payouts.actions`, together with the record of it, in one transaction. A
crash midway leaves every payout either decided and recorded, or untouched and waiting to be continued.
"""

from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Any

import structlog
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from payouts import actions
from payouts.actions import PayoutError, Person
from payouts.approvers import standing
from payouts.database.storable import is_storable
from payouts.models import Attention, BulkDecision, BulkItem, Payout
from payouts.states import Status, allows

log = structlog.get_logger(__name__)

Verb = BulkDecision.Verb
Result = BulkItem.Result

ITEMS_LIMIT = 200
CONFIRM_WITHIN = timedelta(minutes=30)

ACTIONS: dict[str, Callable[..., Payout]] = {
    Verb.APPROVE: actions.approve,
    Verb.HOLD: actions.hold,
    Verb.RELEASE: actions.release,
    Verb.RETRY: actions.retry,
    Verb.CANCEL: actions.cancel,
}


class DecisionError(Exception):
    """A refusal that leaves everything as it was; its text is a sentence for a person."""


def choose(payout_ids: Collection[int], *, verb: Verb, by: Person) -> BulkDecision:
    """Fix what is to be decided: the payouts as they are now, and which of them are skipped, and why.

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
    voices = standing(payouts)
    with transaction.atomic():
        bulk = BulkDecision.objects.create(by=by, verb=verb)
        items = []
        for payout in payouts:
            why = obstacle(payout, verb=verb, by=by, has_approved=(payout.pk, by.pk) in voices)
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
    """Too old to be confirmed: what was seen then may no longer be what it is about."""
    return bulk.decided_at is None and timezone.now() - bulk.created_at > CONFIRM_WITHIN


def decide(bulk_id: int, *, by: Person, reason: str) -> BulkDecision:
    """Confirm it, and decide on every payout that waits; go on where an earlier call was broken off.

    Once it is confirmed, its reason stands, and what was decided is not decided again. A refusal becomes the payout's
    message, and the others go on. Raises DecisionError for somebody else's, one too old, and a reason that is none.
    """
    with transaction.atomic():
        bulk = BulkDecision.objects.select_for_update().filter(pk=bulk_id, by=by).first()
        if bulk is None:
            raise DecisionError(_("There is no such decision of yours."))
        if bulk.decided_at is None:
            if is_expired(bulk):
                raise DecisionError(_("Half an hour has passed since you chose the payouts. Choose them anew."))
            reason = reason.strip()
            if not reason or len(reason) > actions.TEXT_LIMIT or not is_storable(reason):
                raise DecisionError(_("Give a reason of at most 1000 characters, all of them printable."))
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
                ACTIONS[bulk.verb](item.payout_id, by=by, reason=bulk.reason, version=item.version)
            except PayoutError as error:
                _close(item, Result.FAILED, str(error))
            else:
                _close(item, Result.DONE)
    except Exception:
        log.exception("bulk_item_failed", bulk=bulk.pk, item=item_id)
        with transaction.atomic():
            item = BulkItem.objects.select_for_update().get(pk=item_id)
            if item.result == Result.WAITING:
                _close(item, Result.FAILED, _("An error in the product: nothing was done with it. It is in the log."))


def _close(item: BulkItem, result: BulkItem.Result, message: str = "") -> None:
    item.result, item.message = result.value, message[:1_000]
    item.save(update_fields=["result", "message"])


def obstacle(payout: Payout, *, verb: Verb, by: Person, has_approved: bool) -> str:
    """Why this payout is left out, as a sentence; empty when nothing is in the way. `actions` decides again."""
    if payout.attention == Attention.ALTERED:
        return str(actions.AlteredError())
    if payout.attention and verb != Verb.HOLD:
        return _("It needs attention: %(problem)s. Decide on it on its own page.") % {
            "problem": payout.get_attention_display()
        }
    return _OBSTACLES[verb](payout, by, has_approved)


def _approve_obstacle(payout: Payout, by: Person, has_approved: bool) -> str:
    if payout.status != Status.PENDING:
        return _not_now(payout)
    if payout.is_approved:
        return _("It has all the approvals that it needs.")
    if payout.maker_id == by.pk:
        return _("You made it: another person must approve it.")
    if has_approved:
        return _("You have approved it already: another person must do so too.")
    if payout.held_at:
        return _("It is on hold: release it first, or decide on it on its own page.")
    return ""


def _hold_obstacle(payout: Payout, *_others: Any) -> str:
    if payout.status != Status.PENDING:
        return _not_now(payout)
    return _("It is on hold already.") if payout.held_at else ""


def _release_obstacle(payout: Payout, *_others: Any) -> str:
    if payout.status != Status.PENDING:
        return _not_now(payout)
    return "" if payout.held_at else _("It is not on hold.")


def _retry_obstacle(payout: Payout, *_others: Any) -> str:
    return "" if allows(payout.status, Status.PENDING) else _not_now(payout)


def _cancel_obstacle(payout: Payout, *_others: Any) -> str:
    return "" if allows(payout.status, Status.CANCELLED) else _not_now(payout)


def _not_now(payout: Payout) -> str:
    return _("Its stage is “%(stage)s”, in which this is not possible.") % {"stage": payout.stage.label}


_OBSTACLES: dict[str, Callable[[Payout, Person, bool], str]] = {
    Verb.APPROVE: _approve_obstacle,
    Verb.HOLD: _hold_obstacle,
    Verb.RELEASE: _release_obstacle,
    Verb.RETRY: _retry_obstacle,
    Verb.CANCEL: _cancel_obstacle,
}
