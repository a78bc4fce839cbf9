"""What happened to a payout that came to rest long ago: its events and exchanges in one compressed, sealed bundle.

The payout itself, its attempts and its approvals stay where they are: idempotency, duplicates, webhooks, reports and
every rule ask for those. Whoever reads events or exchanges asks `history_of`, or `bundles` for many payouts.
"""

import hashlib
import json
import uuid
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import Field, Model
from django.utils.translation import gettext_lazy as _

from payouts import vault
from payouts.models.attempts import Exchange
from payouts.models.bundles import BundleError, unpacked
from payouts.models.events import Event, EventName
from payouts.models.payout import Attention, Payout
from payouts.models.stamps import stamp
from payouts.states import Status

# Nothing moves these but news, a bank's return, or a person, each of which brings the history back first.
RESTING = (Status.PROCESSED, Status.REJECTED, Status.CANCELLED, Status.RETURNED)


@dataclass(frozen=True, slots=True)
class History:
    """All that happened to one payout, the events in their order; `archived_at` where it is archived."""

    events: list[Event] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)
    archived_at: datetime | None = None


class Archived(models.Model):
    """The events and exchanges of one payout, in place of their rows.

    Triggers let a row in that holds exactly what is there, then let exactly those rows be deleted, and keep others
    out. Brought back, it stays, for good or until it is archived again: `back_at` says that the rows hold again.
    """

    payout = models.OneToOneField(
        Payout, on_delete=models.PROTECT, primary_key=True, related_name="+", verbose_name=_("payout")
    )
    archived_at = models.DateTimeField(_("archived at"))
    back_at = models.DateTimeField(_("brought back at"), null=True)
    # The ids of the events that checkpoints count.
    submitted_event = models.BigIntegerField()
    paid_event = models.BigIntegerField(null=True)
    returned_event = models.BigIntegerField(null=True)
    events = models.PositiveIntegerField(_("events"))
    exchanges = models.PositiveIntegerField(_("exchanges"))
    digest = models.BinaryField(max_length=32)  # SHA-256 of what is packed
    mac = models.BinaryField(max_length=vault.SEAL_BYTES)
    bundle = models.BinaryField()

    class Meta:
        verbose_name = _("archived payout")
        verbose_name_plural = _("archived payouts")
        default_permissions = ()

    def __str__(self) -> str:
        return f"#{self.payout_id}"

    def expected_mac(self, reference: uuid.UUID, *, like: vault.Stored = b"") -> bytes:
        """The seal over all of it, which retired keys verify too; with `like`, to be compared with that one."""
        return vault.seal(
            "archived",
            str(reference),
            stamp(self.archived_at),
            self.submitted_event,
            self.paid_event,
            self.returned_event,
            self.events,
            self.exchanges,
            bytes(self.digest).hex(),
            like=like,
            is_history=True,
        )

    def text(self, reference: uuid.UUID) -> str:
        """What is packed, as the database spelled it. Raises BundleError where it is not what was sealed."""
        if bytes(self.mac) != self.expected_mac(reference, like=self.mac):
            raise BundleError("its seal does not fit")
        text = unpacked(bytes(self.bundle))
        if hashlib.sha256(text).digest() != bytes(self.digest):
            raise BundleError("its content is not what was sealed")
        return text.decode()

    def history(self, payout: Payout) -> History:
        """Raises BundleError."""
        found = json.loads(self.text(payout.reference))
        history = History(
            [_row(Event, values, payout=payout) for values in found["events"]],
            [_row(Exchange, values) for values in found["exchanges"]],
            self.archived_at,
        )
        if (len(history.events), len(history.exchanges)) != (self.events, self.exchanges):
            raise BundleError("it has another number of events or exchanges than it says")
        return history


def bundles(payout_ids: Collection[int]) -> dict[int, Archived]:
    """What is archived of these payouts, by the payout's id."""
    return Archived.objects.filter(back_at=None).in_bulk(payout_ids)


def history_of(payout: Payout) -> History:
    """Wherever it is. Raises BundleError where what is archived is not what was sealed.

    Each payout has an event, so that one without is archived; or was brought back while we looked, and has them now.
    """
    if not (events := list(payout.events.order_by("seq"))):
        if found := bundles([payout.pk]).get(payout.pk):
            return found.history(payout)
        events = list(payout.events.order_by("seq"))
    return History(events, list(Exchange.objects.filter(attempt__payout=payout).order_by("attempt", "call")))


def contradicted_attempts(payouts: Collection[Payout]) -> dict[int, list[str]]:
    """The keys of the attempts whose record the provider has contradicted, by the payout's id, the latest last.

    With each of them people are asked anew how it ended: what they said before, they said of something else. An
    archived history that was changed says nothing: whatever is decided on its payout is refused (`bring_back`).
    """
    flags = Event.objects.filter(payout__in=payouts, event=EventName.FLAGGED, facts__attention=Attention.CONTRADICTED)
    found: dict[int, list[str]] = {}
    for payout_id, facts in flags.order_by("payout_id", "seq").values_list("payout_id", "facts"):
        found.setdefault(payout_id, []).append(str(facts.get("attempt", "")))
    resting = {payout.pk: payout for payout in payouts if payout.status in RESTING and payout.pk not in found}
    for payout_id, bundle in bundles(resting.keys()).items() if resting else ():
        with suppress(BundleError):
            for event in bundle.history(resting[payout_id]).events:
                if event.event == EventName.FLAGGED and event.facts.get("attention") == Attention.CONTRADICTED:
                    found.setdefault(payout_id, []).append(str(event.facts.get("attempt", "")))
    return found


def _row[Row: (Event, Exchange)](model: type[Row], values: dict[str, Any], **related: Model) -> Row:
    """The row as the database spelled it in JSON."""
    columns: list[Field[Any, Any]] = [each for each in model._meta.concrete_fields if each.column in values]
    row = model(**{each.attname: _value(each, values[str(each.column)]) for each in columns})
    row._state.adding = False
    for name, value in related.items():
        setattr(row, name, value)
    return row


def _value(column: "Field[Any, Any]", value: Any) -> Any:
    match column:
        case models.BinaryField() if value is not None:
            return bytes.fromhex(value.removeprefix("\\x"))
        case models.JSONField():
            return value
        case _:
            return column.to_python(value)
