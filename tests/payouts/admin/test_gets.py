"""No GET changes anything: every address of the admin is visited, and the tables are compared."""

import re
from datetime import date
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.urls import URLPattern, URLResolver, get_resolver
from django_q.models import OrmQ, Schedule

from payouts.actions import bulk, pauses, recovery, unknown_payments
from payouts.models import ApprovalBand, Heartbeat, ReconciledDay, SavedView, UnknownPayment
from payouts.providers import Verdict
from payouts.statements import read
from tests import recipes
from tests.payouts.admin.conftest import as_user

pytestmark = pytest.mark.django_db

TABLES = (
    "payouts_payout",
    "payouts_event",
    "payouts_attempt",
    "payouts_approval",
    "payouts_apiclient",
    "payouts_apikey",
    "payouts_approvalband",
    "payouts_historicalapprovalband",
    "payouts_historicalapiclient",
    "payouts_historicalapikey",
    "payouts_accessevent",
    "otp_totp_totpdevice",
    "otp_static_statictoken",
    "auth_user",
    "payouts_passkey",
    "payouts_singlesignon",
    "payouts_breaker",
    "payouts_providerpause",
    "payouts_recovery",
    "payouts_unknownpayment",
    "payouts_reconciledday",
    "payouts_installation",
    "payouts_dailytotal",
    "payouts_auditrun",
    "payouts_providerreport",
    "payouts_reportline",
    "payouts_export",
    "payouts_exportchunk",
    "payouts_bulkdecision",
    "payouts_bulkitem",
    "payouts_savedview",
    "payouts_batch",
    "payouts_proposal",
    "payouts_batchrow",
    "django_q_schedule",
    "django_q_ormq",
    "django_q_task",
    "auth_group",
    "django_admin_log",
)


def dump() -> dict[str, list[Any]]:
    with connection.cursor() as cursor:
        rows = {}
        for table in TABLES:
            cursor.execute(f"SELECT t::text FROM {table} t ORDER BY 1")
            rows[table] = cursor.fetchall()
    return rows


def addresses(ids: dict[str, Any]) -> set[str]:
    found: set[str] = set()

    def walk(resolver: URLResolver, prefix: str) -> None:
        for pattern in resolver.url_patterns:
            path = prefix + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                walk(pattern, path)
            elif isinstance(pattern, URLPattern):
                found.add(path)

    walk(get_resolver(), "/")
    admin = {path for path in found if path.startswith("/admin/")}
    filled = set()
    for path in admin:
        model = path.removeprefix("/admin/").split("<")[0].strip("/")
        filled.add(re.sub(r"<[^>]+>", str(ids.get(model, 1)), path))
    return {path for path in filled if "(" not in path and "logout" not in path}


def test_no_get_changes_anything_even_for_a_superuser() -> None:
    from payouts import clients
    from payouts.staff import groups

    groups.make_groups()
    client, _key = clients.create_client("shop", scopes=["payouts:read"])
    payouts = [
        recipes.pending_payout(),
        recipes.awaiting_payout(),
        recipes.held_payout(),
        recipes.failed_payout(),
        recipes.unknown_payout(),
    ]
    person = recipes.superuser.make()
    report = read.store(b"reference,status,amount\nr-1,pending,1\n", name="march.csv", by=person)
    asked = recipes.asked_export("", format="csv", by=person)
    recipes.write_exports()
    proposal = recipes.open_proposal()
    batch = recipes.sent_batch(recipes.BATCH_ROW, "7;x;RUB;card;1;;;")
    queued = OrmQ.objects.first() or OrmQ.objects.create(key="x", payload="x")
    Heartbeat.objects.create(cluster="one")
    paused = pauses.pause("elsewhere", by=recipes.person.make(), reason="Odd.")
    begun = recovery.begin(by="shell:root", reason="Restored a backup.")
    heard = unknown_payments.Heard(uuid4(), Verdict.SUCCEEDED)
    unknown_payments.note([heard], provider="http", source=UnknownPayment.Source.WEBHOOK)
    strange = UnknownPayment.objects.get()
    day = ReconciledDay.objects.create(account="main", on=date(2026, 11, 25), zone="UTC")
    decided = bulk.choose([payouts[1].pk], verb=bulk.Verb.APPROVE, by=person)
    bulk.decide(decided.pk, by=person, reason="Checked.")
    bulks = [decided, bulk.choose([payouts[0].pk], verb=bulk.Verb.HOLD, by=person)]
    view = SavedView.objects.create(owner=person, name="Held", query="stage=held")
    browser = as_user(person)
    before = dump()

    visited: set[str] = set()
    for payout in payouts:
        ids = {
            "payouts/payout": payout.pk,
            "payouts/apiclient": client.pk,
            "payouts/providerreport": report.pk,
            "payouts/export": asked.pk,
            "payouts/batch": batch.pk,
            "payouts/proposal": proposal.pk,
            "payouts/approvalband": ApprovalBand.objects.first().pk,
            "auth/user": person.pk,
            "auth/group": Group.objects.first().pk,
            "django_q/schedule": Schedule.objects.first().pk,
            "django_q/ormq": queued.pk,
            "payouts/heartbeat": "one",
            "payouts/providerpause": paused.pk,
            "payouts/recovery": begun.pk,
            "payouts/unknownpayment": strange.pk,
            "payouts/reconciledday": day.pk,
            "payouts/providerpause/pause": "http",
            "payouts/payout/bulk": bulks[payout.pk % 2].pk,
            "payouts/payout/views": view.pk,
        }
        for path in sorted(addresses(ids) - visited):  # most are not about a payout
            answer = browser.get(path)
            assert answer.status_code < 500, path
            visited.add(path)

    assert len(visited) > 100
    assert dump() == before
