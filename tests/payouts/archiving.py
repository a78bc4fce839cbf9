"""Archives what a test has made, as if it were long ago."""

from datetime import timedelta

import pytest
from django.utils import timezone

from payouts.actions.archive import Slice, archive
from payouts.checkpoints import make
from tests.databases import as_owner


def archived(*, is_seen: bool = True) -> list[Slice]:
    """Archive all that rests; with `is_seen` a checkpoint has seen it before."""
    if is_seen:
        checkpoint()
    with as_owner():
        return list(archive(timezone.now() + timedelta(seconds=1)))


def checkpoint() -> None:
    """As if every event were older than any transaction."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(make, "SETTLED_AFTER", timedelta(0))
        make.make_due()
