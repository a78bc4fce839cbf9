"""Setting another person's password, which another person still must confirm while DUAL_CONTROL is on."""

from copy import copy
from functools import partial
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import UserAdmin as StockUserAdmin
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.forms import AdminPasswordChangeForm

from payouts import configuration
from payouts.admin.kit.person import person
from payouts.admin.kit.proposed import REASON, after_proposing, why_field
from payouts.configuration import ConfigurationError
from payouts.models import Proposal


class _Proposed(Exception):  # noqa: N818 (no error)
    """Nothing was saved: it is proposed."""

    def __init__(self, proposal: Proposal) -> None:
        self.proposal = proposal


class ProposedPasswordForm(AdminPasswordChangeForm):
    proposal_reason = why_field()

    def __init__(self, *args: Any, by: User, **given: Any) -> None:
        super().__init__(*args, **given)
        self.by = by

    def save(self, commit: bool = True) -> User:
        """Proposes the password's hash. Raises _Proposed, and ConfigurationError."""
        someone = super().save(commit=False)
        reason = self.cleaned_data[REASON]
        content = {"password": someone.password}
        raise _Proposed(configuration.propose("password", someone.pk, content, by=self.by, reason=reason))


class PasswordMixin:
    """For the admin of people, before Django's own."""

    opts: Any

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        if not settings.DUAL_CONTROL:
            return _stock(self, request, id, form_url)
        if unquote(id) == str(request.user.pk):
            return HttpResponseRedirect(reverse("admin:password_change"))
        # A copy, because the admin itself serves other requests at the same time.
        asking = copy(self)
        asking.change_password_form = partial(ProposedPasswordForm, by=person(request))  # type: ignore[attr-defined]
        try:
            return _stock(asking, request, id, form_url)
        except ConfigurationError as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(request.path)
        except _Proposed as done:
            return after_proposing(request, done.proposal, otherwise=reverse("admin:auth_user_change", args=(id,)))


def _stock(model_admin: Any, request: HttpRequest, id: str, form_url: str) -> HttpResponse:
    response: HttpResponse = StockUserAdmin.user_change_password(model_admin, request, id, form_url)
    return response
