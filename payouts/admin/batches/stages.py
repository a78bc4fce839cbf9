"""Where the payouts of a batch stand, as cards with their sums."""

from collections.abc import Collection, Mapping
from typing import Any

from django.db.models import Count, Max, Min, Sum

from payouts.admin.batches.in_words import sum_shown
from payouts.admin.kit import format
from payouts.models import Batch, Payout
from payouts.states import Stage, Status


def payouts_of(batch: Batch) -> Any:
    """The batch's payouts. Their ids lie together, so a range of ids spares the query all the others."""
    ends = batch.rows.order_by().aggregate(first=Min("payout_id"), last=Max("payout_id"))
    return Payout.objects.order_by().filter(pk__range=(ends["first"] or 0, ends["last"] or 0), batch_row__batch=batch)


def stages_of(batch: Batch) -> dict[Stage, list[list[Any]]]:
    """The stages that the batch's payouts are in, in the order of a payout's life.

    Each with `[currency, count, sum]` for each currency.
    """
    payouts = payouts_of(batch)
    by_stage: dict[str, list[list[Any]]] = {}
    for status, *total in _summed(payouts, "status", "currency"):
        by_stage.setdefault(status, []).append(total)
    if by_stage.pop(Status.PENDING, None):
        for stage in (Stage.AWAITING_APPROVAL, Stage.HELD, Stage.SCHEDULED, Stage.READY):
            by_stage[stage] = [list(total) for total in _summed(payouts.in_stage(stage), "currency")]
    return {stage: by_stage[stage] for stage in Stage if by_stage.get(stage)}


def _summed(payouts: Any, *fields: str) -> Any:
    return payouts.order_by(*fields).values_list(*fields).annotate(Count("pk"), Sum("amount"))


def are_under_way(batch: Batch, stages: Collection[Stage]) -> bool:
    return bool(batch.finished_at) and (Stage.READY in stages or Stage.PROCESSING in stages)


def stage_cards(stages: Mapping[Stage, list[list[Any]]], chosen: str) -> list[dict[str, Any]]:
    return [
        {
            "title": format.stage_badge(stage),
            "meaning": " + ".join(sum_shown(total) for total in totals),
            "count": format.number(sum(count for _currency, count, _amount in totals)),
            "query": f"?show=stage-{stage.value}",
            "is_chosen": chosen == f"stage-{stage.value}",
        }
        for stage, totals in stages.items()
    ]
