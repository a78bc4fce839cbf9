"""Rows to test with, one recipe per state: `unknown_payout()` is a payout whose outcome is unknown.

People, clients and bands come from model-bakery. A payout is sealed and its events are chained, so a recipe walks it
there through `payouts.actions`, as life does: the audit finds nothing wrong with any of them.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.apps import apps
from django.contrib.auth.models import Permission, User
from django.db.models import QuerySet
from django.utils import timezone
from model_bakery.recipe import Recipe, seq

from payouts import actions, configuration
from payouts.actions import Assignment
from payouts.batches import check, decide, submit, upload
from payouts.exports import request, write
from payouts.jobs import Stop, never
from payouts.models import (
    ApiClient,
    Approval,
    ApprovalBand,
    Batch,
    Export,
    Payout,
    Proposal,
    ReviewRule,
    VelocityLimit,
)
from payouts.providers import Answer, Verdict

CARD = {"card": "4111 1111 1111 1111", "name": "Иван Петров"}
# What the shipped bands ask for in RUB.
NO_APPROVAL, ONE_APPROVAL, TWO_APPROVALS = Decimal("100.50"), Decimal("250000.00"), Decimal("2000000.00")

SUCCEEDED = Answer(Verdict.SUCCEEDED, provider_id="prv_1", http_status=201)
PENDING = Answer(Verdict.PENDING, provider_id="prv_1", http_status=202)
REFUSED = Answer(Verdict.REFUSED, code="account_closed", message="The account is closed.", http_status=422)
LACKS_FUNDS = Answer(Verdict.REFUSED, code="insufficient_funds", message="Too little money.", lacks_funds=True)
UNKNOWN = Answer(Verdict.UNKNOWN, code="timeout", message="No answer before the deadline.")
ABSENT = Answer(Verdict.ABSENT, http_status=200)

person = Recipe(User, username=seq("person-"), is_active=True, is_staff=True)
superuser = person.extend(username=seq("superuser-"), is_superuser=True)
client = Recipe(ApiClient, name=seq("client-"), owner=None)
band = Recipe(ApprovalBand, currency="GBP", from_amount=Decimal(0), approvals_required=0)


def set_rules(effect: str, *flags: str) -> None:
    """What these review flags do; all of them, if none is named."""
    for rule in ReviewRule.objects.filter(flag__in=flags) if flags else ReviewRule.objects.all():
        rule.effect = effect
        rule.save()


def allowed_to(*permissions: str, **given: Any) -> User:
    """A person with these permissions: `change_approvalband`."""
    made: User = person.make(**given)
    made.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return made


def open_proposal(**given: Any) -> Proposal:
    """Somebody proposes that three people approve payouts in RUB from 1,000,000 on."""
    band = ApprovalBand.objects.get(currency="RUB", from_amount=1_000_000)
    after = {"currency": "RUB", "from_amount": "1000000", "approvals_required": 3}
    by = given.pop("by", None) or allowed_to("change_approvalband")
    return configuration.propose("approval_band", band.pk, after, by=by, **{"reason": "More eyes."} | given)


def pending_payout(**given: Any) -> Payout:
    """Ready: the worker may take it at once. `given` is what `actions.submit` takes.

    A maker alone makes it through a client of their own: what a person enters by hand needs an approval.
    """
    facts = {
        "user_id": 123,
        "amount": NO_APPROVAL,
        "currency": "RUB",
        "recipient": CARD,
        "comment": "Оплата бонуса",
    } | given
    if "client" not in facts:
        facts["client"] = client.make(owner=facts.pop("maker", None))
    return actions.submit(**facts)


def awaiting_payout(**given: Any) -> Payout:
    """Pending, and one checker must approve it."""
    return pending_payout(**{"amount": ONE_APPROVAL} | given)


def approved_payout(*, checkers: int = 1, **given: Any) -> Payout:
    """Ready, because the people whom the bands ask for have approved it."""
    payout = awaiting_payout(**{"amount": TWO_APPROVALS if checkers == 2 else ONE_APPROVAL} | given)
    for _each in range(checkers):
        payout = actions.approve(payout.pk, by=person.make(), reason="Matches the contract.")
    return payout


def held_payout(**given: Any) -> Payout:
    return actions.hold(pending_payout(**given).pk, by=person.make(), reason="The card looks odd.")


def scheduled_payout(**given: Any) -> Payout:
    """Ready, but not before tomorrow."""
    return pending_payout(**{"scheduled_for": timezone.now() + timedelta(days=1)} | given)


def over_limit_payout(**given: Any) -> Payout:
    """Ready, and put off for a velocity limit, which has just been taken away again."""
    payout = pending_payout(**given)
    limit = VelocityLimit.objects.create(scope="all", currency="RUB", window="minute", amount=1)
    assert actions.claim(limit=10) == []
    limit.delete()
    return Payout.objects.get(pk=payout.pk)


def without_funds_payout(**given: Any) -> Payout:
    """Ready again, and waiting: the provider refused it for want of money in our account."""
    return answered(pending_payout(**given), LACKS_FUNDS)


def claimed(payout: Payout, *, may_wait: bool = True) -> Assignment:
    """Claim this payout, whatever else is due."""
    if may_wait:
        make_due(payout)
    (assignment,) = actions.claim_suspect() or actions.claim(limit=1)
    assert assignment.payout_id == payout.pk
    return assignment


def make_due(payout: Payout) -> None:
    """Let the payout's time come, before that of any other. `due_at` is the worker's own and is not sealed."""
    Payout.objects.filter(pk=payout.pk).update(due_at=datetime(2000, 1, 1, tzinfo=UTC))


def answered(payout: Payout, answer: Answer) -> Payout:
    """Claim the payout, and record what its provider answers."""
    assert actions.record_outcomes([(claimed(payout), answer)]) == 1
    return Payout.objects.get(pk=payout.pk)


def processing_payout(**given: Any) -> Payout:
    """Claimed a moment ago: its first call is under way."""
    payout = pending_payout(**given)
    claimed(payout)
    return Payout.objects.get(pk=payout.pk)


def accepted_payout(**given: Any) -> Payout:
    """Processing, and the provider has taken it without saying how it ended."""
    return answered(pending_payout(**given), PENDING)


def processed_payout(**given: Any) -> Payout:
    return answered(pending_payout(**given), SUCCEEDED)


def returned_payout(**given: Any) -> Payout:
    """The bank gave the money back."""
    return actions.record_return(
        processed_payout(**given).pk, by=person.make(), evidence="Statement of 15 January, line 2"
    )


def settled_payout(**given: Any) -> Payout:
    return actions.settle(pending_payout(**given).pk, by=person.make(), reason="Paid in cash.")


def failed_payout(**given: Any) -> Payout:
    return answered(pending_payout(**given), REFUSED)


def retried_payout(**given: Any) -> Payout:
    return actions.retry(failed_payout(**given).pk, by=person.make(), reason="The account is open again.")


def unknown_payout(**given: Any) -> Payout:
    return answered(pending_payout(**given), UNKNOWN)


def half_resolved_payout(**given: Any) -> Payout:
    """Unknown, and one of two people has said that it was not paid."""
    return _voice(unknown_payout(**given), Approval.Decision.NOT_PAID)


def resolved_payout(**given: Any) -> Payout:
    """Unknown once; two people have shown that it was paid."""
    payout = unknown_payout(**given)
    _voice(payout, Approval.Decision.PAID)
    return _voice(payout, Approval.Decision.PAID)


def rejected_payout(**given: Any) -> Payout:
    return actions.reject(pending_payout(**given).pk, by=person.make(), reason="No contract.")


def cancelled_payout(**given: Any) -> Payout:
    return actions.cancel(pending_payout(**given).pk, by=person.make(), reason="Entered twice.")


def withdrawn_payout(**given: Any) -> Payout:
    payout = pending_payout(**{"client": client.make()} | given)
    assert payout.client is not None
    return actions.withdraw(payout.pk, by=payout.client)


def _voice(payout: Payout, decision: Approval.Decision) -> Payout:
    return actions.resolve(payout.pk, by=person.make(), decision=decision, evidence="Statement of 14 January, line 7")


PAYOUTS: dict[str, Callable[..., Payout]] = {
    name.removesuffix("_payout"): make for name, make in dict(globals()).items() if name.endswith("_payout")
}


# Batches: a file of rows, walked to where the name says


BATCH_HEADER = "user_id;amount;currency;kind;account;name;bank;comment"
BATCH_ROW = "7;250000.00;RUB;card;4111 1111 1111 1111;Иван Петров;;Оплата бонуса"
# Two that are valid, and one that is not.
BATCH_ROWS = (BATCH_ROW, "8;5;RUB;card;4929 1111 2222 3339;;;", "7;x;RUB;card;1;;;")


def batch_rows(count: int) -> list[str]:
    """Rows that are all different, and valid."""
    return [BATCH_ROW.replace("7;250000", f"{each};{250_000 + each}", 1) for each in range(1, count + 1)]


def batch_csv(*rows: str) -> bytes:
    return "\n".join([BATCH_HEADER, *(rows or (BATCH_ROW,)), ""]).encode()


def stored_batch(*rows: str, by: User | None = None, name: str = "march.csv") -> Batch:
    return upload.store(batch_csv(*rows), name=name, by=by or person.make())


def checked_batch(*rows: str, by: User | None = None, name: str = "march.csv") -> Batch:
    batch = stored_batch(*rows, by=by, name=name)
    assert check.run(batch.pk)
    return Batch.objects.get(pk=batch.pk)


def sent_batch(*rows: str, by: User | None = None) -> Batch:
    batch = checked_batch(*rows, by=by)
    decide.send(batch.pk, by=batch.uploaded_by, leaves_errors_out=True, revision=batch.revision)
    return Batch.objects.get(pk=batch.pk)


def approved_batch(*rows: str, by: User | None = None, checker: User | None = None) -> Batch:
    batch = sent_batch(*rows, by=by)
    decide.approve(batch.pk, by=checker or person.make(), reason="As agreed.", revision=batch.revision)
    return Batch.objects.get(pk=batch.pk)


def rejected_batch(*rows: str) -> Batch:
    batch = sent_batch(*rows)
    decide.reject(batch.pk, by=person.make(), reason="Last month's file.", revision=batch.revision)
    return Batch.objects.get(pk=batch.pk)


def stopped_batch(*rows: str) -> Batch:
    """Approved, and stopped before its first row became a payout."""
    batch = approved_batch(*rows)
    decide.stop(batch.pk, by=person.make(), reason="The rates are last month's.")
    return Batch.objects.get(pk=batch.pk)


def submitted_batch(*rows: str, by: User | None = None, checker: User | None = None) -> Batch:
    batch = approved_batch(*rows, by=by, checker=checker)
    assert submit.run(batch.pk)
    return Batch.objects.get(pk=batch.pk)


# Exports: files of what the payouts list shows


def asked_export(query: str = "", *, by: User, format: str = "csv") -> Export:
    return request.ask(query, format=format, by=by, rows_of=listed)


def write_exports(must_stop: Stop = never) -> bool:
    """One turn of the worker; whether no export is left."""
    return write.run(rows_of=listed, must_stop=must_stop)


def listed(query: str, *, by: User) -> QuerySet[Payout]:
    """What the payouts list shows this person under a filter."""
    app: Any = apps.get_app_config("payouts")
    found: QuerySet[Payout] = app.rows_of(query, by=by)
    return found
