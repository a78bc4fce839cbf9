"""A card number and a key go through every path, a crash included, and are found nowhere in clear."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django_redis import get_redis_connection

from backoffice.local.servers import free_port
from payouts import actions
from payouts.batches import upload
from payouts.clients import create_client
from payouts.models import Batch, Payout, Scope
from tests.databases import application_url
from tests.payouts.observe import by_hand
from tests.payouts.providers.programs import ROOT
from tests.payouts.worker.test_supervisor import _every_ring_is_heard, provider, start  # noqa: F401 (fixtures)
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

CARD = "4929 1111 2222 3339"
IBAN = "DE89370400440532013000"


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The web server as it runs in production, talking as much as it can; its address and its log."""
    port, log = free_port(), tmp_path / "web.log"
    environment = os.environ | {
        "DATABASE_URL": application_url(),
        "LOG_LEVEL": "DEBUG",
        "LOG_FORMAT": "json",
        "DJANGO_DEBUG": "off",
        "TRUSTED_PROXIES": "1",
        "DJANGO_SETTINGS_MODULE": "tests.payouts.worker.production",
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "backoffice.serve", "--port", str(port)],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    address = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        with suppress(OSError):
            urllib.request.urlopen(f"{address}/healthz/", timeout=5)
            return True
        return False

    try:
        wait_until(answers, f"the web server answers; {log.read_text()}")
        yield address, log
    finally:
        process.terminate()
        process.wait(30)


def post(address: str, key: str, amount: str, answers: list[str]) -> int:
    body = {"user_id": 1, "amount": amount, "currency": "RUB", "recipient_details": {"card": CARD, "iban": IBAN}}
    request = urllib.request.Request(
        f"{address}/api/payouts/",
        json.dumps(body).encode(),
        {"Content-Type": "application/json", "Authorization": f"Bearer {key}", "X-Forwarded-Proto": "https"},
    )
    try:
        return int(urllib.request.urlopen(request, timeout=20).status)
    except urllib.error.HTTPError as error:
        answers.append(error.read().decode())
        return error.code


def account_in(text: str, account: str) -> list[str]:
    """The lines that hold the account, with separators or without."""
    return found_in(re.sub(r"[ \-]", "", text), account.replace(" ", ""))


def found_in(text: str, secret: str) -> list[str]:
    return [line[:200] for line in text.splitlines() if secret in line]


def rows() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        tables = [name for (name,) in cursor.fetchall()]
        lines: list[str] = []
        for table in tables:
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            lines += [f"{table}: {row}".replace("\n", " ") for (row,) in cursor.fetchall()]
    return "\n".join(lines)


def cached() -> str:
    redis = get_redis_connection("default")
    return "\n".join(f"{key!r}: {redis.get(key)!r}" for key in redis.keys("*") if redis.type(key) == b"string")


def test_a_card_number_and_a_key_are_found_nowhere_in_clear(web, start, provider):  # noqa: F811
    address, web_log = web
    _client, key = create_client("shop", scopes=list(Scope.values))
    refusals: list[str] = []
    for amount in ("100.50", "1313.01", "1313.02", "1313.09", "1313.11", "500000"):
        assert post(address, key, amount, refusals) == 201
    operator = User.objects.create(username="operator")
    lines = f"1;5;EUR;card;{CARD};;;\n2;x;EUR;iban;{IBAN};{CARD};;{CARD}\n"
    header = "user_id;amount;currency;kind;account;name;bank;comment\n"
    batch = upload.store((header + lines).encode(), name=f"{CARD}.csv", by=operator)
    before = rows()
    cluster = start(LOG_LEVEL="DEBUG")
    wait_until(lambda: not Payout.objects.filter(status__in=["processing"]).exists(), "nothing in flight")
    wait_until(lambda: Payout.objects.exclude(status="pending").count() == 5, "five were sent")
    wait_until(lambda: Batch.objects.filter(checked_at__isnull=False).exists(), "the batch is checked")
    by_hand("ALTER TABLE payouts_event RENAME TO payouts_event_away")
    try:
        crash = post(address, key, "100.50", refusals)
    finally:
        by_hand("ALTER TABLE payouts_event_away RENAME TO payouts_event")
    auditor = User.objects.create_superuser("auditor", password="x")
    revealed = actions.reveal(Payout.objects.earliest("pk").pk, by=auditor, reason="a customer asks")
    browser = Client()
    browser.force_login(auditor)
    batch_page = browser.get(f"/admin/payouts/batch/{batch.pk}/change/?show=all").content.decode()
    error_file = b"".join(browser.get(f"/admin/payouts/batch/{batch.pk}/errors.csv").streaming_content).decode()
    pages = [batch_page, error_file, browser.get("/admin/payouts/payout/").content.decode()] + [
        browser.get(f"/admin/payouts/payout/{payout.pk}/change/", follow=True).content.decode()
        for payout in Payout.objects.all()
    ]
    time.sleep(0.2)

    assert crash == 500
    assert "Traceback" in web_log.read_text() or "exception" in web_log.read_text()
    assert revealed["card"] == CARD
    places = {
        "the web server's log": web_log.read_text(),
        "the cluster's log": cluster.log.read_text(),
        "the provider's log": provider.log.read_text(),
        "the database before the cluster": before,
        "the database": rows(),
        "Redis": cached(),
        "the API's refusals": "\n".join(refusals),
        "the pages": "\n".join(pages),
    }
    _kind, _prefix, secret = key.split("_", 2)  # the secret itself may have underscores
    nowhere: dict[str, list[str]] = {place: [] for place in places}
    assert len(secret) == 43
    assert {place: account_in(text, CARD) for place, text in places.items()} == nowhere
    assert {place: account_in(text, IBAN) for place, text in places.items()} == nowhere
    assert {place: found_in(text, secret) for place, text in places.items()} == nowhere
    assert all("3339" in page for page in pages)
