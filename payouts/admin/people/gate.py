"""What the pages share on which people confirm and change their second factor.

They stand outside the admin: a session without the factor must reach them.
"""

import time
from typing import Any, TypeGuard

from django import forms
from django.contrib import admin
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_otp import DEVICE_ID_SESSION_KEY
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminTextInputWidget

from payouts.staff import access_log, own_password, second_factor
from payouts.staff.access_log import Kind
from payouts.staff.second_factor import SecondFactorError

CONFIRMED_AT = "confirmed_at"  # in the session, seconds since the epoch
RECENT_SECONDS = 300


def code_widget(**attributes: Any) -> UnfoldAdminTextInputWidget:
    return UnfoldAdminTextInputWidget(
        attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "spellcheck": "false", **attributes}
    )


class PresentForm(forms.Form):
    """Before a change of how somebody logs in: a session left open must not be enough for one."""

    password = forms.CharField(
        label=gettext_lazy("Your password"),
        strip=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "current-password"}),
    )
    present_code = forms.CharField(
        label=gettext_lazy("Your present code"),
        max_length=20,
        widget=code_widget(),
        help_text=gettext_lazy(
            "The six digits that the app you use until now shows, or one of your backup codes. The code that you"
            " logged in with is used up: wait for the next one."
        ),
    )


def fitted[Given: forms.Form](form: Given, user: User) -> Given:
    """The form, asking only for what this person has.

    Nobody who comes by single sign-on has a password, and who has only passkeys no code: see `ask_again`.
    """
    if not user.has_usable_password():
        form.fields.pop("password", None)
    if not second_factor.has_code(user):
        form.fields.pop("present_code", None)
    return form


def confirmed(request: HttpRequest) -> None:
    """Note that the second factor was given now, and give the session a new key."""
    request.session[CONFIRMED_AT] = int(time.time())
    request.session.cycle_key()


def ask_again(request: HttpRequest, user: User) -> HttpResponse | None:
    """Back to the page that asks for the passkey, which stands for the present code if it was given just now."""
    is_recent = time.time() - request.session.get(CONFIRMED_AT, 0) < RECENT_SECONDS
    if is_recent or second_factor.has_code(user) or not second_factor.has_one(user):
        return None
    request.session.pop(DEVICE_ID_SESSION_KEY, None)
    return to("second_factor", request, after=request.path)


def is_present(request: HttpRequest, user: User, form: forms.Form) -> bool:
    """Whether it gives the password and a code that is in use until now; otherwise it says what is wrong."""
    given = form.cleaned_data
    if "password" in form.fields and not own_password.is_right(request, user, given["password"]):
        form.add_error("password", _("This is not your password."))
        return False
    if "present_code" not in form.fields:
        return True
    try:
        second_factor.verify(user, given["present_code"])
    except SecondFactorError as error:
        access_log.note(Kind.CODE_REFUSED, request, user=user)
        form.add_error("present_code", str(error))
        return False
    return True


def page(request: HttpRequest, template: str, title: str, **context: Any) -> HttpResponse:
    response = TemplateResponse(
        request,
        f"admin/second_factor/{template}",
        {**admin.site.each_context(request), "title": title, "next": next_page(request), **context},
    )
    add_never_cache_headers(response)
    return response


def is_staff(user: User | AnonymousUser) -> TypeGuard[User]:
    return user.is_authenticated and user.is_active and user.is_staff


def is_verified(request: HttpRequest) -> bool:
    return bool(request.user.is_verified())  # type: ignore[union-attr]


def next_page(request: HttpRequest) -> str:
    """The page to go on to: the one that was asked for, if it is ours, else the start page."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    if url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure()):
        return wanted
    return reverse("admin:index")


def to(view: str, request: HttpRequest, *, after: str = "") -> HttpResponse:
    return HttpResponseRedirect(reverse(view, query={"next": after or next_page(request)}))


def log_in(request: HttpRequest) -> HttpResponse:
    return HttpResponseRedirect(reverse("admin:login", query={"next": request.get_full_path()}))
