"""One person is one person: every way in which money or rules move × one person in every pair of roles, none alone.

The ways are derived: every public function of the domain that takes a person, and every subject that can be proposed.
A new one fails here until it stands in the matrix. The functions are called past the back office's permissions, so
what is shown holds whatever somebody's role allows.
"""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations_with_replacement
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.db.models import Model

import payouts.actions
import payouts.batches
import payouts.configuration
import payouts.statements
from payouts import accounts, actions, clients, configuration
from payouts.accounts import AccountError
from payouts.actions import (
    PayoutError,
    approvals,
    bulk,
    confirmations,
    decisions,
    disclosures,
    pauses,
    recovery,
    resolutions,
    routing,
)
from payouts.actions.bulk import DecisionError
from payouts.batches import decide
from payouts.configuration import Act, ConfigurationError, velocity_subjects
from payouts.configuration.people_subjects import LINK
from payouts.models import (
    ApiClient,
    ApiKey,
    Approval,
    ApprovalBand,
    Authenticator,
    Batch,
    Passkey,
    Payout,
    PayoutLimit,
    Proposal,
    ProviderPause,
    Recovery,
    ReviewRule,
    Route,
    SingleSignOn,
    VelocityLimit,
)
from payouts.providers import Verdict
from payouts.statements import apply, read
from payouts.states import Stage, Status
from tests import recipes
from tests.payouts.actions.test_confirmations import flag
from tests.payouts.observe import by_hand

pytestmark = pytest.mark.django_db

ROLES = ("maker", "owner", "former owner", "handler", "approver", "admin", "uploader", "superuser")
PAIRS = list(combinations_with_replacement(ROLES, 2))
IN_GROUP = {"maker": "Operator", "uploader": "Operator", "approver": "Approver", "admin": "Admin"}
REFUSALS = (PayoutError, ConfigurationError, AccountError, DecisionError)
WHY = "Why not."
DUPLICATE = "possible_duplicate"


@dataclass(frozen=True, slots=True)
class Scene:
    """What one person in two roles has made, or could have; nobody else has agreed to what the payouts lack."""

    person: User
    client: ApiClient | None
    payouts: dict[str, Payout]
    batch: Batch


# The scene


def scene(roles: set[str]) -> Scene:
    person: User = (recipes.superuser if "superuser" in roles else recipes.person).make()
    person.groups.set(Group.objects.filter(name__in=[IN_GROUP[role] for role in roles if role in IN_GROUP]))
    person = User.objects.get(pk=person.pk)
    client = _client_of(person, roles)
    made = {name: make(_made(person, client, number)) for number, (name, make) in enumerate(STATES.items(), 1)}
    _made(person, client, list(STATES).index("failed and newer") + 1)  # it looks like that one
    return Scene(person, client, {name: _again(each) for name, each in made.items()}, recipes.sent_batch(by=person))


def _client_of(person: User, roles: set[str]) -> ApiClient | None:
    """Whose payouts these are; None where the person makes them by hand."""
    if not roles & {"owner", "former owner", "handler"}:
        return None
    client: ApiClient = recipes.client.make(owner=None if roles <= {"handler"} else person)
    if "owner" not in roles:
        client.owner = recipes.person.make()
        client.save()
    if "handler" in roles:
        clients.create_key(client, scopes=["payouts:write"], by=person)
    return client


def _made(person: User, client: ApiClient | None, number: int) -> Payout:
    by = {"client": client} if client else {"maker": person, "client": None}
    amount = recipes.TWO_APPROVALS if number == 2 else recipes.ONE_APPROVAL
    return actions.submit(user_id=number, amount=amount, currency="RUB", recipient=recipes.CARD, comment="", **by)


def _again(payout: Payout) -> Payout:
    return Payout.objects.get(pk=payout.pk)


def _approved(payout: Payout) -> Payout:
    """By everybody whom it needs: by others."""
    while not payout.is_approved:
        payout = actions.approve(payout.pk, by=recipes.person.make())
    return payout


def _contradicted(payout: Payout) -> Payout:
    failed = recipes.answered(_approved(payout), recipes.REFUSED)
    reference = failed.attempts.get().reference
    actions.reconcile(
        reference, actions.Reported(Verdict.SUCCEEDED, failed.amount), by=recipes.person.make(), source="march.csv:2"
    )
    return failed


STATES: dict[str, Callable[[Payout], Payout]] = {
    "awaiting": lambda payout: payout,
    "seconded": lambda payout: actions.approve(payout.pk, by=recipes.person.make()),
    "held": lambda payout: actions.hold(payout.pk, by=recipes.person.make(), reason=WHY),
    "failed and newer": lambda payout: recipes.answered(_approved(payout), recipes.REFUSED),
    "unknown": lambda payout: recipes.answered(_approved(payout), recipes.UNKNOWN),
    "paid": lambda payout: recipes.answered(_approved(payout), recipes.SUCCEEDED),
    "contradicted": _contradicted,
    "flagged as altered": flag,
}


# What has moved


def moved(before: dict[str, Any], found: Scene) -> list[str]:
    """In words, what this person has moved alone since."""
    after = everything(found)
    said = [f"rules: {name}" for name in before["rules"] if before["rules"][name] != after["rules"][name]]
    for name in found.payouts:
        was, now = before["payouts"][name], after["payouts"][name]
        if now["free"] and not was["free"]:
            said.append(f"{name}: free to go")
        if now["status"] != was["status"] and now["status"] not in (Status.CANCELLED, Status.PENDING):
            said.append(f"{name}: {was['status']} became {now['status']}")
        if was["flag"] in ("altered", "contradicted") and now["flag"] != was["flag"]:
            said.append(f"{name}: the flag is gone")
    said += [name for name in ("batch", "recovery", "pause") if after[name] != before[name]]
    return said


def everything(found: Scene) -> dict[str, Any]:
    payouts = {name: _again(payout) for name, payout in found.payouts.items()}
    return {
        "payouts": {
            name: {"status": each.status, "flag": each.attention, "free": _is_free(each, found.person)}
            for name, each in payouts.items()
        },
        "batch": Batch.objects.filter(approved_by=found.person).count(),
        "recovery": Recovery.objects.exclude(ended_at=None).count(),
        "pause": ProviderPause.objects.exclude(resumed_at=None).count(),
        "rules": {
            **{model.__name__: _rows_of(model) for model in RULES},
            "people": list(User.objects.order_by("pk").values_list("pk", "password", "is_superuser", "is_staff")),
            "groups": list(User.groups.through.objects.order_by("pk").values_list("user_id", "group_id")),
        },
    }


LOGINS = (Authenticator, Passkey, SingleSignOn)
RULES = (ApprovalBand, ReviewRule, PayoutLimit, VelocityLimit, Route, ApiClient, ApiKey, Group, *LOGINS)
ISSUER = "https://login.example.com"


def _rows_of(model: type[Model]) -> list[dict[str, Any]]:
    """Its rows; but a proposal of a key makes its proposer close to the client at once, which lets nobody do more."""
    rows = list(model._default_manager.order_by("pk").values())
    hidden = ("ties", "facts_seal") if model is ApiClient else ()
    return [{name: value for name, value in row.items() if name not in hidden} for row in rows]


def _is_free(payout: Payout, person: User) -> bool:
    """Whether it may be sent, though fewer others have approved it than it needs."""
    others = Approval.objects.filter(payout=payout, attempt=None, decision="approve").exclude(checker=person)
    return payout.stage in (Stage.READY, Stage.SCHEDULED) and others.count() < payout.approvals_required


@contextmanager
def undone() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def attempt(act: Callable[..., Any], /, *args: Any, **given: Any) -> Any:
    """What it returns; None when it was refused."""
    try:
        with transaction.atomic():
            return act(*args, **given)
    except REFUSALS:
        return None


# The ways


type Way = Callable[[Scene], Any]
WAYS: dict[str, Way] = {}


def on_payouts(act: Callable[..., Any], **given: Any) -> Way:
    """Twice, on each payout: who agrees with themself is still one."""

    def done(found: Scene) -> None:
        for payout in found.payouts.values():
            for _twice in range(2):
                attempt(act, payout.pk, by=found.person, **given)

    return done


for act in (approvals.approve, approvals.approve_as_batch, approvals.withdraw_approval, approvals.reject):
    WAYS[f"actions.approvals.{act.__name__}"] = on_payouts(act, reason=WHY)
for act in (*(decisions.hold, decisions.release, decisions.clear_flag, decisions.cancel), decisions.ask_now):
    WAYS[f"actions.decisions.{act.__name__}"] = on_payouts(act, reason=WHY)
for act in (decisions.settle, decisions.retry):
    WAYS[f"actions.decisions.{act.__name__}"] = on_payouts(act, reason=WHY)
WAYS |= {
    "actions.disclosures.reveal": on_payouts(disclosures.reveal, reason=WHY),
    "actions.decisions.schedule": on_payouts(decisions.schedule, scheduled_for=None, reason=WHY),
    "actions.routing.route": on_payouts(routing.route, reason=WHY),
    "actions.resolutions.record_return": on_payouts(resolutions.record_return, evidence=WHY),
    "actions.confirmations.confirm_unchanged": on_payouts(confirmations.confirm_unchanged, evidence=WHY),
}


def way(*names: str) -> Callable[[Way], Way]:
    def named(done: Way) -> Way:
        WAYS.update(dict.fromkeys(names, done))
        return done

    return named


@way("actions.decisions.withdraw")
def as_the_client(found: Scene) -> None:
    for payout in found.payouts.values():
        if found.client:
            attempt(decisions.withdraw, payout.pk, by=found.client)
            attempt(decisions.settle, payout.pk, by=found.client, reason=WHY)


@way("actions.resolutions.resolve")
def resolve(found: Scene) -> None:
    for decision in (Approval.Decision.PAID, Approval.Decision.NOT_PAID):
        on_payouts(resolutions.resolve, decision=decision, evidence=WHY)(found)


@way("actions.bulk.choose", "actions.bulk.decide", "actions.bulk.again")
def in_bulk(found: Scene) -> None:
    for verb in bulk.Verb:
        chosen = bulk.choose([payout.pk for payout in found.payouts.values()], verb=verb, by=found.person)
        attempt(bulk.decide, chosen.pk, by=found.person, reason=WHY)
        if again := attempt(bulk.again, chosen, by=found.person):
            attempt(bulk.decide, again.pk, by=found.person, reason=WHY)


@way("actions.decisions.retry and approve")
def retry_and_approve(found: Scene) -> None:
    on_payouts(decisions.retry, reason=WHY)(found)
    on_payouts(approvals.approve, reason=WHY)(found)


@way("actions.submission.submit", "actions.submission.submit_approved")
def make_and_approve(found: Scene) -> None:
    terms = {"user_id": 77, "amount": recipes.ONE_APPROVAL, "currency": "RUB", "recipient": recipes.CARD}
    count = Payout.objects.in_stage(Stage.READY).count()
    alone = {"maker": found.person, "checker": found.person, "reason": WHY, "reference": None}
    attempt(actions.submit_approved, **terms, comment="", **alone)
    made = attempt(actions.submit, **terms, comment="", maker=found.person, client=None)
    attempt(actions.approve, made.pk, by=found.person)
    assert Payout.objects.in_stage(Stage.READY).count() == count


@way("batches.decide.approve", "batches.decide.send", "batches.decide.discard", "batches.decide.reject")
def decide_on_a_batch(found: Scene) -> None:
    for act in (decide.approve, decide.reject, decide.approve):
        attempt(act, found.batch.pk, by=found.person, reason=WHY, revision=found.batch.revision)
    for act in (decide.send, decide.discard):
        attempt(act, found.batch.pk, by=found.person, revision=found.batch.revision)


@way("batches.upload.store", "batches.decide.stop")
def upload_a_batch(found: Scene) -> None:
    batch = recipes.sent_batch(recipes.BATCH_ROW, recipes.BATCH_ROW, by=found.person)
    attempt(decide.approve, batch.pk, by=found.person, reason=WHY, revision=batch.revision)
    attempt(decide.stop, batch.pk, by=found.person, reason=WHY)


@way("statements.read.store", "actions.reconciliation.reconcile", "actions.reconciliation.flag_missing")
def upload_a_report(found: Scene) -> None:
    sent = [payout for payout in found.payouts.values() if payout.attempts.exists()]
    for status in ("succeeded", "returned", "rejected", "pending"):
        lines = [f"{payout.attempts.get().reference},{status},{payout.amount}" for payout in sent]
        text = "\n".join(["reference,status,amount", *lines, ""])
        if report := attempt(read.store, text.encode(), name=f"{status}.csv", by=found.person):
            apply.run(report.pk)
    for payout in sent:
        attempt(actions.flag_missing, payout.pk, by=found.person, source="march.csv")


@way("actions.pauses.pause", "actions.pauses.resume")
def pause_and_resume(found: Scene) -> None:
    paused = pauses.pause("elsewhere", by=found.person, reason=WHY)
    attempt(pauses.resume, paused.pk, by=found.person, reason=WHY)


@way("actions.recovery.begin", "actions.recovery.propose_end", "actions.recovery.end")
def end_recovery(found: Scene) -> None:
    begun = recovery.begin(by=f"user:{found.person.username}", reason=WHY)
    attempt(recovery.propose_end, begun.pk, by=found.person, evidence=WHY)
    attempt(recovery.end, begun.pk, by=found.person, evidence=WHY, reason=WHY)


@way(
    *(f"configuration.proposals.{name}" for name in ("change", "propose", "confirm", "decline", "withdraw")),
    *("configuration.proposals.take_key", "configuration.velocity_subjects.let_go"),
)
def change_the_rules(found: Scene) -> None:
    """Proposed and confirmed, by one person, in every kind and act, whatever their permissions."""
    for name, contents in CHANGES.items():
        for act, object_id, after in contents(found):
            given = {"by": found.person, "reason": WHY, "act": act}
            changed = attempt(configuration.change, name, object_id, after, **given)
            if changed is not None and changed.proposal is None:
                raise AssertionError(f"{name} {act}: changed at once")
            for proposal in Proposal.objects.filter(decision=""):
                attempt(configuration.confirm, proposal.pk, by=found.person)
                attempt(configuration.take_key, proposal.pk, by=found.person)
    attempt(velocity_subjects.let_go, found.payouts["awaiting"].pk, by=found.person, reason=WHY)


# Why these are no ways: each is behind one that stands above, or keeps money where it is.
NO_WAYS = {
    "accounts.close": "the safe direction",
    "clients.revoke_key": "the safe direction",
    "clients.create_client": "the server's command; pages propose",
    "clients.create_key": "the server's command, and what take_key makes of a confirmed proposal",
    "actions.approvals.add_approval": "behind approve and resolve; a trigger refuses the row of the wrong person",
    "actions.moves.move_one": "the mover, behind every action",
    "actions.moves.flag_one": "the mover, behind every action",
    "actions.moves.locked": "the mover's lock",
    "actions.recovery.adopt": "the server's command",
    "actions.days.close": "a note about a day that differs; nothing of ours moves",
    "actions.unknown_payments.close": "a note about a payment that is not ours; nothing of ours moves",
    "configuration.erasure_subjects.erase": "proposes what the matrix of kinds has",
    "configuration.proposals.apply_now": "the safe direction, which has no second person",
}


def _band() -> ApprovalBand:
    return ApprovalBand.objects.filter(currency="RUB").order_by("-from_amount")[0]


def _another(found: Scene) -> User:
    return User.objects.exclude(pk=found.person.pk).order_by("pk")[0]


type Changes = list[tuple[str, Any, dict[str, Any]]]


def _bands(found: Scene) -> Changes:
    content = configuration.subject("approval_band").snapshot(_band())
    new = content | {"from_amount": "7", "approvals_required": 0}
    lower = content | {"approvals_required": 0}
    return [(Act.CHANGE, _band().pk, lower), (Act.ADD, "", new), (Act.DELETE, _band().pk, {})]


def _limits(found: Scene) -> Changes:
    limit = PayoutLimit.objects.get(currency="JPY")
    content = configuration.subject("limit").snapshot(limit)
    new = {"currency": "CHF", "recipient_amount": None, "day_amount": "1"}
    return [(Act.CHANGE, limit.pk, content | {"day_amount": "9"}), (Act.ADD, "", new), (Act.DELETE, limit.pk, {})]


def _velocity(found: Scene) -> Changes:
    """A lower limit, and a new one, are the safe direction."""
    limit = VelocityLimit.objects.get(currency="RUB", scope="all", window="day")
    content = configuration.subject("velocity_limit").snapshot(limit)
    return [(Act.CHANGE, limit.pk, content | {"amount": None, "count": 9}), (Act.DELETE, limit.pk, {})]


def _routes(found: Scene) -> Changes:
    route = Route.objects.get()
    content = configuration.subject("route").snapshot(route)
    new = content | {"position": 5}
    return [(Act.CHANGE, route.pk, content | {"currency": "JPY"}), (Act.ADD, "", new), (Act.DELETE, route.pk, {})]


def _people(found: Scene) -> Changes:
    other = _another(found)
    content = configuration.subject("person").snapshot(other)
    new = content | {"username": "straw man", "groups": ["Approver"]}
    return [(Act.CHANGE, other.pk, content | {"groups": ["Admin"], "is_superuser": True}), (Act.ADD, "", new)]


CHANGES: dict[str, Callable[[Scene], Changes]] = {
    "approval_band": _bands,
    "review_rule": lambda found: [
        (Act.CHANGE, "possible_duplicate", {"flag": "possible_duplicate", "effect": "note"})
    ],
    "limit": _limits,
    "velocity_limit": _velocity,
    "route": _routes,
    "api_client": lambda found: [
        (Act.ADD, "", {"name": "straw-shop", "owner": None, "scopes": ["payouts:write"], "expires_at": None}),
        *([(Act.CHANGE, found.client.pk, {"name": found.client.name, "owner": None})] if found.client else []),
    ],
    "api_key": lambda found: [
        (Act.ADD, client.pk, {"scopes": ["payouts:write"], "expires_at": None}) for client in ApiClient.objects.all()
    ],
    "group": lambda found: [
        (Act.ADD, "", {"name": "Straw men", "permissions": ["payouts.approve_payout"]}),
        (Act.CHANGE, Group.objects.get(name="Readers").pk, {"name": "Readers", "permissions": ["auth.change_user"]}),
    ],
    "person": _people,
    "password": lambda found: [(Act.ADD, _another(found).pk, LINK)],
    "second_factor": lambda found: [(Act.DELETE, _another(found).pk, {})],
    "single_sign_on": lambda found: [
        (Act.CHANGE, _another(found).pk, {"issuer": ISSUER, "subject": "straw man"}),
        (Act.DELETE, _another(found).pk, {}),
    ],
    "recipient": lambda found: [
        (Act.CHANGE, payout.recipient_key.pk, {"erased": True, "on_server": ""})
        for payout in found.payouts.values()
        if payout.recipient_key
    ],
    "let_go": lambda found: [(Act.CHANGE, payout.pk, {"over_limits": True}) for payout in found.payouts.values()],
}
# What takes one person, at once.
SAFE = {("velocity_limit", Act.ADD)}


# The matrix


@pytest.fixture(autouse=True)
def _rules(settings: Any) -> None:
    settings.DUAL_CONTROL, settings.OIDC_ISSUER = True, ISSUER
    PayoutLimit.objects.create(currency="JPY", day_amount=5)
    Route.objects.create(position=10, account="http", currency="EUR")
    Group.objects.create(name="Readers")


@pytest.mark.parametrize("pair", PAIRS, ids=" and ".join)
def test_one_person_in_two_roles_moves_neither_money_nor_rules_alone(pair: tuple[str, str]) -> None:
    found = scene(set(pair))
    before = everything(found)
    said = []

    for names, way in _distinct().items():
        with undone():
            way(found)
            said += [f"{names}: {each}" for each in moved(before, found)]

    assert said == []


def _distinct() -> dict[str, Way]:
    by_way: dict[Way, list[str]] = {}
    for name, way in WAYS.items():
        by_way.setdefault(way, []).append(name)
    return {", ".join(names): way for way, names in by_way.items()}


def test_the_matrix_sees_what_two_people_move() -> None:
    """Or it would be blind: each of these moves as soon as a second person agrees."""
    found = scene({"maker"})
    before = everything(found)
    other: User = recipes.superuser.make()
    seen: set[str] = set()

    for name in ("actions.approvals.approve", "actions.resolutions.record_return", "batches.decide.approve"):
        with undone():
            WAYS[name](Scene(other, None, found.payouts, found.batch))
            seen |= set(moved(before, Scene(found.person, None, found.payouts, found.batch)))
    with undone():
        proposal = recipes.open_proposal(by=other)
        configuration.confirm(proposal.pk, by=recipes.superuser.make())
        seen |= {each for each in moved(before, found) if each == "rules: ApprovalBand"}

    assert {"paid: processed became returned", "rules: ApprovalBand"} <= seen
    with undone():
        by_hand("UPDATE payouts_payout SET approvals_given = approvals_required, held_at = NULL, held_by_id = NULL")
        assert "awaiting: free to go" in moved(before, found)


def test_every_way_in_which_money_or_rules_move_is_in_the_matrix() -> None:
    derived = set(_takes_a_person())

    combined = {name for name in WAYS if " and " in name}
    assert derived == (WAYS.keys() - combined) | NO_WAYS.keys()


def test_every_kind_and_act_that_can_be_proposed_is_in_the_matrix() -> None:
    found = scene({"owner"})

    acts = {(name, act) for name, contents in CHANGES.items() for act, _object, _after in contents(found)}

    assert acts | SAFE == {(name, act) for name, kind in configuration.subjects().items() for act in kind.acts}


def test_no_page_calls_what_only_the_server_or_the_safe_direction_may() -> None:
    past = re.compile(r"\b(create_client|create_key|apply_now|add_approval|approve_as_batch)\(")
    pages = [path for folder in ("admin", "api") for path in (Path(payouts.__path__[0]) / folder).rglob("*.py")]

    assert [path.name for path in pages if past.search(path.read_text(encoding="utf-8"))] == []


def _takes_a_person() -> Iterator[str]:
    for module in _modules():
        for name, found in vars(module).items():
            is_own = inspect.isfunction(found) and found.__module__ == module.__name__ and not name.startswith("_")
            takes_one = is_own and {"by", "maker", "checker"} & set(inspect.signature(found).parameters)
            if takes_one and not name.startswith("why_not"):
                yield f"{module.__name__.removeprefix('payouts.')}.{name}"


def _modules() -> Iterator[ModuleType]:
    yield from (accounts, clients)
    for package in (payouts.actions, payouts.batches, payouts.statements, payouts.configuration):
        yield package
        for each in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            yield importlib.import_module(each.name)
