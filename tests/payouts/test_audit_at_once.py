"""The audit over several processes finds what it finds alone."""

import pytest
from django.core.management import CommandError, call_command

from payouts import audit
from tests import recipes
from tests.databases import application_url
from tests.payouts.observe import by_hand, unguarded

# The other processes see what is committed.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def payouts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """More than several parts hold, the first, a middle and the last of them altered by SQL."""
    monkeypatch.setenv("DATABASE_URL", application_url())
    monkeypatch.setattr(audit, "PART", 3)
    made = [make().pk for make in recipes.PAYOUTS.values()]
    altered = [made[0], made[len(made) // 2], made[-1]]
    with unguarded("payouts_payout"):
        by_hand("UPDATE payouts_payout SET comment = 'altered' WHERE id = ANY (%s)", altered)
    return altered


def test_several_processes_find_what_one_finds_in_its_order(payouts: list[int]) -> None:
    found = list(audit.broken_invariants(processes=2))

    assert found == list(audit.broken_invariants())
    assert [each.payout_id for each in found if each.invariant == "row_sealed"] == payouts


def test_who_wants_no_more_gets_no_more(payouts: list[int]) -> None:
    found = audit.broken_invariants(processes=2)

    assert next(found).payout_id == payouts[0]
    found.close()  # type: ignore[attr-defined]  # a generator


def test_the_command_takes_processes(payouts: list[int]) -> None:
    with pytest.raises(CommandError, match="3 invariants are broken"):
        call_command("audit", "--processes", "2")
    with pytest.raises(CommandError, match="must be 1 or more"):
        call_command("audit", "--processes", "0")
