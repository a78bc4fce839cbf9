"""What is encrypted under a recipient's own key is gone with it, and everything else goes on."""

from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from payouts import actions, recipients, rules, tasks, vault
from payouts.actions import NotAllowedError, RecipientKeyError, erasure, recipient_keys
from payouts.models import ApiClient, Attention, Payout, RecipientKey
from payouts.rules import erasing
from tests import recipes
from tests.payouts.observe import audit_of, by_hand, is_clean
from tests.recipes import (
    CARD,
    PAYOUTS,
    SUCCEEDED,
    answered,
    claimed,
    failed_payout,
    pending_payout,
    person,
    processed_payout,
)

pytestmark = pytest.mark.django_db

OTHER = {"card": "5555 5555 5555 4444"}


def erased(payout: Payout, **given: Any) -> Payout:
    """The payout, once two people have had its recipient erased."""
    key = RecipientKey.objects.select_for_update().get(pk=vault.key_named(payout.recipient))
    assert rules.why_not_erase(key) == ""
    facts = {
        "proposed_by": person.make(),
        "confirmed_by": person.make(),
        "reason": "Asked for by the person.",
    } | given
    erasure.erase(key, at=timezone.now(), **facts)
    return Payout.objects.get(pk=payout.pk)


def why_not(payout: Payout) -> str:
    key = payout.recipient_key
    assert key is not None
    return rules.why_not_erase(key)


def under_our_key(payout: Payout) -> None:
    """As the product stored it before recipients had keys."""
    token = vault.encrypt(vault.normal(CARD))
    by_hand("UPDATE payouts_payout SET recipient = %s WHERE id = %s", token, payout.pk)


def test_payouts_to_one_recipient_share_a_key_and_others_have_their_own() -> None:
    first, second = pending_payout(), pending_payout(recipient={"name": "Иван Петров", **CARD})
    other = pending_payout(recipient=OTHER)

    named = [vault.key_named(payout.recipient) for payout in (first, second, other)]

    assert named[0] == named[1] != named[2]
    assert RecipientKey.objects.count() == 2
    assert Payout.objects.get(pk=first.pk).recipient_details == CARD


def test_a_key_costs_a_submission_one_statement_and_a_claimed_batch_one(client: ApiClient) -> None:
    pending_payout(client=client)  # what is read once a process has been read

    with CaptureQueriesContext(
        connection,
    ) as known:
        pending_payout(client=client)
    with CaptureQueriesContext(connection) as unknown:
        pending_payout(client=client, recipient=OTHER)
    with CaptureQueriesContext(connection) as claim:
        assert len(actions.claim(limit=10)) == 2  # the one alike waits for a person

    for captured in (known, unknown, claim):
        assert sum("payouts_recipientkey" in query["sql"] for query in captured) == 1


def test_what_was_stored_before_keys_is_read_and_paid_as_before() -> None:
    payout = pending_payout()
    under_our_key(payout)

    paid = answered(Payout.objects.get(pk=payout.pk), SUCCEEDED)

    assert paid.recipient_details == CARD
    assert is_clean()


def test_an_erased_recipient_is_unreadable_and_the_audit_goes_on() -> None:
    payout = processed_payout()
    token = payout.recipient

    payout = erased(payout)

    assert payout.recipient == token
    assert payout.recipient_masked == {"erased_on": timezone.localdate().isoformat()}
    with pytest.raises(vault.ErasedError):
        payout.recipient_details  # noqa: B018
    assert payout.erasure is not None
    assert payout.erasure.proposed_by is not None
    assert is_clean()


@pytest.mark.parametrize("name", PAYOUTS)
def test_a_recipient_is_erased_only_when_nothing_can_be_paid_any_more(name: str) -> None:
    payout = PAYOUTS[name]()
    is_closed = payout.status not in erasing.UNDER_WAY and payout.due_at is None and not payout.attention

    assert (why_not(payout) == "") == is_closed


def test_another_payout_that_is_open_keeps_the_recipient() -> None:
    payout, waiting = processed_payout(), pending_payout()

    assert f"#{waiting.pk}" in why_not(payout)


def test_a_batch_that_nobody_has_decided_on_keeps_the_recipient() -> None:
    payout = processed_payout(recipient={"card": "4111111111111111", "name": "Иван"})
    assert why_not(payout) == ""

    batch = recipes.checked_batch()
    index = recipients.blind_index(payout.recipient_details)

    assert batch.rows.filter(recipient_index=index).exists()
    assert f"#{batch.pk}" in why_not(payout)


def test_a_batch_that_was_found_altered_and_so_pays_nobody_keeps_nobody() -> None:
    batch = recipes.approved_batch()
    by_hand("UPDATE payouts_batchrow SET amount = amount + 1 WHERE batch_id = %s", batch.pk)
    tasks.submit_batch(batch.pk)
    batch.refresh_from_db()
    assert batch.altered_at is not None
    index = bytes(batch.rows.exclude(recipient="").first().recipient_index)

    assert rules.why_not_erase(RecipientKey.objects.get(recipient_index=index)) == ""


def test_what_is_not_under_a_key_of_its_own_is_put_there_first() -> None:
    payout, old = processed_payout(), processed_payout()
    under_our_key(old)

    assert "rotate_keys" in why_not(payout)


def test_what_the_law_keeps_is_not_erased(settings: Any) -> None:
    payout = processed_payout()
    settings.ERASURE_AFTER_DAYS = 30

    assert "ERASURE_AFTER_DAYS" in why_not(payout)


def test_a_failed_payout_whose_recipient_is_erased_is_not_sent_again() -> None:
    payout = erased(failed_payout())

    with pytest.raises(NotAllowedError, match="erased on"):
        actions.retry(payout.pk, by=person.make(), reason="Again.")

    assert Payout.objects.get(pk=payout.pk).version == payout.version


def test_an_erased_recipient_is_not_revealed_and_no_event_says_it_was() -> None:
    payout = erased(processed_payout())

    with pytest.raises(NotAllowedError, match="erased on"):
        actions.reveal(payout.pk, by=person.make(), reason="A complaint.")

    assert Payout.objects.get(pk=payout.pk).version == payout.version


def test_news_of_an_erased_payout_is_left_to_a_person_who_can_let_it_rest() -> None:
    payout = erased(processed_payout())
    by_hand("UPDATE payouts_payout SET news_at = now(), due_at = now() WHERE id = %s", payout.pk)

    assert actions.claim(limit=10) == []

    payout.refresh_from_db()
    assert (payout.attention, payout.due_at) == (Attention.ERASED, None)
    payout = actions.clear_flag(payout.pk, by=person.make(), reason="The bank says that it was paid.")
    assert (payout.attention, payout.due_at) == (Attention.NONE, None)
    assert actions.claim(limit=10) == []
    assert is_clean()


def test_a_recipient_who_is_paid_again_has_another_key() -> None:
    payout = erased(processed_payout())

    again = pending_payout()

    assert again.recipient_key is not None
    assert again.recipient_key.number == 2
    assert Payout.objects.get(pk=again.pk).recipient_details == CARD
    assert Payout.objects.get(pk=payout.pk).erasure is not None
    assert claimed(again).instruction.recipient == CARD


def test_the_audit_names_a_key_that_sql_took() -> None:
    payout = processed_payout()
    by_hand(
        "UPDATE payouts_recipientkey SET wrapped = NULL, erased_at = now(), reason = 'x', on_server = 'x'",
    )

    assert audit_of(payout) == {"recipient_readable", "recipient_key_sealed"}


def test_a_payout_that_sql_put_under_anothers_erased_key_was_not_erased() -> None:
    gone, payout, waiting = erased(processed_payout(recipient=OTHER)), processed_payout(), pending_payout()
    for each in (payout, waiting):
        by_hand("UPDATE payouts_payout SET recipient = %s WHERE id = %s", gone.recipient, each.pk)

    assert audit_of(payout) == audit_of(waiting) == {"recipient_readable"}
    assert Payout.objects.get(pk=payout.pk).erasure is None
    assert actions.claim(limit=10) == []


def test_a_key_that_sql_gave_to_another_recipient_reads_nothing() -> None:
    payout, other = processed_payout(), processed_payout(recipient=OTHER)
    assert other.recipient_key is not None
    assert payout.recipient_key is not None
    by_hand(
        "UPDATE payouts_recipientkey SET wrapped = %s WHERE id = %s",
        other.recipient_key.wrapped,
        payout.recipient_key.pk,
    )

    assert audit_of(payout) == {"recipient_readable"}
    assert audit_of(other) == set()


def test_the_next_payments_to_many_wait_for_nobody_who_makes_their_keys_in_another_order() -> None:
    indexes = [bytes([number]) * 32 for number in (3, 1, 2)]

    keys = recipient_keys.in_use([*indexes, indexes[0]])

    assert sorted(keys) == sorted(indexes)
    assert recipient_keys.in_use(indexes)[indexes[0]].pk == keys[indexes[0]].pk


def test_what_a_client_sends_is_never_taken_for_an_erasure() -> None:
    payout = pending_payout(recipient={"erased_on": "2026-01-31"})

    assert recipients.erased_on(payout.recipient_masked) is None
    assert recipients.erased_on({"erased_on": "2026-01-31"})
    assert recipients.erased_on({"erased_on": "soon"}) is None


def test_a_payout_that_sql_changed_is_not_sealed_anew_by_an_erasure() -> None:
    payout = processed_payout()
    by_hand("UPDATE payouts_payout SET user_id = 9 WHERE id = %s", payout.pk)

    with pytest.raises(erasure.ErasureError, match=f"#{payout.pk}"), transaction.atomic():
        erased(payout)

    assert Payout.objects.get(pk=payout.pk).recipient_details == CARD


GARBAGE_KEY = """
INSERT INTO payouts_recipientkey (recipient_index, number, wrapped, made_at, on_server, reason, facts_seal)
VALUES (%s, 1, 'gAAAAAnone', now(), '', '', '\\x00')
"""


def test_a_recipient_whose_key_sql_put_in_is_not_paid_and_the_audit_names_the_key() -> None:
    by_hand(GARBAGE_KEY, recipients.blind_index(vault.normal(CARD)))

    with pytest.raises(RecipientKeyError, match="changed outside the product"):
        pending_payout()

    assert audit_of(None) == {"recipient_key_sealed"}
    assert pending_payout(recipient=OTHER).recipient_details == OTHER
