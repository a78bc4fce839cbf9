"""How an archived history is packed: zlib (RFC 1950) with a dictionary of what most histories say alike.

A bundle is the dictionary's number in one byte, then the stream. A dictionary stays as it is for ever, because what
was packed with it is read with it: for another choice of words add another, under the next number.
"""

import zlib


class BundleError(ValueError):
    """A bundle that is not what was packed; the text says how, in half a sentence."""


# Ordered by how often it is met, the most frequent last, as zlib has it.
_FIRST = (
    b'"event": "returned", "facts": {"attempt": "", "event": "rejected", "event": "cancelled", "event": "approved", '
    b'"event": "approval_withdrawn", "event": "held", "event": "released", "event": "scheduled", "event": "routed", '
    b'"event": "resolved", "event": "reconciled", "event": "flagged", "facts": {"attention": "", "event": "retried", '
    b'"event": "refused", "facts": {"code": "", "event": "lacked_funds", "event": "settled", "event": "revealed", '
    b'"reason": "", "actor": "user:", "to_status": "returned", "to_status": "failed", "from_status": "failed", '
    b'"to_status": "rejected", "to_status": "cancelled", "verdict": "refused", "verdict": "pending", "verdict": '
    b'"unknown", "message": "timeout", "http_status": null, "http_status": 202, "http_status": 422, "event": '
    b'"accepted", "facts": {"call": 1, "attempt": "", "event": "outcome_unknown", "to_status": "unknown", '
    b'"from_status": "unknown", "to_status": "processed", "trace_id": "", "person_id": null, "seq": 4, '
    b'{"status": "succeeded", "id": "", "amount": "", "currency": "RUB", "created_at": ""}'
    b'}], "exchanges": [{"id": , "call": 1, "code": "", "excerpt": "", "message": "", "verdict": "succeeded", '
    b'"called_at": "2026-01-01T00:00:00.000000+00:00", "attempt_id": "", "answered_at": "", "http_status": 200}]}'
    b'{"events": [{"at": "2026-01-01T00:00:00.000000+00:00", "id": , "mac": "\\\\x", "seq": 1, "actor": "client:'
    b'", "event": "submitted", "facts": {}, "reason": "", "trace_id": "", "payout_id": , "person_id": null, '
    b'"to_status": "pending", "from_status": null}, {"at": "", "mac": "\\\\x", "seq": 2, "actor": "system:worker", '
    b'"event": "claimed", "facts": {"attempt": "", "provider": ""}, "reason": "", "trace_id": "", "payout_id": , '
    b'"person_id": null, "to_status": "processing", "from_status": "pending"}, {"at": "", "mac": "\\\\x", "seq": 3, '
    b'"actor": "system:worker", "event": "succeeded", "facts": {"call": 1, "attempt": "", "provider_id": ""}, '
    b'"reason": "", "trace_id": "", "payout_id": , "person_id": null, "to_status": "processed", "from_status": '
    b'"processing"}'
)
DICTIONARIES = {1: _FIRST}
CURRENT = 1


def packed(text: bytes) -> bytes:
    stream = zlib.compressobj(level=9, zdict=DICTIONARIES[CURRENT])
    return bytes([CURRENT]) + stream.compress(text) + stream.flush()


def unpacked(bundle: bytes) -> bytes:
    """Raises BundleError."""
    if not bundle or bundle[0] not in DICTIONARIES:
        raise BundleError("it was packed by another version of the product")
    stream = zlib.decompressobj(zdict=DICTIONARIES[bundle[0]])
    try:
        text = stream.decompress(bundle[1:])
    except zlib.error as error:
        raise BundleError(f"it cannot be unpacked: {error}") from error
    if not stream.eof or stream.unused_data:
        raise BundleError("it is cut short, or has more at its end")
    return text
