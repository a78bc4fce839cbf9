"""The page of a batch: what the check found, what to do next, and what became of the rows."""

from typing import Any

from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from payouts.admin.batches.in_words import rows_in_words, state_badge, sum_shown, username
from payouts.admin.batches.next_step import next_step
from payouts.admin.batches.rows import (
    EVERY,
    LEFT,
    REFUSED,
    ROWS_PER_PAGE,
    VIEWS,
    WRONG,
    counts_of,
    row_shown,
    rows_chosen,
    view_card,
)
from payouts.admin.batches.stages import are_under_way, stage_cards, stages_of
from payouts.admin.kit import format
from payouts.admin.kit.paginator import one_page
from payouts.admin.kit.worker_pages import has_news
from payouts.batches import columns
from payouts.models import Batch, BatchState, read_keys

BUSY = (BatchState.CHECKING, BatchState.SUBMITTING)


def page_of(request: HttpRequest, batch: Batch, *, may_approve: bool) -> dict[str, Any]:
    state = batch.state
    counts = counts_of(batch)
    stages = stages_of(batch) if batch.approved_at else {}
    is_busy = state in BUSY or are_under_way(batch, stages)
    done, total = _progress(batch, state, counts)
    chosen = request.GET.get("show") or (WRONG if batch.rows_wrong and not batch.approved_at else EVERY)
    shown = one_page(request, Paginator(rows_chosen(batch, chosen), ROWS_PER_PAGE), show=chosen)
    rows = list(shown["page"])
    read_keys(rows)
    cards = [view_card(name, view, counts[name], chosen) for name, view in VIEWS.items() if counts[name]]
    return {
        "batch": batch,
        "state": state_badge(batch),
        "uploaded": format.exact_time(batch.uploaded_at),
        "step": next_step(request, batch, counts, may_approve=may_approve),
        "faults": [columns.sentence(code, parameters) for code, parameters in batch.refusal or ()],
        "rows_in_words": rows_in_words(batch),
        "is_working": state in BUSY,
        "is_about_to_change": is_busy and has_news(batch.seen_at),
        "done": format.number(done),
        "total": format.number(total),
        "percent": done * 100 // total if total else 0,
        "totals": [
            {"currency": currency, "count": format.number(count), "sum": sum_shown([currency, count, amount])}
            for currency, count, amount in batch.totals
        ],
        "cards": [*stage_cards(stages, chosen), *cards],
        "is_every": chosen == EVERY,
        "rows": [row_shown(row) for row in rows],
        **shown,
        "has_error_file": bool(counts[WRONG] or counts[REFUSED] or counts[LEFT]),
        "errors_url": reverse("admin:payouts_batch_errors", args=(batch.pk,)),
        "facts": _facts(batch),
        "upload_url": reverse("admin:payouts_batch_add") if request.user.has_perm("payouts.add_batch") else "",
    }


def _progress(batch: Batch, state: BatchState, counts: dict[str, int]) -> tuple[int, int]:
    """`(done, total)`: how many rows the worker has finished, of how many."""
    if state == BatchState.SUBMITTING:
        return counts["submitted"] + counts[REFUSED], batch.rows_valid
    return batch.rows_stored, batch.rows_total or 0


def _facts(batch: Batch) -> list[tuple[str, str]]:
    encodings = {"utf-8": "UTF-8", "utf-16": "UTF-16", "cp1251": "Windows-1251"}
    facts = [
        (_("ID"), str(batch.pk)),
        (_("Format"), " ".join(filter(None, (batch.get_format_display(), encodings.get(batch.encoding, ""))))),
        (_("Uploaded"), _moment(batch.uploaded_at, batch.uploaded_by)),
        (_("Checked"), format.exact_time(batch.checked_at)),
        (_("Sent for approval"), _moment(batch.sent_at, batch.uploaded_by)),
        (_("Note"), batch.sent_note),
        (_("Approved"), _moment(batch.approved_at, batch.approved_by)),
        (_("Rejected"), _moment(batch.rejected_at, batch.rejected_by)),
        (_("Reason"), batch.reason),
        (_("Discarded"), _moment(batch.discarded_at, batch.uploaded_by)),
        (_("Submitted"), format.exact_time(batch.finished_at)),
        (pgettext("batch", "Stopped"), _moment(batch.stopped_at, batch.stopped_by)),
        (_("Reason for stopping"), batch.stop_reason),
    ]
    return [(label, text) for label, text in facts if text]


def _moment(moment: Any, person: User | None) -> str:
    return f"{format.exact_time(moment)} · {username(person)}" if moment else ""
