"""What comes from the provider by itself: webhooks, money that the bank gave back, reports."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from payouts import actions
from payouts.actions import FourEyesError, InvalidError, NotAllowedError, moves
from payouts.models import Approval, Attempt, Attention, Payout, ReportLine, UnknownPayment, WebhookMessage
from payouts.providers import Answer, Verdict, registry
from payouts.worker import pump
from tests import recipes
from tests.payouts.observe import audit_of, by_hand, is_clean, last_event, nothing_changes, rings
from tests.payouts.providers.double import DoubleProvider, Fault
from tests.recipes import (
    ABSENT,
    PAYOUTS,
    PENDING,
    REFUSED,
    SUCCEEDED,
    UNKNOWN,
    accepted_payout,
    answered,
    claimed,
    failed_payout,
    make_due,
    pending_payout,
    processed_payout,
    retried_payout,
    returned_payout,
    unknown_payout,
)

pytestmark = pytest.mark.django_db

RETURNED = Answer(Verdict.RETURNED, provider_id="prv_1", http_status=200)
Result = ReportLine.Result


def _key(payout: Payout) -> UUID:
    return payout.attempts.latest("number").reference


def _hear(payout: Payout, reported: Verdict, message_id: str = "") -> Payout:
    actions.hear(message_id=message_id or uuid4().hex, reference=_key(payout), reported=reported)
    return Payout.objects.get(pk=payout.pk)


def _is_due(payout: Payout) -> bool:
    return Payout.objects.due().filter(pk=payout.pk).exists()


# Webhooks


@pytest.mark.parametrize("recipe", [accepted_payout, unknown_payout])
@pytest.mark.parametrize("reported", [Verdict.SUCCEEDED, Verdict.REFUSED, Verdict.PENDING, Verdict.RETURNED])
def test_news_moves_nothing_and_lets_the_provider_be_asked_at_once(recipe: Any, reported: Verdict) -> None:
    payout = recipe()
    before = (payout.status, payout.version, rings())

    payout = _hear(payout, reported)

    assert (payout.status, payout.version, rings() - 1) == before
    assert _is_due(payout)


def test_what_the_provider_answers_counts_and_not_what_the_webhook_said(provider: DoubleProvider) -> None:
    payout = pending_payout()
    provider.script(Fault.PENDING)
    pump.run(provider=provider)
    provider.settle(_key(payout), Verdict.REFUSED)

    _hear(payout, Verdict.SUCCEEDED)
    pump.run(provider=provider)

    payout.refresh_from_db()
    assert payout.status == "failed"
    assert is_clean()


def test_the_same_message_is_heard_once() -> None:
    payout = _hear(accepted_payout(), Verdict.SUCCEEDED, "msg_1")
    before = rings()

    is_news = actions.hear(message_id="msg_1", reference=_key(payout), reported=Verdict.SUCCEEDED)

    assert (is_news, rings(), WebhookMessage.objects.count()) == (False, before, 1)


@pytest.mark.parametrize(("by_reference", "kept"), [(True, ""), (False, "prv_9")])
def test_the_id_that_a_webhook_tells_is_kept_where_the_provider_can_be_asked_only_by_it(
    by_reference: bool, kept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = replace(registry.KINDS["http"], is_asked_by_reference=by_reference)
    monkeypatch.setitem(registry.KINDS, "http", kind)
    payout = unknown_payout()

    actions.hear(message_id="msg_1", reference=_key(payout), reported=Verdict.SUCCEEDED, provider_id="prv_9")

    assert payout.attempts.get().provider_id == kept
    assert _is_due(payout)


def test_an_answer_that_was_lost_takes_no_id_away_that_a_webhook_told_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kind = replace(registry.KINDS["http"], is_asked_by_reference=False)
    monkeypatch.setitem(registry.KINDS, "http", kind)
    payout = pending_payout()
    assignment = claimed(payout)
    actions.hear(message_id="msg_1", reference=_key(payout), reported=Verdict.SUCCEEDED, provider_id="prv_9")

    actions.record_outcomes([(assignment, UNKNOWN)])

    assert payout.attempts.get().provider_id == "prv_9"


def test_a_message_is_kept_with_what_it_said() -> None:
    payout = _hear(accepted_payout(), Verdict.SUCCEEDED, "msg_1")

    message = WebhookMessage.objects.get()
    assert (message.message_id, message.reference, message.reported) == ("msg_1", _key(payout), "succeeded")


def test_a_payment_that_we_do_not_know_calls_people() -> None:
    key = uuid4()

    for message_id in ("msg_1", "msg_1", "msg_2"):
        assert not actions.hear(
            message_id=message_id,
            reference=key,
            reported=Verdict.SUCCEEDED,
            amount=Decimal("100.50"),
            currency="RUB",
            provider_id="prv_9",
        )

    unknown = UnknownPayment.objects.get()
    assert (unknown.reference, unknown.reported, unknown.source) == (key, "succeeded", "webhook")
    assert (unknown.amount, unknown.currency) == (Decimal("100.50"), "RUB")
    assert (unknown.provider_id, unknown.detail, unknown.closed_at) == ("prv_9", "msg_1", None)


def test_a_refused_payment_that_we_do_not_know_calls_nobody() -> None:
    assert not actions.hear(message_id="msg_1", reference=uuid4(), reported=Verdict.REFUSED)

    assert not UnknownPayment.objects.exists()


def test_news_while_the_provider_is_being_asked_lets_it_be_asked_once_more() -> None:
    payout = accepted_payout()
    assignment = claimed(payout)
    leased = Payout.objects.get(pk=payout.pk)

    heard = _hear(payout, Verdict.SUCCEEDED)
    actions.record_outcomes([(assignment, PENDING)])

    assert (heard.lease_token, heard.due_at) == (leased.lease_token, leased.due_at)
    assert _is_due(payout)


@pytest.mark.parametrize("recipe", [processed_payout, returned_payout])
@pytest.mark.parametrize("reported", [Verdict.SUCCEEDED, Verdict.PENDING])
def test_old_news_of_a_paid_payout_changes_nothing(recipe: Any, reported: Verdict) -> None:
    payout = recipe()

    with nothing_changes(payout):
        _hear(payout, reported)


def test_money_that_came_back_is_returned_when_the_provider_confirms_it() -> None:
    payout = _hear(processed_payout(), Verdict.RETURNED)
    between = (payout.status, _is_due(payout))

    payout = answered(payout, RETURNED)

    assert between == ("processed", True)
    assert (payout.status, payout.due_at) == ("returned", None)
    assert last_event(payout) == ("returned", "processed", "returned", "system:worker", "")
    assert is_clean()


def test_a_paid_payout_whose_news_the_provider_does_not_confirm_stands() -> None:
    payout = answered(_hear(processed_payout(), Verdict.RETURNED), SUCCEEDED)

    assert (payout.status, payout.due_at, payout.attention) == ("processed", None, "")
    assert is_clean()


def test_a_paid_payout_that_the_provider_says_it_refused_is_left_to_a_person() -> None:
    payout = answered(_hear(processed_payout(), Verdict.REFUSED), REFUSED)

    assert (payout.status, payout.due_at, payout.attention) == ("processed", None, Attention.CONTRADICTED)
    assert is_clean()


def test_a_paid_payout_is_asked_about_again_while_the_answer_is_not_clear_and_never_paid_again() -> None:
    payout = _hear(processed_payout(), Verdict.RETURNED)
    assignment = claimed(payout)
    actions.record_outcomes([(assignment, UNKNOWN)])

    payout.refresh_from_db()
    assert (assignment.is_first_call, assignment.may_post) == (False, False)
    assert payout.status == "processed"
    assert payout.due_at is not None


def test_a_look_at_a_paid_payout_goes_on_when_somebody_sees_its_recipient(auditor: User) -> None:
    payout = _hear(processed_payout(), Verdict.RETURNED)

    actions.reveal(payout.pk, by=auditor, reason="The recipient asks.")

    assert _is_due(payout)


def test_a_payment_that_came_back_before_we_knew_of_it_was_paid_and_returned() -> None:
    payout = answered(unknown_payout(), RETURNED)

    names = list(payout.events.order_by("seq").values_list("event", "to_status"))[-2:]
    assert names == [("succeeded", "processed"), ("returned", "returned")]
    assert payout.status == "returned"
    assert is_clean()


@pytest.mark.parametrize("attention", [Attention.NOT_FOUND, Attention.TOO_MANY_CALLS])
def test_news_of_a_payout_that_a_person_should_look_at_for_want_of_an_answer_lets_it_be_asked_again(
    attention: Attention,
) -> None:
    payout = _flagged(unknown_payout(), attention)

    payout = _hear(payout, Verdict.SUCCEEDED)

    assert (payout.status, payout.attention) == ("unknown", "")
    assert last_event(payout)[:4] == ("released", "unknown", "unknown", "provider:http")
    assert _is_due(payout)


@pytest.mark.parametrize(
    ("recipe", "let_go"), [(unknown_payout, actions.release), (processed_payout, actions.clear_flag)]
)
def test_news_of_a_payout_that_is_flagged_for_another_reason_waits_for_its_release(
    recipe: Any, let_go: Any, operator: User
) -> None:
    payout = _flagged(recipe(), Attention.UNREADABLE)
    before = (payout.version, payout.attention, rings())

    payout = _hear(payout, Verdict.RETURNED)
    between = (payout.version, payout.attention, rings())
    let_go(payout.pk, by=operator, reason="The key is there again.")

    assert between == before
    assert _is_due(payout)


@pytest.mark.parametrize("reported", [Verdict.RETURNED, Verdict.REFUSED])
@pytest.mark.parametrize("recipe", [pending_payout, accepted_payout, unknown_payout])
def test_news_during_the_call_that_pays_lets_the_provider_be_asked_once_more(recipe: Any, reported: Verdict) -> None:
    payout = recipe()
    assignment = claimed(payout)

    _hear(payout, reported)
    actions.record_outcomes([(assignment, SUCCEEDED)])
    between = (Payout.objects.get(pk=payout.pk).status, _is_due(payout))
    payout = answered(payout, RETURNED)

    assert between == ("processed", True)
    assert (payout.status, payout.due_at, payout.news_at) == ("returned", None, None)
    assert is_clean()


def test_news_during_a_look_at_a_paid_payout_lets_the_provider_be_asked_once_more() -> None:
    payout = _hear(processed_payout(), Verdict.RETURNED)
    assignment = claimed(payout)

    _hear(payout, Verdict.RETURNED)
    actions.record_outcomes([(assignment, SUCCEEDED)])
    between = _is_due(payout)
    payout = answered(payout, SUCCEEDED)

    assert (between, payout.due_at, payout.news_at) == (True, None, None)


def test_news_during_the_call_that_refuses_fails_nothing_before_the_provider_is_asked_again() -> None:
    payout = unknown_payout()
    assignment = claimed(payout)

    _hear(payout, Verdict.SUCCEEDED)
    actions.record_outcomes([(assignment, REFUSED)])
    between = (Payout.objects.get(pk=payout.pk).status, payout.attempts.get().outcome, _is_due(payout))
    payout = answered(payout, REFUSED)

    assert between == ("unknown", "open", True)
    assert payout.status == "failed"
    assert is_clean()


@pytest.mark.parametrize("answer", [PENDING, Answer(Verdict.UNKNOWN, code="mismatch", http_status=200)])
def test_nobody_says_not_paid_before_the_provider_is_asked_about_its_news(
    answer: Answer, checker: User, second_checker: User
) -> None:
    payout = unknown_payout()
    say = {"decision": Approval.Decision.NOT_PAID, "evidence": "Statement of 3 March, line 4"}
    actions.resolve(payout.pk, by=checker, **say)
    payout = _hear(payout, Verdict.SUCCEEDED)

    with nothing_changes(payout), pytest.raises(NotAllowedError, match="being asked"):
        actions.resolve(payout.pk, by=second_checker, **say)

    answered(payout, answer)
    assert actions.resolve(payout.pk, by=second_checker, **say).status == "failed"


def test_news_of_a_payout_that_waits_for_the_worker_leaves_its_place_in_the_queue() -> None:
    payout = unknown_payout()
    make_due(payout)
    before = Payout.objects.get(pk=payout.pk).due_at

    assert _hear(payout, Verdict.SUCCEEDED).due_at == before


def test_the_audit_finds_news_that_nobody_would_ask_about() -> None:
    payout = _hear(processed_payout(), Verdict.RETURNED)
    by_hand("UPDATE payouts_payout SET due_at = NULL")

    assert audit_of(payout) == {"news_is_due"}


@pytest.mark.parametrize("reported", [Verdict.SUCCEEDED, Verdict.RETURNED])
def test_a_refused_attempt_that_was_paid_after_all_stops_a_payout_that_would_be_sent_again(
    reported: Verdict,
) -> None:
    payout = retried_payout()
    payout = _hear(payout, reported)

    assert (payout.attention, payout.due_at) == (Attention.CONTRADICTED, None)
    assert actions.claim(limit=10) == []
    assert is_clean()


@pytest.mark.parametrize("reported", [Verdict.SUCCEEDED, Verdict.RETURNED])
def test_a_refused_attempt_that_was_paid_after_all_is_looked_up_and_not_sent_again(
    reported: Verdict, operator: User
) -> None:
    payout = _hear(failed_payout(), reported)

    assert (payout.attention, _is_due(payout)) == ("", True)
    with pytest.raises(NotAllowedError, match="being asked"):
        actions.retry(payout.pk, by=operator, reason="Again.")
    assert is_clean()


@pytest.mark.parametrize("reported", [Verdict.REFUSED, Verdict.PENDING])
def test_a_refused_attempt_that_is_told_of_again_stays_refused(reported: Verdict) -> None:
    payout = failed_payout()

    with nothing_changes(payout):
        _hear(payout, reported)


@pytest.mark.parametrize("attention", [Attention.NOT_FOUND, Attention.TOO_MANY_CALLS, Attention.AMOUNT_DIFFERS])
def test_a_refused_attempt_that_was_paid_after_all_outweighs_what_the_payout_is_flagged_for(
    attention: Attention,
) -> None:
    payout = retried_payout()
    refused = _key(payout)
    payout = _flagged(answered(payout, UNKNOWN), attention)

    actions.hear(message_id="msg_1", reference=refused, reported=Verdict.SUCCEEDED)
    payout = _hear(payout, Verdict.PENDING)

    assert (payout.attention, payout.due_at) == (Attention.CONTRADICTED, None)
    assert is_clean()


def test_an_altered_payout_hears_nothing() -> None:
    payout = accepted_payout()
    by_hand("UPDATE payouts_payout SET version = version + 1")

    with pytest.raises(actions.AlteredError):
        _hear(payout, Verdict.SUCCEEDED)

    assert not WebhookMessage.objects.exists()


# Returned, as a person says


def test_record_return_takes_evidence_and_moves_it(checker: User) -> None:
    payout = actions.record_return(processed_payout().pk, by=checker, evidence="Statement of 3 March, line 4")

    assert last_event(payout) == (
        "returned",
        "processed",
        "returned",
        "user:checker",
        "Statement of 3 March, line 4",
    )
    assert is_clean()


def test_record_return_refuses_the_maker_and_a_person_without_evidence(maker: User, checker: User) -> None:
    payout = processed_payout(maker=maker)

    with nothing_changes(payout):
        with pytest.raises(FourEyesError):
            actions.record_return(payout.pk, by=maker, evidence="Statement")
        with pytest.raises(InvalidError):
            actions.record_return(payout.pk, by=checker, evidence=" ")


@pytest.mark.parametrize("recipe", sorted(PAYOUTS.keys() - {"processed", "settled", "resolved"}))
def test_only_what_was_paid_can_come_back(recipe: str, checker: User) -> None:
    payout = PAYOUTS[recipe]()

    with nothing_changes(payout), pytest.raises(NotAllowedError):
        actions.record_return(payout.pk, by=checker, evidence="Statement")


# Reports


def _reconcile(payout: Payout, reported: Verdict, by: User, amount: str = "100.50") -> ReportLine.Result:
    attempt = payout.attempts.order_by("number").first()
    assert attempt is not None
    payout_id, result = actions.reconcile(
        attempt.reference, actions.Reported(reported, Decimal(amount)), by=by, source="march.csv, line 2"
    )
    assert payout_id == payout.pk
    payout.refresh_from_db()
    return result


@pytest.mark.parametrize(
    ("recipe", "reported", "result", "status"),
    [
        ("processing", Verdict.SUCCEEDED, Result.ASKED, "processing"),
        ("accepted", Verdict.SUCCEEDED, Result.ASKED, "processing"),
        ("unknown", Verdict.SUCCEEDED, Result.ASKED, "unknown"),
        ("half_resolved", Verdict.SUCCEEDED, Result.ASKED, "unknown"),
        ("processed", Verdict.SUCCEEDED, Result.AGREES, "processed"),
        ("resolved", Verdict.SUCCEEDED, Result.AGREES, "processed"),
        ("returned", Verdict.SUCCEEDED, Result.AGREES, "returned"),
        ("failed", Verdict.SUCCEEDED, Result.CONTRADICTS, "failed"),
        ("retried", Verdict.SUCCEEDED, Result.CONTRADICTS, "pending"),
        ("unknown", Verdict.REFUSED, Result.ASKED, "unknown"),
        ("accepted", Verdict.REFUSED, Result.ASKED, "processing"),
        ("processed", Verdict.REFUSED, Result.ASKED, "processed"),
        ("failed", Verdict.REFUSED, Result.AGREES, "failed"),
        ("retried", Verdict.REFUSED, Result.AGREES, "pending"),
        ("returned", Verdict.REFUSED, Result.AGREES, "returned"),
        ("processed", Verdict.RETURNED, Result.ASKED, "processed"),
        ("unknown", Verdict.RETURNED, Result.ASKED, "unknown"),
        ("returned", Verdict.RETURNED, Result.AGREES, "returned"),
        ("failed", Verdict.RETURNED, Result.CONTRADICTS, "failed"),
        ("accepted", Verdict.PENDING, Result.AGREES, "processing"),
        ("processed", Verdict.PENDING, Result.ASKED, "processed"),
        ("failed", Verdict.PENDING, Result.CONTRADICTS, "failed"),
    ],
)
def test_a_report_line_comes_to_what_the_matrix_says(
    recipe: str, reported: Verdict, result: Result, status: str, operator: User
) -> None:
    payout = PAYOUTS[recipe]()

    found = _reconcile(payout, reported, operator)

    assert (found, payout.status) == (result, status)
    assert (payout.attention == Attention.CONTRADICTED) == (result == Result.CONTRADICTS)
    assert not _is_due(payout) or result == Result.ASKED or recipe == "retried"
    assert is_clean()


@pytest.mark.parametrize("recipe", ["unknown", "accepted", "processed", "failed"])
def test_a_report_with_another_amount_settles_nothing_and_calls_a_person(recipe: str, operator: User) -> None:
    payout = PAYOUTS[recipe]()
    attempts = list(Attempt.objects.values())

    found = _reconcile(payout, Verdict.SUCCEEDED, operator, amount="100.05")

    assert (found, payout.attention, payout.due_at) == (Result.AMOUNT_DIFFERS, Attention.AMOUNT_DIFFERS, None)
    assert last_event(payout)[0::4] == ("flagged", "march.csv, line 2")
    assert list(Attempt.objects.values()) == attempts
    assert is_clean()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_report_that_has_two_attempts_as_paid_calls_a_person_in_whichever_order(
    order: tuple[int, int], operator: User
) -> None:
    payout = answered(retried_payout(), UNKNOWN)
    keys = list(payout.attempts.order_by("number").values_list("reference", flat=True))

    for index in order:
        amount = Decimal("100.50")
        actions.reconcile(keys[index], actions.Reported(Verdict.SUCCEEDED, amount), by=operator, source="march.csv")

    payout.refresh_from_db()
    assert (payout.status, payout.attention) == ("unknown", Attention.CONTRADICTED)
    assert is_clean()


@pytest.mark.parametrize("reported", [Verdict.SUCCEEDED, Verdict.RETURNED])
def test_one_persons_report_settles_nothing_that_the_provider_does_not_confirm(
    reported: Verdict, operator: User, provider: DoubleProvider, settings: Any
) -> None:
    settings.PROVIDER_KEY_TTL_SECONDS = 0  # its key may not be sent again
    unpaid = answered(pending_payout(), UNKNOWN)

    assert _reconcile(unpaid, reported, operator) == Result.ASKED
    pump.run(provider=provider)

    unpaid.refresh_from_db()
    assert (unpaid.status, unpaid.processed_at) == ("unknown", None)
    assert provider.paid(unpaid.reference) == []
    assert is_clean()


def test_whoever_made_a_payout_records_its_return_neither_by_a_report_nor_by_hand(
    maker: User, provider: DoubleProvider
) -> None:
    payout = pending_payout(maker=maker)
    pump.run(provider=provider)

    assert _reconcile(payout, Verdict.RETURNED, maker) == Result.ASKED
    with pytest.raises(FourEyesError):
        actions.record_return(payout.pk, by=maker, evidence="Statement, line 7")
    pump.run(provider=provider)  # and the provider says that it is paid

    payout.refresh_from_db()
    assert (payout.status, payout.news_at) == ("processed", None)
    assert is_clean()


def test_the_providers_answer_settles_what_a_report_has_asked_about(operator: User, provider: DoubleProvider) -> None:
    paid = pending_payout()
    provider.script(Fault.TIMEOUT_AFTER)
    pump.run(provider=provider)
    assert Payout.objects.get(pk=paid.pk).status == "unknown"
    Payout.objects.update(due_at=timezone.now() + timedelta(days=1))

    assert _reconcile(paid, Verdict.SUCCEEDED, operator) == Result.ASKED
    assert last_event(paid) == ("asked", "unknown", "unknown", "user:operator", "march.csv, line 2")
    assert paid.events.latest("seq").facts["report"] == "march.csv, line 2"
    pump.run(provider=provider)

    paid.refresh_from_db()
    assert paid.status == "processed"
    assert len(provider.paid(paid.reference)) == 1
    assert is_clean()


@pytest.mark.parametrize("attention", [Attention.NOT_FOUND, Attention.UNWORKABLE, Attention.TOO_MANY_CALLS])
def test_a_report_that_has_the_payment_lets_the_provider_be_asked_about_what_was_left_to_people(
    attention: Attention, operator: User
) -> None:
    payout = _flagged(unknown_payout(), attention)

    _reconcile(payout, Verdict.SUCCEEDED, operator)

    assert (payout.status, payout.attention, _is_due(payout)) == ("unknown", "", True)
    assert is_clean()


@pytest.mark.parametrize("attention", [Attention.NOT_FOUND, Attention.UNWORKABLE])
def test_what_the_provider_does_not_confirm_stays_with_people(
    attention: Attention, operator: User, settings: Any
) -> None:
    settings.PROVIDER_KEY_TTL_SECONDS = 0
    payout = answered(pending_payout(), Answer(Verdict.UNKNOWN, code="adapter_error"))
    payout = _flagged(payout, attention)
    _reconcile(payout, Verdict.SUCCEEDED, operator)
    answer = ABSENT if attention == Attention.NOT_FOUND else Answer(Verdict.UNKNOWN, code="adapter_error")

    payout = answered(payout, answer)
    if not payout.attention:  # news came before that call, so it is asked once more
        payout = answered(payout, answer)

    assert (payout.status, payout.attention) == ("unknown", attention)


def test_a_report_line_about_an_altered_payout_changes_nothing(operator: User) -> None:
    payout = unknown_payout()
    by_hand("UPDATE payouts_payout SET amount = 100.51")
    by_hand("UPDATE payouts_payout SET version = version + 1")

    with nothing_changes(payout):
        assert _reconcile(payout, Verdict.SUCCEEDED, operator, amount="100.51") == Result.ALTERED


def test_a_report_line_that_is_not_ours_says_so(operator: User) -> None:
    found = actions.reconcile(uuid4(), actions.Reported(Verdict.SUCCEEDED, Decimal(1)), by=operator, source="x")

    assert found == (None, Result.NOT_OURS)


def test_a_refusal_that_may_be_older_than_the_report_is_not_the_last_word(operator: User) -> None:
    payout = unknown_payout()
    assignment = claimed(payout)
    _reconcile(payout, Verdict.SUCCEEDED, operator)

    assert actions.record_outcomes([(assignment, REFUSED)]) == 1

    payout.refresh_from_db()
    assert (payout.status, _is_due(payout)) == ("unknown", True)
    assert audit_of(payout) == set()


def test_what_a_report_lacks_is_flagged_once(operator: User) -> None:
    payout = processed_payout()
    actions.flag_missing(payout.pk, by=operator, source="march.csv")
    payout.refresh_from_db()

    with nothing_changes(payout):
        actions.flag_missing(payout.pk, by=operator, source="april.csv")

    assert (payout.status, payout.attention) == ("processed", Attention.MISSING)
    assert is_clean()


def _flagged(payout: Payout, attention: Attention) -> Payout:
    with moves.locked(payout.pk) as (locked, at):
        moves.move_all([moves.flagged(locked, attention)], at=at, actor=moves.WORKER)
    return Payout.objects.get(pk=payout.pk)


def test_recipes_give_a_returned_payout() -> None:
    assert recipes.returned_payout().status == "returned"
