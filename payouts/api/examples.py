"""An example for everything that a call takes and answers, as the document and its page /api/docs/ show them.

Tests hold them to the truth: each fits its schema, and a call that is made as written here answers what stands here.
They are in English, whatever the caller's language: the sentences of real answers are in the caller's.
"""

from dataclasses import dataclass, field
from typing import Any

type Json = dict[str, Any]

AT, LATER = "2026-01-14T12:00:00Z", "2026-01-14T12:00:02Z"
ADDRESS = "https://payouts.example/api/payouts/?user_id=123&page_size=2"
TRACE_ID = "7d0c4f1e9a2b4c6d8e5f3a1b0c9d8e7f"

# What the page fills in, and so sends.
SENT: Json = {
    "user_id": 123,
    "page": 1,
    "page_size": 100,
    "payout_id": 1,
    "Idempotency-Key": "bonus-2026-01-user-123",
    "webhook-id": "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W",
    "webhook-timestamp": "1768392000",
    "webhook-signature": "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
}
# What it shows only: a caller gives it on purpose.
SHOWN: Json = {
    "status": "processed",
    "created_from": "2026-01-01T00:00:00Z",
    "created_to": "2026-02-01T00:00:00Z",
    "If-Match": '"1"',
    "If-None-Match": '"1"',
}

ORDER: Json = {
    "user_id": 123,
    "amount": 100.50,
    "currency": "RUB",
    "recipient_details": {"card": "0000 1111 2222 3333"},
    "comment": "Оплата бонуса",
}

_PUBLIC: Json = {
    "id": 1,
    "reference": "0b3e6f2c-5f0a-4d0e-9a57-6c2d8f1e4b90",
    "user_id": 123,
    "amount": 100.50,
    "currency": "RUB",
    "status": "pending",
    "created_at": AT,
    "updated_at": AT,
    "processed_at": None,
}
_PAID: Json = _PUBLIC | {"status": "processed", "updated_at": LATER, "processed_at": LATER}
_READY: Json = _PUBLIC | {
    "version": 1,
    "approvals": {"required": 0, "given": 0, "reasons": []},
    "failure": None,
    "final": False,
    "status_detail": "It is ready to be sent to the provider.",
}
_DUPLICATE = (
    "The same amount for the same recipient and user came in within ten minutes before, and this payout has no"
    " Idempotency-Key."
)
_WAITING: Json = _READY | {
    "id": 2,
    "reference": "c7a1d2e8-3b4f-4c59-8e60-1f2a3b4c5d6e",
    "approvals": {
        "required": 1,
        "given": 0,
        "reasons": [{"code": "possible_duplicate", "detail": _DUPLICATE}],
    },
    "status_detail": f"Waits for 1 approval by staff. {_DUPLICATE}",
}
_FAILED: Json = _READY | {
    "status": "failed",
    "updated_at": LATER,
    "version": 3,
    "failure": {"code": "account_closed", "message": "The account is closed."},
    "status_detail": (
        "The provider refused it (account_closed: The account is closed). No money has left."
        " Staff may send it again: ask them before you pay it in another way."
    ),
}
_REST: Json = {"recipient_details": ORDER["recipient_details"], "comment": ORDER["comment"]}


@dataclass(frozen=True, slots=True)
class Call:
    """One call: its body, its answers by status and name, and how its errors differ from PROBLEMS."""

    body: Json | None = None
    answers: dict[int, dict[str, Json]] = field(default_factory=dict)
    problems: dict[int, Json] = field(default_factory=dict)


# Besides `type`, `title`, `status` and `trace_id`, which problems.py gives.
PROBLEMS: dict[int, Json] = {
    400: {
        "detail": "Some of the input cannot be used; nothing was changed.",
        "errors": {"status": ["This field is required."]},
    },
    401: {"detail": "Send a valid API key as “Authorization: Bearer KEY”."},
    403: {"detail": "This key lacks the scope payouts:write."},
    404: {"detail": "There is no such payout."},
    408: {"detail": "The body came too slowly."},
    409: {
        "detail": "The payout is in the stage “Processed”, in which this is not possible.",
        "current_status": "processed",
        "allowed_transitions": ["returned"],
    },
    411: {"detail": "Send the length of the body in Content-Length."},
    412: {"detail": "The payout has changed since you saw it. Look at it again, then decide."},
    413: {"detail": "The body is too large."},
    415: {"detail": "Send the body as application/json."},
    422: {"detail": "This idempotency key was used for a different payout."},
    429: {"detail": "Too many requests. Wait a little."},
    500: {"detail": "Something went wrong on our side. Quote the trace ID when you ask about it."},
    503: {"detail": "The service cannot answer now. Try again in a few seconds."},
}
_READING = {403: {"detail": "This key lacks the scope payouts:read."}}
_ANOTHERS = {400: {"detail": "The request cannot be understood."}}

CALLS: dict[str, Call] = {
    "list_payouts": Call(
        answers={
            200: {
                "A user's payouts": {"count": 1, "next": None, "previous": None, "results": [_PAID]},
                "A page among others": {
                    "count": 5,
                    "next": f"{ADDRESS}&page=3",
                    "previous": f"{ADDRESS}&page=1",
                    "results": [_PUBLIC | {"id": 3, "reference": "5e0f9a7b-2c1d-4e3f-8a6b-9c8d7e6f5a4b"}, _PAID],
                },
                "Without user_id": {"count": 0, "next": None, "previous": None, "results": []},
            }
        },
        problems={
            **_READING,
            400: {"detail": PROBLEMS[400]["detail"], "errors": {"user_id": ["Give a whole number."]}},
        },
    ),
    "submit_payout": Call(
        body=ORDER,
        answers={
            200: {"The same again": _READY | _REST},
            201: {"Paid next": _READY | _REST, "Waits, as it came twice without a key": _WAITING | _REST},
        },
        problems={
            400: {
                "detail": PROBLEMS[400]["detail"],
                "errors": {
                    "amount": ["Give a number, such as 100.50."],
                    "recipient_details": ["Give a JSON object."],
                },
            },
            409: {
                "detail": "The payout with this idempotency key was withdrawn.",
                "current_status": "cancelled",
                "allowed_transitions": [],
            },
        },
    ),
    "get_payout": Call(
        answers={
            200: {
                "Paid": _READY | _PAID | {"version": 3, "status_detail": "It was paid at 2026-01-14T12:00:02Z."},
                "Waits": _WAITING,
                "Failed": _FAILED,
            }
        },
        problems=_READING | _ANOTHERS,
    ),
    "change_status": Call(
        body={"status": "cancelled"},
        answers={
            200: {
                "Cancelled": _READY
                | _REST
                | {
                    "status": "cancelled",
                    "updated_at": LATER,
                    "version": 3,
                    "final": True,
                    "status_detail": "It was cancelled. No money has left.",
                }
            }
        },
    ),
    "withdraw_payout": Call(
        problems=_ANOTHERS
        | {
            409: PROBLEMS[409]
            | {"detail": "A payout can be withdrawn while it is pending, or when it was cancelled or rejected."}
        }
    ),
    "list_events": Call(
        answers={
            200: {
                "Paid": {
                    "results": [
                        {
                            "seq": seq,
                            "event": event,
                            "from_status": before,
                            "to_status": after,
                            "at": at,
                            "actor": actor,
                            "reason": "",
                        }
                        for seq, event, before, after, at, actor in (
                            (1, "submitted", None, "pending", AT, "client:shop"),
                            (2, "claimed", "pending", "processing", "2026-01-14T12:00:01Z", "system:worker"),
                            (3, "succeeded", "processing", "processed", LATER, "system:worker"),
                        )
                    ]
                }
            }
        },
        problems=_READING | _ANOTHERS,
    ),
    "hear_provider": Call(
        body={
            "type": "payout.updated",
            "data": {
                "id": "prv_1",
                "reference": "e2b7c9d0-6a5f-4e3d-9c8b-7a6f5e4d3c2b",
                "amount": "100.50",
                "currency": "RUB",
                "status": "succeeded",
            },
        },
        problems={
            400: {
                "detail": PROBLEMS[400]["detail"],
                "errors": {"body": ["This is not a payment that the protocol describes."]},
            },
            401: {"detail": "The signature is missing, wrong, or too old."},
            403: {"detail": "Use https. This request came unencrypted: if a key was in it, replace the key."},
        },
    ),
}
