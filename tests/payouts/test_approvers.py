"""Who can still approve, and whether there are enough of them."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User

from payouts import actions
from payouts.approvers import Missing, approver_ids, missing_approvers
from tests import recipes

pytestmark = pytest.mark.django_db


def approver(**given: Any) -> User:
    user: User = recipes.person.make(**given)
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_payout", "approve_payout"]))
    return user


def test_approvers_are_active_staff_who_may_see_and_approve() -> None:
    able, root = approver(), recipes.superuser.make()
    approver(is_active=False)
    approver(is_staff=False)
    approver().user_permissions.remove(Permission.objects.get(codename="view_payout"))

    assert approver_ids() == {able.pk, root.pk}


def test_a_payout_is_blocked_while_too_few_people_can_approve_it() -> None:
    maker, first = approver(), approver()
    payout = recipes.awaiting_payout(amount=recipes.TWO_APPROVALS, maker=maker)

    assert missing_approvers(payout) == Missing(needed=2, available=1)
    payout = actions.approve(payout.pk, by=first)
    assert missing_approvers(payout) == Missing(needed=1, available=0)
    approver()
    assert missing_approvers(payout) is None


def test_what_waits_for_no_approval_is_not_blocked() -> None:
    assert missing_approvers(recipes.pending_payout()) is None
    assert missing_approvers(recipes.cancelled_payout()) is None


def test_the_block_is_told_in_numbers() -> None:
    assert str(Missing(2, 1)) == "Blocked: 2 more approvals are needed, and only 1 person can approve."
    assert str(Missing(1, 0)) == "Blocked: 1 more approval is needed, and nobody can approve."
