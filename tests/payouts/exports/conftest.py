"""A person who may export."""

import pytest
from django.contrib.auth.models import User

from payouts.exports import write
from tests.payouts.exports.files import member


@pytest.fixture
def approver(db: None) -> User:
    return member("Approver")


@pytest.fixture(autouse=True)
def _a_turn_is_long_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a whole file, on a machine that is busy too."""
    monkeypatch.setattr(write, "SLICE_SECONDS", 3_600)
