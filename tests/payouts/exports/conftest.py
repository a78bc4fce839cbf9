"""A person who may export."""

import pytest
from django.contrib.auth.models import User

from tests.payouts.exports.files import member


@pytest.fixture
def approver(db: None) -> User:
    return member("Approver")
