"""Why a payout is where it is, and why it needs approvals, as its client is told."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import translation

from payouts import actions
from payouts.api import rows
from payouts.api.status_detail import approval_reasons, status_detail
from payouts.models import ApiClient, Attention, Payout, PayoutLimit, ReviewFlag, ReviewRule
from payouts.providers import Answer, Verdict
from payouts.states import Stage
from tests import recipes
from tests.payouts.api.conftest import EXAMPLE, Api

pytestmark = pytest.mark.django_db

DUPLICATE = (
    "The same amount for the same recipient and user came in within ten minutes before, and this payout has no"
    " Idempotency-Key."
)
IN_DOUBT = "Staff are finding out whether it was paid. Do not pay it in another way."


def _told(payout: Payout) -> str:
    return status_detail(payout, approval_reasons(payout, rows.asked_by(payout)))


AT = datetime(2027, 1, 14, 12, 0, tzinfo=UTC)
DETAILS: dict[str, tuple[Callable[[], Payout], Stage, str]] = {
    "one approval is missing": (
        recipes.awaiting_payout,
        Stage.AWAITING_APPROVAL,
        "Waits for 1 approval by staff. Payouts of this amount need approval.",
    ),
    "two approvals are missing": (
        lambda: recipes.awaiting_payout(amount=recipes.TWO_APPROVALS),
        Stage.AWAITING_APPROVAL,
        "Waits for 2 approvals by staff. Payouts of this amount need approval.",
    ),
    "the second approval is missing": (
        lambda: recipes.approved_payout(amount=recipes.TWO_APPROVALS),
        Stage.AWAITING_APPROVAL,
        "Waits for 1 approval by staff. Payouts of this amount need approval.",
    ),
    "on hold": (
        recipes.held_payout,
        Stage.HELD,
        "Staff have put it on hold. It continues when they release it.",
    ),
    "scheduled": (
        lambda: recipes.pending_payout(scheduled_for=AT + timedelta(microseconds=5)),
        Stage.SCHEDULED,
        "It is sent to the provider at 2027-01-14T12:00:00Z or soon after.",
    ),
    "ready": (recipes.pending_payout, Stage.READY, "It is ready to be sent to the provider."),
    "ready after approval": (recipes.approved_payout, Stage.READY, "It is ready to be sent to the provider."),
    "ready again": (recipes.retried_payout, Stage.READY, "It is ready to be sent to the provider."),
    "over a velocity limit": (
        recipes.over_limit_payout,
        Stage.READY,
        "It waits, because a limit for what is sent is reached. It goes on by itself, or by staff.",
    ),
    "without funds": (
        recipes.without_funds_payout,
        Stage.READY,
        "It waits for funds in the account that pays it. It goes on by itself.",
    ),
    "under way": (
        recipes.processing_payout,
        Stage.PROCESSING,
        "It was sent to the provider, and how it ended is not known yet.",
    ),
    "accepted": (
        recipes.accepted_payout,
        Stage.PROCESSING,
        "It was sent to the provider, and how it ended is not known yet.",
    ),
    "unknown": (
        recipes.unknown_payout,
        Stage.UNKNOWN,
        "Nobody knows yet whether it was paid. Do not pay it in another way. The provider is asked until it answers.",
    ),
    "failed": (
        recipes.failed_payout,
        Stage.FAILED,
        "The provider refused it (account_closed: The account is closed). No money has left."
        " Staff may send it again: ask them before you pay it in another way.",
    ),
    "rejected": (recipes.rejected_payout, Stage.REJECTED, "Staff rejected it. No money has left."),
    "cancelled": (recipes.cancelled_payout, Stage.CANCELLED, "It was cancelled. No money has left."),
    "returned": (recipes.returned_payout, Stage.RETURNED, "It was paid, and the bank gave the money back."),
}


@pytest.mark.parametrize("name", DETAILS)
def test_each_stage_has_a_sentence_that_says_what_is_waited_for(name: str) -> None:
    make, stage, told = DETAILS[name]

    with_it = make()

    assert with_it.stage == stage
    assert _told(with_it) == told


def test_every_stage_is_told() -> None:
    assert {stage for _make, stage, _told in DETAILS.values()} | {Stage.PROCESSED} == set(Stage)


@pytest.mark.parametrize("make", [recipes.processed_payout, recipes.settled_payout, recipes.resolved_payout])
def test_a_paid_payout_says_when(make: Callable[[], Payout]) -> None:
    payout = make()

    assert payout.processed_at is not None
    assert _told(payout) == f"It was paid at {payout.processed_at:%Y-%m-%dT%H:%M:%SZ}."


def test_the_release_delay_is_a_time_too(settings: Any) -> None:
    settings.RELEASE_DELAY_SECONDS = 60

    payout = recipes.approved_payout()

    assert payout.release_at is not None
    assert _told(payout) == f"It is sent to the provider at {payout.release_at:%Y-%m-%dT%H:%M:%SZ} or soon after."


def test_what_two_people_found_is_told_without_them() -> None:
    payout = recipes.half_resolved_payout()
    payout = actions.resolve(
        payout.pk, by=recipes.person.make(), decision=recipes.Approval.Decision.NOT_PAID, evidence="Statement, line 7"
    )

    assert _told(payout) == (
        "Two people found that it was not paid. No money has left."
        " Staff may send it again: ask them before you pay it in another way."
    )


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (recipes.pending_payout, "Staff must look at it before it is paid."),
        (recipes.held_payout, "Staff must look at it before it is paid."),
        (
            recipes.processing_payout,
            f"It was sent to the provider, and how it ended is not known yet. {IN_DOUBT}",
        ),
        (
            recipes.unknown_payout,
            "Nobody knows yet whether it was paid. Do not pay it in another way. Staff are finding out.",
        ),
        (
            recipes.failed_payout,
            f"The provider refused it (account_closed: The account is closed). {IN_DOUBT}",
        ),
        (recipes.rejected_payout, f"Staff rejected it. {IN_DOUBT}"),
        (recipes.cancelled_payout, f"It was cancelled. {IN_DOUBT}"),
        (recipes.returned_payout, "It was paid, and the bank gave the money back."),
    ],
)
def test_what_needs_attention_promises_nothing(make: Callable[[], Payout], told: str) -> None:
    payout = make()

    for problem in set(Attention) - {Attention.NONE}:
        payout.attention = problem
        assert _told(payout) == told


def test_a_paid_payout_that_needs_attention_is_being_checked() -> None:
    payout = recipes.processed_payout()
    payout.attention = Attention.CONTRADICTED

    assert _told(payout).endswith("Z. Staff are checking this with the provider.")


def test_no_sentence_names_a_person_or_gives_their_reason() -> None:
    for make in recipes.PAYOUTS.values():
        told = _told(make())
        assert "person-" not in told
        assert "client-" not in told
        for reason in ("The card looks odd", "No contract", "Entered twice", "Matches the contract", "Statement"):
            assert reason not in told


# Why approvals are needed


def test_the_same_payout_twice_without_a_key_says_why_the_second_waits(api: Api) -> None:
    first = api("POST", "/api/payouts/", EXAMPLE).json()
    second = api("POST", "/api/payouts/", EXAMPLE).json()

    assert first["approvals"] == {"required": 0, "given": 0, "reasons": []}
    assert first["status_detail"] == "It is ready to be sent to the provider."
    assert second["approvals"] == {
        "required": 1,
        "given": 0,
        "reasons": [{"code": "possible_duplicate", "detail": DUPLICATE}],
    }
    assert second["status_detail"] == f"Waits for 1 approval by staff. {DUPLICATE}"


def test_get_and_patch_tell_the_same_as_post(api: Api) -> None:
    api("POST", "/api/payouts/", EXAMPLE)
    posted = api("POST", "/api/payouts/", EXAMPLE).json()
    path = f"/api/payouts/{posted['id']}/"

    patched = api("PATCH", path, {"status": "pending"}).json()

    # A recipient in clear is a disclosure, which is an event of its own.
    disclosed = {name: patched[name] for name in ("version", "updated_at")}
    assert patched == posted | disclosed
    assert disclosed["version"] == posted["version"] + 1
    assert api("GET", path).json() == {
        name: told for name, told in patched.items() if name not in ("recipient_details", "comment")
    }


def test_the_second_approval_is_told_apart_from_what_the_amount_needs(api: Api) -> None:
    api.submit(amount=250_000)

    payout = api.submit(amount=250_000)

    assert payout["approvals"]["required"] == 2
    assert [reason["code"] for reason in payout["approvals"]["reasons"]] == ["amount", "possible_duplicate"]
    assert payout["status_detail"] == (
        f"Waits for 2 approvals by staff. Payouts of this amount need approval. {DUPLICATE}"
    )


def test_a_flag_that_asked_for_nothing_is_no_reason(api: Api) -> None:
    recipes.set_rules(ReviewRule.Effect.NOTE, ReviewFlag.POSSIBLE_DUPLICATE)
    api.submit(amount=250_000)

    payout = api.submit(amount=250_000)

    assert Payout.objects.get(pk=payout["id"]).review_flags == ["card_checksum", "possible_duplicate"]
    assert [reason["code"] for reason in payout["approvals"]["reasons"]] == ["amount"]


def test_a_rule_that_changes_later_changes_no_reason(api: Api) -> None:
    api.submit()
    payout = api.submit()

    recipes.set_rules(ReviewRule.Effect.NOTE)

    assert api("GET", f"/api/payouts/{payout['id']}/").json()["approvals"] == payout["approvals"]


@pytest.mark.parametrize(
    ("recipient", "code"),
    [({"card": "4111 1111 1111 1112"}, "card_checksum"), ({"iban": "DE89370400440532013001"}, "iban_checksum")],
)
def test_a_checksum_that_fails_may_be_the_reason(api: Api, recipient: dict[str, str], code: str) -> None:
    recipes.set_rules(ReviewRule.Effect.ASK)

    payout = api.submit(recipient_details=recipient)

    assert [reason["code"] for reason in payout["approvals"]["reasons"]] == [code]


def test_what_other_clients_paid_is_a_plain_review(api: Api, make_api: Callable[..., Api]) -> None:
    """A limit counts the payouts of all clients: which one was exceeded would tell of theirs."""
    recipes.set_rules(ReviewRule.Effect.ASK)
    PayoutLimit.objects.create(currency="RUB", recipient_amount=Decimal(1_000), day_amount=Decimal(1_000))
    card = {"card": "4111 1111 1111 1111"}
    make_api("other").submit(amount=999, recipient_details=card)

    payout = api.submit(amount=2, recipient_details=card)

    assert Payout.objects.get(pk=payout["id"]).review_flags == ["above_recipient_limit", "above_day_limit"]
    assert payout["approvals"]["reasons"] == [{"code": "review", "detail": "Staff review it before it is paid."}]
    assert payout["status_detail"] == "Waits for 1 approval by staff. Staff review it before it is paid."


def test_every_flag_has_a_reason_that_names_no_limit() -> None:
    payout = recipes.awaiting_payout()

    for flag in ReviewFlag:
        (reason,) = approval_reasons(payout, [flag.value])
        assert reason.code == (flag.value if "limit" not in flag.value else "review")


def test_the_sentence_speaks_the_callers_language(api: Api) -> None:
    payout = recipes.returned_payout(client=ApiClient.objects.get(name="shop"))

    answer = api("GET", f"/api/payouts/{payout.pk}/", Accept_Language="ru").json()

    with translation.override("ru"):
        assert answer["status_detail"] == translation.gettext("It was paid, and the bank gave the money back.")
    assert answer["status_detail"] != "It was paid, and the bank gave the money back."


def test_a_known_reason_of_a_provider_speaks_the_callers_language_too() -> None:
    known = "The recipient's bank is not available. Retry later."
    payout = recipes.answered(
        recipes.pending_payout(), Answer(Verdict.REFUSED, code="issuer_unavailable", message=known)
    )

    with translation.override("ru"):
        told = _told(payout)

    assert known in payout.failure_message
    assert "Retry later" not in told
    assert "Банк получателя недоступен" in told
