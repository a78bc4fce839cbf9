"""What is configured, and who may do what, is what the back office stored."""

from collections.abc import Iterator

from payouts.audit.findings import Broken
from payouts.staff import authority


def people() -> Iterator[Broken]:
    for found in authority.unfit():
        kind = found.content.kind.value
        yield Broken(None, f"{kind}_sealed", f"the {kind} {found.name} is not what the back office stored")
