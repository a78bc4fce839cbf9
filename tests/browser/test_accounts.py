"""A person's own account in a real browser: the link to a password, and where they are logged in."""

import pytest
from django.contrib.auth.models import User

from payouts.staff import password_links
from tests import recipes
from tests.browser.aside import expect
from tests.browser.conftest import Enter

pytestmark = pytest.mark.django_db(transaction=True)

NEW = "quarry-lantern-71-otter"


def test_the_link_leads_to_a_password_and_leaves_the_address_bar_at_once(enter: Enter) -> None:
    person: User = recipes.person.make()
    code = password_links.make(person, by=recipes.superuser.make())
    page = enter()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    page.goto(f"/admin/password-link/#{code}")
    page.locator("#id_new_password1").fill(NEW)
    page.locator("#id_new_password2").fill(NEW)
    page.get_by_role("button", name="Set the password").click()
    page.wait_for_url("**/admin/login/")
    page.locator("#id_username").fill(person.username)
    page.locator("#id_password").fill(NEW)
    page.get_by_role("button", name="Log in").click()

    page.wait_for_url("**/admin/")
    assert code not in page.url
    assert not any(code in url for url in asked)


def test_a_session_is_ended_from_another_one(enter: Enter) -> None:
    person: User = recipes.person.make()
    here, lost = enter(person), enter(person)
    lost.goto("/admin/")

    here.goto("/admin/sessions/")
    here.get_by_role("button", name="End the session on").click()

    expect(here.get_by_text("1 session ended.")).to_be_visible()
    lost.goto("/admin/")
    lost.wait_for_url("**/admin/login/**")
