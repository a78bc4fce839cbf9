"""Filters of the payouts list, and its paginator. A value that cannot be read gives an empty list and a message."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from payouts.models import ApprovalBand, Attention, Payout
from payouts.money import AMOUNT_LIMIT
from payouts.states import Stage

DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")
DATE_WITH_DOTS = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})")
SPACES = re.compile(r"[\s\u00a0\u202f]")
AMOUNT = re.compile(r"\d{1,15}(?:[.,]\d{1,4})?")
AMBIGUOUS_AMOUNT = re.compile(r"\d{1,3},\d{3}")


class CappedPaginator(Paginator):
    """Counts no more than LIMIT rows: the count of a large table takes seconds, and nobody turns its last page."""

    LIMIT = 10_000
    template_name = "admin/payouts/payout/pagination.html"

    @cached_property
    def count(self) -> int:
        return min(self._found, self.LIMIT)

    @property
    def is_capped(self) -> bool:
        return self._found > self.LIMIT

    @cached_property
    def _found(self) -> int:
        rows = self.object_list
        assert isinstance(rows, QuerySet)
        return rows.order_by()[: self.LIMIT + 1].count()


def read_date(text: str) -> date:
    """2026-11-22 or 22.11.2026. Raises ValueError."""
    if match := DATE.fullmatch(text.strip()):
        year, month, day = map(int, match.groups())
    elif match := DATE_WITH_DOTS.fullmatch(text.strip()):
        day, month, year = map(int, match.groups())
    else:
        raise ValueError(text)
    return date(year, month, day)


def read_amount(text: str) -> Decimal:
    """1000, 1 000,50 or 1000.50. Raises ValueError, for 1,000 too, which people mean in two ways."""
    digits = SPACES.sub("", text)
    if not AMOUNT.fullmatch(digits) or AMBIGUOUS_AMOUNT.fullmatch(digits):
        raise ValueError(text)
    try:
        amount = Decimal(digits.replace(",", "."))
    except InvalidOperation as error:
        raise ValueError(text) from error
    if amount >= AMOUNT_LIMIT:
        raise ValueError(text)
    return amount


class ChoiceFilter(admin.SimpleListFilter):
    """A fixed choice as a drop-down; a value that is none of them gives an empty list and a message."""

    template = "admin/payouts/payout/filter_choice.html"

    def has_output(self) -> bool:
        return True

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        chosen = self.value() or ""
        yield {"value": "", "display": _("Any"), "selected": not chosen}
        for value, display in self.lookup_choices:
            yield {"value": value, "display": display, "selected": chosen == str(value)}

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        chosen = (self.value() or "").strip()
        if not chosen:
            return queryset
        if chosen not in {str(value) for value, _display in self.lookup_choices}:
            return refused(request, queryset, title=str(self.title), text=chosen)
        return self.narrowed(queryset, chosen)

    def narrowed(self, queryset: QuerySet, chosen: str) -> QuerySet:
        raise NotImplementedError


class StageFilter(ChoiceFilter):
    title = gettext_lazy("stage")
    parameter_name = "stage"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        return [(stage.value, str(stage.label)) for stage in Stage]

    def narrowed(self, queryset: QuerySet, chosen: str) -> QuerySet:
        assert isinstance(queryset, type(Payout.objects.none()))
        return queryset.in_stage(chosen)


class AttentionFilter(ChoiceFilter):
    title = gettext_lazy("needs attention")
    parameter_name = "attention"
    ANY_REASON = "any"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        why = [(attention.value, str(attention.label)) for attention in Attention if attention]
        return [(self.ANY_REASON, _("for any reason")), *why]

    def narrowed(self, queryset: QuerySet, chosen: str) -> QuerySet:
        if chosen == self.ANY_REASON:
            return queryset.exclude(attention=Attention.NONE)
        return queryset.filter(attention=chosen)


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


class RangeFilter(admin.ListFilter):
    """Two inputs, `from` and `to`, both inclusive."""

    template = "admin/payouts/payout/filter_range.html"
    parameter_name: str
    input_type = "text"
    input_mode = "text"

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        self.names = (f"{self.parameter_name}_from", f"{self.parameter_name}_to")
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

    def at_least(self, queryset: QuerySet, text: str) -> QuerySet:
        raise NotImplementedError

    def at_most(self, queryset: QuerySet, text: str) -> QuerySet:
        raise NotImplementedError


class CreatedFilter(RangeFilter):
    title = gettext_lazy("created")
    parameter_name = "created"
    input_type = "date"

    def at_least(self, queryset: QuerySet, text: str) -> QuerySet:
        return queryset.filter(created_at__gte=_midnight(read_date(text)))

    def at_most(self, queryset: QuerySet, text: str) -> QuerySet:
        return queryset.filter(created_at__lt=_midnight(read_date(text) + timedelta(days=1)))


class AmountFilter(RangeFilter):
    title = gettext_lazy("amount")
    parameter_name = "amount"
    input_mode = "decimal"

    def at_least(self, queryset: QuerySet, text: str) -> QuerySet:
        return queryset.filter(amount__gte=read_amount(text))

    def at_most(self, queryset: QuerySet, text: str) -> QuerySet:
        return queryset.filter(amount__lte=read_amount(text))


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
