"""Seals of what is configured, renewed under the first key: sets, clients, keys, people, logins, open proposals.

What does not fit any key is never sealed anew, which would hide it: it is named and left.
"""

from django.db import transaction
from django.db.models.functions import Now

from payouts import vault
from payouts.models import ApiClient, ApiKey, ConfigurationAlteredError, Passkey, Proposal, SingleSignOn
from payouts.models.sealed_sets import renew, sealed_sets
from payouts.staff import authority


def renew_configuration() -> list[str]:
    """Renew all of it. Returns what does not fit, in words for the terminal."""
    unfit = []
    for name in sorted(sealed_sets()):
        try:
            renew(name)
        except ConfigurationAlteredError as error:
            unfit.append(error.detail)
    unfit += [f"the {found.content.kind.value} {found.name}" for found in authority.renew_seals()]
    for client_id in ApiClient.objects.order_by("pk").values_list("pk", flat=True):
        unfit += _renew_client(client_id)
    unfit += _renew_logins()
    in_force = Proposal.objects.filter(expires_at__gt=Now()).order_by("pk")
    for proposal_id in in_force.values_list("pk", flat=True):
        unfit += _renew_proposal(proposal_id)
    return unfit


def _renew_client(client_id: int) -> list[str]:
    unfit = []
    with transaction.atomic():
        client = ApiClient.objects.select_for_update(no_key=True).get(pk=client_id)
        keys = ApiKey.objects.select_for_update(no_key=True).filter(client=client).order_by("pk")
        named: list[tuple[ApiClient | ApiKey, str]] = [(client, f"the API client {client.name}")]
        named += [(key, f"the key pk_{key.prefix}") for key in keys]
        for row, words in named:
            if not row.is_sealed:
                unfit.append(words)
            elif not vault.is_by_first_key(row.facts_seal):
                row.seal_anew()
    return unfit


def _renew_logins() -> list[str]:
    unfit = []
    with transaction.atomic():
        for passkey in Passkey.objects.select_for_update(of=("self",)).select_related("user").order_by("pk"):
            if not passkey.is_sealed:
                unfit.append(f"a passkey of {passkey.user.get_username()}")
            elif not vault.is_by_first_key(passkey.facts_seal):
                passkey.seal_anew()
        for link in SingleSignOn.objects.select_for_update(of=("self",)).select_related("user").order_by("pk"):
            is_renewed = vault.is_by_first_key(link.facts_seal)
            if not link.is_sealed:
                unfit.append(f"the single sign-on of {link.user.get_username()}")
            elif not (is_renewed and vault.is_by_first_field_key(link.refresh_token)):
                link.refresh_token = vault.encrypted_anew(link.refresh_token)
                link.seal_anew()
    return unfit


def _renew_proposal(proposal_id: int) -> list[str]:
    with transaction.atomic():
        proposal = Proposal.objects.select_for_update().get(pk=proposal_id)
        if not proposal.is_sealed:
            return [f"proposal {proposal.pk}"]
        if not vault.is_by_first_key(proposal.facts_seal):
            proposal.facts_seal = proposal.expected_seal()
            proposal.save(update_fields=["facts_seal"])
    return []
