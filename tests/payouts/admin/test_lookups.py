"""What a list's address may ask for: its filters, and no column besides."""

import pytest
from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest
from django.test import Client

from tests import recipes
from tests.payouts.admin.conftest import as_user
from tests.payouts.admin.urls import LIST, page
from tests.recipes import pending_payout

pytestmark = pytest.mark.django_db

LOOKUPS = ("", "__exact", "__contains", "__startswith", "__isnull", "__regex", "__id__gt", "__name__contains")


@pytest.fixture
def browser() -> Client:
    return as_user(recipes.superuser.make())


@pytest.mark.parametrize("name", sorted(model._meta.label for model in admin.site._registry))
def test_no_list_is_narrowed_by_a_column_of_its_own(name: str) -> None:
    """Shown before: `?recipient__contains=` and `?seal__contains=` told letter by letter what no page shows."""
    model = apps.get_model(name)
    model_admin = admin.site.get_model_admin(model)
    offered = {name for each in model_admin.list_filter for name in each.parameters()}
    fields = model._meta.get_fields()
    columns = {"pk", *(each.name for each in fields), *(getattr(each, "attname", each.name) for each in fields)}

    asked = {column + lookup for column in columns for lookup in LOOKUPS} - offered

    assert [each for each in asked if model_admin.lookup_allowed(each, "1", HttpRequest())] == []


@pytest.mark.parametrize(
    "query",
    ["recipient__contains=g", "client__name__startswith=s", "client_id=1", "maker__password__contains=a", "id__gt=1"],
)
def test_the_payouts_list_is_narrowed_by_its_filters_alone(query: str, browser: Client) -> None:
    pending_payout()

    assert browser.get(f"{LIST}?{query}").status_code == 400


def test_the_filters_go_on(browser: Client) -> None:
    payout = pending_payout()

    for query in (
        "stage=ready",
        "currency=RUB",
        f"client={payout.client_id}",
        "amount_from=1",
        "created_to=2099-01-01",
    ):
        response = browser.get(f"{LIST}?{query}")
        assert response.status_code == 200
        assert page(payout) in response.content.decode()
