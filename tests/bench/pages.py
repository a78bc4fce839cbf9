"""The back office's pages, asked for in one process that logs in as a person who may do everything.

    python -m tests.bench.pages

Prints a line of JSON when it is ready: the pages, by name. Then it reads lines: `ask URL` answers with the
milliseconds that the page took, with no count in the cache; `explain URL` with what each SELECT of the page that
touches the large tables did.
"""

import json
import re
import sys
import time
from html import unescape
from typing import Any

import django
from django.conf import settings

# The manifest of `collectstatic` is not there; without it an address costs the same look into a dictionary.
settings.STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"
django.setup()

from django.apps import apps  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.core.cache import cache  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402

from payouts.models import ApiClient, Payout  # noqa: E402

LARGE = ("payouts_payout", "payouts_event", "payouts_attempt", "payouts_approval")
PERSON = "bench"
LIST = "/admin/payouts/payout/"
NAV = re.compile(r'<nav class="po-tabs".*?</nav>', re.DOTALL)
TAB = re.compile(r'<a\s[^>]*href="([^"]*)"[^>]*>\s*(?:<span[^>]*>[a-z_]+</span>)?\s*([^<]+?)\s*<')


def make_people() -> None:
    """The person who looks, and some clients beside `bench`."""
    User.objects.create_superuser(PERSON)
    for name in ("shop", "wallet", "market"):
        ApiClient.objects.create(name=name)


def logged_in() -> Client:
    browser = Client(headers={"accept-language": "en"}, SERVER_NAME="127.0.0.1")
    person = User.objects.get(username=PERSON)
    browser.force_login(person, backend="payouts.staff.authority.SealedBackend")
    if apps.is_installed("django_otp.plugins.otp_totp"):
        from django_otp import DEVICE_ID_SESSION_KEY
        from django_otp.plugins.otp_totp.models import TOTPDevice

        device, _made = TOTPDevice.objects.get_or_create(user=person, name="bench", confirmed=True)
        session = browser.session
        session[DEVICE_ID_SESSION_KEY] = device.persistent_id
        session.save()
    return browser


def pages(browser: Client) -> dict[str, str]:
    """What people look at all day, by name: the sidebar, each tab of the list, searches, filters, payouts."""
    from django.test import RequestFactory

    from payouts.admin.site import navigation

    request = RequestFactory().get("/admin/")
    request.user = User.objects.get(username=PERSON)
    found = {
        f"sidebar: {item['title']}": str(item["link"]) for group in navigation(request) for item in group["items"]
    }
    tabs = NAV.search(ask(browser, LIST)[1])
    if tabs is None:
        raise RuntimeError("The payouts list has no tabs.")
    for address, title in TAB.findall(tabs[0]):
        if address.startswith("?") and address != "?":
            found[f"tab: {title}"] = LIST + unescape(address)
    newest = Payout.objects.latest("pk").pk
    middle = Payout.objects.filter(status="processed", pk__gte=newest // 2).earliest("pk")
    day = middle.created_at.date()
    found |= {
        "list, page 20": f"{LIST}?p=20",
        "search by ID": f"{LIST}?q={middle.pk}",
        "search by reference": f"{LIST}?q={middle.reference}",
        "search for nothing": f"{LIST}?q=no-such-key",
        "Ctrl+K by ID": f"/admin/search/?s={middle.pk}",
        "payout, processed": f"{LIST}{middle.pk}/change/",
    }
    for stage in ("awaiting_approval", "held", "unknown", "failed"):
        payout = Payout.objects.in_stage(stage).latest("pk")
        found[f"payout, {stage}"] = f"{LIST}{payout.pk}/change/"
    # A day of the large one has more payouts, as all of it does: the list is a page, and a count that ends at 10,000.
    found["filter: one day"] = f"{LIST}?created_from={day}&created_to={day}"
    found["filter: a currency"] = f"{LIST}?currency=USD"
    found["filter: an amount"] = f"{LIST}?amount_from=500&amount_to=510"
    return found


def ask(browser: Client, url: str) -> tuple[float, str]:
    """Milliseconds, and the page. The counts of the queues are counted anew."""
    cache.clear()
    began_at = time.perf_counter()
    answer = browser.get(url, secure=True)
    took = (time.perf_counter() - began_at) * 1000
    if answer.status_code != 200:
        raise RuntimeError(f"{url} was answered with {answer.status_code} {answer.headers.get('Location', '')}")
    return took, answer.content.decode()


def explained(browser: Client, url: str) -> list[dict[str, Any]]:
    """For each SELECT on LARGE: its tables that were read whole, and the node that looked at most rows."""
    seen: dict[str, Any] = {}

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if not many and any(f'"{table}"' in sql or f" {table}" in sql for table in LARGE):
            seen.setdefault(sql, params)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        ask(browser, url)
    plans = []
    for sql, params in seen.items():
        if not sql.lstrip("( \n").upper().startswith(("SELECT", "WITH")):
            continue
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {sql}", params)
            plan = cursor.fetchone()[0]
        nodes = list(_nodes((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]))
        plans.append(
            {
                "sql": sql,
                "scanned": sorted(
                    {
                        node["Relation Name"]
                        for node in nodes
                        if node["Node Type"] == "Seq Scan" and node["Relation Name"] in LARGE
                    }
                ),
                "rows": max(_rows(node) for node in nodes),
                "node": _named(max(nodes, key=_rows)),
            }
        )
    return plans


def _nodes(plan: dict[str, Any]) -> Any:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)


def _rows(node: dict[str, Any]) -> int:
    """Looked at, not only handed on."""
    dropped = sum(node.get(f"Rows Removed by {why}", 0) for why in ("Filter", "Index Recheck", "Join Filter"))
    return int((node["Actual Rows"] + dropped) * node["Actual Loops"])


def _named(node: dict[str, Any]) -> str:
    place = node.get("Index Name") or node.get("Relation Name") or ""
    return f"{node['Node Type']} {place}".strip()


def main() -> None:
    if sys.argv[1:] == ["people"]:
        make_people()
        return
    browser = logged_in()
    print(json.dumps(pages(browser)), flush=True)
    for line in sys.stdin:
        command, _space, url = line.strip().partition(" ")
        said = explained(browser, url) if command == "explain" else ask(browser, url)[0]
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
