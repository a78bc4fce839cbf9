"""The routes, which say from which account a payout is paid: their list in the order of trial, and their form."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from payouts import money
from payouts.admin.kit.history import HistoryMixin
from payouts.admin.kit.plain import PlainAdmin
from payouts.admin.kit.proposed import ProposedMixin
from payouts.models import Route
from payouts.providers import registry


@admin.register(Route)
class RouteAdmin(ProposedMixin, HistoryMixin, PlainAdmin):
    proposal_subject = "route"
    list_display = ("position", "of_client", "of_currency", "of_kind", "of_amount", "to_account")
    list_display_links = ("position",)
    list_select_related = ("client",)
    list_before_template = "admin/payouts/route/default.html"
    ordering = ("position",)
    fields = ("position", "client", "currency", "recipient_kind", "from_amount", "below_amount", "account")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {**(extra_context or {}), "default_account": registry.default()})

    @display(description=gettext_lazy("Client"))
    def of_client(self, route: Route) -> str:
        return str(route.client or _("any"))

    @display(description=gettext_lazy("Currency"))
    def of_currency(self, route: Route) -> str:
        return route.currency or _("any")

    @display(description=gettext_lazy("Kind of recipient"))
    def of_kind(self, route: Route) -> str:
        return str(route.get_recipient_kind_display())

    @display(description=gettext_lazy("Amount"))
    def of_amount(self, route: Route) -> str:
        said = []
        if route.from_amount is not None:
            said.append(_("from %(amount)s") % {"amount": money.shown(route.from_amount, route.currency)})
        if route.below_amount is not None:
            said.append(_("below %(amount)s") % {"amount": money.shown(route.below_amount, route.currency)})
        return ", ".join(said) or _("any amount")

    @display(description=gettext_lazy("Account"))
    def to_account(self, route: Route) -> str:
        if route.account in registry.known_names():
            return route.account
        return _("%(account)s: not in the settings") % {"account": route.account}
