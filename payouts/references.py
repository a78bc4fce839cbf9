"""The keys that payments go under, each derived from what it pays.

A database that forgets a payment makes it again. Under a random key that would be another payment to the provider; a
derived key is the same one, so the provider knows it. UUIDv5 (RFC 9562, 5.5) needs no secret, so no rotation of keys
changes it.
"""

import json
import uuid


def payout_reference(namespace: uuid.UUID, client: str, idempotency_key: str) -> uuid.UUID:
    """The reference of the payout that this client asks for under this key, in an installation's namespace.

    By the client's name: one that is made again after a loss has another id, and is the same client.
    """
    return uuid.uuid5(namespace, json.dumps([client, idempotency_key], separators=(",", ":")))


def attempt_reference(payout: uuid.UUID, number: int) -> uuid.UUID:
    """The idempotency key at the provider of a payout's attempt of that number, counted from 1."""
    return uuid.uuid5(payout, str(number))
