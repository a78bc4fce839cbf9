"""Proposals about who a person is at the identity provider: whoever has that login is this person here."""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from payouts.configuration.errors import ConfigurationError
from payouts.configuration.people_subjects import AboutPerson
from payouts.configuration.subjects import NOTHING, Act, Content, Line, register
from payouts.models import Proposal, SingleSignOn
from payouts.staff import single_sign_on

SUBJECT_LIMIT = 255  # OpenID Connect Core 1.0, section 2


@register
class SingleSignOnSubject(AboutPerson):
    """A person is linked to a subject of the provider's, and their password stops; or the link is taken away."""

    name = "single_sign_on"
    label = gettext_lazy("single sign-on")
    acts = (Act.CHANGE, Act.DELETE)

    def snapshot(self, instance: Any) -> Content:
        found = SingleSignOn.objects.filter(user=instance).first() if instance else None
        return {"issuer": found.issuer, "subject": found.subject} if found else {}

    def check(self, proposal: Proposal, instance: Any, *, by: User | None) -> None:
        super().check(proposal, instance, by=by)
        if by is not None and by.pk == proposal.proposed_by_id and not by.is_superuser:
            raise ConfigurationError(_("Only a superuser proposes whose login at the identity provider this is."))
        if proposal.act == Act.DELETE:
            if not proposal.before:
                raise ConfigurationError(_("This person does not come by single sign-on."))
            return
        if not single_sign_on.is_on() or proposal.after.get("issuer") != settings.OIDC_ISSUER:
            raise ConfigurationError(_("The identity provider is another one now, or there is none."))
        subject = proposal.after.get("subject")
        if not isinstance(subject, str) or not 0 < len(subject) <= SUBJECT_LIMIT:
            raise ConfigurationError(_("Give the identifier, of at most 255 characters."))
        if SingleSignOn.objects.filter(issuer=settings.OIDC_ISSUER, subject=subject).exclude(user=instance).exists():
            raise ConfigurationError(_("Somebody else is linked to this identifier."))

    def apply(self, proposal: Proposal, instance: Any) -> User:
        person: User = instance
        if proposal.act == Act.DELETE:
            single_sign_on.unlink(person)
        else:
            single_sign_on.link(person, proposal.after["subject"])
        return person

    def lines(self, before: Content, after: Content) -> list[Line]:
        words = {"issuer": _("Identity provider"), "subject": _("Identifier there")}
        found = [Line(words[name], before.get(name, NOTHING), after.get(name, NOTHING)) for name in words]
        return [line for line in found if line.before != line.after]
