"""The history of what is configured, on its own pages: who changed what, when, from what to what.

`class …Admin(HistoryMixin, PlainAdmin)` for a model with `history = History()` shows an object's history below its
form, and the last changes of all, deleted ones too, below the list. Nothing here can be put back or deleted:
django-simple-history's own admin would let everybody who may see an object change it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import models
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from payouts.admin.kit import format

SHOWN = 50


@dataclass(frozen=True, slots=True)
class Change:
    """One line: what happened to which object, and its fields as (label, before, after)."""

    at: str
    who: str
    what: str
    subject: str
    fields: list[tuple[str, str, str]]
    is_end: bool = False


def changes(records: QuerySet[Any], *, subject: Callable[[Any], str] | None = None) -> list[Change]:
    """The newest SHOWN changes of a history, each compared with the object's record before it; three queries."""
    model = records.model
    related = [field.name for field in model._meta.fields if isinstance(field, models.ForeignKey)]
    key = model.instance_type._meta.pk.name
    same = model.objects.filter(**{key: OuterRef(key)})
    before = same.filter(history_id__lt=OuterRef("history_id")).order_by("-history_id")
    found = list(
        records.order_by("-history_id")
        .select_related(*related)
        .annotate(before_id=Subquery(before.values("history_id")[:1]))[:SHOWN]
    )
    earlier = model.objects.select_related(*related).in_bulk([each.before_id for each in found if each.before_id])
    told = [_change(each, earlier.get(each.before_id), subject) for each in found]
    # A form saved without a change adds a record, and no change.
    return [change for change in told if change.fields or change.is_end]


def _change(record: Any, before: Any, subject: Callable[[Any], str] | None) -> Change:
    what = {"+": _("Created"), "~": _("Changed"), "-": _("Deleted")}
    return Change(
        at=format.exact_time(record.history_date),
        who=record.history_user.get_username() if record.history_user else "–",
        what=what.get(record.history_type, record.history_type),
        subject=subject(record) if subject else "",
        fields=[] if record.history_type == "-" else _fields(record, before),
        is_end=record.history_type == "-",
    )


def _fields(record: Any, before: Any) -> list[tuple[str, str, str]]:
    lines = []
    for field in record.tracked_fields:
        if field.primary_key or field.name == "created_at":
            continue
        now, then = getattr(record, field.attname), getattr(before, field.attname) if before else None
        if now == then:
            continue
        lines.append(
            (capfirst(str(field.verbose_name)), _value(before, field) if before else "", _value(record, field))
        )
    return lines


def _value(record: Any, field: models.Field) -> str:
    value = getattr(record, field.name)
    if field.choices:
        value = dict(field.flatchoices).get(value, value)
    match value:
        case None | "":
            return "–"
        case bool():
            return _("yes") if value else _("no")
        case datetime():
            return format.exact_time(value)
        case Decimal() | int():
            return format.number(value)
        case list():
            words = dict(getattr(field, "base_field", field).flatchoices)
            return ", ".join(str(words.get(each, each)) for each in value)
        case _:
            return str(value)


def _name_then(record: Any) -> str:
    """What the object was called then. `record.instance` would query for what the history has not kept."""
    columns = {field.attname: getattr(record, field.attname) for field in record.tracked_fields}
    return str(record.instance_type(**columns))


class HistoryMixin:
    """For a PlainAdmin. An admin may add its own to `history_sections`."""

    model: Any
    list_after_template = "admin/payouts/history.html"
    change_form_outer_after_template = "admin/payouts/history.html"

    def history_sections(self, instance: Any) -> Sequence[tuple[str, list[Change]]]:
        """Titles and changes for the page of this object, or for the list when there is none."""
        if instance is None:
            return [(_("Last changes"), changes(self.model.history.all(), subject=_name_then))]
        own = self.model.history.filter(**{self.model._meta.pk.name: instance.pk})
        return [(_("History"), changes(own))]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        context = {**(extra_context or {}), "history_sections": self.history_sections(None)}
        response: HttpResponse = super().changelist_view(request, context)  # type: ignore[misc]
        return response

    def page(self, request: HttpRequest, instance: Any) -> dict[str, Any]:
        return {"history_sections": self.history_sections(instance)}
