"""Payments that the provider has and we do not: the list, and a dialog that closes one with a reason."""

from typing import Any

from django import forms
from django.contrib import admin
from django.forms import Form
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from payouts import money, operation_rules
from payouts.actions import unknown_payments
from payouts.admin.kit import format
from payouts.admin.kit.dialogs import DialogsMixin, dialog_action
from payouts.admin.kit.fields import text_field
from payouts.admin.kit.person import person
from payouts.admin.kit.view_only import ViewOnlyAdmin
from payouts.admin.payouts.provider_answers import VERDICTS
from payouts.models import UnknownPayment
from payouts.providers import Verdict

CLOSE_PERMISSIONS = ("payouts.view_unknownpayment", "payouts.close_unknownpayment")


class UnknownPaymentForm(forms.Form):
    reason = text_field(gettext_lazy("What the payment was, and how you know. Saved permanently."))


@admin.register(UnknownPayment)
class UnknownPaymentAdmin(DialogsMixin, ViewOnlyAdmin):
    list_display = ("reference", "state", "sum_shown", "said", "provider", "provider_id", "heard", "detail")
    list_display_links = ("reference",)
    list_fullwidth = True
    ordering = ("-id",)
    fields = (
        *("state", "reference", "sum_shown", "said", "provider", "provider_id", "source", "detail", "heard"),
        *("payout", "closed", "close_reason"),
    )
    readonly_fields = fields
    actions_detail = ("close",)

    def has_close_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perms(CLOSE_PERMISSIONS)

    @display(description=gettext_lazy("State"))
    def state(self, found: UnknownPayment) -> SafeString:
        if found.payout_id:
            return format.badge(_("Payout #%(id)s") % {"id": found.payout_id}, tone="green", icon="link")
        if found.closed_at:
            return format.badge(_("Closed"), tone="gray", icon="check_circle")
        return format.badge(_("Unknown"), tone="red", icon="report")

    @display(description=gettext_lazy("Amount"))
    def sum_shown(self, found: UnknownPayment) -> str:
        return "–" if found.amount is None else money.shown(found.amount, found.currency).strip()

    @display(description=gettext_lazy("Reported as"))
    def said(self, found: UnknownPayment) -> str:
        return str(VERDICTS[Verdict(found.reported)])

    @display(description=gettext_lazy("Heard"))
    def heard(self, found: UnknownPayment) -> str:
        return format.exact_time(found.heard_at)

    @display(description=gettext_lazy("Closed"))
    def closed(self, found: UnknownPayment) -> str:
        return f"{found.closed_by.get_username()}, {format.exact_time(found.closed_at)}" if found.closed_by else "–"

    def dialog_summary(self, instance: UnknownPayment) -> dict[str, Any]:
        return {
            "heading": str(instance.reference),
            "amount": self.sum_shown(instance),
            "badge": self.state(instance),
            "recipient": instance.detail,
        }

    def dialog_obstacle(self, request: HttpRequest, name: str, instance: UnknownPayment) -> str:
        return operation_rules.why_not_close(instance, person(request))

    @dialog_action(
        form_class=UnknownPaymentForm,
        permission="close",
        description=gettext_lazy("Close the unknown payment"),
        title=gettext_lazy("Close the unknown payment"),
        submit=gettext_lazy("Close"),
        warning=gettext_lazy("The provider has this payment, and we do not. Close it when you know what it was."),
        icon="check_circle",
    )
    def close(self, request: HttpRequest, form: Form, found: UnknownPayment) -> str:
        unknown_payments.close(found.pk, by=person(request), reason=form.cleaned_data["reason"])
        return _("Closed.")
