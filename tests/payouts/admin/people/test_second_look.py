"""Before an account is closed its keys are named; afterwards a page lists what the person approved."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User

from payouts import actions, clients
from payouts.models import BatchState, BulkDecision
from tests import recipes
from tests.payouts.admin.conftest import as_user
from tests.payouts.admin.text import plain
from tests.payouts.admin.urls import dialog

pytestmark = pytest.mark.django_db


def close_url(person: User) -> str:
    return f"/admin/auth/user/{person.pk}/close-account/"


def second_look_url(person: User) -> str:
    return f"/admin/auth/user/{person.pk}/second-look/"


def test_the_dialog_names_keys_and_what_would_be_left_and_the_next_page_lists_it(
    in_group: Callable[[str], User],
) -> None:
    person, admin = in_group("Approver"), in_group("Admin")
    _client, key = clients.create_client("shop", scopes=["payouts:write"], owner_id=person.pk)
    payout = actions.approve(recipes.awaiting_payout().pk, by=person)
    batch = recipes.approved_batch(checker=person)
    browser = as_user(admin)

    asked = plain(browser.get(close_url(person)).content.decode())
    answer = browser.post(close_url(person), {"version": 0, "reason": "Left the company."}, follow=True)
    text = answer.content.decode()

    assert f"API client shop: its keys pk_{key.split('_')[1]}… stop working at once." in asked
    assert "1 payout that this person approved is not sent yet" in asked
    assert "The batch “march.csv” is being submitted" in asked
    assert answer.redirect_chain == [(second_look_url(person), 302)]
    assert "Keys that still work" not in text
    assert dialog(payout, "hold") in text
    assert dialog(payout, "approve") not in text
    assert f"/admin/payouts/batch/{batch.pk}/stop/" in text
    assert clients.find_key(key) is None


def test_from_that_page_payouts_are_held_together_and_a_batch_is_stopped(in_group: Callable[[str], User]) -> None:
    person, admin = in_group("Approver"), in_group("Admin")
    payouts = [actions.approve(recipes.awaiting_payout(user_id=n).pk, by=person) for n in (1, 2)]
    batch = recipes.approved_batch(checker=person)
    browser = as_user(admin)
    browser.post(close_url(person), {"version": 0, "reason": "Left the company."})

    chosen = {"verb": "hold", "chosen": [payout.pk for payout in payouts], "back": second_look_url(person)}
    browser.post("/admin/payouts/payout/bulk/", chosen)
    browser.post(f"/admin/payouts/payout/bulk/{BulkDecision.objects.get().pk}/", {"reason": "For a second look."})
    browser.post(f"/admin/payouts/batch/{batch.pk}/stop/", {"version": 0, "reason": "For a second look."})

    for payout in payouts:
        payout.refresh_from_db()
    batch.refresh_from_db()
    assert [payout.held_by for payout in payouts] == [admin, admin]
    assert batch.state == BatchState.STOPPED


def test_the_page_of_an_open_account_and_for_those_who_see_no_people_is_not_there(
    in_group: Callable[[str], User],
) -> None:
    person, admin = in_group("Approver"), in_group("Admin")

    assert as_user(admin).get(second_look_url(person)).status_code == 404
    User.objects.filter(pk=person.pk).update(is_active=False)
    assert as_user(admin).get(second_look_url(person)).status_code == 200
    assert as_user(in_group("Operator")).get(second_look_url(person)).status_code == 403
    assert second_look_url(person) in as_user(admin).get(f"/admin/auth/user/{person.pk}/change/").content.decode()
