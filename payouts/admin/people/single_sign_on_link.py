"""Linking a person to the identity provider, on their page; another person still must confirm it."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.models import User
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminTextInputWidget

from payouts import configuration
from payouts.admin.kit.dialogs import DialogForm, dialog_action
from payouts.admin.kit.fields import text_field
from payouts.admin.kit.person import person
from payouts.admin.kit.proposed import after_proposing
from payouts.configuration.login_subjects import SUBJECT_LIMIT
from payouts.models import SingleSignOn
from payouts.staff import access_log, single_sign_on

KEPT = gettext_lazy("Saved permanently in the access log.")


class UnlinkForm(DialogForm):
    reason = text_field(KEPT)


class LinkForm(DialogForm):
    subject = forms.CharField(
        label=gettext_lazy("Identifier there"),
        max_length=SUBJECT_LIMIT,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text=gettext_lazy("What the login page tells this person after their first try of single sign-on."),
    )
    reason = text_field(KEPT)


class SingleSignOnMixin:
    """For the admin of people."""

    def has_link_single_sign_on_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return single_sign_on.is_on() and request.user.is_superuser

    def named_elsewhere(self, instance: User) -> str:
        """The groups that the identity provider names and nobody has proposed here, in a sentence; empty for none."""
        found = SingleSignOn.objects.filter(user=instance).first()
        if found is None or not found.groups_named:
            return ""
        names = ", ".join(_(str(name)) for name in found.groups_named)
        said = _("The identity provider also names this person in: %(groups)s. Propose it, if it is right.")
        return said % {"groups": names}

    def link_obstacle(self, name: str, instance: User) -> str:
        """Why there is nothing to unlink; empty for the other dialogs."""
        if name == "unlink_single_sign_on" and not SingleSignOn.objects.filter(user=instance).exists():
            return _("This person does not come by single sign-on.")
        return ""

    @dialog_action(
        form_class=LinkForm,
        permission="link_single_sign_on",
        description=gettext_lazy("Link single sign-on"),
        title=gettext_lazy("Link to the identity provider"),
        submit=gettext_lazy("Link"),
        warning=gettext_lazy(
            "Whoever has this login at the identity provider is this person here, and the person's password stops"
            " working. Make sure that the identifier is really theirs."
        ),
        icon="link",
        is_final=True,
    )
    def link_single_sign_on(self, request: HttpRequest, form: Form, linked: User) -> str | HttpResponse:
        content = {"issuer": settings.OIDC_ISSUER, "subject": form.cleaned_data["subject"]}
        return self._change(request, form, linked, content, configuration.Act.CHANGE, "single_sign_on_linked")

    @dialog_action(
        form_class=UnlinkForm,
        permission="link_single_sign_on",
        description=gettext_lazy("Unlink single sign-on"),
        title=gettext_lazy("Take away single sign-on"),
        submit=gettext_lazy("Take it away"),
        warning=gettext_lazy("The person cannot log in until they have a password again."),
        icon="link_off",
        is_final=True,
    )
    def unlink_single_sign_on(self, request: HttpRequest, form: Form, loser: User) -> str | HttpResponse:
        return self._change(request, form, loser, {}, configuration.Act.DELETE, "single_sign_on_unlinked")

    def _change(
        self, request: HttpRequest, form: Form, someone: User, content: dict[str, str], act: str, done: str
    ) -> str | HttpResponse:
        reason = form.cleaned_data["reason"]
        changed = configuration.change(
            "single_sign_on", someone.pk, content, by=person(request), reason=reason, act=act
        )
        if changed.proposal is not None:
            return after_proposing(request, changed.proposal, otherwise=self.page_url(someone))  # type: ignore[attr-defined]
        access_log.log_act(request.user, someone, done, reason=reason)
        return _("The single sign-on of %(name)s is changed.") % {"name": someone.get_username()}
