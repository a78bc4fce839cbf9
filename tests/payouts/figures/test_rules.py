"""The alerts and the dashboard name figures that there are, and each alert leads to its heading in the runbook."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from typing import Any

import pytest
import yaml
from django.utils.text import slugify

from backoffice.local import ROOT
from payouts.admin.operations import backups
from tests.payouts.figures.scraped import scraped

RULES = ROOT / "deploy/prometheus/rules.yaml"
TESTS = ROOT / "deploy/prometheus/rules_test.yaml"
DASHBOARD = ROOT / "deploy/grafana/payouts.json"
RUNBOOK = ROOT / "docs/runbook.md"

WEB = {"http_requests_total", "http_seconds_bucket", "http_seconds_count", "http_seconds_sum", "http_waiting"}
FIGURES_OF_THE_WEB = {f"payouts_{name}" for name in (*WEB, "http_busy_threads")}
NAMED = re.compile(r"\b(payouts_\w+)")


@cache
def alerts() -> dict[str, dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def queries(panels: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """The title of each panel and what it asks."""
    for panel in panels:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]
        yield from queries(panel.get("panels", []))


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return found


@pytest.mark.django_db
def test_every_query_names_figures_that_are_exported() -> None:
    exported = scraped().names | FIGURES_OF_THE_WEB
    asked = [(name, rule["expr"]) for name, rule in alerts().items()] + list(queries(dashboard()["panels"]))
    variables = [("variable", str(each.get("query", ""))) for each in dashboard()["templating"]["list"]]

    unknown = [
        (place, name) for place, text in asked + variables for name in NAMED.findall(text) if name not in exported
    ]

    assert unknown == []
    assert all(NAMED.search(text) for _place, text in asked)


@pytest.mark.django_db
def test_every_figure_stands_on_the_dashboard_or_in_an_alert() -> None:
    named = set(NAMED.findall(RULES.read_text() + DASHBOARD.read_text()))

    unused = (scraped().names | FIGURES_OF_THE_WEB) - named

    assert {name for name in unused if not name.endswith(("_count", "_sum"))} == set()


@pytest.mark.parametrize("name", alerts())
def test_each_alert_says_what_is_wrong_how_urgent_it_is_and_where_to_read_on(name: str) -> None:
    rule = alerts()[name]
    path, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    headings = re.findall(r"^## (.+)$", RUNBOOK.read_text(), re.MULTILINE)

    assert (ROOT / path) == RUNBOOK
    assert anchor == slugify(name)
    assert name in headings
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"]["summary"].endswith(".")
    assert rule["annotations"]["description"].endswith(".")


@pytest.mark.parametrize("name", alerts())
def test_the_runbook_says_of_each_alert_what_it_means_where_to_look_what_to_do_and_of_the_money(name: str) -> None:
    section = RUNBOOK.read_text().partition(f"\n## {name}\n")[2].partition("\n## ")[0]

    assert section.lstrip().startswith(f"*{alerts()[name]['labels']['severity']}.*")
    assert re.findall(r"\*\*(\w+):\*\*", section) == ["Means", "Look", "Do", "Money"]


def test_the_runbook_has_no_alert_that_is_none() -> None:
    headings = re.findall(r"^## (Payouts\w+)$", RUNBOOK.read_text(), re.MULTILINE)

    assert headings == list(alerts())


@pytest.mark.parametrize("name", alerts())
def test_each_alert_has_a_test_in_which_it_fires_and_one_in_which_it_does_not(name: str) -> None:
    tests = yaml.safe_load(TESTS.read_text())["tests"]
    expected = [
        bool(each["exp_alerts"]) for group in tests for each in group["alert_rule_test"] if each["alertname"] == name
    ]

    assert set(expected) == {True, False}


@pytest.mark.parametrize(
    ("name", "within"),
    [("PayoutsBackupOld", backups.MADE_WITHIN), ("PayoutsBackupUnchecked", backups.CHECKED_WITHIN)],
)
def test_an_alert_and_the_start_page_call_the_same_late(name: str, within: timedelta) -> None:
    count, of = re.findall(r"> (\d+) \* (\d+)$", alerts()[name]["expr"])[0]

    assert timedelta(seconds=int(count) * int(of)) == within
    assert f"{within // timedelta(seconds=int(of))} " in alerts()[name]["annotations"]["summary"]


def test_the_commands_of_the_runbook_are_there() -> None:
    commands = set(re.findall(r"manage\.py (\w+)", RUNBOOK.read_text()))
    there = {path.stem for path in (ROOT / "payouts/management/commands").glob("*.py")} | {"shell"}

    assert commands <= there
