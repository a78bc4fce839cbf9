"""Which account pays: by the routes at submission, anew by a person before it was sent, and never after that."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from payouts import actions, configuration
from payouts.actions import NotAllowedError, UnpayableError, VersionError, recovery
from payouts.configuration import Act, ConfigurationError
from payouts.models import (
    ApiClient,
    ConfigurationAlteredError,
    Payout,
    Proposal,
    Recovery,
    Route,
    VelocityLimit,
)
from payouts.worker import pump
from tests import recipes
from tests.payouts.actions.test_decisions import PENDING
from tests.payouts.observe import by_hand, is_clean, last_event, nothing_changes
from tests.payouts.providers.double import DoubleProvider, Fault
from tests.recipes import PAYOUTS, make_due, pending_payout

pytestmark = pytest.mark.django_db

SBP = {"phone": "+79123456789", "bank_id": "100000000111", "name": "Иван Петров"}
WHY = "The bank of the first account is closed today."


@pytest.fixture(autouse=True)
def _three_accounts(settings: Any) -> None:
    """`http`, which pays what no route speaks of, `eu` of the same kind, and `main` with YooKassa."""
    settings.PROVIDERS = {"http": "http", "main": "yookassa", "eu": "http"}
    settings.PROVIDER_VALUES = {
        "main": {"GATEWAY_ID": "505363", "SECRET": "test_secret"},
        "eu": {"URL": "https://eu.test", "TOKEN": "t"},
    }


def add(position: int, account: str, **given: Any) -> Route:
    return Route.objects.create(position=position, account=account, **given)


# At submission


def test_without_a_route_the_first_account_pays_and_the_history_says_nothing_of_it() -> None:
    payout = pending_payout()

    assert payout.provider == "http"
    assert not {"provider", "route"} & payout.events.get().facts.keys()


def test_the_first_route_by_position_that_fits_decides_and_the_history_says_which() -> None:
    add(30, "eu")
    add(20, "main", currency="RUB")
    add(10, "eu", currency="USD")

    payout = pending_payout(recipient=SBP)

    assert payout.provider == "main"
    assert payout.events.get().facts.items() >= {"provider": "main", "route": 20}.items()
    assert is_clean()


@pytest.mark.parametrize(
    ("route", "fits"),
    [
        ({}, True),
        ({"currency": "RUB"}, True),
        ({"currency": "EUR"}, False),
        ({"currency": "RUB", "from_amount": Decimal("100.50")}, True),
        ({"currency": "RUB", "from_amount": Decimal("100.51")}, False),
        ({"currency": "RUB", "below_amount": Decimal("100.51")}, True),
        ({"currency": "RUB", "below_amount": Decimal("100.50")}, False),
        ({"currency": "RUB", "from_amount": Decimal(100), "below_amount": Decimal(101)}, True),
    ],
)
def test_a_route_is_about_a_currency_and_amounts_from_one_on_and_below_another(
    route: dict[str, Any], fits: bool
) -> None:
    add(10, "eu", **route)

    assert pending_payout(amount=Decimal("100.50")).provider == ("eu" if fits else "http")


def test_a_route_of_a_client_is_about_nobody_elses_payouts(
    client: ApiClient, stranger: ApiClient, maker: User
) -> None:
    add(10, "eu", client=client)

    assert pending_payout(client=client).provider == "eu"
    assert pending_payout(client=stranger).provider == "http"
    assert pending_payout(client=None, maker=maker).provider == "http"


@pytest.mark.parametrize("account", ["main", "eu"])
@pytest.mark.parametrize(
    ("recipient", "fits"),
    [
        (SBP, True),
        (SBP | {"bank_id": ""}, False),
        ({"phone": "+79123456789", "bank": "Bank"}, False),
        ({"card": "4111 1111 1111 1111"}, False),
        ({"account": "SBP"}, False),
    ],
)
def test_a_route_of_a_kind_of_recipient_takes_those_who_give_all_that_it_needs(
    recipient: dict[str, Any], fits: bool, account: str
) -> None:
    """Also at an account that pays whatever it is given: it goes by what others mean by the word."""
    add(10, account, recipient_kind="sbp")

    assert pending_payout(recipient=recipient).provider == (account if fits else "http")


def test_the_payouts_of_a_batch_are_routed_likewise() -> None:
    add(10, "eu", currency="RUB", below_amount=Decimal(300_000))

    batch = recipes.submitted_batch(recipes.BATCH_ROW, recipes.BATCH_ROW.replace("250000", "350000"))

    rows = batch.rows.order_by("number").select_related("payout")
    assert [row.payout.provider for row in rows if row.payout] == ["eu", "http"]


def test_a_request_that_comes_again_gets_the_first_payout_and_its_account(client: ApiClient) -> None:
    first = pending_payout(client=client, idempotency_key="one")
    add(10, "eu")

    again = pending_payout(client=client, idempotency_key="one")

    assert (again.pk, again.is_replay, again.provider) == (first.pk, True, "http")


def test_nothing_is_submitted_by_routes_that_sql_has_changed() -> None:
    add(10, "eu")
    by_hand("UPDATE payouts_route SET account = 'main'")

    with pytest.raises(ConfigurationAlteredError):
        pending_payout()

    assert not Payout.objects.exists()


def test_a_route_to_an_account_that_is_no_longer_there_goes_nowhere_else(settings: Any) -> None:
    add(10, "gone")
    add(20, "eu")

    payout = pending_payout()

    assert payout.provider == "gone"
    assert actions.claim(limit=10) == []


@pytest.mark.parametrize(
    ("given", "field", "says"),
    [
        ({"recipient": {"card": "4111 1111 1111 1111"}}, "recipient_details", "cannot pay such a recipient"),
        ({"recipient": {"phone": "+79123456789"}}, "recipient_details", "also needs: bank_id"),
        ({"recipient": SBP, "amount": Decimal("500000.01")}, "amount", "at most 500,000.00"),
        ({"recipient": SBP, "currency": "EUR"}, "currency", "does not pay in EUR"),
    ],
)
def test_what_the_chosen_account_cannot_pay_is_refused_at_submission_and_nothing_is_kept(
    given: dict[str, Any], field: str, says: str
) -> None:
    add(10, "main")

    with pytest.raises(UnpayableError, match=says) as refusal:
        pending_payout(**given)

    assert set(refusal.value.errors) == {field}
    assert not Payout.objects.exists()


def test_a_request_that_was_taken_is_answered_again_whatever_the_account_can_pay_by_now(client: ApiClient) -> None:
    first = pending_payout(client=client, idempotency_key="one")
    add(10, "main")

    again = pending_payout(client=client, idempotency_key="one")

    assert (again.pk, again.is_replay) == (first.pk, True)


# Anew, by a person


def test_it_is_not_routed_to_an_account_that_cannot_pay_it(operator: User) -> None:
    payout = pending_payout()
    add(10, "main")

    with nothing_changes(payout), pytest.raises(NotAllowedError, match="main cannot pay such a recipient"):
        actions.route(payout.pk, by=operator, reason=WHY)


@pytest.mark.parametrize("recipe", PAYOUTS)
def test_a_payout_is_routed_anew_while_it_was_never_sent_and_in_no_other_state(recipe: str, operator: User) -> None:
    payout = PAYOUTS[recipe]()
    add(10, "eu")

    if recipe in PENDING - {"retried", "without_funds"}:
        routed = actions.route(payout.pk, by=operator, reason=WHY)
        assert routed.provider == "eu"
        assert Payout.objects.get(pk=payout.pk).is_sealed
    else:
        with nothing_changes(payout), pytest.raises(NotAllowedError):
            actions.route(payout.pk, by=operator, reason=WHY)

    assert is_clean()


def test_it_records_from_where_to_where_by_whom_and_why_and_pays_there(operator: User) -> None:
    payout = pending_payout()
    add(10, "eu")
    with DoubleProvider().registered() as before, DoubleProvider("eu").registered() as after:
        routed = actions.route(payout.pk, by=operator, reason=WHY)
        pump.run()

    assert last_event(routed)[0] == "succeeded"
    event = payout.events.get(event="routed")
    assert (event.from_status, event.to_status, event.actor) == ("pending", "pending", "user:operator")
    assert (event.reason, event.facts) == (WHY, {"provider": "eu", "was": "http", "route": 10})
    assert (before.payments, len(after.payments)) == ([], 1)
    assert payout.attempts.get().provider == "eu"
    assert is_clean()


def test_approvals_and_times_stay_when_it_is_routed_anew(operator: User) -> None:
    payout = recipes.approved_payout(scheduled_for=timezone.now() + timedelta(days=1))
    add(10, "eu")

    routed = actions.route(payout.pk, by=operator, reason=WHY)

    assert (routed.approvals_given, routed.due_at) == (1, payout.due_at)


def test_without_routes_any_more_it_goes_back_to_the_first_account(operator: User) -> None:
    route = add(10, "eu")
    payout = pending_payout()
    route.delete()

    routed = actions.route(payout.pk, by=operator, reason=WHY)

    assert (payout.provider, routed.provider) == ("eu", "http")
    assert routed.events.get(event="routed").facts == {"provider": "http", "was": "eu"}


def _same(payout: Payout) -> None:
    add(10, "http")


def _none(payout: Payout) -> None:
    Route.objects.all().delete()


def _altered(payout: Payout) -> None:
    add(10, "eu")
    by_hand("UPDATE payouts_route SET account = 'main'")


def _recovering(payout: Payout) -> None:
    add(10, "eu")
    recovery.begin(by="shell:operator", reason="Restored the backup of 03:00.")


def _recovered(payout: Payout) -> None:
    """Recovery mode is over; it began a week before the payout was made."""
    _recovering(payout)
    began_at = payout.created_at - timedelta(days=7)
    Recovery.objects.update(
        began_at=began_at,
        proposed_at=began_at,
        proposed_by=recipes.person.make(),
        evidence="Compared.",
        ended_at=began_at,
        ended_by=recipes.person.make(),
        end_reason="It agrees.",
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_same, "leave it with the account http"),
        (_none, "There is no route"),
        (_altered, "was changed outside the product"),
        (_recovering, "may have forgotten that it was sent"),
        (_recovered, "may have forgotten that it was sent"),
    ],
)
def test_it_stays_with_its_account_and_people_are_told_why(
    change: Callable[[Payout], None], says: str, operator: User
) -> None:
    payout = pending_payout()
    change(payout)

    with nothing_changes(payout), pytest.raises(NotAllowedError, match=says):
        actions.route(payout.pk, by=operator, reason=WHY)


def test_a_version_that_is_gone_is_not_routed_anew(operator: User) -> None:
    payout = pending_payout()
    add(10, "eu")

    with nothing_changes(payout), pytest.raises(VersionError):
        actions.route(payout.pk, by=operator, reason=WHY, version=payout.version - 1)


def test_what_two_people_let_go_over_the_limits_of_one_account_does_not_go_over_those_of_another() -> None:
    people = [recipes.allowed_to("view_payout", "approve_payout") for _each in range(2)]
    stays, leaves = recipes.over_limit_payout(), recipes.over_limit_payout()
    VelocityLimit.objects.create(scope="provider", currency="RUB", window="minute", amount=1)
    for payout in (stays, leaves):
        make_due(payout)
    assert actions.claim(limit=10) == []
    for payout in (stays, leaves):
        configuration.let_go(payout.pk, by=people[0], reason="The sale.")
    add(10, "eu")

    actions.route(leaves.pk, by=people[1], reason=WHY)
    make_due(leaves)

    assert [each.payout_id for each in actions.claim(limit=10)] == [stays.pk]


# Sent: it stays


def test_what_was_sent_is_asked_about_where_it_was_sent_whatever_the_routes_say(operator: User) -> None:
    add(10, "eu")
    payout = pending_payout()
    with DoubleProvider().registered() as other, DoubleProvider("eu").registered() as eu:
        eu.script(Fault.TIMEOUT_AFTER)
        pump.run()
        Route.objects.all().delete()
        add(10, "http")
        with pytest.raises(NotAllowedError):
            actions.route(payout.pk, by=operator, reason=WHY)
        make_due(payout)
        pump.run()

    payout.refresh_from_db()
    assert (payout.status, payout.provider, other.calls) == ("processed", "eu", [])
    assert [call.operation for call in eu.calls] == ["pay", "look_up"]
    assert is_clean()


def test_a_retry_goes_to_the_account_of_the_attempt_that_was_refused(operator: User) -> None:
    payout = recipes.failed_payout()
    add(10, "eu")

    payout = actions.retry(payout.pk, by=operator, reason="The account is open again.")

    assert payout.provider == "http"


# Configuration


CONTENT = {
    "position": 10,
    "client": None,
    "currency": "RUB",
    "recipient_kind": "sbp",
    "from_amount": None,
    "below_amount": "500000",
    "account": "main",
}


def test_a_route_is_in_force_when_another_person_has_confirmed_it(settings: Any) -> None:
    settings.DUAL_CONTROL = True
    first, second = recipes.allowed_to("add_route"), recipes.allowed_to("add_route")

    proposal = configuration.change("route", "", CONTENT, by=first, act=Act.ADD, reason="SBP.").proposal
    between = pending_payout(recipient=SBP).provider
    assert isinstance(proposal, Proposal)
    configuration.confirm(proposal.pk, by=second)

    assert (between, pending_payout(recipient=SBP).provider) == ("http", "main")
    assert Route.objects.get().history.get().history_user == first


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"account": "nowhere"}, "not a valid choice"),
        ({"account": ""}, "cannot be blank"),
        ({"recipient_kind": "pigeon"}, "not a valid choice"),
        ({"currency": "USD"}, "The account main does not pay in USD"),
        ({"currency": "QQQ"}, "QQQ"),
        ({"currency": ""}, "Say in which currency"),
        ({"from_amount": "500000"}, "No amount is both"),
    ],
)
def test_a_route_that_could_never_pay_is_not_proposed(given: dict[str, Any], says: str) -> None:
    admin = recipes.allowed_to("add_route")

    with pytest.raises(ConfigurationError, match=says):
        configuration.change("route", "", CONTENT | given, by=admin, act=Act.ADD, reason="Why.")
