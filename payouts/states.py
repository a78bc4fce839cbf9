"""The payout's life as data: its statuses, and every move that is allowed between them.

This is the first file to read. The README's diagram is generated from it (`python manage.py diagram`),
and `actions/moves.py` is the only code that makes these moves.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Status(models.TextChoices):
    PENDING = "pending", _("Pending")
    PROCESSING = "processing", _("Processing")
    PROCESSED = "processed", _("Processed")
    FAILED = "failed", _("Failed")
    UNKNOWN = "unknown", _("Outcome unknown")
    REJECTED = "rejected", _("Rejected")
    CANCELLED = "cancelled", _("Cancelled")
    RETURNED = "returned", _("Returned")


TRANSITIONS: dict[Status, frozenset[Status]] = {
    Status.PENDING: frozenset({Status.PROCESSING, Status.PROCESSED, Status.REJECTED, Status.CANCELLED}),
    # Back to pending: definitely refused for want of money in our account, so it waits for funds.
    Status.PROCESSING: frozenset({Status.PENDING, Status.PROCESSED, Status.FAILED, Status.UNKNOWN}),
    Status.UNKNOWN: frozenset({Status.PENDING, Status.PROCESSED, Status.FAILED}),
    Status.FAILED: frozenset({Status.PENDING, Status.PROCESSED}),
    Status.PROCESSED: frozenset({Status.RETURNED}),
    Status.REJECTED: frozenset(),
    Status.CANCELLED: frozenset(),
    Status.RETURNED: frozenset(),
}

# Not ended yet: somebody or something must still act.
OPEN = frozenset({Status.PENDING, Status.PROCESSING, Status.UNKNOWN, Status.FAILED})
FINAL = frozenset(status for status, targets in TRANSITIONS.items() if not targets)
PAID = frozenset({Status.PROCESSED, Status.RETURNED})
# A client may take these back; they then leave the API and stay in the back office.
WITHDRAWABLE = frozenset({Status.PENDING, Status.CANCELLED, Status.REJECTED})


class Stage(models.TextChoices):
    """What people see: *pending* told apart by what it waits for, the other statuses as they are."""

    HELD = "held", _("On hold")
    AWAITING_APPROVAL = "awaiting_approval", _("Awaiting approval")
    SCHEDULED = "scheduled", _("Scheduled")
    READY = "ready", _("Ready")
    PROCESSING = "processing", _("Processing")
    PROCESSED = "processed", _("Processed")
    FAILED = "failed", _("Failed")
    UNKNOWN = "unknown", _("Outcome unknown")
    REJECTED = "rejected", _("Rejected")
    CANCELLED = "cancelled", _("Cancelled")
    RETURNED = "returned", _("Returned")


def allows(from_status: str, to_status: str) -> bool:
    return Status(to_status) in TRANSITIONS[Status(from_status)]


def allowed_from(status: str) -> list[str]:
    """The statuses that a payout in `status` may move to, sorted, as plain strings."""
    return sorted(str(target) for target in TRANSITIONS[Status(status)])
