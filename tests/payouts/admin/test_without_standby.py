"""Where there is no standby nothing asks for one. tests/payouts/admin/test_from_standby.py has one."""

from collections.abc import Callable

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import DEFAULT_DB_ALIAS

from payouts.database import replica
from tests import recipes
from tests.payouts.admin.conftest import as_user
from tests.payouts.admin.urls import dialog

pytestmark = pytest.mark.django_db


def test_the_primary_is_read() -> None:
    replica.warn()

    assert (replica.is_there(), replica.read(lambda alias: alias)) == (False, DEFAULT_DB_ALIAS)


def test_a_browser_keeps_nothing(in_group: Callable[[str], User]) -> None:
    payout = recipes.awaiting_payout()
    browser = as_user(in_group("Approver"))

    answer = browser.post(dialog(payout, "reject"), {"reason": "Not ours", "version": payout.version})

    assert answer.status_code == 302
    assert settings.WRITTEN_COOKIE_NAME not in answer.cookies
