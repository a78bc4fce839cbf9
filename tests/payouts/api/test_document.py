"""The schema and the docs page."""

import re

import pytest
from django.contrib.staticfiles import finders

from payouts.api.schemas import STORABLE
from payouts.plain_text import CONTROLS

pytestmark = pytest.mark.django_db


def test_the_schema_describes_every_call(client):
    schema = client.get("/api/schema/").json()

    assert schema["openapi"].startswith("3.1")
    calls = {(method.upper(), path) for path, item in schema["paths"].items() for method in item}
    assert calls == {
        ("GET", "/api/payouts/"),
        ("POST", "/api/payouts/"),
        ("GET", "/api/payouts/{payout_id}/"),
        ("PATCH", "/api/payouts/{payout_id}/"),
        ("DELETE", "/api/payouts/{payout_id}/"),
        ("GET", "/api/payouts/{payout_id}/events/"),
        ("POST", "/api/webhooks/provider/"),
    }
    assert schema["components"]["schemas"]["PayoutIn"]["properties"]["amount"]["type"] == "number"


def test_the_docs_page_takes_everything_from_us(client):
    page = client.get("/api/docs/")

    assert page.status_code == 200
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page.content.decode())
    assert addresses
    for address in addresses:
        assert address.startswith("/static/")
        assert finders.find(address.removeprefix("/static/"))
    assert "'unsafe-eval'" not in page["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["/api/docs/", "/api/schema/"])
def test_the_document_is_read_only_and_not_there_where_the_settings_say_so(client, settings, path):
    is_read_only = client.post(path).status_code == 405
    settings.API_DOCS = False

    closed = client.get(path)

    assert is_read_only
    assert closed.status_code == 404
    assert closed["Content-Type"] == "application/problem+json"


def test_the_document_forbids_the_marks_that_the_api_refuses():
    forbidden = re.compile(STORABLE)

    refused = {chr(code) for code in range(0x10000) if CONTROLS.fullmatch(chr(code))}

    assert {chr(code) for code in range(0x10000) if not forbidden.fullmatch(chr(code))} == refused | {"\0"}
