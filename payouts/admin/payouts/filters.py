"""Filters of the payouts list. A value that cannot be read gives an empty list and a message."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from time import strptime
from typing import Any, ClassVar, NamedTuple

from django.contrib import admin, messages
from django.contrib.admin.views.main import SEARCH_VAR, ChangeList
from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from payouts.admin.kit import format
from payouts.admin.payouts.first_ids import ID_SKEW, first_id_since
from payouts.files import amounts
from payouts.models import WAITS_FOR_FUNDS, WAITS_FOR_LIMIT, ApiClient, ApprovalBand, Attention, Payout, ReviewFlag
from payouts.states import Stage, Status

ANY = "any"  # the value of a choice that stands for each of the others


def read_date(text: str) -> date:
    """2026-11-22 or 22.11.2026. Raises ValueError."""
    pattern = "%d.%m.%Y" if "." in text else "%Y-%m-%d"
    return date(*strptime(text.strip(), pattern)[:3])


class Chip(NamedTuple):
    """An active filter in words, and the parameters that make it."""

    text: str
    names: tuple[str, ...]


def active(changelist: ChangeList) -> list[Chip]:
    """What the list is narrowed to, the search with it."""
    specs: list[Any] = changelist.filter_specs
    chips: list[Chip] = [chip for spec in specs for chip in spec.chips()]
    if changelist.query:
        chips.append(Chip(_("Search: %(term)s") % {"term": changelist.query[:40]}, (SEARCH_VAR,)))
    return chips


class ChoiceFilter(ABC, admin.SimpleListFilter):
    """A choice as a drop-down; a value that is none of them gives an empty list and a message.

    `labels` are those of a choice that is the same for everybody, and `any_label` is that of ANY, where it has one.
    """

    template = "admin/payouts/payout/filter_choice.html"
    labels: ClassVar[dict[str, Any]] = {}
    any_label: Any = ""

    @classmethod
    def parameters(cls) -> tuple[str, ...]:
        """Those of an address that it reads."""
        return (str(cls.parameter_name),)

    def has_output(self) -> bool:
        return True

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, Any]]:
        return [*([(ANY, self.any_label)] if self.any_label else []), *self.labels.items()]

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        chosen = self.value() or ""
        yield {"value": "", "display": _("Any"), "selected": not chosen}
        for value, display in self.lookup_choices:
            yield {"value": value, "display": display, "selected": chosen == str(value)}

    def chips(self) -> list[Chip]:
        chosen = (self.value() or "").strip()
        if not chosen:
            return []
        words = {str(value): str(display) for value, display in self.lookup_choices}
        text = _("%(filter)s: %(value)s") % {
            "filter": capfirst(str(self.title)),
            "value": _uncapitalised(words.get(chosen, chosen[:40])),
        }
        return [Chip(text, self.parameters())]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        chosen = (self.value() or "").strip()
        if not chosen:
            return queryset
        if chosen not in {str(value) for value, _display in self.lookup_choices}:
            return refused(request, queryset, title=str(self.title), text=chosen)
        return self.narrowed(queryset, chosen)

    @abstractmethod
    def narrowed(self, queryset: QuerySet, chosen: str) -> QuerySet:
        """The rows that have the chosen value."""


class StageFilter(ChoiceFilter):
    title = gettext_lazy("stage")
    parameter_name = "stage"
    labels = dict(Stage.choices)

    def narrowed(self, queryset: QuerySet, chosen: str) -> QuerySet:
        assert isinstance(queryset, type(Payout.objects.none()))
        return queryset.in_stage(chosen)


class AttentionFilter(ChoiceFilter):
    title = gettext_lazy("needs attention")
    parameter_name = "attention"
    labels = {value: label for value, label in Attention.choices if value}
    any_label = gettext_lazy("for any reason")

    def narrowed(self, queryset: QuerySet, chosen: str) -> QuerySet:
        if chosen == ANY:
            return queryset.exclude(attention=Attention.NONE)
        return queryset.filter(attention=chosen)


class WaitsFilter(ChoiceFilter):
    title = gettext_lazy("waits for room")
    parameter_name = "waits"
    labels = {"limit": gettext_lazy("over a velocity limit"), "funds": gettext_lazy("for funds in the account")}
    REASONS = {"limit": WAITS_FOR_LIMIT, "funds": WAITS_FOR_FUNDS}

    def narrowed(self, queryset: QuerySet, chosen: str) -> QuerySet:
        return queryset.exclude(waits_for="").filter(waits_for__startswith=self.REASONS[chosen])


class CurrencyFilter(ChoiceFilter):
    title = gettext_lazy("currency")
    parameter_name = "currency"
    USUAL = ("RUB", "USD", "EUR", "JPY", "GBP", "CNY", "KZT", "AED", "TRY")

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        banded = ApprovalBand.objects.order_by("currency").values_list("currency", flat=True).distinct()
        codes = dict.fromkeys((*banded, *self.USUAL))
        asked = request.GET.get(self.parameter_name, "")
        if re.fullmatch("[A-Z]{3}", asked):
            codes.setdefault(asked)
        return [(code, code) for code in codes]

    def narrowed(self, queryset: QuerySet, chosen: str) -> QuerySet:
        return queryset.filter(currency=chosen)


class ClientFilter(ChoiceFilter):
    title = gettext_lazy("API client")
    parameter_name = "client"
    LIMIT = 500

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        return list(ApiClient.objects.order_by("name").values_list("pk", "name")[: self.LIMIT])

    def narrowed(self, queryset: QuerySet, chosen: str) -> QuerySet:
        return queryset.filter(client=int(chosen))


class MakerFilter(ChoiceFilter):
    """Staff, and the owners of API clients, who count as the makers of what these submit."""

    title = gettext_lazy("maker")
    parameter_name = "maker"
    LIMIT = 500

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        people = User.objects.filter(Q(is_staff=True) | Q(api_clients__isnull=False)).distinct()
        return list(people.order_by("username").values_list("pk", "username")[: self.LIMIT])

    def narrowed(self, queryset: QuerySet, chosen: str) -> QuerySet:
        return queryset.filter(maker=int(chosen))


class FlagFilter(ChoiceFilter):
    """Among the pending ones alone: nobody reviews what is closed, and an index finds those that are pending."""

    title = gettext_lazy("to review")
    parameter_name = "flag"
    labels = dict(ReviewFlag.choices)
    any_label = gettext_lazy("any mark, pending payouts only")

    def narrowed(self, queryset: QuerySet, chosen: str) -> QuerySet:
        pending = queryset.filter(status=Status.PENDING)
        if chosen == ANY:
            return pending.exclude(review_flags=[])
        return pending.filter(review_flags__contains=[chosen])


class RangeFilter(ABC, admin.ListFilter):
    """Two inputs, `from` and `to`, both inclusive."""

    template = "admin/payouts/payout/filter_range.html"
    parameter_name: str
    input_type = "text"
    input_mode = "text"

    @classmethod
    def parameters(cls) -> tuple[str, ...]:
        """Those of an address that it reads."""
        return (f"{cls.parameter_name}_from", f"{cls.parameter_name}_to")

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        self.names = self.parameters()
        self.texts: dict[str, str] = {}
        for name in self.names:
            value = params.pop(name, "")
            text = str(value[-1] if isinstance(value, list) else value).strip()
            self.texts[name] = text
            if text:
                self.used_parameters[name] = text
        self.has_error = False

    def has_output(self) -> bool:
        return True

    def expected_parameters(self) -> list[str | None]:
        return list(self.names)

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        for name, label in zip(self.names, (_("From"), _("To")), strict=True):
            yield {"name": name, "label": label, "value": self.texts[name]}

    def chips(self) -> list[Chip]:
        low, high = (self.texts[name] for name in self.names)
        title = {"filter": capfirst(str(self.title))}
        chips = []
        if low:
            chips.append(Chip(_("%(filter)s from %(value)s") % {**title, "value": self.shown(low)}, self.names[:1]))
        if high:
            chips.append(Chip(_("%(filter)s to %(value)s") % {**title, "value": self.shown(high)}, self.names[1:]))
        return chips

    def shown(self, text: str) -> str:
        """The value as it is understood; as it was typed when it cannot be read."""
        return text[:40]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        low, high = (self.texts[name] for name in self.names)
        for text, narrow in ((low, self.at_least), (high, self.at_most)):
            if not text:
                continue
            try:
                queryset = narrow(queryset, text)
            except (ValueError, OverflowError):
                self.has_error = True
                return refused(request, queryset, title=str(self.title), text=text)
        return queryset

    @abstractmethod
    def at_least(self, queryset: QuerySet, text: str) -> QuerySet:
        """The rows from this value on; raises ValueError for one that cannot be read."""

    @abstractmethod
    def at_most(self, queryset: QuerySet, text: str) -> QuerySet:
        """The rows up to this value, likewise."""


class CreatedFilter(RangeFilter):
    title = gettext_lazy("created")
    parameter_name = "created"
    input_type = "date"

    def shown(self, text: str) -> str:
        try:
            return format.day(read_date(text))
        except ValueError:
            return super().shown(text)

    def at_least(self, queryset: QuerySet, text: str) -> QuerySet:
        since = _midnight(read_date(text))
        first_id = first_id_since(since, using=queryset.db)
        return queryset.filter(created_at__gte=since, **({"pk__gte": first_id} if first_id else {}))

    def at_most(self, queryset: QuerySet, text: str) -> QuerySet:
        until = _midnight(read_date(text) + timedelta(days=1))
        next_id = first_id_since(until, using=queryset.db)
        return queryset.filter(created_at__lt=until, **({"pk__lt": next_id + ID_SKEW} if next_id else {}))


class AmountFilter(RangeFilter):
    title = gettext_lazy("amount")
    parameter_name = "amount"
    input_mode = "decimal"

    def shown(self, text: str) -> str:
        try:
            return format.number(amounts.read(text))
        except ValueError:
            return super().shown(text)

    def at_least(self, queryset: QuerySet, text: str) -> QuerySet:
        return queryset.filter(amount__gte=amounts.read(text))

    def at_most(self, queryset: QuerySet, text: str) -> QuerySet:
        return queryset.filter(amount__lte=amounts.read(text))


FILTERS: tuple[type[ChoiceFilter | RangeFilter], ...] = (
    StageFilter,
    AttentionFilter,
    WaitsFilter,
    FlagFilter,
    CurrencyFilter,
    AmountFilter,
    CreatedFilter,
    ClientFilter,
    MakerFilter,
)


def _uncapitalised(text: str) -> str:
    """As within a sentence: “On hold” but “RUB”."""
    return text if text[:2].isupper() or text[1:2].isdigit() else text[:1].lower() + text[1:]


def _midnight(day: date) -> datetime:
    """Its beginning in the current time zone, in UTC. Raises OverflowError past the last year."""
    return timezone.make_aware(datetime.combine(day, time.min)).astimezone(UTC)


def refused(request: HttpRequest, queryset: QuerySet, *, title: str, text: str) -> QuerySet:
    """Nothing, said aloud: every row would look like an answer."""
    messages.error(
        request,
        _("The filter “%(filter)s” cannot be read: “%(text)s”. No payout is shown.")
        % {"filter": title, "text": text[:40]},
    )
    return queryset.none()
