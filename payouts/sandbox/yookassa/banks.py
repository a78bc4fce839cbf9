"""Participants of the Faster Payments System (SBP) that a test payout can go to: a few real ones."""

from typing import Final

# By their ids, from high to low.
BANKS: Final = (
    {"bank_id": "100000000111", "name": "Сбербанк", "bic": "044525225"},
    {"bank_id": "100000000008", "name": "Альфа-Банк", "bic": "044525593"},
    {"bank_id": "100000000007", "name": "Райффайзен Банк", "bic": "044525700"},
    {"bank_id": "100000000005", "name": "Банк ВТБ", "bic": "044525187"},
    {"bank_id": "100000000004", "name": "Т-Банк", "bic": "044525974"},
    {"bank_id": "100000000001", "name": "Газпромбанк", "bic": "044525823"},
)
BANK_IDS: Final = frozenset(bank["bank_id"] for bank in BANKS)
