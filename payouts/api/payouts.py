"""The calls on payouts. A client sees and changes its own only; anyone else's are not found."""

from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja import Query, Router, Schema
from pydantic import ConfigDict, Field
from structlog.contextvars import bind_contextvars

from payouts import actions
from payouts.api import rows
from payouts.api.answers import answer, full, one
from payouts.api.auth import Caller
from payouts.api.schemas import (
    ETAG,
    IDEMPOTENCY_KEY,
    Events,
    FullPayout,
    Moment,
    OnePayout,
    Page,
    PayoutIn,
    StatusIn,
    StatusName,
    problems,
)
from payouts.models import Event, Payout, Scope, history_of
from payouts.states import Status

PAGE_SIZE = 100
IDS = range(1, 2**63)

router = Router(tags=["payouts"])


class Filters(Schema):
    model_config = ConfigDict(extra="ignore")

    user_id: Annotated[int, Field(ge=1, le=2**63 - 1)] | None = Field(
        None, description="Whose payouts. Without it the list is empty."
    )
    page: Annotated[int, Field(ge=1, le=10**9)] = 1
    page_size: Annotated[int, Field(ge=1, le=PAGE_SIZE)] = PAGE_SIZE
    status: StatusName | None = None
    created_from: Moment | None = Field(
        None,
        description="From this time on, such as `2026-01-01T00:00:00Z`, or from the start of a day. Without a zone it"
        " is UTC.",
    )
    created_to: Moment | None = Field(
        None, description="Before this time, such as `2026-02-01T00:00:00Z`, or before the start of a day."
    )


@router.get("/", response={200: Page, **problems(404)}, summary="A user's payouts, newest first")
def list_payouts(request: HttpRequest, filters: Annotated[Filters, Query()]) -> HttpResponse:
    """Public payouts of one of the client's users. Scope `payouts:read`."""
    caller = _caller(request, Scope.READ)
    count = 0
    results: list[dict[str, Any]] = []
    if filters.user_id is not None:
        wanted = {
            "user_id": filters.user_id,
            "status": filters.status,
            "created_from": filters.created_from and _in_utc(filters.created_from),
            "created_to": filters.created_to and _in_utc(filters.created_to),
        }
        given = {name: value for name, value in wanted.items() if value is not None}
        begin = (filters.page - 1) * filters.page_size
        count, results = rows.page(caller.client, given, begin=begin, size=filters.page_size)
    if filters.page > 1 and not results:
        raise actions.NotFoundError
    has_next = count > filters.page * filters.page_size
    return answer(
        {
            "count": count,
            "next": _page_url(request, filters.page + 1) if has_next else None,
            "previous": _page_url(request, filters.page - 1) if filters.page > 1 else None,
            "results": results,
        }
    )


@router.post(
    "/",
    response={201: FullPayout, 200: FullPayout, **problems(408, 409, 411, 413, 415, 422)},
    summary="Submit a payout",
)
def submit_payout(request: HttpRequest, payload: PayoutIn) -> HttpResponse:
    """Store a payout, pending. With an `Idempotency-Key` the same request again gives the same payout, for ever.

    The same request twice within ten minutes without a key makes two payouts: the second waits for an approval, and
    its `approvals` and `status_detail` say so. What the account that would pay it has no way to pay is a 422 with
    `errors`. Scope `payouts:write`.
    """
    caller = _caller(request, Scope.WRITE)
    payout = actions.submit(
        client=caller.client,
        user_id=payload.user_id,
        amount=payload.amount,
        currency=payload.currency,
        recipient=payload.recipient_details,
        comment=payload.comment,
        idempotency_key=_idempotency_key(request),
    )
    bind_contextvars(payout=payout.pk)  # for the request's line in the log
    headers = {"ETag": _etag(payout), "Location": f"/api/payouts/{payout.pk}/"}
    if payout.is_replay:
        headers["Idempotent-Replayed"] = "true"
    status = 200 if payout.is_replay else 201
    return answer(full(payout, payload.recipient_details), status=status, headers=headers)


@router.get("/{int:payout_id}/", response={200: OnePayout, 304: None, **problems(404)}, summary="One payout")
def get_payout(request: HttpRequest, payout_id: int) -> HttpResponse:
    """The public payout, and why it is where it is. Scope `payouts:read`."""
    caller = _caller(request, Scope.READ)
    payout = rows.one(caller.client, payout_id) if payout_id in IDS else None
    if payout is None:
        raise actions.NotFoundError
    headers = {"ETag": _etag(payout)}
    if request.META.get("HTTP_IF_NONE_MATCH") == headers["ETag"]:
        return HttpResponse(status=304, headers=headers)
    return answer(one(payout), headers=headers)


@router.patch(
    "/{int:payout_id}/",
    response={200: FullPayout, **problems(404, 408, 409, 411, 412, 413, 415)},
    summary="Cancel a payout, or say that it was settled by hand",
)
def change_status(request: HttpRequest, payout_id: int, payload: StatusIn) -> HttpResponse:
    """`cancelled` from pending; `processed` from pending means settled by hand. The present status is a no-op.

    Scope `payouts:write`, for `processed` `payouts:settle`. The recipient comes back in clear with `payouts:reveal`,
    and the event `revealed` says so. Who has seen very many within a minute is answered 429, or, when the status has
    changed, with a masked one. Of a recipient who was erased there is `{"erased_on": "2026-01-31"}` alone.
    """
    caller = _caller(request, Scope.SETTLE if payload.status == Status.PROCESSED else Scope.WRITE)
    version = _if_match(request)
    is_moved = payload.status in (Status.CANCELLED, Status.PROCESSED)
    try:
        match payload.status:
            case Status.CANCELLED:
                payout = actions.cancel(payout_id, by=caller.client, version=version)
            case Status.PROCESSED:
                payout = actions.settle(payout_id, by=caller.client, version=version)
            case _other:
                payout = _own(caller, payout_id)
                if version is not None and payout.version != version:
                    raise actions.VersionError
                if payout.status != payload.status:
                    raise actions.NotAllowedError(
                        _("A client may cancel a payout or settle it by hand only."), payout
                    )
    except actions.NotAllowedError as error:
        if error.status != payload.status:
            raise
        is_moved = False
        payout = _own(caller, payout_id)
    recipient = payout.recipient_masked
    if Scope.REVEAL in caller.scopes and not payout.erasure:
        try:
            recipient = actions.reveal(payout_id, by=caller.client, reason="PATCH")
            payout = _own(caller, payout_id)
        except actions.TooManyRevealsError:
            if not is_moved:
                raise
    return answer(full(payout, recipient), headers={"ETag": _etag(payout)})


@router.delete(
    "/{int:payout_id}/",
    response={204: None, **problems(404, 409, 412)},
    summary="Withdraw a payout from the API",
)
def withdraw_payout(request: HttpRequest, payout_id: int) -> HttpResponse:
    """For pending, cancelled and rejected ones. It is not found from then on; the back office keeps it.

    Scope `payouts:write`.
    """
    caller = _caller(request, Scope.WRITE)
    actions.withdraw(payout_id, by=caller.client, version=_if_match(request))
    return HttpResponse(status=204)


@router.get("/{int:payout_id}/events/", response={200: Events, **problems(404)}, summary="What happened to it")
def list_events(request: HttpRequest, payout_id: int) -> HttpResponse:
    """Its events in order, from its submission on. Scope `payouts:read`."""
    caller = _caller(request, Scope.READ)
    payout = _own(caller, payout_id)
    names = ("seq", "event", "from_status", "to_status", "at", "actor", "reason")
    found = Event.objects.filter(payout=payout).order_by("seq").values(*names)
    told = list(found) or [{name: getattr(each, name) for name in names} for each in history_of(payout).events]
    return answer({"results": told})


def _caller(request: HttpRequest, scope: Scope) -> Caller:
    caller: Caller = request.auth  # type: ignore[attr-defined]  # set by ninja
    caller.require(scope)
    return caller


def _own(caller: Caller, payout_id: int) -> Payout:
    """Raises actions.NotFoundError."""
    payouts = Payout.objects.in_api().filter(client=caller.client)
    payout = payouts.filter(pk=payout_id).first() if payout_id in IDS else None
    if payout is None:
        raise actions.NotFoundError
    return payout


def _idempotency_key(request: HttpRequest) -> str | None:
    key: str | None = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if key is not None and not IDEMPOTENCY_KEY.fullmatch(key):
        raise actions.InvalidError({"Idempotency-Key": [_("Give 1 to 255 printable ASCII characters.")]})
    return key


def _etag(payout: Payout) -> str:
    return f'"{payout.version}"'


def _if_match(request: HttpRequest) -> int | None:
    """The version that the caller saw. Raises actions.VersionError for an entity tag that we did not make."""
    header: str | None = request.META.get("HTTP_IF_MATCH")
    if header is None or header.strip() == "*":
        return None
    match = ETAG.fullmatch(header.strip())
    if match is None:
        raise actions.VersionError
    return int(match[1])


def _in_utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _page_url(request: HttpRequest, page: int) -> str:
    query: dict[str, Any] = {**request.GET.dict(), "page": page}
    return request.build_absolute_uri(f"{request.path}?{urlencode(query)}")
