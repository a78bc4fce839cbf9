"""SQL alone changes no rule: what is configured is sealed, and what does not fit decides nothing."""

from decimal import Decimal
from typing import Any

import pytest

from payouts.actions import recovery
from payouts.audit import broken_invariants
from payouts.models import (
    ApprovalBand,
    ConfigurationAlteredError,
    ConfigurationSeal,
    Payout,
    PayoutLimit,
    ReviewRule,
    Route,
)
from payouts.models.sealed_sets import (
    fault_of,
    forget,
    renew,
    seal_as_it_is,
    seal_new_sets,
    sealed_sets,
    verified,
    verified_sets,
)
from tests.payouts.observe import by_hand, is_clean, unguarded
from tests.recipes import TWO_APPROVALS, band, client, pending_payout

pytestmark = pytest.mark.django_db

NO_MORE = "UPDATE payouts_approvalband SET approvals_required = 0"


PUT_BACK = "UPDATE payouts_configurationseal SET version = %s, facts_seal = %s WHERE name = 'bands'"


def seal_of(name: str) -> tuple[int, bytes]:
    found = ConfigurationSeal.objects.get(name=name)
    return found.version, bytes(found.facts_seal)


def test_what_the_migrations_made_is_sealed() -> None:
    assert set(sealed_sets()) == {"bands", "rules", "limits", "velocity", "routes"}
    assert list(verified("bands")) == list(ApprovalBand.objects.order_by("pk"))
    assert [fault_of(name) for name in sealed_sets()] == [""] * len(sealed_sets())
    assert is_clean()


def test_a_row_that_is_saved_or_deleted_is_in_force_at_once() -> None:
    version, _seal = seal_of("bands")

    made = band.make(currency="GBP", approvals_required=2)
    assert made in verified("bands")
    made.approvals_required = 1
    made.save()
    assert [each.approvals_required for each in verified("bands") if each.currency == "GBP"] == [1]
    ApprovalBand.objects.filter(currency="GBP").delete()

    assert [each for each in verified("bands") if each.currency == "GBP"] == []
    assert seal_of("bands")[0] == version + 3
    assert is_clean()


@pytest.mark.parametrize(
    ("name", "statement"),
    [
        ("bands", NO_MORE),
        ("bands", "DELETE FROM payouts_approvalband"),
        ("bands", "DELETE FROM payouts_approvalband WHERE from_amount > 0"),
        ("bands", "UPDATE payouts_approvalband SET currency = 'JPY' WHERE currency = 'RUB'"),
        ("bands", "UPDATE payouts_approvalband SET from_amount = from_amount + 1"),
        (
            "bands",
            "INSERT INTO payouts_approvalband (currency, from_amount, approvals_required) VALUES ('RUB', 1500000, 0)",
        ),
        ("rules", "UPDATE payouts_reviewrule SET effect = 'note'"),
        ("limits", "DELETE FROM payouts_payoutlimit"),
        ("limits", "UPDATE payouts_payoutlimit SET recipient_amount = 99999999"),
        ("routes", "DELETE FROM payouts_route"),
        ("routes", "UPDATE payouts_route SET account = 'theirs'"),
        ("routes", "UPDATE payouts_route SET client_id = NULL"),
        (
            "routes",
            "INSERT INTO payouts_route (position, currency, recipient_kind, account) VALUES (1, '', '', 'theirs')",
        ),
    ],
)
@pytest.mark.parametrize("version", ["", "UPDATE payouts_configurationseal SET version = version + 1"])
def test_nothing_is_submitted_by_rules_that_sql_has_changed_and_the_audit_names_them(
    name: str, statement: str, version: str
) -> None:
    PayoutLimit.objects.create(currency="USD", recipient_amount=Decimal(500))
    Route.objects.create(position=10, account="http", client=client.make())
    by_hand(statement)
    if version:
        by_hand(version)
    forget()

    with pytest.raises(ConfigurationAlteredError, match="outside the product"):
        pending_payout()

    assert not Payout.objects.exists()
    found = [broken for broken in broken_invariants() if broken.detail.startswith(name)]
    assert [broken.invariant for broken in found] == ["configuration_sealed"]


def test_one_update_of_a_band_no_longer_lets_a_large_payout_through() -> None:
    """Shown before: 50,000,000 paid after one UPDATE, the audit clean."""
    pending_payout()
    by_hand(NO_MORE)

    payout = pending_payout(amount=TWO_APPROVALS)

    assert payout.approvals_required == 2  # this process knows what is in force
    forget()  # as one that starts afterwards
    with pytest.raises(ConfigurationAlteredError):
        pending_payout(amount=TWO_APPROVALS)
    assert "row" in fault_of("bands")


def test_no_form_makes_a_change_by_sql_its_own() -> None:
    by_hand(NO_MORE)
    other = ApprovalBand.objects.get(currency="USD", from_amount=0)

    other.approvals_required = 1
    for act in (other.save, other.delete):
        with pytest.raises(ConfigurationAlteredError):
            act()

    assert fault_of("bands")


@pytest.mark.parametrize(
    "write",
    [
        lambda: ApprovalBand.objects.update(approvals_required=0),
        lambda: ReviewRule.objects.filter(flag="card_checksum").update(effect="ask"),
        lambda: ApprovalBand.objects.bulk_create([band.prepare()]),
        lambda: ApprovalBand.objects.bulk_update(ApprovalBand.objects.all(), ["approvals_required"]),
    ],
)
def test_many_rows_at_once_are_refused(write: Any) -> None:
    with pytest.raises(TypeError, match="sealed"):
        write()

    assert is_clean()


def test_an_earlier_version_that_is_put_back_with_its_seal_is_not_in_force() -> None:
    before = ApprovalBand.objects.filter(currency="GBP")
    version, seal = seal_of("bands")
    band.make(currency="GBP", approvals_required=5)
    assert verified("bands")
    with unguarded("payouts_configurationseal"):
        by_hand("DELETE FROM payouts_approvalband WHERE currency = 'GBP'")
        by_hand(
            "UPDATE payouts_configurationseal SET version = %s, facts_seal = %s WHERE name = 'bands'", version, seal
        )
    assert not before.exists()

    with pytest.raises(ConfigurationAlteredError):
        verified("bands")


def test_a_database_that_was_put_back_has_earlier_versions_and_recovery_mode_says_so() -> None:
    version, seal = seal_of("bands")
    band.make(currency="GBP", approvals_required=5)
    assert verified("bands")
    with unguarded("payouts_configurationseal"):
        by_hand("DELETE FROM payouts_approvalband WHERE currency = 'GBP'")
        by_hand(
            "UPDATE payouts_configurationseal SET version = %s, facts_seal = %s WHERE name = 'bands'", version, seal
        )

    recovery.begin(by="shell:root", reason="Restored the backup of 03:00.")

    assert [each for each in verified("bands") if each.currency == "GBP"] == []


def test_a_seal_that_is_gone_is_not_made_anew_by_a_migration() -> None:
    with unguarded("payouts_configurationseal"):
        by_hand("DELETE FROM payouts_configurationseal WHERE name = 'bands'")
    by_hand("DELETE FROM payouts_approvalband")
    forget()

    seal_new_sets()

    with pytest.raises(ConfigurationAlteredError):
        verified("bands")


def test_a_database_with_payouts_is_sealed_by_a_person_on_the_server() -> None:
    pending_payout()
    with unguarded("payouts_configurationseal"):
        by_hand("DELETE FROM payouts_configurationseal")
    forget()

    seal_new_sets()

    assert [bool(fault_of(name)) for name in ("bands", "rules")] == [True] * 2
    assert fault_of("limits") == ""  # has never had a row
    for name in sealed_sets():
        seal_as_it_is(name)
    assert is_clean()


def test_seals_are_renewed_under_new_keys_and_what_does_not_fit_is_not(settings: Any) -> None:
    by_hand("UPDATE payouts_reviewrule SET effect = 'note'")
    settings.EVENT_HMAC_KEYS = ["another key that is long enough for all", *settings.EVENT_HMAC_KEYS]

    assert renew("bands") is True
    assert renew("bands") is False
    with pytest.raises(ConfigurationAlteredError):
        renew("rules")

    settings.EVENT_HMAC_KEYS = settings.EVENT_HMAC_KEYS[:1]
    forget()
    assert verified("bands")
    assert "a key that this process does not have" in fault_of("limits")


def test_several_sets_cost_one_query_while_none_has_changed(django_assert_num_queries: Any) -> None:
    verified_sets(["bands", "rules", "limits"])

    with django_assert_num_queries(1):
        verified_sets(["bands", "rules", "limits"])
