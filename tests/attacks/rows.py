"""Makes, in Django, what the attacks are aimed at, and prints it as one line of JSON.

    python -m tests.attacks.rows

Two clients with keys, payouts of one of them in every state, people in every role with sessions that are open, and
scripts in every text that is stored.
"""

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import django
from django.conf import settings

# The manifest of `collectstatic` is not there, and no page is made here.
settings.STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"
django.setup()

from django.contrib.auth.models import Group, User  # noqa: E402
from django.test import Client  # noqa: E402
from django.utils import timezone  # noqa: E402
from django_q.models import OrmQ, Schedule  # noqa: E402

from payouts import actions, clients  # noqa: E402
from payouts.actions import bulk, days, keys, pauses, recovery, unknown_payments  # noqa: E402
from payouts.models import (  # noqa: E402
    ApiKey,
    ApprovalBand,
    Authenticator,
    ReconciledDay,
    SavedView,
    Scope,
    UnknownPayment,
)
from payouts.providers import Answer, Verdict  # noqa: E402
from payouts.staff import groups  # noqa: E402
from payouts.statements import read  # noqa: E402
from tests import recipes  # noqa: E402
from tests.attacks.roles import CANARY, ROLES, SCRIPTS, USER_ID  # noqa: E402
from tests.payouts.admin.test_gets import addresses  # noqa: E402

SCRIPT = SCRIPTS[0]
# Not those that pass through the worker's hands on the way to another recipe's state.
STATES = (
    *("pending", "awaiting", "approved", "held", "scheduled", "processing", "accepted", "processed", "returned"),
    *("settled", "failed", "retried", "unknown", "half_resolved", "resolved", "rejected", "cancelled"),
)


def main() -> None:
    keys.begin_writing()
    groups.make_groups()
    victim, victims_key = clients.create_client(f"victim-{CANARY}", scopes=list(Scope.values))
    attacker, attackers_key = clients.create_client("attacker", scopes=list(Scope.values))
    payouts = {state: recipes.PAYOUTS[state](client=victim, **_scripted()).pk for state in STATES}
    payouts["withdrawn"] = recipes.withdrawn_payout(client=victim, **_scripted()).pk
    for text in SCRIPTS:
        payouts[f"script {text}"] = recipes.awaiting_payout(client=victim, **_scripted(text)).pk
    people = {role: _person(role) for role in ROLES if role != "nobody"}
    print(
        json.dumps(
            {
                "victim": victims_key,
                "keys": {
                    "all scopes": attackers_key,
                    **{f"only {scope}": clients.create_key(attacker, scopes=[scope]) for scope in Scope.values},
                },
                "dead keys": {"revoked": _dead(attacker, is_revoked=True), "expired": _dead(attacker)},
                "payouts": payouts,
                "sessions": {role: _session(person) for role, person in people.items()},
                "cookie": settings.SESSION_COOKIE_NAME,
                "addresses": sorted(_addresses(payouts, people["superuser"])),
            }
        )
    )


def _scripted(text: str = SCRIPT) -> dict[str, Any]:
    """A payout of the victim's; each differs, or the second of two alike would wait for an approval."""
    return {
        "recipient": {"card": "4111 1111 1111 1111", "name": text, "bank": f"{text} {uuid4().hex}", text: text},
        "comment": f"{CANARY} {text}",
        "user_id": USER_ID,
        "idempotency_key": uuid4().hex,
    }


def _person(role: str) -> User:
    person: User = recipes.person.make(username=f"{role.lower()}-{CANARY[-4:]}", first_name=SCRIPT[:150])
    match role:
        case "outsider":
            person.is_staff = False
        case "closed":
            person.is_active = False
        case "superuser":
            person.is_superuser = True
        case "Operator" | "Approver" | "Auditor" | "Admin":
            person.groups.add(Group.objects.get(name=role))
    person.save()
    if role not in ("plain", "outsider", "closed"):
        Authenticator.objects.create(user=person, name="authenticator", confirmed=True)
    return person


def _session(person: User) -> str:
    """The key of an open session of theirs, with their second factor where they have one."""
    browser = Client()
    browser.force_login(person, backend="payouts.staff.authority.SealedBackend")
    device = Authenticator.objects.filter(user=person).first()
    if device is not None:
        from django_otp import DEVICE_ID_SESSION_KEY

        session = browser.session
        session[DEVICE_ID_SESSION_KEY] = device.persistent_id
        session.save()
    return browser.cookies[settings.SESSION_COOKIE_NAME].value


def _dead(attacker: Any, *, is_revoked: bool = False) -> str:
    if is_revoked:
        key = clients.create_key(attacker, scopes=list(Scope.values))
        clients.revoke_key(ApiKey.objects.latest("pk").pk)
        return key
    return clients.create_key(
        attacker, scopes=list(Scope.values), expires_at=timezone.now() + timedelta(milliseconds=1)
    )


def _day(person: User) -> ReconciledDay:
    day = ReconciledDay.objects.create(account="main", on=timezone.now().date(), zone="UTC", message=SCRIPT[:255])
    return days.close(day.pk, by=person, reason=f"{CANARY} {SCRIPT}")


def _addresses(payouts: dict[str, int], person: User) -> set[str]:
    """Every address of the back office, with rows whose texts are scripts."""
    client, _key = clients.create_client("shop", scopes=["payouts:read"])
    report = read.store(b"reference,status,amount\nr-1,pending,1\n", name=f"{SCRIPT}.csv"[:100], by=person)
    heard = unknown_payments.Heard(uuid4(), Verdict.SUCCEEDED)
    unknown_payments.note([heard], provider="http", source=UnknownPayment.Source.WEBHOOK)
    # Quotation marks and semicolons are the file's own.
    bare = SCRIPTS[5]
    batch = recipes.sent_batch(f"7;250000.00;RUB;card;4111 1111 1111 1111;{bare};;{bare}", by=person)
    decided = bulk.choose([payouts["awaiting"]], verb=bulk.Verb.HOLD, by=person)
    answered = recipes.pending_payout(**_scripted())
    told = Answer(Verdict.REFUSED, code=SCRIPT[:50], message=SCRIPT, excerpt=SCRIPT, http_status=422)
    actions.record_outcomes([(recipes.claimed(answered), told)])
    queued = OrmQ.objects.first() or OrmQ.objects.create(key="x", payload="x")
    ids = {
        "payouts/apiclient": client.pk,
        "payouts/providerreport": report.pk,
        "payouts/export": recipes.asked_export("", format="csv", by=person).pk,
        "payouts/batch": batch.pk,
        "payouts/proposal": recipes.open_proposal(reason=f"{CANARY} {SCRIPT}").pk,
        "payouts/approvalband": ApprovalBand.objects.earliest("pk").pk,
        "auth/user": person.pk,
        "auth/group": Group.objects.earliest("pk").pk,
        "django_q/schedule": Schedule.objects.earliest("pk").pk,
        "django_q/ormq": queued.pk,
        "payouts/heartbeat": "one",
        "payouts/providerpause": pauses.pause("elsewhere", by=person, reason=f"{CANARY} {SCRIPT}").pk,
        "payouts/recovery": recovery.begin(by="shell:root", reason=f"{CANARY} {SCRIPT}").pk,
        "payouts/unknownpayment": UnknownPayment.objects.earliest("pk").pk,
        "payouts/reconciledday": _day(person).pk,
        "payouts/providerpause/pause": "http",
        "payouts/payout/bulk": decided.pk,
        "payouts/payout/views": SavedView.objects.create(owner=person, name=SCRIPT[:50], query="stage=held").pk,
    }
    found = {"/admin/payouts/payout/?q=" + CANARY, "/admin/search/?s=" + CANARY}
    for payout in (payouts["awaiting"], payouts["half_resolved"], payouts["held"], answered.pk):
        found |= addresses(ids | {"payouts/payout": payout})
    return found


if __name__ == "__main__":
    main()
