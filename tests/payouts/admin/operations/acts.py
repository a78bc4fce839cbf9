"""The operations page in a browser."""

from typing import Any

from django.test import Client

OPERATIONS = "/admin/operations/"


def provider(browser: Client, name: str = "http") -> dict[str, Any]:
    return {row["name"]: row for row in browser.get(OPERATIONS).context["providers"]}[name]
