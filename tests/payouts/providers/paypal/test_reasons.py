"""Whoever meets a refusal reads what happened and what is safe to do next."""

import pytest

from payouts.providers.messages import OURS
from payouts.providers.paypal.reasons import SENTENCES
from payouts.providers.words import MESSAGE_LIMIT


@pytest.mark.parametrize("sentence", SENTENCES)
def test_every_sentence_is_kept_whole_and_known_to_the_pages(sentence: str) -> None:
    assert len(sentence) <= MESSAGE_LIMIT
    assert sentence in OURS


def test_no_sentence_is_said_twice() -> None:
    assert len(set(SENTENCES)) == len(SENTENCES)
