"""A payout comes in: stored once, exact, sealed, and rung for when it needs nobody."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from payouts import actions, references, trace, vault
from payouts.actions import IdempotencyError, InvalidError, NotAllowedError
from payouts.models import ApiClient, Payout, namespace
from tests import recipes
from tests.payouts.observe import is_clean, last_event, nothing_changes, rings
from tests.recipes import CARD, ONE_APPROVAL, TWO_APPROVALS, awaiting_payout, pending_payout

pytestmark = pytest.mark.django_db


def test_submit_stores_a_pending_payout_and_rings(client: ApiClient) -> None:
    payout = pending_payout(client=client, user_id=123, amount=Decimal("100.5"), comment="Оплата бонуса")

    stored = Payout.objects.get()
    assert stored.pk == payout.pk
    assert (stored.status, stored.version, stored.approvals_required, stored.approvals_given) == ("pending", 1, 0, 0)
    assert (stored.user_id, str(stored.amount), stored.currency) == (123, "100.50", "RUB")
    assert (stored.client, stored.comment, stored.processed_at) == (client, "Оплата бонуса", None)
    assert stored.due_at == stored.created_at == stored.updated_at
    assert stored.recipient_details == CARD
    assert last_event(stored) == ("submitted", None, "pending", "client:shop", "")
    assert rings() == 1
    assert is_clean()


def test_submit_encrypts_the_recipient_and_keeps_only_a_mask_beside_it() -> None:
    payout = pending_payout(recipient={"card": "4111 1111 1111 1111", "name": "Иван Петров"})

    stored = Payout.objects.values().get(pk=payout.pk)
    assert stored["recipient_masked"] == {"card": "4111 11•• •••• 1111", "name": "Иван Петров"}
    assert "4111 1111 1111 1111" not in str(stored)
    assert "4111111111111111" not in str(stored)


@pytest.mark.parametrize(
    ("amount", "currency", "required"),
    [
        ("99999.99", "RUB", 0),
        ("100000", "RUB", 1),
        ("999999.99", "RUB", 1),
        ("1000000", "RUB", 2),
        ("0.01", "USD", 0),
        ("1000", "EUR", 1),
        ("10000", "USD", 2),
        ("1", "JPY", 1),
    ],
)
def test_the_bands_say_how_many_must_approve(amount: str, currency: str, required: int) -> None:
    payout = pending_payout(amount=Decimal(amount), currency=currency)

    payout.refresh_from_db()
    assert payout.approvals_required == required
    assert (payout.due_at is None) == bool(required)
    assert rings() == (0 if required else 1)


def test_a_band_of_staff_counts_from_its_amount_on() -> None:
    recipes.band.make(from_amount=Decimal(0), approvals_required=0)
    recipes.band.make(from_amount=Decimal(50), approvals_required=3)

    below, at = (pending_payout(amount=Decimal(amount), currency="GBP") for amount in ("49.99", "50.00"))

    assert (below.approvals_required, at.approvals_required) == (0, 3)


def test_a_change_of_bands_changes_no_payout_that_is_there() -> None:
    waiting = awaiting_payout()

    recipes.band.make(currency="RUB", from_amount=Decimal("200000"), approvals_required=0)

    with nothing_changes(waiting):
        assert actions.claim(limit=10) == []
    assert is_clean()


def test_the_maker_is_the_person_or_the_owner_of_the_client(maker: User) -> None:
    owned = recipes.client.make(owner=maker)

    by_person, by_client = pending_payout(maker=maker, client=None), pending_payout(client=owned)

    assert (by_person.maker, by_person.client) == (maker, None)
    assert (by_client.maker, by_client.client) == (maker, owned)
    assert last_event(by_person)[3] == "user:maker"


def test_submit_rings_for_a_scheduled_payout_which_is_due_at_its_time() -> None:
    later = timezone.now() + timedelta(days=3)

    payout = pending_payout(scheduled_for=later)

    payout.refresh_from_db()
    assert payout.due_at == payout.scheduled_for == later
    assert actions.claim(limit=10) == []


def test_a_time_that_has_passed_makes_it_due_now() -> None:
    payout = pending_payout(scheduled_for=timezone.now() - timedelta(days=3))

    assert payout.due_at == payout.created_at
    assert [each.payout_id for each in actions.claim(limit=10)] == [payout.pk]


def test_submit_stores_the_request_id_with_the_payout_and_its_event() -> None:
    token = trace.current.set("req-42")
    try:
        payout = pending_payout()
    finally:
        trace.current.reset(token)

    assert (payout.trace_id, payout.events.get().trace_id) == ("req-42", "req-42")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"amount": Decimal("0")}, "amount"),
        ({"amount": Decimal("-1")}, "amount"),
        ({"amount": Decimal("100.505")}, "amount"),
        ({"amount": Decimal("NaN")}, "amount"),
        ({"amount": Decimal("1e400")}, "amount"),
        ({"amount": Decimal(10) ** 14}, "amount"),
        ({"currency": "rub"}, "currency"),
        ({"currency": "XAU"}, "currency"),
        ({"currency": ""}, "currency"),
        ({"user_id": 0}, "user_id"),
        ({"user_id": -1}, "user_id"),
        ({"user_id": 2**63}, "user_id"),
        ({"user_id": 2**70}, "user_id"),
        ({"recipient": {}}, "recipient_details"),
        ({"recipient": {"card": "", "name": None, "bank": [], "more": {}}}, "recipient_details"),
        ({"recipient": {"note": "x" * 8_192}}, "recipient_details"),
        ({"comment": "x" * 1_001}, "comment"),
    ],
)
def test_submit_refuses_what_cannot_be_a_payout(client: ApiClient, given: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidError) as refusal:
        pending_payout(client=client, **given)

    assert list(refusal.value.errors) == [field]
    assert refusal.value.errors[field]
    assert not Payout.objects.exists()
    assert rings() == 0


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"recipient": {"card": "4111\u00001111"}}, "recipient_details"),
        ({"recipient": {"ca\u0000rd": "4111"}}, "recipient_details"),
        ({"recipient": {"name": "\ud800"}}, "recipient_details"),
        ({"recipient": {"deep": [{"name": "\udfff"}]}}, "recipient_details"),
        ({"recipient": {"number": float("nan")}}, "recipient_details"),
        ({"recipient": {"number": float("inf")}}, "recipient_details"),
        ({"comment": "a\u0000b"}, "comment"),
        ({"comment": "\ud800"}, "comment"),
    ],
)
def test_submit_refuses_texts_that_cannot_be_stored(client: ApiClient, given: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidError) as refusal:
        pending_payout(client=client, **given)

    assert list(refusal.value.errors) == [field]
    assert not Payout.objects.exists()


def test_submit_names_all_that_is_wrong_at_once(client: ApiClient) -> None:
    with pytest.raises(InvalidError) as refusal:
        pending_payout(client=client, user_id=0, currency="gold", recipient={}, comment="x" * 2_000)

    assert set(refusal.value.errors) == {"user_id", "currency", "recipient_details", "comment"}


def test_the_largest_amount_and_the_largest_user_id_come_back_as_they_went_in() -> None:
    payout = pending_payout(amount=Decimal("99999999999999.99"), user_id=2**63 - 1)

    payout.refresh_from_db()
    assert (str(payout.amount), payout.user_id) == ("99999999999999.99", 2**63 - 1)
    assert is_clean()


@pytest.mark.parametrize(
    "number",
    [
        0,
        -0.0,
        1.5,
        2**70,
        Decimal("1.50"),
        Decimal("1E-7"),
        1e22,
        1e-7,
        Decimal("-0"),
    ],
)
def test_a_number_in_the_recipient_stays_what_it_was_until_it_is_paid(number: object) -> None:
    payout = pending_payout(recipient={"account": number})

    (assignment,) = actions.claim(limit=1)

    assert assignment.payout_id == payout.pk
    assert float(str(assignment.instruction.recipient["account"])) == float(str(number))


@pytest.mark.parametrize(
    "number",
    [
        Decimal("NaN"),
        Decimal("-Infinity"),
        Decimal("sNaN"),
    ],
)
def test_submit_refuses_a_number_that_is_none(client: ApiClient, number: Decimal) -> None:
    with pytest.raises(InvalidError):
        pending_payout(client=client, recipient={"account": number})


@pytest.mark.parametrize(
    ("given", "currency", "stored"),
    [("7", "JPY", "7"), ("7.1", "RUB", "7.10"), ("7.125", "KWD", "7.125"), ("7.1234", "CLF", "7.1234")],
)
def test_an_amount_is_stored_with_the_decimals_of_its_currency(given: str, currency: str, stored: str) -> None:
    payout = pending_payout(amount=Decimal(given), currency=currency)

    payout.refresh_from_db()
    assert str(payout.amount) == stored


# Idempotency keys


def test_the_same_key_and_content_give_the_first_payout_again(client: ApiClient) -> None:
    first = pending_payout(client=client, idempotency_key="order-7")

    with nothing_changes(first):
        again = pending_payout(client=client, idempotency_key="order-7")

    assert (again.pk, again.is_replay, first.is_replay) == (first.pk, True, False)
    assert Payout.objects.count() == 1


def test_a_replay_may_spell_the_same_content_in_another_way(client: ApiClient) -> None:
    first = pending_payout(client=client, idempotency_key="k", amount=Decimal("100.5"), recipient={"a": 1, "b": 2})

    again = pending_payout(client=client, idempotency_key="k", amount=Decimal("100.50"), recipient={"b": 2, "a": 1})

    assert again.pk == first.pk


def test_a_replay_may_name_the_same_moment_in_another_zone(client: ApiClient) -> None:
    later = timezone.now() + timedelta(days=1)
    elsewhere = later.astimezone(timezone.get_fixed_timezone(180))
    first = pending_payout(client=client, idempotency_key="k", scheduled_for=later)

    again = pending_payout(client=client, idempotency_key="k", scheduled_for=elsewhere)

    assert again.pk == first.pk


@pytest.mark.parametrize(
    "other",
    [
        {"amount": Decimal("100.51")},
        {"currency": "USD"},
        {"user_id": 124},
        {"recipient": {"card": "4111 1111 1111 1112"}},
        {"comment": "another"},
        {"scheduled_for": timezone.now() + timedelta(days=1)},
    ],
)
def test_the_same_key_with_other_content_is_refused(client: ApiClient, other: dict[str, Any]) -> None:
    first = pending_payout(client=client, idempotency_key="order-7")

    with nothing_changes(first), pytest.raises(IdempotencyError):
        pending_payout(client=client, idempotency_key="order-7", **other)

    assert Payout.objects.count() == 1


def test_a_replay_shows_the_payout_as_it_is_now(client: ApiClient) -> None:
    first = pending_payout(client=client, idempotency_key="order-7")
    recipes.answered(first, recipes.SUCCEEDED)

    again = pending_payout(client=client, idempotency_key="order-7")

    assert (again.pk, again.status, again.is_replay) == (first.pk, "processed", True)


def test_the_key_of_a_withdrawn_payout_is_used_for_ever(client: ApiClient) -> None:
    first = pending_payout(client=client, idempotency_key="order-7")
    actions.withdraw(first.pk, by=client)

    with nothing_changes(first), pytest.raises(NotAllowedError):
        pending_payout(client=client, idempotency_key="order-7")

    assert Payout.objects.count() == 1


def test_two_clients_may_use_the_same_key(client: ApiClient, stranger: ApiClient) -> None:
    one, other = (pending_payout(client=each, idempotency_key="order-7") for each in (client, stranger))

    assert one.pk != other.pk


def test_the_reference_follows_from_the_client_and_the_key(client: ApiClient) -> None:
    payout = pending_payout(client=client, idempotency_key="order-7")

    assert payout.reference == references.payout_reference(namespace(), "shop", "order-7")


def test_without_a_key_no_two_references_are_alike(client: ApiClient) -> None:
    one, other = pending_payout(client=client), pending_payout(client=client)

    assert (one.reference.version, other.reference.version) == (4, 4)
    assert one.reference != other.reference


def test_a_client_that_took_anothers_name_does_not_get_its_payouts(client: ApiClient) -> None:
    first = pending_payout(client=client, idempotency_key="order-7")
    client.name = "shop-before"
    client.save()

    with nothing_changes(first), pytest.raises(IdempotencyError):
        pending_payout(client=recipes.client.make(name="shop"), idempotency_key="order-7")

    assert Payout.objects.count() == 1


def test_a_client_under_another_name_still_gets_its_payout_by_its_key(client: ApiClient) -> None:
    first = pending_payout(client=client, idempotency_key="order-7")
    client.name = "renamed"
    client.save()

    again = pending_payout(client=client, idempotency_key="order-7")

    assert (again.pk, again.reference, again.is_replay) == (first.pk, first.reference, True)


def test_a_card_that_fails_its_checksum_is_accepted_and_flagged(client: ApiClient) -> None:
    payout = pending_payout(client=client, recipient={"card": "0000 1111 2222 3333"})

    assert payout.review_flags == ["card_checksum"]
    assert rings() == 1


def test_the_first_person_of_two_makes_no_payout_ready() -> None:
    payout = awaiting_payout(amount=TWO_APPROVALS)

    actions.approve(payout.pk, by=recipes.person.make())

    payout.refresh_from_db()
    assert (payout.approvals_given, payout.due_at) == (1, None)


def test_what_is_stored_cannot_be_read_without_a_key(settings: Any) -> None:
    payout = pending_payout(amount=ONE_APPROVAL)
    settings.FIELD_ENCRYPTION_KEYS = ["MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA="]

    payout.refresh_from_db()

    with pytest.raises(vault.UnreadableError):
        payout.recipient_details  # noqa: B018
