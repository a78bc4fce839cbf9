"""Logging in by single sign-on: the way to the identity provider, and the way back from it."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from payouts.admin.people import told_at_login
from payouts.staff import second_factor, single_sign_on
from payouts.staff.single_sign_on import SingleSignOnError

NEXT = "single_sign_on_next"  # in the session, the page to go on to

NEXT_LIMIT = 2_000  # characters

type View = Callable[[HttpRequest], HttpResponse]


def _where_it_is_on(view: View) -> View:
    """Elsewhere, and for what is no GET, there is only the login page."""

    @wraps(view)
    def guarded(request: HttpRequest) -> HttpResponse:
        if single_sign_on.is_on() and request.method in ("GET", "HEAD"):
            return view(request)
        if request.user.is_authenticated:
            raise Http404(_("There is no single sign-on here."))
        return HttpResponseRedirect(reverse("admin:login"))

    return guarded


@_where_it_is_on
def go(request: HttpRequest) -> HttpResponse:
    """To the identity provider. It changes nothing but this browser's own session."""
    request.session[NEXT] = request.GET.get("next", "")[:NEXT_LIMIT]
    try:
        response = single_sign_on.go(request, back=request.build_absolute_uri(reverse("single_sign_on_back")))
    except SingleSignOnError as error:
        return _refused(request, error)
    add_never_cache_headers(response)
    return response


@sensitive_variables()
@_where_it_is_on
def back(request: HttpRequest) -> HttpResponse:
    """From the identity provider, which calls it with a code for one use: whom it names is logged in."""
    wanted = str(request.session.pop(NEXT, ""))
    try:
        person = single_sign_on.come_in(request)
    except SingleSignOnError as error:
        return _refused(request, error)
    if second_factor.has_one(person) and not single_sign_on.is_needed_here(request):
        told_at_login.tell(request, person)  # others are told after our own second factor
    is_ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    response = HttpResponseRedirect(wanted if is_ours else reverse("admin:index"))
    add_never_cache_headers(response)
    return response


def offered(_request: HttpRequest) -> dict[str, Any]:
    """For templates: whether the login page offers single sign-on."""
    return {"offers_single_sign_on": single_sign_on.is_on()}


def _refused(request: HttpRequest, error: SingleSignOnError) -> HttpResponse:
    messages.error(request, str(error))
    return HttpResponseRedirect(reverse("admin:login"))
