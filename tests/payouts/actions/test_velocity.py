"""The last line before money: what exceeds a velocity limit waits, and what is beside it goes on."""

import threading
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import close_old_connections, connection, transaction
from django.utils import timezone

from payouts import actions, configuration
from payouts.actions import velocity, waits
from payouts.configuration import Act, ConfigurationError
from payouts.models import LET_GO, Attempt, ConfigurationAlteredError, Payout, Proposal, VelocityLimit, VelocityUse
from payouts.models.sealed_sets import forget
from payouts.staff import authority
from tests import recipes
from tests.payouts.observe import audit_of, by_hand, is_clean, nothing_changes, unguarded
from tests.recipes import (
    REFUSED,
    allowed_to,
    answered,
    claimed,
    make_due,
    pending_payout,
    unknown_payout,
)

pytestmark = pytest.mark.django_db

LIMITS = ("add_velocitylimit", "change_velocitylimit", "delete_velocitylimit")
OTHER_CARD = {"card": "5555 5555 5555 4444"}


@pytest.fixture(autouse=True)
def _no_defaults() -> None:
    VelocityLimit.objects.all().delete()


def _limit(scope: str = "all", window: str = "hour", **given: Any) -> VelocityLimit:
    return VelocityLimit.objects.create(scope=scope, currency="RUB", window=window, **given)


def _taken(limit: int = 10) -> list[int]:
    return [each.payout_id for each in actions.claim(limit=limit)]


def _waiting() -> dict[int, str]:
    return dict(Payout.objects.exclude(waits_for="").values_list("pk", "waits_for"))


def test_what_exceeds_a_limit_waits_and_a_smaller_one_behind_it_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    _limit(amount=250)
    first, large, small = (pending_payout(amount=Decimal(amount)) for amount in (200, 60, 50))

    taken = _taken()

    large.refresh_from_db()
    assert taken == [first.pk, small.pk]
    assert (large.status, large.version, large.attention, large.waits_for) == ("pending", 1, "", "velocity:all:hour")
    assert large.waits_since is not None
    assert large.due_at is not None
    assert large.due_at == large.waits_since + waits.LONGEST_FOR_ROOM
    assert not large.attempts.exists()
    assert "over_velocity_limit" in caplog.text
    assert is_clean()


def test_a_payout_that_goes_on_waiting_is_told_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    _limit(amount=50)
    payout = pending_payout()
    _taken()
    by_hand("UPDATE payouts_payout SET waits_since = now() - interval '1 hour' WHERE id = %s", payout.pk)
    make_due(payout)
    caplog.clear()

    assert _taken() == []

    payout.refresh_from_db()
    assert payout.due_at is not None
    assert timedelta(minutes=14) < payout.due_at - timezone.now() <= waits.LONGEST_FOR_ROOM
    assert "over_velocity_limit" not in caplog.text


def test_what_waits_for_a_full_minute_is_looked_at_again_after_a_minute_at_least() -> None:
    _limit(window="minute", amount=120)
    pending_payout()
    second = pending_payout(amount=Decimal(50))
    by_hand("UPDATE payouts_payout SET due_at = now() + interval '1 hour' WHERE id = %s", second.pk)
    _taken()
    by_hand("UPDATE payouts_velocityuse SET bucket_at = now() - interval '63 seconds'")
    make_due(second)

    assert _taken() == []

    second.refresh_from_db()
    assert second.waits_since is not None
    assert second.due_at == second.waits_since + waits.LONGEST_PAUSE


def test_a_raised_limit_is_told_to_all_that_wait_for_one_of_its_currency(admin: User) -> None:
    _limit(amount=150)
    VelocityLimit.objects.create(scope="all", currency="USD", window="hour", amount=50)
    pending_payout()
    waiting = pending_payout()
    foreign = pending_payout(amount=Decimal(60), currency="USD")
    _taken()
    (limit,) = VelocityLimit.objects.filter(currency="RUB")

    configuration.apply_now(
        "velocity_limit",
        limit.pk,
        {"scope": "all", "currency": "RUB", "window": "hour", "amount": "500", "count": None},
        by=allowed_to(admin, *LIMITS),
    )

    assert _taken() == [waiting.pk]
    assert list(_waiting()) == [foreign.pk]


@pytest.mark.parametrize("given", [{"amount": 250}, {"count": 2}, {"amount": 10_000, "count": 2}])
@pytest.mark.parametrize("window", ["minute", "hour", "day"])
def test_a_limit_holds_over_all_claims_together(given: dict[str, int], window: str) -> None:
    _limit(window=window, **given)
    payouts = [pending_payout(amount=Decimal(100)) for _each in range(4)]

    batches = [_taken(limit=1) for _each in range(4)]

    assert batches == [[payouts[0].pk], [payouts[1].pk], [], []]
    assert _waiting() == {payout.pk: f"velocity:all:{window}" for payout in payouts[2:]}


def test_each_provider_client_and_recipient_has_its_own_sum() -> None:
    _limit("client", amount=150)
    _limit("recipient", amount=150)
    shop, other = recipes.client.make(), recipes.client.make()
    first = pending_payout(client=shop)
    same_client = pending_payout(client=shop, recipient=OTHER_CARD)
    same_recipient = pending_payout(client=other)
    unlike = pending_payout(client=other, recipient={"card": "2200 0000 0000 0004"})

    assert _taken() == [first.pk, unlike.pk]
    assert _waiting() == {same_client.pk: "velocity:client:hour", same_recipient.pk: "velocity:recipient:hour"}


def test_another_currency_has_its_own_limits() -> None:
    _limit(amount=50)
    waits_here, free = pending_payout(), pending_payout(currency="USD")

    assert _taken() == [free.pk]
    assert list(_waiting()) == [waits_here.pk]


def test_the_longest_window_that_is_full_is_what_it_waits_for() -> None:
    for window in ("minute", "hour", "day"):
        _limit(window=window, amount=50)
    payout = pending_payout()

    _taken()

    assert _waiting() == {payout.pk: "velocity:all:day"}


def test_a_retry_counts_again_and_a_look_up_does_not(operator: User) -> None:
    _limit(count=2)
    payout = answered(pending_payout(), REFUSED)
    actions.retry(payout.pk, by=operator, reason="The bank says it works again.")
    unknown = answered(payout, recipes.UNKNOWN)

    for _each in range(3):
        claimed(unknown)

    assert [(each.count, each.amount) for each in VelocityUse.objects.all()] == [(2, Decimal("201.00"))]


def test_use_leaves_the_window_bucket_by_bucket_and_no_midnight_ends_it() -> None:
    _limit(amount=100, window="day")
    pending_payout(amount=Decimal(100))
    _taken()
    second = pending_payout(amount=Decimal(100))

    for hours in (23, 24, 25):
        by_hand(f"UPDATE payouts_velocityuse SET bucket_at = now() - interval '{hours} hours'")
        make_due(second)
        assert _taken() == [], "a bucket is of two hours: what lies in it may be younger than a day"
    by_hand("UPDATE payouts_velocityuse SET bucket_at = now() - interval '26 hours 1 second'")
    make_due(second)

    assert _taken() == [second.pk]


def test_use_is_written_only_where_there_is_a_limit_and_is_pruned() -> None:
    _limit("recipient", window="day", amount=1_000)
    pending_payout()
    _taken()
    assert list(VelocityUse.objects.values_list("scope", "window")) == [("recipient", "day")]

    velocity.prune()
    assert VelocityUse.objects.exists()
    by_hand("UPDATE payouts_velocityuse SET bucket_at = now() - interval '3 days'")
    velocity.prune()

    assert not VelocityUse.objects.exists()


def test_raising_the_limit_lets_it_go_and_the_wait_is_over() -> None:
    limit = _limit(amount=50)
    payout = pending_payout()
    _taken()
    limit.amount = Decimal(500)
    limit.save()
    make_due(payout)

    assert _taken() == [payout.pk]
    assert _waiting() == {}
    assert is_clean()


@pytest.mark.parametrize("act", ["hold", "cancel"])
def test_a_person_ends_the_wait_too(act: str, operator: User) -> None:
    _limit(amount=50)
    payout = pending_payout()
    _taken()

    getattr(actions, act)(payout.pk, by=operator, reason="It is not needed.")

    assert _waiting() == {}


def test_use_against_limit_is_told_for_the_fullest_key() -> None:
    _limit("recipient", amount=1_000)
    _limit("all", count=5)
    pending_payout()
    pending_payout(amount=Decimal(700), recipient=OTHER_CARD)
    pending_payout(amount=Decimal(400), recipient=OTHER_CARD)
    _taken()

    told = {each.limit.scope: each for each in velocity.use()}

    assert (told["all"].count, told["all"].amount, told["all"].waiting) == (2, Decimal("800.50"), 0)
    assert (told["recipient"].count, told["recipient"].amount, told["recipient"].waiting) == (1, Decimal("700.00"), 1)
    assert told["recipient"].waiting_since is not None


def test_limits_that_sql_has_changed_send_nothing_and_look_ups_go_on() -> None:
    unknown = unknown_payout()
    _limit(amount=50)
    payout = pending_payout()
    by_hand("UPDATE payouts_velocitylimit SET amount = 9999999")
    forget()
    make_due(unknown)

    assert _taken() == [unknown.pk]

    assert _waiting() == {payout.pk: "configuration"}
    assert waits.over_limit() == []
    with pytest.raises(ConfigurationAlteredError):
        velocity.use()


# Two people let one go


@pytest.fixture
def waiting_payout() -> Payout:
    _limit(amount=50)
    payout = pending_payout()
    _taken()
    return Payout.objects.get(pk=payout.pk)


@pytest.fixture
def _dual_control(settings: Any) -> None:
    settings.DUAL_CONTROL = True


@pytest.fixture
def approver() -> User:
    return allowed_to("view_payout", "approve_payout", username="approver")


@pytest.fixture
def second_approver() -> User:
    return allowed_to("view_payout", "approve_payout", username="second approver")


@pytest.fixture
def admin() -> User:
    return allowed_to(*LIMITS, username="admin")


@pytest.fixture
def second_admin() -> User:
    return allowed_to(*LIMITS, username="second admin")


@pytest.mark.usefixtures("_dual_control")
def test_two_people_let_a_payout_go_over_the_limits_and_its_use_counts(
    waiting_payout: Payout, approver: User, second_approver: User
) -> None:
    proposal = configuration.let_go(waiting_payout.pk, by=approver, reason="The contract is signed.")
    make_due(waiting_payout)
    assert _taken() == []

    configuration.confirm(proposal.pk, by=second_approver)

    assert _taken() == [waiting_payout.pk]
    assert [each.amount for each in VelocityUse.objects.all()] == [waiting_payout.amount]
    assert is_clean()


@pytest.mark.parametrize("closed", ["approver", "second_approver"])
@pytest.mark.usefixtures("_dual_control")
def test_what_a_closed_account_has_let_go_waits_again(
    waiting_payout: Payout, approver: User, second_approver: User, closed: str
) -> None:
    proposal = configuration.let_go(waiting_payout.pk, by=approver, reason="The contract is signed.")
    configuration.confirm(proposal.pk, by=second_approver)
    authority.close({"approver": approver, "second_approver": second_approver}[closed].pk)

    assert _taken() == []


@pytest.mark.usefixtures("_dual_control")
def test_what_was_let_go_is_one_attempt_of_this_payout_alone(
    waiting_payout: Payout, approver: User, second_approver: User, operator: User
) -> None:
    other = pending_payout()
    proposal = configuration.let_go(waiting_payout.pk, by=approver, reason="The contract is signed.")
    configuration.confirm(proposal.pk, by=second_approver)
    answered(waiting_payout, REFUSED)
    actions.retry(waiting_payout.pk, by=operator, reason="The bank says it works again.")

    make_due(waiting_payout)
    make_due(other)

    assert _taken() == []


@pytest.mark.usefixtures("_dual_control")
@pytest.mark.parametrize(
    "change",
    [
        "before = before || '{\"attempt\": 7}'",
        "expires_at = now() - interval '1 second'",
        "expires_at = now() + interval '9 days'",
        "object_id = '0'",
    ],
)
def test_what_sql_made_of_a_proposal_lets_nothing_go(
    change: str, waiting_payout: Payout, approver: User, second_approver: User
) -> None:
    proposal = configuration.let_go(waiting_payout.pk, by=approver, reason="The contract is signed.")
    configuration.confirm(proposal.pk, by=second_approver)
    with unguarded("payouts_proposal"):
        by_hand(f"UPDATE payouts_proposal SET {change} WHERE id = %s", proposal.pk)
    make_due(waiting_payout)

    assert _taken() == []


@pytest.mark.usefixtures("_dual_control")
def test_nobody_close_to_a_payout_lets_it_go(waiting_payout: Payout, approver: User, second_approver: User) -> None:
    client = waiting_payout.client
    assert client is not None
    client.owner = approver
    client.save()

    with nothing_changes(waiting_payout), pytest.raises(ConfigurationError, match="others must decide"):
        configuration.let_go(waiting_payout.pk, by=approver, reason="The contract is signed.")
    proposal = configuration.let_go(waiting_payout.pk, by=second_approver, reason="The contract is signed.")
    with nothing_changes(waiting_payout), pytest.raises(ConfigurationError, match="others must decide"):
        configuration.confirm(proposal.pk, by=approver)
    with pytest.raises(ConfigurationError, match="another person must confirm"):
        configuration.confirm(proposal.pk, by=second_approver)


def test_nothing_is_let_go_that_does_not_wait(approver: User) -> None:
    payout = pending_payout()

    with pytest.raises(ConfigurationError, match="does not wait"):
        configuration.let_go(payout.pk, by=approver, reason="The contract is signed.")

    assert not Proposal.objects.filter(subject=LET_GO).exists()


@pytest.mark.usefixtures("_dual_control")
def test_one_person_lowers_a_limit_and_two_raise_it(admin: User, second_admin: User) -> None:
    limit = _limit(amount=500, count=9)
    content = configuration.subject("velocity_limit").snapshot(limit)

    lowered = configuration.change("velocity_limit", limit.pk, content | {"amount": "100"}, by=admin)
    raised = configuration.change(
        "velocity_limit", limit.pk, content | {"amount": "600"}, by=admin, reason="The season has begun."
    )
    wider = content | {"amount": "100", "count": None}
    with pytest.raises(ConfigurationError, match="proposed already"):
        configuration.change("velocity_limit", limit.pk, wider, by=admin, reason="No count.")

    limit.refresh_from_db()
    assert (lowered.proposal, limit.amount) == (None, Decimal(100))
    assert raised.proposal is not None
    configuration.confirm(raised.proposal.pk, by=second_admin)
    limit.refresh_from_db()
    assert limit.amount == Decimal(600)


@pytest.mark.usefixtures("_dual_control")
def test_one_person_adds_a_limit_and_two_take_it_away(admin: User) -> None:
    content = {"scope": "all", "currency": "RUB", "window": "day", "amount": "100", "count": None}

    added = configuration.change("velocity_limit", "", content, by=admin, act=Act.ADD)
    removed = configuration.change(
        "velocity_limit", added.instance.pk, {}, by=admin, act=Act.DELETE, reason="It is in the way."
    )

    assert (added.proposal, removed.instance) == (None, None)
    assert VelocityLimit.objects.count() == 1


# Many workers at once


@pytest.mark.django_db(transaction=True)
def test_claims_of_many_workers_at_once_keep_to_the_limit_exactly() -> None:
    _limit(amount=1_000)
    for _each in range(40):
        pending_payout(amount=Decimal(100))
    start = threading.Barrier(6)

    def work() -> None:
        start.wait()
        for _each in range(6):
            actions.claim(limit=3)
        connection.close()

    threads = [threading.Thread(target=work) for _each in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    close_old_connections()
    assert Attempt.objects.count() == 10
    assert sum(each.amount for each in VelocityUse.objects.all()) == Decimal(1_000)


@pytest.mark.django_db(transaction=True)
def test_a_claim_that_is_broken_off_has_used_nothing() -> None:
    _limit(amount=100)
    payout = pending_payout(amount=Decimal(100))

    with transaction.atomic():
        assert _taken() == [payout.pk]
        transaction.set_rollback(True)

    assert not VelocityUse.objects.exists()
    assert _taken() == [payout.pk]


def test_what_was_sent_before_a_limit_is_looked_up_whatever_the_limit_says() -> None:
    payout = unknown_payout()
    _limit(amount=1)
    make_due(payout)

    assert _taken() == [payout.pk]


def test_a_limit_of_no_payouts_at_all_is_shown() -> None:
    """Shown before: one person set it, and the operations page was an error for everybody."""
    limit = _limit(count=1)
    claimed(pending_payout())
    limit.count = 0
    limit.full_clean()
    limit.save()

    (used,) = velocity.use()

    assert (used.count, used.limit.count) == (1, 0)


@pytest.mark.parametrize("scope", ["all", "provider", "client", "recipient"])
@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM payouts_velocityuse",
        "UPDATE payouts_velocityuse SET amount = amount - 1",
        "UPDATE payouts_velocityuse SET bucket_at = bucket_at - interval '2 hours'",
        "UPDATE payouts_velocityuse SET key = 'another'",
    ],
)
def test_use_that_sql_takes_away_is_named(scope: str, change: str) -> None:
    """Shown before: with its use deleted a limit let the next payout through, and the audit was clean."""
    _limit(scope=scope, amount=150)
    with unguarded("payouts_historicalvelocitylimit"):
        by_hand("UPDATE payouts_historicalvelocitylimit SET history_date = history_date - interval '3 hours'")
    claimed(pending_payout())
    assert is_clean()

    by_hand(change)

    assert audit_of(None) == {"velocity_use_kept"}
