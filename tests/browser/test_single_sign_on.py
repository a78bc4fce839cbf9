"""Single sign-on in a real browser: from the login page to a provider of another origin, and back again."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from playwright.sync_api import Browser
from pytest_django.live_server_helper import LiveServer

from payouts.staff import groups, single_sign_on
from tests import recipes
from tests.browser import visit
from tests.browser.aside import expect
from tests.payouts.admin.people.identity_provider import CLIENT, identity_provider
from tests.payouts.admin.urls import LIST

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_login_page_leads_to_the_provider_and_back(
    browser: Browser, server: LiveServer, transactional_db: None, settings: Any
) -> None:
    groups.make_groups()
    person: User = recipes.person.make()
    person.groups.add(Group.objects.get(name="Approver"))
    context = visit.context(browser, server.url)
    page = context.new_page()
    with identity_provider() as provider:
        settings.SECOND_FACTOR, settings.OIDC_SECOND_FACTOR = True, ["mfa"]
        settings.OIDC_ISSUER, settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET = provider.issuer, CLIENT, "secret"
        single_sign_on.link(person, "anna")
        provider.person("anna", amr=["mfa"])

        page.goto(LIST)
        page.get_by_role("link", name="Log in by single sign-on").click()
        page.wait_for_url(f"{provider.issuer}/**")
        page.locator("input[name=sub]").first.fill("anna")
        page.get_by_role("button", name="Authorize").first.click()
        page.wait_for_url(f"**{LIST}")

        expect(page.get_by_role("navigation", name="Payouts by stage")).to_be_visible()
    context.close()
