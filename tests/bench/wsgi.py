"""What granian serves in the bench: the product, and plain views that run the same main SQL.

Under /bare/ they are Django views behind Django's own handler, with no middleware; under /plain/ they are called with
no Django around them but its connection. All have the product's connection settings, their own JSON and nothing else:
no key, no scopes, no throttle, no checks of what comes in, no encryption, no seals.
"""

import re
import uuid
from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import cache
from typing import Any
from urllib.parse import parse_qs

import msgspec
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.test.utils import override_settings
from django.urls import path
from django.views.decorators.http import require_http_methods

from backoffice.wsgi import application as product

FIELDS = ("id", "reference", "user_id", "amount", "currency", "status", "created_at", "updated_at", "processed_at")
COLUMNS = ", ".join(FIELDS)
WHOSE = "withdrawn_at IS NULL AND client_id = %s"
PAGE_SIZE = 100
CARD_TOKEN = "gAAAAA" + "x" * 134  # as long as the encrypted recipient of contract.md's example
ONE = re.compile(r"/plain/payouts/(\d+)/")

_encoder = msgspec.json.Encoder(decimal_format="number")
_decoder = msgspec.json.Decoder(float_hook=Decimal)


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    place = environ["PATH_INFO"]
    if place.startswith("/bare/"):
        return bare(environ, start_response)
    if place.startswith("/plain/"):
        return plain(environ, start_response)
    return product(environ, start_response)


# Under /bare/


class BareHandler(WSGIHandler):
    def get_response(self, request: HttpRequest) -> HttpResponse:
        request.urlconf = __name__
        return super().get_response(request)


with override_settings(MIDDLEWARE=[]):
    bare = BareHandler()


@require_http_methods(["GET", "POST"])
def payouts_view(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        return answer(submit(request.body, request.headers["Idempotency-Key"]), status=201)
    return answer(get_page(int(request.GET["user_id"])))


@require_http_methods(["GET"])
def payout_view(request: HttpRequest, payout_id: int) -> HttpResponse:
    return answer(get_one(payout_id))


def answer(content: object, status: int = 200) -> HttpResponse:
    body = _encoder.encode(content)
    return HttpResponse(body, status=status, content_type="application/json", headers={"Content-Length": len(body)})


urlpatterns = [path("bare/payouts/", payouts_view), path("bare/payouts/<int:payout_id>/", payout_view)]


# Under /plain/


def plain(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    if match := ONE.fullmatch(environ["PATH_INFO"]):
        status, content = "200 OK", get_one(int(match[1]))
    elif environ["REQUEST_METHOD"] == "POST":
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        status, content = "201 Created", submit(body, environ["HTTP_IDEMPOTENCY_KEY"])
    else:
        status, content = "200 OK", get_page(int(parse_qs(environ["QUERY_STRING"])["user_id"][0]))
    body = _encoder.encode(content)
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


# The SQL


@cache
def client_id() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM payouts_apiclient WHERE name = 'bench'")
        return cursor.fetchone()[0]


def get_one(payout_id: int) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {COLUMNS}, version FROM payouts_payout WHERE {WHOSE} AND id = %s",
            [client_id(), payout_id],
        )
        return dict(zip((*FIELDS, "version"), cursor.fetchone(), strict=True))


def get_page(user_id: int) -> dict[str, Any]:
    whose = [client_id(), user_id]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM payouts_payout WHERE {WHOSE} AND user_id = %s", whose)
        count = cursor.fetchone()[0]
        cursor.execute(
            f"SELECT {COLUMNS} FROM payouts_payout WHERE {WHOSE} AND user_id = %s ORDER BY id DESC LIMIT {PAGE_SIZE}",
            whose,
        )
        results = [dict(zip(FIELDS, row, strict=True)) for row in cursor.fetchall()]
    return {"count": count, "next": None, "previous": None, "results": results}


def submit(body: bytes, key: str) -> dict[str, Any]:
    given = _decoder.decode(body)
    reference, seal, trace_id = uuid.uuid4(), uuid.uuid4().bytes * 2, uuid.uuid4().hex
    amount, currency = given["amount"], given["currency"]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(FACTS, {"currency": currency, "amount": amount})
        at, required = cursor.fetchone()
        cursor.execute(
            NEW_PAYOUT,
            {
                "reference": reference,
                "client": client_id(),
                "user_id": given["user_id"],
                "amount": amount,
                "currency": currency,
                "recipient": CARD_TOKEN,
                "masked": msgspec.json.encode(given["recipient_details"]).decode(),
                "seal": seal,
                "comment": given["comment"],
                "key": key,
                "trace_id": trace_id,
                "flags": ["card_checksum"],
                "required": required,
                "at": at,
            },
        )
        payout_id = cursor.fetchone()[0]
        cursor.execute(
            NEW_EVENT,
            {
                "payout": payout_id,
                "at": at,
                "trace_id": trace_id,
                "facts": f'{{"approvals_required": {required}}}',
                "mac": seal,
            },
        )
    return {
        "id": payout_id,
        "reference": reference,
        "user_id": given["user_id"],
        "amount": amount,
        "currency": currency,
        "status": "pending",
        "created_at": at,
        "updated_at": at,
        "processed_at": None,
        "recipient_details": given["recipient_details"],
        "comment": given["comment"],
        "version": 1,
        "approvals": {"required": required, "given": 0},
        "failure": None,
    }


FACTS = """
SELECT clock_timestamp(),
       coalesce((SELECT approvals_required FROM payouts_approvalband
                 WHERE currency = %(currency)s AND from_amount <= %(amount)s
                 ORDER BY from_amount DESC LIMIT 1), 1)
"""
NEW_PAYOUT = """
INSERT INTO payouts_payout (
    reference, client_id, maker_id, user_id, amount, currency, recipient, recipient_masked, recipient_index, comment,
    terms_hash, idempotency_key, request_hash, trace_id, provider, review_flags, status, version, approvals_required,
    approvals_given, held_at, held_by_id, attention, scheduled_for, failure_code, failure_message, created_at,
    updated_at, processed_at, withdrawn_at, due_at, lease_token, lost_leases, event_head, seal
) VALUES (
    %(reference)s, %(client)s, NULL, %(user_id)s, %(amount)s, %(currency)s, %(recipient)s, %(masked)s::jsonb,
    %(seal)s, %(comment)s, %(seal)s, %(key)s, %(seal)s, %(trace_id)s, 'http', %(flags)s, 'pending', 1, %(required)s,
    0, NULL, NULL, '', NULL, '', '', %(at)s, %(at)s, NULL, NULL, %(at)s, NULL, 0, %(seal)s, %(seal)s
) RETURNING id
"""
NEW_EVENT = """
INSERT INTO payouts_event (
    payout_id, seq, event, from_status, to_status, at, actor, reason, trace_id, facts, mac
) VALUES (
    %(payout)s, 1, 'submitted', NULL, 'pending', %(at)s, 'client:bench', '', %(trace_id)s, %(facts)s::jsonb, %(mac)s
)
"""
