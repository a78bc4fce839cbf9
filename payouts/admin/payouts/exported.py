"""What the payouts list shows under a filter, as a file holds it, and the button that asks for the file."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ALL_VAR, ERROR_FLAG, ORDER_VAR, PAGE_VAR, SEARCH_VAR, ChangeList
from django.contrib.auth.models import User
from django.contrib.messages.storage.cookie import CookieStorage
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import path, reverse
from django.utils.decorators import method_decorator
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from payouts.admin.kit.person import person
from payouts.admin.payouts.filters import ANY, FILTERS, ChoiceFilter, RangeFilter, active
from payouts.exports.request import NEEDED, QUERY_LIMIT, ExportError, ask
from payouts.models import Export, Payout

# The list's filters by the names that they have in its address.
RANGES = {each.parameter_name: each for each in FILTERS if issubclass(each, RangeFilter)}
CHOICES = {each.parameter_name: each for each in FILTERS if issubclass(each, ChoiceFilter)}
# What an address of the list says of how it is looked at, and not of what is in it.
LOOKS = (PAGE_VAR, ORDER_VAR, ALL_VAR, ERROR_FLAG)


class ExportedMixin:
    """For the admin of payouts: what its list shows under a filter, and the button that asks for a file of it."""

    admin_site: Any

    def has_export_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perms(NEEDED)

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.export_view)
        return [path("export/", view, name="payouts_payout_export"), *super().get_urls()]  # type: ignore[misc]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        context = {"may_export": self.has_export_permission(request), "export_formats": Export.Format.choices}
        response: HttpResponse = super().changelist_view(request, {**(extra_context or {}), **context})  # type: ignore[misc]
        return response

    @method_decorator(require_POST)
    def export_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_export_permission(request):
            raise PermissionDenied
        query = filter_of(request.POST.get("query", ""))
        try:
            export = ask(query, format=request.POST.get("format", ""), by=person(request), rows_of=rows_of)
        except ExportError as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(reverse("admin:payouts_payout_changelist", query=QueryDict(query)))
        return HttpResponseRedirect(reverse("admin:payouts_export_change", args=(export.pk,)))


def rows_of(query: str, *, by: User) -> QuerySet[Payout]:
    """The list's rows under this filter, as this person sees them. Raises ExportError with the list's words."""
    found: QuerySet[Payout] = _read(query, by).queryset
    return found


def words_of(query: str, *, by: User) -> list[str]:
    """What the filter narrows the list to, as the list says it. Raises ExportError."""
    return [chip.text for chip in active(_read(query, by))]


def short_words_of(query: str) -> list[str]:
    """The filter in words without a look at the database: a client and a person are told by their numbers."""
    given = QueryDict(query)
    return [_short(name, ", ".join(given.getlist(name))) for name in given]


def _short(name: str, value: str) -> str:
    if name == SEARCH_VAR:
        return _("Search: %(term)s") % {"term": value[:40]}
    stem, _separator, end = name.rpartition("_")
    if found := RANGES.get(stem):
        words = {"filter": capfirst(str(found.title)), "value": value}
        return _("%(filter)s from %(value)s") % words if end == "from" else _("%(filter)s to %(value)s") % words
    if chosen := CHOICES.get(name):
        shown = _("Any") if value == ANY else chosen.labels.get(value, value)
        return _("%(filter)s: %(value)s") % {"filter": capfirst(str(chosen.title)), "value": shown}
    return f"{name}: {value}"


def _read(query: str, by: User) -> ChangeList:
    """The list as it is when this person opens it with the filter. Raises ExportError."""
    request = HttpRequest()
    request.method = "GET"
    request.path = reverse("admin:payouts_payout_changelist")
    request.user = by
    # What the list's filters refuse is for the one who reads them.
    said = CookieStorage(request)
    try:
        request.GET = QueryDict(query)
        request._messages = said  # type: ignore[attr-defined]
        changelist: ChangeList = admin.site.get_model_admin(Payout).get_changelist_instance(request)
    except (IncorrectLookupParameters, SuspiciousOperation, ValueError) as error:
        raise ExportError(_("The filter cannot be read. Nothing is exported.")) from error
    if errors := [str(each) for each in said if each.level >= messages.ERROR]:
        raise ExportError(" ".join(errors))
    return changelist


def filter_of(address: str) -> str:
    """The filter in the query of an address of the list, without what only says how it is looked at."""
    given = QueryDict(address[: QUERY_LIMIT * 4], mutable=True)
    for name in LOOKS:
        given.pop(name, None)
    for name in [name for name, values in given.lists() if not any(values)]:
        del given[name]
    return given.urlencode()
