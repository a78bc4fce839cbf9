"""The content policy: a page of the back office runs our own files, and compiles no text into code."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

pytestmark = pytest.mark.django_db

ALPINE = "unfold/js/alpine/alpine.js"
# Of dist/cdn.min.js of the npm package @alpinejs/csp 3.17.4.
SHA_256 = "0d18d7f8d7910e2e0212f0f056b12f50bebc3abb7d88d2f7c7cb4c336fe4519a"


def directives(answer: Any) -> dict[str, str]:
    parts = (part.strip().partition(" ") for part in answer["Content-Security-Policy"].split(";"))
    return {name: value for name, _space, value in parts}


@pytest.mark.parametrize("path", ["/admin/", "/admin/payouts/payout/", "/admin/payouts/payout/add/"])
def test_no_page_compiles_text_or_runs_what_stands_in_it(path: str, as_group: Any) -> None:
    policy = directives(as_group("Operator").get(path))

    assert policy["script-src"] == "'self'"
    assert (policy["object-src"], policy["base-uri"], policy["form-action"]) == ("'none'", "'none'", "'self'")


def test_the_login_page_has_the_same_policy() -> None:
    assert directives(Client().get("/admin/login/"))["script-src"] == "'self'"


def test_the_alpine_that_pages_load_is_the_build_for_such_a_policy_unchanged() -> None:
    found = finders.find(ALPINE)

    assert hashlib.sha256(Path(str(found)).read_bytes()).hexdigest() == SHA_256
