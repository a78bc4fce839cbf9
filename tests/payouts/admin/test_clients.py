"""API clients and their keys: made, shown once, revoked, logged without the secret."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.utils import timezone

from payouts import clients
from payouts.models import ApiClient, ApiKey, StaffSession
from tests import recipes

pytestmark = pytest.mark.django_db

ADD = "/admin/payouts/apiclient/add/"


def key_in(text: str) -> str:
    return text.split('id="po-key">')[1].split("<")[0]


def made(browser: Client, **changed: Any) -> Any:
    return browser.post(ADD, {"name": "shop", "owner": "", "scopes": ["payouts:read"], "expires_on": ""} | changed)


def test_a_new_clients_key_is_shown_once_and_works(as_group: Any) -> None:
    answer = made(as_group("Admin"))

    key = key_in(answer.content.decode())
    found = clients.find_key(key)
    assert found is not None
    assert (found.client.name, found.scopes) == ("shop", ["payouts:read"])
    assert ApiKey.objects.get(pk=found.id).expires_at is None
    assert "no-store" in answer.headers["Cache-Control"]


def test_the_key_is_in_no_session_message_log_or_later_page(as_group: Any) -> None:
    browser = as_group("Admin")
    answer = made(browser)
    secret = key_in(answer.content.decode()).split("_", 2)[2]
    client = ApiClient.objects.get(name="shop")

    later = browser.get(f"/admin/payouts/apiclient/{client.pk}/change/").content.decode()

    assert secret not in later
    assert not any(secret in str(cookie) for cookie in browser.cookies.values())
    assert StaffSession.objects.count() == 1
    assert secret not in str(dict(browser.session.items()))
    assert not any(secret in str(vars(entry)) for entry in LogEntry.objects.all())
    assert LogEntry.objects.filter(object_id=str(client.pk)).count() == 1


def test_a_key_lasts_to_the_end_of_its_last_day(as_group: Any) -> None:
    day = timezone.localdate() + timedelta(days=30)

    made(as_group("Admin"), expires_on=day.isoformat())

    expires_at = ApiKey.objects.get().expires_at
    assert expires_at is not None
    assert expires_at.date() == day + timedelta(days=1)
    assert (expires_at.hour, expires_at.minute) == (0, 0)


@pytest.mark.parametrize(
    ("field", "changed"),
    [
        ("expires_on", {"expires_on": "2020-01-01"}),
        ("expires_on", {"expires_on": "9999-12-31"}),
        ("scopes", {"scopes": []}),
        ("scopes", {"scopes": ["payouts:everything"]}),
        ("name", {"name": "не слаг"}),
    ],
)
def test_bad_input_makes_no_client(field: str, changed: dict[str, Any], as_group: Any) -> None:
    answer = made(as_group("Admin"), **changed)

    assert field in answer.context["adminform"].form.errors
    assert not ApiClient.objects.exists()


def test_a_second_key_is_shown_in_its_dialog_and_logged_by_its_prefix(as_group: Any) -> None:
    client, _key = clients.create_client("shop", scopes=["payouts:read"])

    answer = as_group("Admin").post(
        f"/admin/payouts/apiclient/{client.pk}/add-key/",
        {"version": 0, "scopes": ["payouts:write"], "expires_on": ""},
        headers={"HX-Request": "true"},
    )

    key = key_in(answer.content.decode())
    found = clients.find_key(key)
    assert found is not None
    assert found.scopes == ["payouts:write"]
    assert "no-store" in answer.headers["Cache-Control"]
    prefix = ApiKey.objects.get(pk=found.id).prefix
    assert json.loads(LogEntry.objects.get().change_message) == [{"act": {"name": "key_made", "key": f"pk_{prefix}"}}]


def test_a_revoked_key_stops_and_the_others_go_on(as_group: Any) -> None:
    client, first = clients.create_client("shop", scopes=["payouts:read"])
    second = clients.create_key(client, scopes=["payouts:read"])
    found = clients.find_key(first)
    assert found is not None

    as_group("Admin").post(f"/admin/payouts/apiclient/{client.pk}/revoke-key/", {"version": 0, "key": found.id})

    assert clients.find_key(first) is None
    assert clients.find_key(second) is not None
    act = {"name": "key_revoked", "key": f"pk_{ApiKey.objects.get(pk=found.id).prefix}"}
    assert json.loads(LogEntry.objects.get().change_message) == [{"act": act}]


def test_another_clients_key_cannot_be_revoked_here(as_group: Any) -> None:
    client, _key = clients.create_client("shop", scopes=["payouts:read"])
    _other, key = clients.create_client("other", scopes=["payouts:read"])
    found = clients.find_key(key)
    assert found is not None

    as_group("Admin").post(f"/admin/payouts/apiclient/{client.pk}/revoke-key/", {"version": 0, "key": found.id})

    assert clients.find_key(key) is not None


def test_a_client_without_a_key_is_offered_no_revocation(as_group: Any) -> None:
    client, key = clients.create_client("shop", scopes=["payouts:read"])
    found = clients.find_key(key)
    assert found is not None
    browser = as_group("Admin")
    address = f"/admin/payouts/apiclient/{client.pk}"
    page, dialog = f"{address}/change/", f"{address}/revoke-key/"
    before = browser.get(page).content.decode()

    browser.post(dialog, {"version": 0, "key": found.id})

    after = browser.get(page).content.decode()
    assert (dialog in before, dialog in after) == (True, False)
    assert f"{address}/add-key/" in after


@pytest.mark.parametrize("group", ["Operator", "Approver", "Auditor"])
def test_only_admins_make_clients_and_keys(group: str, as_group: Any) -> None:
    client, key = clients.create_client("shop", scopes=["payouts:read"])
    found = clients.find_key(key)
    assert found is not None
    browser = as_group(group)

    assert made(browser, name="another").status_code == 403
    for name, fields in (("add-key", {"scopes": ["payouts:read"]}), ("revoke-key", {"key": found.id})):
        path = f"/admin/payouts/apiclient/{client.pk}/{name}/"
        assert browser.post(path, {"version": 0} | fields).status_code == 403
    assert browser.get("/admin/payouts/apiclient/").status_code == 200
    assert ApiKey.objects.filter(revoked_at=None).count() == 1


def test_nobody_deletes_a_client(as_group: Any) -> None:
    client, _key = clients.create_client("shop", scopes=["payouts:read"])
    from tests.payouts.admin.conftest import as_user

    path = f"/admin/payouts/apiclient/{client.pk}/delete/"

    assert as_user(recipes.superuser.make()).post(path, {"post": "yes"}).status_code == 403


def test_the_list_of_clients_costs_the_same_for_many(as_group: Any, django_assert_num_queries: Any) -> None:
    browser = as_group("Admin")
    clients.create_client("first", scopes=["payouts:read"])
    browser.get("/admin/payouts/apiclient/")
    with django_assert_num_queries(50, exact=False) as one:
        browser.get("/admin/payouts/apiclient/")
    cost = len(one)
    for number in range(6):
        clients.create_client(f"client-{number}", scopes=["payouts:read"], owner_id=recipes.person.make().pk)
    browser.get("/admin/payouts/apiclient/")  # the menu keeps its counts for seconds only

    with django_assert_num_queries(cost):
        text = browser.get("/admin/payouts/apiclient/").content.decode()

    assert "client-5" in text
    assert "No usable key" not in text
