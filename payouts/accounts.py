"""Closing an account: the keys of its clients stop with it, and what it approved can be looked at a second time."""

from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from payouts import clients, rules
from payouts.models import BEING_SUBMITTED, ApiClient, ApiKey, Batch, Payout
from payouts.staff import access_log, authority, password_links
from payouts.states import Status

PAYOUTS_LIMIT = 200


class AccountError(Exception):
    """The account stays as it is; the text is a sentence for a person."""


@dataclass(frozen=True, slots=True)
class Left:
    """What a person would leave behind, or has left."""

    keys: list[ApiKey]  # usable, of the clients that they own: these stop with the account
    made_keys: list[ApiKey]  # usable, of other clients: they made them, so they may have kept them
    payouts: list[Payout]  # that their approval still lets go, the oldest PAYOUTS_LIMIT
    batches: list[Batch]  # that they uploaded or approved, and whose rows are still being submitted


def left_by(person: User) -> Left:
    usable = ApiKey.objects.usable().select_related("client").order_by("client__name", "pk")
    made = ApiKey.history.filter(history_user=person, history_type="+").values("id")
    approved = Payout.objects.filter(rules.has_approved(person), status=Status.PENDING).order_by("pk")
    batches = Batch.objects.filter(BEING_SUBMITTED, Q(uploaded_by=person) | Q(approved_by=person)).order_by("pk")
    return Left(
        keys=list(usable.filter(client__owner=person)),
        made_keys=list(usable.filter(pk__in=made).exclude(client__owner=person)),
        payouts=list(approved.select_related("client", "maker", "held_by").defer("recipient")[:PAYOUTS_LIMIT]),
        batches=list(batches.select_related("uploaded_by", "approved_by").defer("content")),
    )


def why_not_close(person: User, by: User) -> str:
    """It takes one person, at once: closing is the safe direction."""
    if person.pk == by.pk or (person.is_superuser and not by.is_superuser):
        return _("You cannot close your own account. Only a superuser can close a superuser's account.")
    if not person.is_active:
        return _("This account is closed already.")
    return str(rules.why_inactive(by))


def close(person_id: int, *, by: User, reason: str) -> list[ApiKey]:
    """Close the account for now, and revoke the usable keys of the clients that it owns. Returns these keys.

    Its sessions end with their next request. Raises AccountError.
    """
    with transaction.atomic():
        person = User.objects.select_for_update(no_key=True).get(pk=person_id)
        if obstacle := why_not_close(person, User.objects.get(pk=by.pk)):
            raise AccountError(obstacle)
        # Under their locks: a client that changes hands at this moment is this person's, or is not.
        owned = ApiClient.objects.select_for_update(no_key=True).filter(owner=person).order_by("pk")
        keys = list(ApiKey.objects.usable().filter(client__in=list(owned)).select_related("client").order_by("pk"))
        for key in keys:
            clients.revoke_key(key.pk, by=by)
            access_log.log_act(by, key.client, "key_revoked", key=f"pk_{key.prefix}")
        authority.close(person.pk)
        password_links.stop(person)
        named = {"keys": ", ".join(f"pk_{key.prefix}" for key in keys)} if keys else {}
        access_log.log_act(by, person, "account_closed", reason=reason, **named)
    return keys
