"""Adding a passkey and removing one, each with the password and the present second factor."""

import django_otp
from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods
from unfold.widgets import UnfoldAdminTextInputWidget

from payouts.admin.people import gate, passkey_ceremony
from payouts.models import Passkey
from payouts.staff import access_log, passkeys, second_factor
from payouts.staff.access_log import Kind
from payouts.staff.second_factor import SecondFactorError


class NameForm(forms.Form):
    name = forms.CharField(
        label=gettext_lazy("Name of the passkey"),
        max_length=64,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text=gettext_lazy("To tell it from others of yours: for example the laptop, or the key on your ring."),
    )


class AnotherForm(NameForm, gate.PresentForm):
    field_order = ("name", "password", "present_code")


@sensitive_post_parameters("credential", "password", "present_code")
@require_http_methods(["GET", "HEAD", "POST"])
def add(request: HttpRequest) -> HttpResponse:
    """Have the browser make a passkey. The first second factor of a person comes with backup codes."""
    user = request.user
    if not gate.is_staff(user):
        return gate.log_in(request)
    is_another = second_factor.has_one(user)
    if is_another and not gate.is_verified(request):
        return gate.to("second_factor", request, after=request.path)
    if again := gate.ask_again(request, user):
        return again
    form = gate.fitted((AnotherForm if is_another else NameForm)(request.POST or None), user)
    ceremony = passkey_ceremony.end(request) if request.method == "POST" else None
    if form.is_valid() and (not is_another or gate.is_present(request, user, form)):
        try:
            made = passkeys.add(user, form.cleaned_data["name"], request.POST.get("credential", ""), ceremony)
        except SecondFactorError as error:
            form.add_error(None, str(error))
        else:
            access_log.note(Kind.PASSKEY_ADDED, request, user=user)
            if is_another:
                messages.success(request, _("The passkey %(name)s is added.") % {"name": made.name})
                return HttpResponseRedirect(reverse("second_factor_mine"))
            django_otp.login(request, made)
            gate.confirmed(request)
            codes = second_factor.new_backup_codes(user)
            return gate.page(request, "codes.html", _("The second factor is set up"), codes=codes)
    options = passkey_ceremony.begin_adding(request, user)
    return gate.page(request, "passkey_add.html", _("Add a passkey"), form=form, options=options)


@sensitive_post_parameters("password", "present_code")
@require_http_methods(["GET", "HEAD", "POST"])
def remove(request: HttpRequest, passkey_id: int) -> HttpResponse:
    """Ask, and remove one's own. The last second factor stays."""
    user = request.user
    if not gate.is_staff(user):
        return gate.log_in(request)
    if not gate.is_verified(request):
        raise PermissionDenied
    passkey = get_object_or_404(Passkey, pk=passkey_id, user=user)
    if again := gate.ask_again(request, user):
        return again
    form = gate.fitted(gate.PresentForm(request.POST if request.method == "POST" else None), user)
    obstacle = passkeys.why_not_remove(passkey)
    if not obstacle and form.is_valid() and gate.is_present(request, user, form):
        name = passkey.name
        passkeys.remove(passkey)
        access_log.note(Kind.PASSKEY_REMOVED, request, user=user)
        messages.success(request, _("The passkey %(name)s is removed.") % {"name": name})
        return HttpResponseRedirect(reverse("second_factor_mine"))
    title = _("Remove the passkey %(name)s") % {"name": passkey.name}
    return gate.page(request, "passkey_remove.html", title, form=form, obstacle=obstacle)
