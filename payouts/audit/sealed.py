"""What is configured, and who may do what, is what the back office stored."""

from collections.abc import Iterator

from payouts.audit.findings import Broken
from payouts.models import Proposal, Recovery
from payouts.models.sealed_sets import fault_of, sealed_sets
from payouts.staff import authority


def people() -> Iterator[Broken]:
    for found in authority.unfit():
        kind = found.content.kind.value
        yield Broken(None, f"{kind}_sealed", f"the {kind} {found.name} is not what the back office stored")


def recoveries() -> Iterator[Broken]:
    for recovery in Recovery.objects.order_by("pk"):
        if not recovery.is_sealed:
            yield Broken(None, "recovery_sealed", f"recovery {recovery.pk} was changed outside the product")


def configuration() -> Iterator[Broken]:
    """Each sealed set with the rows that differ from their history, and each proposal."""
    for name in sorted(sealed_sets()):
        if fault := fault_of(name):
            yield Broken(None, "configuration_sealed", fault)
    for proposal in Proposal.objects.order_by("pk").iterator():
        if not proposal.is_sealed:
            yield Broken(None, "proposal_sealed", f"proposal {proposal.pk} was changed outside the product")
