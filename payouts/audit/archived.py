"""Payouts whose history is archived: the bundle is what was sealed, and nothing stands beside it."""

from collections.abc import Collection

from payouts.audit.findings import Finding
from payouts.models import BundleError, Event, Payout, bundles


def read(payouts: Collection[Payout], events: dict[int, list[Event]]) -> dict[int, list[Finding]]:
    """Add the events of those of these payouts that are archived to `events`; returns what is wrong, by payout."""
    found: dict[int, list[Finding]] = {}
    by_id = {payout.pk: payout for payout in payouts}
    for payout_id, bundle in bundles(by_id.keys()).items():
        if events[payout_id]:
            found[payout_id] = [("archived_alone", "it is archived, and has events besides")]
            continue
        try:
            history = bundle.history(by_id[payout_id])
        except BundleError as error:
            found[payout_id] = [("archived_sealed", f"its archived history was changed: {error}")]
            continue
        events[payout_id] = history.events
        became = {each.to_status: each.pk for each in history.events if each.from_status != each.to_status}
        if (bundle.submitted_event, bundle.paid_event, bundle.returned_event) != (
            history.events[0].pk,
            became.get("processed"),
            became.get("returned"),
        ):
            found[payout_id] = [("archived_sealed", "its archived history names other events than it has")]
    return found
