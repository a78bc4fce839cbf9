"""A passkey in a real browser, whose authenticator is Chromium's virtual one: set up, and used at the next login."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from playwright.sync_api import Browser
from pytest_django.live_server_helper import LiveServer

from payouts.models import Passkey
from payouts.staff import groups
from tests import recipes
from tests.browser import visit
from tests.browser.aside import expect
from tests.browser.watch import Watch
from tests.payouts.admin.urls import LIST

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "correct-horse-7"
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture
def page(browser: Browser, server: LiveServer) -> Iterator[Any]:
    """A browser with an authenticator; a passkey is for a name, so the server goes by one."""
    origin = server.url.replace("127.0.0.1", "localhost")
    context, watching = visit.context(browser, origin), Watch(origin)
    watching.over(context)
    found = context.new_page()
    session = context.new_cdp_session(found)
    session.send("WebAuthn.enable")
    session.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    yield found
    context.close()
    assert watching.faults == []


@pytest.fixture
def approver(transactional_db: None) -> User:
    groups.make_groups()
    person: User = recipes.person.make()
    person.groups.add(Group.objects.get(name="Approver"))
    person.set_password(PASSWORD)
    person.save()
    return person


def log_in(page: Any, person: User) -> None:
    page.goto(LIST)
    page.locator("#id_username").fill(person.username)
    page.locator("#id_password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()


def test_a_passkey_is_set_up_and_takes_the_place_of_the_code(page: Any, approver: User, settings: Any) -> None:
    settings.SECOND_FACTOR = True

    log_in(page, approver)
    page.get_by_role("link", name="Use a passkey instead").click()
    page.get_by_label("Name of the passkey", exact=False).fill("laptop")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_role("list", name="Backup codes").get_by_role("listitem")).to_have_count(10)
    page.context.clear_cookies()
    log_in(page, approver)
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url(f"**{LIST}")

    expect(page.get_by_role("navigation", name="Payouts by stage")).to_be_visible()
    passkey = Passkey.objects.get()
    assert (passkey.user, passkey.name, passkey.is_sealed) == (approver, "laptop", True)
    assert passkey.last_used_at is not None


def test_what_is_broken_off_is_said_and_can_be_tried_again(page: Any, approver: User, settings: Any) -> None:
    settings.SECOND_FACTOR = True
    log_in(page, approver)
    page.get_by_role("link", name="Use a passkey instead").click()
    page.get_by_label("Name of the passkey", exact=False).fill("laptop")
    page.evaluate("() => { navigator.credentials.create = () => Promise.reject(new Error('broken off')); }")

    page.get_by_role("button", name="Add a passkey").click()

    expect(page.locator("[data-passkey-said]")).to_contain_text("broken off")
    expect(page.get_by_role("button", name="Add a passkey")).to_be_enabled()
    assert not Passkey.objects.exists()


def test_the_button_waits_for_the_script(page: Any, approver: User, settings: Any) -> None:
    settings.SECOND_FACTOR = True
    page.route("**/passkeys*.js", lambda route: route.fulfill(body="", content_type="text/javascript"))
    log_in(page, approver)
    page.get_by_role("link", name="Use a passkey instead").click()
    button = page.get_by_role("button", name="Add a passkey")

    expect(button).to_be_disabled()
    page.unroute("**/passkeys*.js")
    page.reload()

    expect(button).to_be_enabled()
