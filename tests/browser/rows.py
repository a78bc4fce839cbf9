"""One row of every kind, so that every screen has something to show."""

import uuid
from datetime import datetime, timedelta
from decimal import Decimal

from django.contrib.auth.models import User
from django.utils import timezone
from django_q.models import OrmQ, Task

from payouts import accounts, actions, clients, configuration, statements
from payouts.actions import bulk, days, pauses, recovery, unknown_payments
from payouts.actions.unknown_payments import Heard
from payouts.batches import check, upload
from payouts.models import (
    CALL_SECONDS,
    ApprovalBand,
    Attempt,
    AuditRun,
    DailyTotal,
    Heartbeat,
    MinuteSample,
    PayoutLimit,
    ProviderReport,
    Route,
    UnknownPayment,
)
from payouts.providers import Payment, Verdict
from payouts.staff import groups
from payouts.statements import apply, read
from payouts.worker import schedules
from tests import recipes


def everything() -> User:
    """Make them, and the person who may open every screen."""
    groups.make_groups()
    schedules.register()
    admin: User = recipes.superuser.make(username="admin", first_name="Alice", last_name="Admin")
    recipes.over_limit_payout()
    approved_by_admin = recipes.awaiting_payout(amount=recipes.TWO_APPROVALS)
    actions.approve(approved_by_admin.pk, by=admin, reason="Matches the contract.")
    chosen = [recipes.awaiting_payout(), recipes.awaiting_payout(maker=admin), recipes.awaiting_payout()]
    decision = bulk.choose([payout.pk for payout in chosen], verb=bulk.Verb.APPROVE, by=admin)
    actions.hold(chosen[2].pk, by=recipes.person.make(), reason="The card looks odd.")
    bulk.decide(decision.pk, by=admin, reason="Matches the register.")
    made = {name: make() for name, make in recipes.PAYOUTS.items()}
    client, _key = clients.create_client("shop", scopes=["payouts:read", "payouts:write"])
    for _twice in range(2):
        recipes.pending_payout(client=client)
    actions.flag_missing(made["settled"].pk, by=recipes.person.make(), source="march.csv")
    paid = made["processed"].attempts.get()
    text = f"reference,status,amount\n{paid.reference},succeeded,1.00\nr-1,succeeded,1\n"
    read.store(text.encode(), name="march.csv", by=recipes.person.make())
    told = Payment("po-1", paid.reference, Verdict.SUCCEEDED, Decimal("100.50"), "USD", None, fee=Decimal("2.50"))
    strange = Payment("po-2", None, Verdict.SUCCEEDED, Decimal(7), "RUB", None)
    statements.listed(paid.provider, timezone.now().date(), [told, strange], asked_at=timezone.now())
    for report in ProviderReport.objects.all():
        apply.run(report.pk)
    wrong = "7;x;RUB;card;1;Иван Петров;;"
    twice = [recipes.BATCH_ROW, recipes.BATCH_ROW, "7;5;EUR;iban;DE89370400440532013001;Anna;;"]
    recipes.submitted_batch(*twice, wrong)
    recipes.sent_batch(*twice, wrong, wrong)
    recipes.checked_batch(*twice, wrong, wrong, wrong, by=admin)
    recipes.stopped_batch(*twice, twice[0])
    recipes.approved_batch(*recipes.batch_rows(3))
    unreadable = upload.store(b"user_id;amount\n1;2\n", name="april.csv", by=admin)
    check.run(unreadable.pk)
    recipes.stored_batch(by=admin)
    recipes.asked_export("", format="csv", by=admin)
    while not recipes.write_exports():
        pass
    recipes.asked_export("stage=held", format="xlsx", by=admin)
    _proposed()
    _closed()
    _listed(admin)
    recipes.processed_payout()  # which no list lacks
    PayoutLimit.objects.create(currency="RUB", recipient_amount=Decimal(500000), day_amount=Decimal(9000000))
    Route.objects.create(position=10, currency="RUB", below_amount=Decimal(500000), account="http")
    Route.objects.create(position=20, client=client, recipient_kind="sbp", account="main")
    Heartbeat.objects.create(cluster="one")
    now = timezone.now()
    _forgotten()
    pauses.pause("elsewhere", by=recipes.person.make(), reason="It pays to the wrong accounts.")
    for ago in range(1, 20):
        DailyTotal.objects.create(
            on=(now - timedelta(days=ago)).date(), currency="RUB", paid_count=ago, paid_amount=Decimal(ago * 1000)
        )
    found = {"payout_id": made["pending"].pk, "invariant": "row_sealed", "detail": "the row was changed"}
    AuditRun.objects.create(broken_count=1, findings=[found], finished_at=now)
    sampled(now)
    Task.objects.create(
        id="a" * 32, name="planted", func="payouts.tasks.sweep", started=now, stopped=now, success=False
    )
    OrmQ.objects.create(key="payouts", payload="x", lock=now)
    return admin


def sampled(now: datetime) -> None:
    """A day of samples: a quiet night, a busy hour, a provider that was slow for a while, and a gap."""
    minute = now.replace(second=0, microsecond=0)
    steps = len(CALL_SECONDS) + 1
    made = []
    for ago in range(1, 24 * 60):
        busy = 40 if ago < 90 else 4 + ago % 9
        is_slow = 20 < ago < 35
        calls = [0] * steps
        calls[5], calls[7], calls[13 if is_slow else 9] = busy, busy // 4, 1 + busy // 12
        counts = {"paid": busy - 3 * is_slow, "refused": int(ago % 17 == 0), "unknown": 3 * is_slow, "calls": calls}
        looked = {"due": busy // 8 + 60 * is_slow, "oldest_seconds": 2 + 45 * is_slow}
        made.append(MinuteSample(at=minute - timedelta(minutes=ago), provider="http", **counts, **looked))
        if 300 < ago < 420 or ago % 3:
            continue
        calls = [0] * steps
        calls[11], calls[12] = 2, 1
        made.append(MinuteSample(at=minute - timedelta(minutes=ago), provider="main", paid=3, calls=calls, due=0))
    MinuteSample.objects.bulk_create(made)


def _proposed() -> None:
    """A change that was confirmed, and one that waits."""
    proposer, second = (recipes.allowed_to("change_approvalband") for _each in range(2))
    configuration.confirm(recipes.open_proposal(by=proposer).pk, by=second)
    band = ApprovalBand.objects.get(currency="EUR", from_amount=0)
    after = {"currency": "EUR", "from_amount": "0", "approvals_required": 1}
    configuration.propose("approval_band", band.pk, after, by=proposer, reason="The auditors ask for it.")


def _closed() -> None:
    """A closed account that let something go, and one that could be closed."""
    for name in ("leaver", "closed"):
        person: User = recipes.person.make(username=name)
        clients.create_client(f"{name}s-shop", scopes=["payouts:write"], owner_id=person.pk)
        # Made by hand: a screen that makes a key of the newest client bars its maker from what that client made.
        awaiting = recipes.awaiting_payout(amount=recipes.TWO_APPROVALS, maker=recipes.person.make())
        actions.approve(awaiting.pk, by=person)
        recipes.approved_batch(*recipes.batch_rows(2 if name == "leaver" else 4), checker=person)
    accounts.close(person.pk, by=recipes.person.make(), reason="Left the company.")
    clients.create_client("newest-shop", scopes=["payouts:read"])  # whose key can be revoked


def _listed(admin: User) -> None:
    """Days of an account: one agrees, one was not told, one is closed, and the last differs."""
    ours = Attempt.objects.filter(outcome=Attempt.Outcome.SUCCEEDED).select_related("payout").earliest("pk")
    facts = {"verdict": Verdict.SUCCEEDED, "amount": ours.payout.amount, "currency": "RUB", "created_at": None}
    paid = Payment(provider_id=ours.provider_id, reference=ours.reference, **facts)
    strange = Payment(provider_id="prv_10", reference=None, **facts)
    now = timezone.now()
    for ago, payments in ((4, [strange]), (2, [paid]), (1, [paid, strange])):
        day = days.made("http", (now - timedelta(days=ago)).date())
        report = statements.listed("http", day.on, payments, asked_at=now)
        apply.run(report.pk)
        days.told(day, report, payments)
        if ago == 4:
            days.close(day.pk, by=admin, reason="A payment from the provider's own pages, for the rent.")
    untold = days.made("http", (now - timedelta(days=3)).date())
    days.not_told(untold, code="timeout", message="The provider did not answer in time.")
    days.settle(now=now)


def _forgotten() -> None:
    """Two recoveries, of which one waits for a second person, and payments that only the provider knows."""
    waits = recovery.begin(by="shell:operator", reason="Restored the backup of 03:00.")
    evidence = "Compared 09:00 to 12:00 with the provider's report: all lines agree."
    recovery.propose_end(waits.pk, by=recipes.person.make(), evidence=evidence)
    recovery.begin(by="user:alice", reason="The standby was promoted.")
    for amount in (Decimal("100.50"), None):
        heard = Heard(uuid.uuid4(), Verdict.SUCCEEDED, amount, "RUB" if amount else "", provider_id="prv_1")
        unknown_payments.note([heard], provider="http", source=UnknownPayment.Source.WEBHOOK)
