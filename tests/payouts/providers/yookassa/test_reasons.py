"""Whoever meets a refusal reads what happened and what is safe to do next."""

import pytest

from payouts.providers.messages import OURS
from payouts.providers.words import MESSAGE_LIMIT
from payouts.providers.yookassa.reasons import REASONS, SENTENCES

# https://yookassa.ru/developers/payouts/after-the-payout/declined-payouts#cancellation-details-reason
DOCUMENTED = {
    "insufficient_funds",
    "fraud_suspected",
    "one_time_limit_exceeded",
    "periodic_limit_exceeded",
    "rejected_by_payee",
    "general_decline",
    "issuer_unavailable",
    "recipient_not_found",
    "recipient_check_failed",
    "identification_required",
    "self_employed_annual_limit_exceeded",
}


def test_every_documented_reason_has_its_sentence() -> None:
    assert REASONS.keys() == DOCUMENTED
    assert len(set(REASONS.values())) == len(DOCUMENTED)


@pytest.mark.parametrize("sentence", SENTENCES)
def test_every_sentence_is_kept_whole_and_known_to_the_pages(sentence: str) -> None:
    assert len(sentence) <= MESSAGE_LIMIT
    assert sentence in OURS
