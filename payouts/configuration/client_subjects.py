"""Proposals about API clients and their keys. A confirmed key is taken by its proposer, who makes and sees it."""

from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from payouts import clients, rules
from payouts.configuration.errors import ConfigurationError
from payouts.configuration.subjects import NOTHING, Act, Content, Line, ModelSubject, Subject, register
from payouts.models import ApiClient, Proposal, Scope
from payouts.models.clients import note_handler


def _key_lines(before: Content, after: Content) -> list[Line]:
    """What the new key may do, and how long it works."""
    if "scopes" not in after:
        return []
    scopes = ", ".join(str(scope.label) for scope in Scope if scope.value in after["scopes"])
    expires_at = _moment(after)
    ends = date_format(timezone.localtime(expires_at), "DATETIME_FORMAT") if expires_at else _("never")
    return [Line(_("Scopes of the key"), NOTHING, scopes), Line(_("Key expires"), NOTHING, ends)]


def _moment(content: Content) -> datetime | None:
    return parse_datetime(content["expires_at"]) if content.get("expires_at") else None


def _check_key(content: Content) -> None:
    """Raises ConfigurationError."""
    try:
        clients.check_scopes(content.get("scopes", ()))
    except clients.ClientError as error:
        raise ConfigurationError(str(error)) from error
    expires_at = _moment(content)
    if expires_at is not None and expires_at <= timezone.now():
        raise ConfigurationError(_("This key would have expired already."))


def _take(client: ApiClient, proposal: Proposal) -> str:
    _check_key(proposal.after)
    return clients.create_key(
        client, scopes=proposal.after["scopes"], expires_at=_moment(proposal.after), by=proposal.proposed_by
    )


@register
class ClientSubject(ModelSubject):
    """A client with its first key is added; later its owner can change. Its name stays: events name it."""

    name = "api_client"
    model = ApiClient
    fields = ("name", "owner")
    acts = (Act.ADD, Act.CHANGE)
    taken = "key"

    def permissions(self, act: str) -> tuple[str, ...]:
        if act == Act.ADD:
            return ("payouts.add_apiclient", "payouts.add_apikey")
        return ("payouts.change_apiclient",)

    def check(self, proposal: Proposal, instance: Any, *, by: User | None) -> None:
        if proposal.act == Act.ADD:
            _check_key(proposal.after)
        elif proposal.after.get("name") != proposal.before.get("name"):
            raise ConfigurationError(_("The name of an API client stays: its payouts' history names it."))
        super().check(proposal, instance, by=by)

    def people(self, proposal: Proposal) -> set[int]:
        owners = {proposal.before.get("owner"), proposal.after.get("owner")}
        tied = rules.people_of_client(int(proposal.object_id)) if proposal.object_id else set()
        return {owner for owner in owners if owner} | tied

    def lines(self, before: Content, after: Content) -> list[Line]:
        return super().lines(before, after) + _key_lines(before, after)

    def take(self, proposal: Proposal) -> str:
        return _take(ApiClient.objects.get(pk=proposal.result_id), proposal)


@register
class KeySubject(Subject):
    """A further key of a client, whose number the proposal names. Its content never holds the secret."""

    name = "api_key"
    label = gettext_lazy("API key")
    acts = (Act.ADD,)
    taken = "key"

    def permissions(self, act: str) -> tuple[str, ...]:
        return ("payouts.add_apikey",)

    def find(self, object_id: str) -> ApiClient | None:
        return ApiClient.objects.select_for_update(no_key=True).filter(pk=object_id).first() if object_id else None

    def snapshot(self, instance: Any) -> Content:
        return {}

    def title(self, proposal: Proposal, instance: Any) -> str:
        return _("Key of %(client)s") % {"client": instance.name if instance else NOTHING}

    def check(self, proposal: Proposal, instance: Any, *, by: User | None) -> None:
        if instance is None:
            raise ConfigurationError(_("A key is a client's: say whose."))
        _check_key(proposal.after)

    def people(self, proposal: Proposal) -> set[int]:
        return rules.people_of_client(int(proposal.object_id))

    def proposed(self, proposal: Proposal) -> None:
        """Whoever wants a key of the client is close to it from now on."""
        note_handler(int(proposal.object_id), proposal.proposed_by_id)

    def apply(self, proposal: Proposal, instance: Any) -> ApiClient:
        """Nothing is made before it is taken."""
        found: ApiClient = instance
        return found

    def lines(self, before: Content, after: Content) -> list[Line]:
        return _key_lines(before, after)

    def take(self, proposal: Proposal) -> str:
        return _take(ApiClient.objects.get(pk=proposal.object_id), proposal)
