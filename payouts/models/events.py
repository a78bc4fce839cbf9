"""The append-only record of what happened to a payout."""

import uuid
from collections import defaultdict
from collections.abc import Iterable

from django.conf import settings
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from payouts import vault
from payouts.models.attempts import Approval, Attempt
from payouts.models.payout import Payout
from payouts.models.stamps import stamp
from payouts.states import Status, allows


class EventName(models.TextChoices):
    SUBMITTED = "submitted", _("submitted")
    APPROVED = "approved", _("approved")
    APPROVAL_WITHDRAWN = "approval_withdrawn", _("approval withdrawn")
    REJECTED = "rejected", _("rejected")
    HELD = "held", _("put on hold")
    RELEASED = "released", _("released")
    SCHEDULED = "scheduled", _("scheduled")
    ROUTED = "routed", _("routed to another account")
    CANCELLED = "cancelled", _("cancelled")
    WITHDRAWN = "withdrawn", _("withdrawn")
    SETTLED = "settled", _("settled by hand")
    CLAIMED = "claimed", _("sent to the provider")
    ACCEPTED = "accepted", _("accepted by the provider")
    SUCCEEDED = "succeeded", _("paid")
    REFUSED = "refused", _("refused by the provider")
    LACKED_FUNDS = "lacked_funds", _("refused for want of funds")
    OUTCOME_UNKNOWN = "outcome_unknown", _("outcome unknown")
    FLAGGED = "flagged", _("needs attention")
    ASKED = "asked", _("provider asked ahead of time")
    RETRIED = "retried", _("retried")
    RESOLUTION_PROPOSED = "resolution_proposed", _("resolution proposed")
    RESOLVED = "resolved", _("resolved by hand")
    RETURNED = "returned", _("returned by the bank")
    RECONCILED = "reconciled", _("settled by the provider's report")
    CONFIRMED = "confirmed", _("confirmed as unchanged")
    REVEALED = "revealed", _("recipient revealed")


def is_legal(event: str, from_status: str, to_status: str) -> bool:
    """Whether an event may move a payout so. What may have been paid goes back to pending by one event alone."""
    goes_back = to_status == Status.PENDING and from_status in (Status.PROCESSING, Status.UNKNOWN)
    return allows(from_status, to_status) and (not goes_back or event == EventName.LACKED_FUNDS)


class Event(models.Model):
    """The append-only record of one thing that happened to a payout; a trigger refuses changes and deletions.

    `mac` seals the event and, through the event before, all that came earlier.
    """

    # No index of its own: the unique pairs with seq serve, and every event that is written saves one.
    payout = models.ForeignKey(
        Payout, on_delete=models.PROTECT, related_name="events", db_index=False, verbose_name=_("payout")
    )
    seq = models.PositiveIntegerField(_("number"))
    event = models.CharField(_("event"), max_length=32, choices=EventName)
    from_status = models.CharField(_("from"), max_length=16, choices=Status, null=True)
    to_status = models.CharField(_("to"), max_length=16, choices=Status)
    at = models.DateTimeField(_("at"))
    actor = models.CharField(_("actor"), max_length=200)
    # The person, because names change and are given to others. Nobody for the worker, a client and a provider.
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    reason = models.CharField(_("reason"), max_length=1000, blank=True)
    trace_id = models.CharField(_("request ID"), max_length=128, blank=True)
    facts = models.JSONField(_("facts"), default=dict)
    mac = models.BinaryField(max_length=vault.SEAL_BYTES)

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        default_permissions = ["view"]
        ordering = ["payout", "seq"]
        indexes = [
            models.Index(fields=["actor", "at"], condition=Q(event="revealed"), name="event_reveals"),
            # Written in the order of time, so ranges of pages tell the minutes apart.
            BrinIndex(fields=["at"], autosummarize=True, pages_per_range=16, name="event_by_minute"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["payout", "seq"], name="event_seq_unique"),
            models.CheckConstraint(
                condition=(Q(from_status=None) | Q(from_status__in=Status.values)) & Q(to_status__in=Status.values),
                name="event_status_known",
            ),
            models.CheckConstraint(
                condition=Q(seq=1, from_status=None) | Q(seq__gt=1, from_status__isnull=False),
                name="event_first_has_no_origin",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.seq}. {self.event}"

    def expected_mac(self, previous: bytes, reference: uuid.UUID, *, like: vault.Stored = b"") -> bytes:
        """The seal of this event after `previous`, the mac of the event before (empty for the first).

        With `like`, to be compared with that one. An event keeps its seal when keys rotate: the row's own seal, which
        is renewed, covers the last event's.
        """
        return vault.seal(
            "event",
            previous.hex(),
            str(reference),
            self.seq,
            self.event,
            self.from_status,
            self.to_status,
            stamp(self.at),
            self.actor,
            self.reason,
            self.trace_id,
            vault.canonical(self.facts).decode(),
            *([self.person_id] if self.person_id else []),
            like=like,
            is_history=True,
        )


def by_payout[Row: (Event, Attempt, Approval)](rows: Iterable[Row]) -> dict[int, list[Row]]:
    """The rows of each payout by its id, in their order; a payout without rows has an empty list."""
    found: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        found[row.payout_id].append(row)
    return found
