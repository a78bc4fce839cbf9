"""A database that may have forgotten payments: the provider is asked before each, until two people end it."""

import json
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from payouts import actions
from payouts.actions import recovery, unknown_payments
from payouts.actions.recovery import RecoveryError
from payouts.actions.unknown_payments import Heard, UnknownPaymentError
from payouts.models import Approval, Attempt, Installation, Payout, Recovery, UnknownPayment
from payouts.providers import Answer, Instruction, Verdict
from payouts.references import attempt_reference
from payouts.worker import pump
from tests import recipes
from tests.payouts.observe import audit_of, by_hand, is_clean, nothing_changes
from tests.payouts.providers.double import DoubleProvider, Fault
from tests.recipes import claimed, failed_payout, pending_payout, unknown_payout

pytestmark = pytest.mark.django_db

COLUMNS = ["system_identifier", "timeline", "database_oid", "table_oid"]


@pytest.fixture(autouse=True)
def _few_threads(settings: Any) -> None:
    settings.PROVIDER_CONCURRENCY = 4


@pytest.fixture
def adopted() -> Installation:
    """Stored as it is, as after the first claim."""
    assert recovery.look() == recovery.Finding()
    return Installation.objects.get()


def _begun() -> Recovery:
    return recovery.begin(by="shell:root", reason="Restored the backup of 03:00.")


def _ended(found: Recovery, proposer: User, confirmer: User) -> Recovery:
    recovery.propose_end(found.pk, by=proposer, evidence="Report 7 agrees.")
    return recovery.end(found.pk, by=confirmer, evidence="Report 7 agrees.", reason="Read it.")


def _paid_and_forgotten(payout: Payout, provider: DoubleProvider) -> UUID:
    """The database loses what it has committed, as one that is put back does. Returns the key that was paid."""
    with transaction.atomic():
        assignment = claimed(payout)
        provider.pay(assignment.instruction, deadline=0)
        transaction.set_rollback(True)
    assert not Attempt.objects.exists()
    return assignment.attempt.reference


def _calls(provider: DoubleProvider) -> list[tuple[str, UUID]]:
    """Of the provider, since the first."""
    return [(call.operation, call.instruction.reference) for call in provider.calls[1:]]


def test_the_first_claim_stores_what_the_database_is() -> None:
    assert Installation.objects.get().name == ""

    assignment = claimed(pending_payout())

    stored = Installation.objects.get()
    assert (stored.name, stored.timeline) == ("payouts", 1)
    assert None not in (stored.system_identifier, stored.database_oid, stored.table_oid)
    assert assignment.is_first_call
    assert not Recovery.objects.exists()


def test_the_same_database_pays_without_asking(adopted: Installation) -> None:
    assert claimed(pending_payout()).is_first_call
    assert not Recovery.objects.exists()


@pytest.mark.parametrize("column", COLUMNS)
def test_any_other_identity_begins_recovery_mode_with_the_claim_that_finds_it(
    column: str, adopted: Installation
) -> None:
    by_hand(f"UPDATE payouts_installation SET {column} = {column} + 1")

    assignment = claimed(pending_payout())

    assert (assignment.is_first_call, assignment.may_post) == (False, True)
    begun = Recovery.objects.get()
    stored, now = getattr(adopted, column) + 1, getattr(adopted, column)
    assert (begun.cause, begun.begun_by, begun.ended_at) == ("changed", "system:worker", None)
    assert begun.reason.endswith(f" {stored} → {now}")
    assert getattr(Installation.objects.get(), column) == now


def test_it_begins_once_and_lasts(adopted: Installation) -> None:
    by_hand("UPDATE payouts_installation SET timeline = timeline + 1")

    for _each in range(2):
        assert not claimed(pending_payout()).is_first_call

    assert Recovery.objects.count() == 1


def test_it_begins_without_anything_due(adopted: Installation) -> None:
    by_hand("UPDATE payouts_installation SET timeline = timeline + 1")

    assert recovery.look().is_recovering

    assert Recovery.objects.count() == 1


def test_another_change_is_another_recovery(adopted: Installation, checker: User, operator: User) -> None:
    _begun()
    by_hand("UPDATE payouts_installation SET timeline = timeline + 1")
    recovery.look()

    _ended(Recovery.objects.earliest("pk"), checker, operator)

    assert Recovery.objects.count() == 2
    assert recovery.look().is_recovering


def test_what_was_paid_before_the_loss_is_found_and_not_paid_again(provider: DoubleProvider) -> None:
    payout = pending_payout()
    reference = _paid_and_forgotten(payout, provider)
    _begun()

    pump.run(provider=provider)

    payout.refresh_from_db()
    assert payout.status == "processed"
    assert _calls(provider) == [("look_up", reference)]
    assert len(provider.payments) == 1
    assert is_clean()


def test_without_recovery_mode_too_it_is_the_same_payment_to_the_provider(provider: DoubleProvider) -> None:
    payout = pending_payout()
    reference = _paid_and_forgotten(payout, provider)

    pump.run(provider=provider)

    payout.refresh_from_db()
    assert payout.status == "processed"
    assert _calls(provider) == [("pay", reference)]
    assert len(provider.payments) == 1


def test_what_was_not_paid_before_is_paid(provider: DoubleProvider) -> None:
    payout = pending_payout()
    _begun()

    pump.run(provider=provider)

    payout.refresh_from_db()
    assert payout.status == "processed"
    assert [call.operation for call in provider.calls] == ["look_up"] * 4 + ["pay"]


def test_what_is_asked_about_already_goes_on_as_ever() -> None:
    payout = unknown_payout()
    _begun()

    assignment = claimed(payout)

    assert (assignment.is_first_call, assignment.may_post) == (False, True)


def test_a_retry_in_recovery_mode_asks_first_too() -> None:
    payout = failed_payout()
    _begun()
    actions.retry(payout.pk, by=recipes.person.make(), reason="The account is open again.")

    assignment = claimed(payout)

    assert (assignment.attempt.number, assignment.is_first_call, assignment.may_post) == (2, False, True)


class Ages(DoubleProvider):
    """Keeps how old it is told that each attempt is."""

    def __init__(self) -> None:
        super().__init__()
        self.ages: dict[UUID, timedelta] = {}

    def look_up(self, instruction: Instruction, *, deadline: float) -> Answer:
        self.ages[instruction.reference] = instruction.age
        return super().look_up(instruction, deadline=deadline)


def test_a_key_that_may_be_forgotten_is_as_old_as_the_recovery() -> None:
    """A search that runs behind proves nothing of a payment that was made a moment before the restore."""
    payout, provider = failed_payout(), Ages()
    first = payout.attempts.get()
    found = _begun()
    actions.retry(payout.pk, by=recipes.person.make(), reason="The account is open again.")

    pump.run(provider=provider)

    second = payout.attempts.get(number=2)
    found.refresh_from_db()
    assert provider.ages.pop(first.reference) == second.last_called_at - first.created_at
    assert provider.ages.pop(second.reference) == timedelta()
    assert [*provider.ages.values()] == [second.last_called_at - found.began_at] * 3


# Another installation


def test_a_copy_under_another_name_claims_nothing(adopted: Installation, settings: Any) -> None:
    settings.INSTALLATION = "staging"
    ready, unknown = pending_payout(), unknown_payout_before(settings)
    recipes.make_due(unknown)
    Payout.objects.filter(pk=ready.pk).update(lost_leases=1)

    for payout in (ready, unknown):
        with nothing_changes(payout):
            assert (actions.claim(limit=10), actions.claim_suspect()) == ([], [])
    assert Installation.objects.get().name == "payouts"
    assert not Recovery.objects.exists()


def unknown_payout_before(settings: Any) -> Payout:
    """Of the time when the database was at home."""
    name, settings.INSTALLATION = settings.INSTALLATION, "payouts"
    try:
        return unknown_payout()
    finally:
        settings.INSTALLATION = name


def test_adopting_a_copy_begins_recovery_mode(adopted: Installation, settings: Any) -> None:
    settings.INSTALLATION = "staging"
    by_hand("UPDATE payouts_installation SET timeline = timeline + 1")

    call_command("recovery", "adopt", "--confirm", "payouts")

    assert Installation.objects.get().name == "staging"
    assert Installation.objects.get().namespace == adopted.namespace
    begun = Recovery.objects.get()
    assert (begun.cause, begun.reason) == ("adopted", "payouts → staging")
    assert not claimed(pending_payout()).is_first_call
    assert Recovery.objects.count() == 1


def test_adopting_takes_the_name_that_the_database_has(adopted: Installation, settings: Any) -> None:
    settings.INSTALLATION = "staging"

    with pytest.raises(CommandError):
        call_command("recovery", "adopt", "--confirm", "staging")

    assert Installation.objects.get().name == "payouts"


def test_what_is_ours_cannot_be_adopted(adopted: Installation) -> None:
    with pytest.raises(CommandError):
        call_command("recovery", "adopt", "--confirm", "payouts")

    assert not Recovery.objects.exists()


def test_a_server_that_forgets_pays_nothing_in_production(settings: Any) -> None:
    """That of the tests does: it is fast."""
    payout = pending_payout()
    settings.NEEDS_DURABLE_SERVER = True

    with nothing_changes(payout):
        assert actions.claim(limit=10) == []
    assert "fsync" in recovery.why_not_start()
    with pytest.raises(CommandError, match="fsync"):
        call_command("cluster")


def test_a_server_that_forgets_serves_for_development() -> None:
    assert recovery.why_not_start() == ""


def test_our_connections_wait_for_the_disk() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SHOW synchronous_commit")
        assert cursor.fetchone() == ("on",)


def looked(*arguments: str) -> str:
    out = StringIO()
    call_command("recovery", "look", *arguments, stdout=out)
    return out.getvalue()


def test_a_person_sees_what_each_claim_would_find(adopted: Installation, settings: Any) -> None:
    before = looked(), looked("--json")
    by_hand("UPDATE payouts_installation SET timeline = timeline + 1")
    after = looked(), looked("--json")
    settings.INSTALLATION = "staging"
    elsewhere = looked(), looked("--json")

    assert before[0] == "The database is the one that it was.\n"
    assert after[0].startswith("Recovery mode: ")
    assert elsewhere[0].startswith("Nothing is paid. The database belongs to the installation 'payouts'")
    assert [json.loads(text)["state"] for _words, text in (before, after, elsewhere)] == [
        *("as it was", "recovery", "stopped")
    ]
    assert Recovery.objects.count() == 1


# By hand, and its end


def test_it_is_begun_by_hand_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("recovery", "begin", "--reason", "Restored the backup of 03:00.")

    begun = Recovery.objects.get()
    assert (begun.cause, begun.reason) == ("by_hand", "Restored the backup of 03:00.")
    assert begun.begun_by.startswith("shell:")
    capsys.readouterr()
    call_command("recovery", "status")
    assert "Restored the backup of 03:00." in capsys.readouterr().out
    call_command("recovery", "status", "--json")
    assert '"unknown_payments": 0' in capsys.readouterr().out


@pytest.mark.parametrize("reason", ["", "  ", "a\x00b"])
def test_it_takes_a_reason(reason: str) -> None:
    with pytest.raises(RecoveryError):
        recovery.begin(by="shell:root", reason=reason)

    assert not Recovery.objects.exists()


def test_two_people_end_it(checker: User, operator: User) -> None:
    found = _begun()

    ended = _ended(found, checker, operator)

    assert (ended.proposed_by, ended.evidence, ended.ended_by, ended.end_reason) == (
        checker,
        "Report 7 agrees.",
        operator,
        "Read it.",
    )
    assert claimed(pending_payout()).is_first_call


def test_one_person_cannot_end_it(checker: User) -> None:
    found = _begun()

    with pytest.raises(RecoveryError):
        _ended(found, checker, checker)

    assert not claimed(pending_payout()).is_first_call


def test_nobody_ends_it_without_a_proposal(checker: User) -> None:
    found = _begun()

    with pytest.raises(RecoveryError):
        recovery.end(found.pk, by=checker, evidence="", reason="It is over.")

    assert recovery.look().is_recovering


def test_who_confirms_has_read_the_evidence(checker: User, operator: User) -> None:
    found = _begun()
    recovery.propose_end(found.pk, by=checker, evidence="Report 7 agrees.")
    recovery.propose_end(found.pk, by=checker, evidence="Nothing was compared.")

    with pytest.raises(RecoveryError):
        recovery.end(found.pk, by=operator, evidence="Report 7 agrees.", reason="Read it.")

    assert recovery.look().is_recovering


def test_a_closed_account_does_neither(checker: User, operator: User) -> None:
    found = _begun()
    for person in (checker, operator):
        person.is_active = False

    with pytest.raises(RecoveryError):
        recovery.propose_end(found.pk, by=checker, evidence="Report 7 agrees.")
    recovery.propose_end(found.pk, by=recipes.person.make(), evidence="Report 7 agrees.")
    with pytest.raises(RecoveryError):
        recovery.end(found.pk, by=operator, evidence="Report 7 agrees.", reason="Read it.")


def test_a_recovery_that_sql_ended_begins_anew(adopted: Installation, checker: User, operator: User) -> None:
    found = recovery.begin(by="operator", reason="The disk was put back.")
    by_hand(
        "UPDATE payouts_recovery SET proposed_at = now(), proposed_by_id = %s, evidence = 'Compared.',"
        " ended_at = now(), ended_by_id = %s, end_reason = 'All there.' WHERE id = %s",
        checker.pk,
        operator.pk,
        found.pk,
    )
    assert audit_of(None) == {"recovery_sealed"}

    assert recovery.look().is_recovering

    begun = Recovery.objects.get(ended_at=None)
    assert (begun.cause, begun.begun_by) == (Recovery.Cause.CHANGED, "system:worker")
    assert f"recovery {found.pk} was changed" in begun.reason
    assert is_clean()
    assert recovery.look().is_recovering
    assert Recovery.objects.count() == 2


def test_a_proposal_that_sql_wrote_is_none(checker: User, operator: User) -> None:
    found = recovery.begin(by="operator", reason="The disk was put back.")
    by_hand(
        "UPDATE payouts_recovery SET proposed_at = now(), proposed_by_id = %s, evidence = 'Compared.' WHERE id = %s",
        checker.pk,
        found.pk,
    )

    with pytest.raises(RecoveryError, match="outside"):
        recovery.end(found.pk, by=operator, evidence="Compared.", reason="All there.")

    assert Recovery.objects.get().ended_at is None
    recovery.propose_end(found.pk, by=checker, evidence="Compared with the statement.")
    recovery.end(found.pk, by=operator, evidence="Compared with the statement.", reason="All there.")
    assert is_clean()


def test_what_has_ended_is_over(checker: User, operator: User) -> None:
    found = _ended(_begun(), checker, operator)

    with pytest.raises(RecoveryError, match="operator"):
        recovery.propose_end(found.pk, by=checker, evidence="Once more.")
    with pytest.raises(RecoveryError, match="operator"):
        recovery.end(found.pk, by=checker, evidence=found.evidence, reason="Once more.")


# Payments that only the provider knows


def _heard(reference: Any = None) -> Heard:
    return Heard(reference or uuid4(), Verdict.SUCCEEDED, provider_id="prv_9")


def _noted(*heard: Heard) -> None:
    unknown_payments.note(heard, provider="http", source=UnknownPayment.Source.WEBHOOK)


def test_an_unknown_payment_is_kept_once() -> None:
    heard = _heard()

    _noted(heard, _heard())
    _noted(heard)

    assert UnknownPayment.objects.count() == 2


def test_a_key_that_the_provider_was_heard_to_know_is_asked_about_first(provider: DoubleProvider) -> None:
    """After recovery mode has ended a client asks again for what was forgotten."""
    payout = pending_payout()
    reference = _paid_and_forgotten(payout, provider)
    _noted(_heard(reference))

    pump.run(provider=provider)

    assert _calls(provider) == [("look_up", reference)]
    known = UnknownPayment.objects.get()
    assert (known.payout, known.closed_by) == (payout, None)
    assert known.closed_at is not None


def test_it_is_asked_about_first_though_a_person_has_closed_it(operator: User) -> None:
    payout = pending_payout()
    _noted(_heard(attempt_reference(payout.reference, 1)))
    closed = unknown_payments.close(UnknownPayment.objects.get().pk, by=operator, reason="Of the old system.")

    assert not claimed(payout).is_first_call

    known = UnknownPayment.objects.get()
    assert (known.payout, known.closed_by, known.closed_at) == (payout, operator, closed.closed_at)


def test_a_person_closes_it_with_a_reason(operator: User) -> None:
    _noted(_heard())
    payment = UnknownPayment.objects.get()

    for reason in ("", " ", "a\x00b"):
        with pytest.raises(UnknownPaymentError):
            unknown_payments.close(payment.pk, by=operator, reason=reason)
    closed = unknown_payments.close(payment.pk, by=operator, reason="Paid by the old system.")

    assert (closed.closed_by, closed.close_reason) == (operator, "Paid by the old system.")
    with pytest.raises(UnknownPaymentError):
        unknown_payments.close(payment.pk, by=operator, reason="Once more.")


def test_no_attempt_of_ours_is_ever_unknown() -> None:
    payout = unknown_payout()

    actions.hear(message_id="msg_1", reference=payout.attempts.get().reference, reported=Verdict.SUCCEEDED)

    assert not UnknownPayment.objects.exists()
    assert Attempt.objects.count() == 1


# A retry that was forgotten


def _paid_by_a_retry_and_forgotten(provider: DoubleProvider) -> Payout:
    """Its first attempt was refused and its second paid; then the database has it as it was before both."""
    payout = pending_payout()
    provider.script(Fault.REFUSED)
    with transaction.atomic():
        first = claimed(payout)
        actions.record_outcomes([(first, provider.pay(first.instruction, deadline=0))])
        actions.retry(payout.pk, by=recipes.person.make(), reason="The account is open again.")
        provider.pay(claimed(payout).instruction, deadline=0)
        transaction.set_rollback(True)
    assert len(provider.paid(payout.reference)) == 1
    return payout


def test_a_payout_whose_retry_was_forgotten_is_not_paid_by_its_first_attempt(provider: DoubleProvider) -> None:
    """The provider would take the first key now: the account is open again."""
    payout = _paid_by_a_retry_and_forgotten(provider)
    _begun()

    pump.run(provider=provider)

    payout.refresh_from_db()
    assert (payout.status, payout.attention) == ("unknown", "contradicted")
    assert [operation for operation, _key in _calls(provider)] == ["pay", "look_up", "look_up"]
    assert len(provider.paid(payout.reference)) == 1
    assert is_clean()
    known = UnknownPayment.objects.get()
    assert (known.reference, known.source) == (attempt_reference(payout.reference, 2), "look_up")
    assert (known.amount, known.currency, known.detail) == (payout.amount, "RUB", f"#{payout.pk}")


def test_the_forgotten_retry_is_looked_up_when_it_is_made_again(
    provider: DoubleProvider, checker: User, operator: User
) -> None:
    payout = _paid_by_a_retry_and_forgotten(provider)
    found = _begun()
    pump.run(provider=provider)
    _ended(found, checker, operator)
    for person in (checker, operator):
        actions.resolve(
            payout.pk, by=person, decision=Approval.Decision.NOT_PAID, evidence="Not under the first key."
        )
    actions.retry(payout.pk, by=recipes.person.make(), reason="Once more.")

    pump.run(provider=provider)

    payout.refresh_from_db()
    assert payout.status == "processed"
    assert len(provider.paid(payout.reference)) == 1
    assert is_clean()


def test_later_keys_that_cannot_be_asked_about_let_nothing_go(provider: DoubleProvider) -> None:
    class Silent(DoubleProvider):
        """It answers for the first key alone."""

        def look_up(self, instruction: Instruction, *, deadline: float) -> Answer:
            answer = super().look_up(instruction, deadline=deadline)
            self.look_ups_fail = True
            return answer

    silent = Silent()
    payout = pending_payout()
    _begun()

    pump.run(provider=silent)

    payout.refresh_from_db()
    assert payout.status == "unknown"
    assert [call.operation for call in silent.calls] == ["look_up", "look_up"]


def test_later_keys_are_not_asked_about_otherwise() -> None:
    assert claimed(pending_payout()).later == ()


# Results of calls that were under way when the database was put back


def test_a_result_for_a_payout_that_is_another_by_now_is_not_recorded(provider: DoubleProvider) -> None:
    payout, other = unknown_payout(), pending_payout()
    assignment = claimed(payout)
    answer = provider.pay(assignment.instruction, deadline=0)

    for payout_id in (other.pk, other.pk + 1_000):
        with nothing_changes(payout), nothing_changes(other):
            assert actions.record_outcomes([(replace(assignment, payout_id=payout_id), answer)]) == 0
    assert is_clean()


def test_a_result_of_an_attempt_that_was_forgotten_is_not_recorded(provider: DoubleProvider) -> None:
    payout = pending_payout()
    with transaction.atomic():
        assignment = claimed(payout)
        transaction.set_rollback(True)
    answer = provider.pay(assignment.instruction, deadline=0)

    with nothing_changes(payout):
        assert actions.record_outcomes([(assignment, answer)]) == 0
    assert is_clean()
