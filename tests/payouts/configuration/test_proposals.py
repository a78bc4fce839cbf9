"""What one person proposes is in force when another has confirmed it, and not before."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from payouts import configuration
from payouts.configuration import ConfigurationError
from payouts.models import ApprovalBand, PayoutLimit, Proposal, ReviewRule
from tests.payouts.observe import by_hand, unguarded
from tests.recipes import allowed_to, open_proposal, person

pytestmark = pytest.mark.django_db

THREE = {"currency": "RUB", "from_amount": "1000000", "approvals_required": 3}


@pytest.fixture(autouse=True)
def _two_people(settings: Any) -> None:
    settings.DUAL_CONTROL = True


@pytest.fixture
def proposer() -> User:
    return allowed_to("change_approvalband", username="proposer")


@pytest.fixture
def second() -> User:
    return allowed_to("change_approvalband", username="second")


@contextmanager
def unchanged() -> Iterator[None]:
    """No proposal and no configuration is written within."""
    before = _everything()
    yield
    assert _everything() == before


def _everything() -> list[Any]:
    return [
        list(model.objects.order_by("pk").values()) for model in (Proposal, ApprovalBand, PayoutLimit, ReviewRule)
    ]


def band() -> ApprovalBand:
    return ApprovalBand.objects.get(currency="RUB", from_amount=1_000_000)


def test_what_is_proposed_changes_nothing(proposer: User) -> None:
    changed = configuration.change("approval_band", band().pk, THREE, by=proposer, reason="More eyes.")

    assert changed.proposal is not None
    assert changed.proposal.is_open
    assert changed.proposal.is_sealed
    assert changed.proposal.before == THREE | {"approvals_required": 2}
    assert changed.proposal.expires_at - changed.proposal.proposed_at == timedelta(hours=72)
    assert band().approvals_required == 2


def test_another_person_puts_it_in_force_and_the_history_names_both(proposer: User, second: User) -> None:
    proposal = open_proposal(by=proposer)

    confirmed = configuration.confirm(proposal.pk, by=second)

    assert band().approvals_required == 3
    line = band().history.first()
    assert line.history_user == proposer
    assert line.history_change_reason == f"proposal {proposal.pk}, confirmed by second"
    assert (confirmed.decision, confirmed.decided_by, confirmed.applied_at) == (
        "confirmed",
        second,
        confirmed.decided_at,
    )
    assert Proposal.objects.get().is_sealed


def test_a_change_is_made_at_once_while_dual_control_is_off(proposer: User, settings: Any) -> None:
    settings.DUAL_CONTROL = False

    changed = configuration.change("approval_band", band().pk, THREE, by=proposer)

    assert changed.proposal is None
    assert changed.instance == band()
    assert band().approvals_required == 3
    assert band().history.first().history_user == proposer


def test_the_proposer_confirms_nothing(proposer: User) -> None:
    proposal = open_proposal(by=proposer)

    with unchanged(), pytest.raises(ConfigurationError, match="another person must confirm"):
        configuration.confirm(proposal.pk, by=proposer)


def _closed(second: User) -> None:
    User.objects.filter(pk=second.pk).update(is_active=False)


def _without_the_permission(second: User) -> None:
    second.user_permissions.clear()


@pytest.mark.parametrize("befalls", [_closed, _without_the_permission])
@pytest.mark.parametrize("who", ["proposer", "second"])
def test_both_must_be_allowed_to_make_the_change_when_it_is_confirmed(
    befalls: Callable[[User], None], who: str, proposer: User, second: User
) -> None:
    proposal = open_proposal(by=proposer)
    befalls({"proposer": proposer, "second": second}[who])

    with unchanged(), pytest.raises(ConfigurationError):
        configuration.confirm(proposal.pk, by=second)


def test_whoever_may_not_change_it_proposes_nothing(second: User) -> None:
    with pytest.raises(ConfigurationError, match="permission"):
        configuration.propose("limit", "", {"currency": "RUB", "day_amount": "5"}, by=second, reason="Why", act="add")

    with pytest.raises(ConfigurationError, match="permission"):
        configuration.propose("approval_band", band().pk, THREE, by=person.make(), reason="Why")
    assert not Proposal.objects.exists()


def test_what_changed_meanwhile_is_proposed_anew(proposer: User, second: User) -> None:
    proposal = open_proposal(by=proposer)
    other = band()
    other.approvals_required = 5
    other.save()

    with unchanged(), pytest.raises(ConfigurationError, match="changed meanwhile"):
        configuration.confirm(proposal.pk, by=second)


def test_what_nobody_decided_in_three_days_is_proposed_anew(proposer: User, second: User) -> None:
    proposal = open_proposal(by=proposer)
    _age(proposal)

    with unchanged(), pytest.raises(ConfigurationError, match="expired"):
        configuration.confirm(proposal.pk, by=second)
    assert not configuration.open_proposals()

    again = open_proposal(by=proposer)

    proposal.refresh_from_db()
    assert (proposal.decision, proposal.is_sealed) == ("expired", True)
    assert configuration.confirm(again.pk, by=second).decision == "confirmed"


def _age(proposal: Proposal) -> None:
    """As if it had been made four days ago, and sealed then."""
    earlier = timezone.now() - timedelta(days=4)
    proposal.proposed_at, proposal.expires_at = earlier, earlier + timedelta(hours=72)
    proposal.facts_seal = proposal.expected_seal()
    with unguarded("payouts_proposal"):
        proposal.save()


@pytest.mark.parametrize(
    "column",
    [
        """after = '{"currency": "RUB", "from_amount": "1000000", "approvals_required": 0}'""",
        "before = '{}'",
        "proposed_by_id = %(other)s",
        "expires_at = expires_at + interval '1 year'",
        "reason = 'Another one.'",
        "subject = 'limit'",
        "act = 'delete'",
        "object_id = '1'",
    ],
)
def test_a_proposal_that_sql_has_changed_is_never_put_in_force(column: str, proposer: User, second: User) -> None:
    proposal = open_proposal(by=proposer)
    other = str(person.make().pk)
    with unguarded("payouts_proposal"):
        by_hand(f"UPDATE payouts_proposal SET {column.replace('%(other)s', other)}")

    with unchanged(), pytest.raises(ConfigurationError, match="outside the product"):
        configuration.confirm(proposal.pk, by=second)


def test_one_change_of_a_thing_is_open_at_a_time(proposer: User, second: User) -> None:
    proposal = open_proposal(by=proposer)

    with unchanged(), pytest.raises(ConfigurationError, match="proposed already"):
        open_proposal(by=second)

    configuration.withdraw(proposal.pk, by=proposer)
    assert open_proposal(by=second).is_open


def test_it_is_declined_by_another_and_withdrawn_by_its_proposer(proposer: User, second: User) -> None:
    first = open_proposal(by=proposer)
    with unchanged(), pytest.raises(ConfigurationError, match="withdraw it instead"):
        configuration.decline(first.pk, by=proposer, reason="No.")
    configuration.decline(first.pk, by=second, reason="No.")
    other = open_proposal(by=proposer)
    with unchanged(), pytest.raises(ConfigurationError, match="Only the person"):
        configuration.withdraw(other.pk, by=second)
    configuration.withdraw(other.pk, by=proposer)

    decided = Proposal.objects.order_by("pk")

    assert [(each.decision, each.decided_by, each.is_sealed) for each in decided] == [
        ("declined", second, True),
        ("withdrawn", proposer, True),
    ]
    assert band().approvals_required == 2
    for each in decided:
        with unchanged(), pytest.raises(ConfigurationError, match="decided already"):
            configuration.confirm(each.pk, by=person.make(is_superuser=True))


def test_the_server_stands_for_the_second_person(proposer: User) -> None:
    proposal = open_proposal(by=proposer)

    confirmed = configuration.confirm(proposal.pk, on_server="shell:root")

    assert band().approvals_required == 3
    assert (confirmed.decided_by, confirmed.on_server) == (None, "shell:root")


def test_bands_and_limits_are_added_and_deleted_and_rules_changed_alike(settings: Any) -> None:
    proposer, second = (person.make(is_superuser=True) for _each in range(2))
    limit = {"currency": "JPY", "recipient_amount": None, "day_amount": "5000"}

    added = configuration.propose("limit", "", limit, by=proposer, reason="Why", act="add")
    configuration.confirm(added.pk, by=second)
    made = PayoutLimit.objects.get(currency="JPY")
    assert Proposal.objects.get(pk=added.pk).result_id == str(made.pk)
    gone = configuration.propose("limit", made.pk, {}, by=second, reason="Why", act="delete")
    assert gone.before == limit
    configuration.confirm(gone.pk, by=proposer)
    rule = {"flag": "possible_duplicate", "effect": "note"}
    changed = configuration.propose("review_rule", "possible_duplicate", rule, by=proposer, reason="Why")
    configuration.confirm(changed.pk, by=second)

    assert not PayoutLimit.objects.filter(currency="JPY").exists()
    assert ReviewRule.objects.get(flag="possible_duplicate").effect == "note"


def test_what_could_not_be_saved_is_not_proposed(proposer: User) -> None:
    with unchanged(), pytest.raises(ConfigurationError) as refusal:
        configuration.propose("approval_band", band().pk, THREE | {"currency": "XQQ"}, by=proposer, reason="Why")

    assert "currency" in refusal.value.errors


@pytest.mark.parametrize("reason", ["", "  ", "\0", "x" * 1001])
def test_a_proposal_takes_a_reason(reason: str, proposer: User) -> None:
    with unchanged(), pytest.raises(ConfigurationError):
        open_proposal(by=proposer, reason=reason)


def test_the_page_tells_what_changes_in_words(proposer: User) -> None:
    proposal = open_proposal(by=proposer)

    lines = configuration.subject(proposal.subject).lines(proposal.before, proposal.after)

    assert lines == [("Approvals required", "2", "3")]
    assert proposal.title == "RUB 1000000 → 2"
