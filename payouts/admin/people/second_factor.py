"""The pages of the second factor. They stand outside the admin: a session without the factor must reach them."""

import base64
from typing import Any

import django_otp
import segno
from axes.helpers import get_cool_off
from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from payouts.admin.people import gate, passkey_ceremony, told_at_login
from payouts.models import Authenticator, BackupCodes, Passkey
from payouts.staff import access_log, passkeys, second_factor
from payouts.staff.access_log import Kind
from payouts.staff.second_factor import SecondFactorError


class CodeForm(forms.Form):
    code = forms.CharField(
        label=gettext_lazy("Code"),
        max_length=20,
        widget=gate.code_widget(autofocus=True),
        help_text=gettext_lazy("The six digits that your authenticator app shows now, or one of your backup codes."),
    )


class SetUpForm(CodeForm):
    offer = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].help_text = _("The six digits that the app shows now.")
        self.fields["code"].widget.attrs.pop("autofocus")


class ReplaceForm(SetUpForm, gate.PresentForm):
    field_order = ("offer", "password", "present_code", "code")


@sensitive_post_parameters("code")
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest) -> HttpResponse:
    """Ask for one code, after the password."""
    user = request.user
    if not gate.is_staff(user):
        return gate.log_in(request)
    if gate.is_verified(request):
        return HttpResponseRedirect(gate.next_page(request))
    if not second_factor.has_one(user):
        return gate.to("second_factor_set_up", request)
    credential = request.POST.get("credential")
    form = CodeForm(None if credential else request.POST or None)
    if credential or form.is_valid():
        try:
            device = (
                passkeys.verify(user, credential, passkey_ceremony.end(request))
                if credential
                else second_factor.verify(user, form.cleaned_data["code"])
            )
        except SecondFactorError as error:
            access_log.note(Kind.CODE_REFUSED, request, user=user)
            if credential:
                messages.error(request, str(error))
            else:
                form.add_error("code", str(error))
        else:
            return _confirmed(request, user, device)
    has_code = second_factor.has_code(user)
    if not has_code:
        form.fields["code"].help_text = _("One of the backup codes that you saved.")
    return gate.page(
        request,
        "confirm.html",
        _("Confirm that it is you"),
        form=form,
        has_code=has_code,
        options=passkey_ceremony.begin_use(request, user),
    )


@sensitive_post_parameters("code", "offer", "password", "present_code")
@require_http_methods(["GET", "HEAD", "POST"])
def set_up(request: HttpRequest) -> HttpResponse:
    """Show the QR code of a new key and take its first code; an earlier authenticator then stops."""
    user = request.user
    if not gate.is_staff(user):
        return gate.log_in(request)
    if again := gate.ask_again(request, user):
        return again
    is_replacing = second_factor.has_one(user)
    if is_replacing and not gate.is_verified(request):
        return gate.to("second_factor", request)
    form = gate.fitted((ReplaceForm if is_replacing else SetUpForm)(request.POST or None), user)
    offer = str(request.POST.get("offer", ""))
    authenticator = second_factor.offered(user, offer) if offer else None
    if request.method == "POST" and authenticator is None:
        form.add_error(None, _("This page was open for too long. Scan the new code."))
    elif authenticator and form.is_valid():
        codes = _set_up(request, user, authenticator, form)
        if codes:
            access_log.note(Kind.REPLACED if is_replacing else Kind.SET_UP, request, user=user)
            django_otp.login(request, authenticator)
            gate.confirmed(request)
            return gate.page(request, "codes.html", _("The second factor is set up"), codes=codes)
    if authenticator is None:
        offer = second_factor.offer(user)
        authenticator = second_factor.offered(user, offer)
    assert authenticator is not None
    return gate.page(
        request,
        "set_up.html",
        _("Set up the second factor"),
        form=form,
        offer=offer,
        qr=_qr(authenticator),
        secret=_secret(authenticator),
        is_replacing=is_replacing,
        is_required=second_factor.is_required(user),
    )


def _set_up(request: HttpRequest, user: User, authenticator: Authenticator, form: forms.Form) -> list[str]:
    """The new backup codes; none where the form now says what is wrong."""
    code = form.cleaned_data["code"]
    try:
        second_factor.check_first_code(authenticator, code)  # before a present code is used up
        if isinstance(form, gate.PresentForm) and not gate.is_present(request, user, form):
            return []
        return second_factor.set_up(user, authenticator, code)
    except SecondFactorError as error:
        form.add_error("code", str(error))
        return []


@sensitive_post_parameters("password", "present_code")
@require_http_methods(["GET", "HEAD", "POST"])
def mine(request: HttpRequest) -> HttpResponse:
    """Show whether there is one and how many backup codes are left. A POST with password and code makes new ones."""
    user = request.user
    if not gate.is_staff(user):
        return gate.log_in(request)
    has_one = second_factor.has_one(user)
    if has_one and not gate.is_verified(request):
        return gate.to("second_factor", request, after=reverse("second_factor_mine"))
    if again := gate.ask_again(request, user):
        return again
    form = gate.PresentForm(request.POST if request.method == "POST" else None) if has_one else None
    if form:
        gate.fitted(form, user)
    if form and form.is_valid() and gate.is_present(request, user, form):
        codes = second_factor.new_backup_codes(user)
        access_log.note(Kind.CODES_MADE, request, user=user)
        # The session may have been confirmed by one of the earlier codes, which are gone.
        django_otp.login(
            request, Authenticator.objects.filter(user=user).first() or Passkey.objects.filter(user=user).first()
        )
        return gate.page(request, "codes.html", _("New backup codes"), codes=codes)
    return gate.page(
        request,
        "mine.html",
        _("Second factor"),
        form=form,
        has_one=has_one,
        left=second_factor.backup_codes_left(user),
        is_required=second_factor.is_required(user),
        passkeys=Passkey.objects.filter(user=user),
        has_app=Authenticator.objects.filter(user=user, confirmed=True).exists(),
    )


def locked_out(request: HttpRequest, _response: HttpResponse | None, _credentials: Any) -> HttpResponse:
    """The answer to too many failed logins; django-axes calls it."""
    wait = getattr(request, "login_wait", None)
    context = {**admin.site.each_context(request), "title": _("Too many failed logins"), "is_for_all": bool(wait)}
    wait = wait or get_cool_off(request)
    context["minutes"] = max(1, round(wait.total_seconds() / 60)) if wait else 0
    response = render(request, "admin/locked_out.html", context, status=429)
    if wait:
        response["Retry-After"] = str(int(wait.total_seconds()))
    add_never_cache_headers(response)
    return response


def _confirmed(request: HttpRequest, user: User, device: Authenticator | BackupCodes | Passkey) -> HttpResponse:
    django_otp.login(request, device)
    gate.confirmed(request)
    if isinstance(device, BackupCodes):
        access_log.note(Kind.BACKUP_CODE_USED, request, user=user)
        left = second_factor.backup_codes_left(user)
        messages.warning(
            request,
            _("A backup code is used up, %(left)s left. New ones: in the menu at your name, Second factor.")
            % {"left": left},
        )
    else:
        kind = Kind.PASSKEY_ACCEPTED if isinstance(device, Passkey) else Kind.CODE_ACCEPTED
        access_log.note(kind, request, user=user)
    told_at_login.tell(request, user, is_confirmed=True)
    return HttpResponseRedirect(gate.next_page(request))


def _qr(authenticator: Authenticator) -> str:
    image: str = segno.make(authenticator.config_url, error="m").svg_data_uri(border=4, light="#fff")
    return image


def _secret(authenticator: Authenticator) -> str:
    """In base32, as apps take it, in groups of four."""
    text = base64.b32encode(authenticator.bin_key).decode()
    return " ".join(text[place : place + 4] for place in range(0, len(text), 4))
