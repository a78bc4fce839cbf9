"""Each rule in three tongues, Python, SQL and the trigger, held together over every state.

Every status and stage × every flag × everybody who may stand in some relation to a payout.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import IntegrityError, transaction
from django.utils import timezone

from payouts import actions, rules
from payouts.actions import PayoutError, bulk
from payouts.actions.verbs import IN_BULK, VERBS, Asks, Verb
from payouts.approvers import approver_ids, blocked
from payouts.clients import create_key
from payouts.models import ApiClient, ApiKey, Approval, Attention, BulkDecision, Payout, stamp
from payouts.states import Stage
from tests import recipes
from tests.payouts.observe import audit_of, by_hand

pytestmark = pytest.mark.django_db

CLOSE = ("maker", "owner", "former owner", "handler of its keys")
PEOPLE = (*CLOSE, "first approver", "who withdrew", "who sent it again", "stranger", "superuser", "closed account")
# Of those recipes that end in the same place one is enough; three more places have no recipe.
ALIKE = {"approved", "answered", "resolved", "settled"}
STATES = sorted({*recipes.PAYOUTS, "seconded", "held_while_awaiting", "sent_again"} - ALIKE)


@pytest.fixture
def people() -> dict[str, User]:
    made = {name: recipes.person.make(username=name) for name in PEOPLE}
    able = Permission.objects.filter(codename__in=["view_payout", "approve_payout"])
    for person in made.values():
        person.user_permissions.set(able)
    User.objects.filter(username="superuser").update(is_superuser=True)
    User.objects.filter(username="closed account").update(is_active=False)
    return {name: User.objects.get(username=name) for name in PEOPLE}


@pytest.fixture
def client(people: dict[str, User]) -> ApiClient:
    """Once the former owner's; now the maker's, until `_in_state` has its payout."""
    made: ApiClient = recipes.client.make(owner=people["former owner"])
    made.owner = people["maker"]
    made.save()
    key = ApiKey(client=made, prefix="a" * 8, secret_hash=b"x", scopes=["payouts:read"])
    key._history_user = people["handler of its keys"]  # type: ignore[attr-defined]
    key.save()
    return made


def _in_state(state: str, client: ApiClient, people: dict[str, User]) -> Payout:
    """A payout of the client, which then gets its present owner."""
    match state:
        case "seconded":
            payout = recipes.awaiting_payout(client=client, amount=recipes.TWO_APPROVALS)
            payout = actions.approve(payout.pk, by=people["first approver"])
            actions.approve(payout.pk, by=people["who withdrew"])
            payout = actions.withdraw_approval(payout.pk, by=people["who withdrew"])
        case "sent_again":
            payout = recipes.failed_payout(client=client)
            recipes.pending_payout(client=client)
            payout = actions.retry(payout.pk, by=people["who sent it again"], reason="Again.")
        case "held_while_awaiting":
            payout = recipes.awaiting_payout(client=client)
            payout = actions.hold(payout.pk, by=people["stranger"], reason="Odd.")
        case _:
            payout = recipes.PAYOUTS[state](client=client)
    client.owner = people["owner"]
    client.save()
    return Payout.objects.get(pk=payout.pk)


@contextmanager
def _flagged(payout: Payout, attention: str) -> Iterator[Payout]:
    """The payout with the flag, sealed as if it had come so; undone behind it."""
    with _undone():
        if attention:
            payout = Payout.objects.get(pk=payout.pk)
            payout.attention = attention
            by_hand(
                "UPDATE payouts_payout SET attention = %s, due_at = NULL, lease_token = NULL, seal = %s"
                " WHERE id = %s",
                *(attention, payout.expected_seal(), payout.pk),
            )
        yield Payout.objects.get(pk=payout.pk)


@contextmanager
def _undone() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def _is_refused_by_the_trigger(payout: Payout, person: User, decision: str = "approve") -> bool:
    number = Approval.objects.filter(payout=payout, checker=person, attempt=None).count()
    odd_or_even = number + 1 + (number % 2 if decision == "approve" else 1 - number % 2)
    try:
        with _undone():
            by_hand(
                "INSERT INTO payouts_approval"
                " (payout_id, checker_id, decision, number, terms_hash, evidence, at, mac)"
                " VALUES (%s, %s, %s, %s, 'x', '', now(), 'x')",
                *(payout.pk, person.pk, decision, odd_or_even),
            )
    except IntegrityError as error:
        return "approval_maker_is_not_checker" in str(error)
    return False


# Approving, in three tongues


@pytest.mark.parametrize("state", STATES)
def test_python_sql_and_trigger_agree_on_who_may_approve(
    state: str, client: ApiClient, people: dict[str, User]
) -> None:
    sent = _in_state(state, client, people)

    for attention in Attention.values:
        with _flagged(sent, attention) as payout:
            for name, person in people.items():
                _check_agreement(payout, person, is_close=name in CLOSE)


def _check_agreement(payout: Payout, person: User, *, is_close: bool) -> None:
    this = Payout.objects.filter(pk=payout.pk)
    who = rules.standing(payout, person)
    why_not = rules.why_not_approve(payout, who)
    is_waiting = payout.stage == Stage.AWAITING_APPROVAL
    case = (payout.attention, person.username, why_not)

    assert this.filter(rules.may_approve(person)).exists() == (not why_not), case
    assert rules.awaiting(person).filter(pk=payout.pk).exists() == (is_waiting and not why_not), case
    assert rules.awaiting_others(person).filter(pk=payout.pk).exists() == (is_waiting and bool(why_not)), case
    assert this.filter(rules.has_approved(person)).exists() == who.has_approved, case
    assert rules.is_close(payout, person) == is_close, case
    assert who.is_close == is_close, case
    assert this.filter(rules.close_to(person)).exists() == is_close, case
    assert ((payout.pk, person.pk) in rules.close_people([payout])) == is_close, case
    assert _is_refused_by_the_trigger(payout, person) == (is_close or who.has_sent_again), case
    assert not _is_refused_by_the_trigger(payout, person, "withdraw"), case


@pytest.mark.parametrize("state", STATES)
def test_a_payout_is_blocked_when_the_action_would_refuse_everybody_who_is_left(
    state: str, client: ApiClient, people: dict[str, User]
) -> None:
    payout = _in_state(state, client, people)
    User.objects.filter(username="stranger").update(is_staff=False)  # one person fewer
    approvers = User.objects.filter(pk__in=approver_ids())

    free = [person for person in approvers if not rules.why_not_approve(payout, rules.standing(payout, person))]

    missing = payout.approvals_required - payout.approvals_given
    is_open = payout.stage in (Stage.AWAITING_APPROVAL, Stage.HELD) and missing > 0
    assert (payout.pk in blocked([payout])) == (is_open and len(free) < missing)


# Each verb: the rule, and its action


@pytest.mark.parametrize("state", STATES)
def test_an_action_refuses_exactly_what_its_rule_says(state: str, client: ApiClient, people: dict[str, User]) -> None:
    sent = _in_state(state, client, people)

    for attention in ("", "contradicted", "not_found", "altered"):
        with _flagged(sent, attention) as payout:
            for name in ("maker", "handler of its keys", "first approver", "stranger", "closed account"):
                person = people[name]
                who = rules.standing(payout, person)
                for verb in VERBS.values():
                    said = _refusal(verb, payout, person)
                    assert said == verb.why_not(payout, who), (attention, verb.name, name)


def _refusal(verb: Verb, payout: Payout, person: User) -> str:
    """What the action says; empty when it did it, which is undone."""
    with _undone():
        try:
            with transaction.atomic():
                verb.act(payout.pk, by=person, **_given(verb.asks))
        except PayoutError as error:
            return str(error)
    return ""


def _given(asks: Asks) -> dict[str, Any]:
    match asks:
        case Asks.EVIDENCE:
            return {"evidence": "Statement, line 7."}
        case Asks.OUTCOME:
            return {"evidence": "Statement, line 7.", "decision": Approval.Decision.PAID}
        case Asks.TIME:
            return {"scheduled_for": None, "reason": "Why not."}
        case _:
            return {"reason": "Why not."}


@pytest.mark.parametrize("state", STATES)
def test_what_is_chosen_for_many_is_left_out_when_it_would_be_refused_alone(
    state: str, client: ApiClient, people: dict[str, User]
) -> None:
    sent = _in_state(state, client, people)

    for attention in ("", "contradicted", "altered"):
        with _flagged(sent, attention) as payout:
            for name in ("owner", "first approver", "stranger", "closed account"):
                person = people[name]
                for verb in BulkDecision.Verb:
                    (item,) = bulk.choose([payout.pk], verb=verb, by=person).items.all()
                    alone = VERBS[verb].why_not(payout, rules.standing(payout, person))
                    assert item.result == "skipped" or not alone, (attention, name, verb)


def test_every_bulk_verb_is_declared_and_may_be_stored() -> None:
    assert set(IN_BULK) == set(BulkDecision.Verb.values)


# Whoever made, owns, owned or handled keys of the client checks nothing of it


@pytest.mark.parametrize("name", CLOSE)
def test_who_is_close_to_a_payout_is_told_why_another_must_decide(
    name: str, client: ApiClient, people: dict[str, User]
) -> None:
    payout = _in_state("awaiting", client, people)

    with pytest.raises(actions.FourEyesError, match="another person must decide on it"):
        actions.approve(payout.pk, by=people[name])
    with pytest.raises(actions.FourEyesError):
        actions.reject(payout.pk, by=people[name], reason="No.")


@pytest.mark.parametrize("name", CLOSE)
def test_who_is_close_to_a_payout_records_no_return_and_resolves_nothing(
    name: str, client: ApiClient, people: dict[str, User]
) -> None:
    paid = recipes.processed_payout(client=client, user_id=9)
    unknown = _in_state("unknown", client, people)

    with pytest.raises(actions.FourEyesError):
        actions.record_return(paid.pk, by=people[name], evidence="Statement, line 7.")
    with pytest.raises(actions.FourEyesError):
        actions.resolve(unknown.pk, by=people[name], decision=Approval.Decision.PAID, evidence="Line 7.")


def test_who_came_close_after_approving_may_withdraw_the_approval_and_the_audit_finds_nothing(
    client: ApiClient, people: dict[str, User]
) -> None:
    payout = recipes.awaiting_payout(client=client, amount=recipes.TWO_APPROVALS)
    actions.approve(payout.pk, by=people["stranger"])
    client.owner = people["stranger"]
    client.save()

    assert audit_of(payout) == set()
    payout = actions.withdraw_approval(payout.pk, by=people["stranger"])

    assert payout.approvals_given == 0
    assert audit_of(payout) == set()
    with pytest.raises(actions.FourEyesError, match="You own or owned the API client"):
        actions.approve(payout.pk, by=people["stranger"])


@pytest.mark.parametrize("name", CLOSE[1:])
def test_the_audit_names_an_approval_by_somebody_who_was_close_already(
    name: str, client: ApiClient, people: dict[str, User]
) -> None:
    payout = _in_state("awaiting", client, people)
    client.refresh_from_db()
    for tied in client.ties.values():
        tied.update(dict.fromkeys(tied, stamp(timezone.now() - timedelta(hours=1))))
    client.seal_anew()
    by_hand("ALTER TABLE payouts_approval DISABLE TRIGGER approval_maker_is_not_checker")
    by_hand(
        "INSERT INTO payouts_approval (payout_id, checker_id, decision, number, terms_hash, evidence, at, mac)"
        " SELECT id, %s, 'approve', 1, terms_hash, '', clock_timestamp(), 'x' FROM payouts_payout WHERE id = %s",
        *(people[name].pk, payout.pk),
    )

    assert "maker_is_not_checker" in audit_of(payout)


def test_a_clock_that_is_a_little_behind_accuses_nobody(client: ApiClient, people: dict[str, User]) -> None:
    payout = recipes.awaiting_payout(client=client, amount=recipes.TWO_APPROVALS)
    actions.approve(payout.pk, by=people["stranger"])
    client.owner = people["stranger"]
    client.save()
    client.ties["owners"][str(people["stranger"].pk)] = stamp(timezone.now() - timedelta(seconds=5))
    client.seal_anew()

    assert audit_of(payout) == set()


def test_who_revokes_a_key_has_handled_it(people: dict[str, User]) -> None:
    client = recipes.client.make()
    create_key(client, scopes=["payouts:read"])
    key = client.keys.get()
    payout = recipes.awaiting_payout(client=client)
    assert not rules.is_close(payout, people["stranger"])

    key._history_user = people["stranger"]
    key.save()

    assert rules.is_close(payout, people["stranger"])
