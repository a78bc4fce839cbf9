"""What is configured, and who may do what, is what the back office stored."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import chain
from typing import Any

from payouts import vault
from payouts.audit.findings import Broken
from payouts.models import ApiClient, ApiKey, Passkey, Proposal, RecipientKey, Recovery, SingleSignOn
from payouts.models.sealed_sets import fault_of, sealed_sets
from payouts.staff import authority

AT_ONCE = 1_000


def people() -> Iterator[Broken]:
    for found in authority.unfit():
        kind = found.content.kind.value
        yield Broken(None, f"{kind}_sealed", f"the {kind} {found.name} is not what the back office stored")


def logins() -> Iterator[Broken]:
    models: tuple[tuple[str, Any], ...] = (("passkey", Passkey), ("single sign-on", SingleSignOn))
    for name, model in models:
        for row in model.objects.select_related("user").order_by("pk"):
            if not row.is_sealed:
                owner = row.user.get_username()
                yield Broken(None, "login_sealed", f"{name} {row.pk} of {owner} was changed or put in by SQL")


def recoveries() -> Iterator[Broken]:
    for recovery in Recovery.objects.order_by("pk"):
        if not recovery.is_sealed:
            yield Broken(None, "recovery_sealed", f"recovery {recovery.pk} was changed outside the product")


def recipient_keys(after_id: int = 0) -> Iterator[tuple[int, list[Broken]]]:
    """The data keys beyond that id, a batch at a time, each with the last id that was looked at."""
    last_id = after_id
    while keys := list(RecipientKey.objects.filter(pk__gt=last_id).order_by("pk")[:AT_ONCE]):
        last_id = keys[-1].pk
        yield last_id, [found for key in keys if (found := _of_key(key))]


def _of_key(key: RecipientKey) -> Broken | None:
    """One that SQL put in keeps its recipient from being paid, and no payout names it."""
    if not key.is_sealed:
        return Broken(None, "recipient_key_sealed", f"the recipient's key {key.pk} was changed or put in by SQL")
    try:
        if key.wrapped is not None:
            vault.unwrapped(key.wrapped, *key.names)
    except vault.UnreadableError:
        return Broken(None, "recipient_key_readable", f"the recipient's key {key.pk} cannot be read")
    return None


def configuration() -> Iterator[Broken]:
    """Each sealed set with the rows that differ from their history; each client and key, and each proposal."""
    for name in sorted(sealed_sets()):
        if fault := fault_of(name):
            yield Broken(None, "configuration_sealed", fault)
    close = _close_by_history()
    for client in ApiClient.objects.order_by("pk"):
        if not client.is_sealed:
            yield Broken(None, "client_sealed", f"the API client {client.name} was changed outside the product")
        elif hidden := close[client.pk] - client.close_ids:
            people = ", ".join(map(str, sorted(hidden)))
            yield Broken(
                None, "client_put_back", f"the API client {client.name} has lost people close to it: {people}"
            )
    for key in ApiKey.objects.order_by("pk").select_related("client"):
        if not key.is_sealed:
            yield Broken(
                None, "api_key_sealed", f"the key pk_{key.prefix} of {key.client.name} was changed or put in"
            )
    for proposal in Proposal.objects.order_by("pk").iterator():
        if not proposal.is_sealed:
            yield Broken(None, "proposal_sealed", f"proposal {proposal.pk} was changed outside the product")


def _close_by_history() -> dict[int, set[int]]:
    """Who is close to each client by the histories, which only grow: an old row put back knows fewer, and fits."""
    found: dict[int, set[int]] = defaultdict(set)
    owned = ApiClient.history.filter(owner__isnull=False).values_list("id", "owner_id")
    handled = ApiKey.history.filter(history_user__isnull=False).values_list("client_id", "history_user_id")
    for client, person in chain(owned.order_by().distinct(), handled.order_by().distinct()):
        found[client].add(person)
    return found
