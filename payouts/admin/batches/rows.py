"""A batch's rows: the views that a person can choose, their counts, and one row as the page shows it."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from payouts import money, vault
from payouts.admin.batches.stages import payouts_of
from payouts.admin.kit import format
from payouts.batches import columns
from payouts.batches.columns import Given
from payouts.models import Batch, BatchRow
from payouts.recipients import erased, name_and_account
from payouts.states import Stage

ROWS_PER_PAGE = 50
WRONG, REPEATED, EARLIER, NOTED, REFUSED = "errors", "repeated", "earlier", "noted", "refused"
LEFT, EVERY = "left", "all"


@dataclass(frozen=True, slots=True)
class View:
    """A choice of rows: its words, its colour, and the condition that finds them."""

    title: Any
    meaning: Any
    tone: str
    icon: str
    rows: Q


VIEWS: dict[str, View] = {
    WRONG: View(
        gettext_lazy("With errors"),
        gettext_lazy("Left out: these rows are not paid."),
        "red",
        "error",
        Q(is_valid=False),
    ),
    REFUSED: View(
        gettext_lazy("Not submitted"),
        gettext_lazy("Approved, but they could not become payouts."),
        "red",
        "block",
        Q(refusal__isnull=False),
    ),
    LEFT: View(
        gettext_lazy("Not submitted: stopped"),
        gettext_lazy("The batch was stopped before these rows."),
        "orange",
        "stop_circle",
        Q(batch__stopped_at__isnull=False, is_valid=True, payout=None, refusal__isnull=True),
    ),
    REPEATED: View(
        gettext_lazy("Repeated in the file"),
        gettext_lazy("The same recipient and amount as in a line above."),
        "amber",
        "content_copy",
        Q(same_as__isnull=False),
    ),
    EARLIER: View(
        gettext_lazy("Same as an earlier payout"),
        gettext_lazy("The same recipient and amount within 30 days before."),
        "amber",
        "history",
        Q(earlier__isnull=False),
    ),
    NOTED: View(
        gettext_lazy("Checksum fails"),
        gettext_lazy("A card or an IBAN may be mistyped."),
        "amber",
        "rule",
        Q(notes__len__gt=0),
    ),
}


def counts_of(batch: Batch) -> dict[str, int]:
    """The number of rows in each view, and of those that are payouts, as `submitted`."""
    counted: dict[str, int] = batch.rows.order_by().aggregate(
        submitted=Count("payout"), **{name: Count("pk", filter=view.rows) for name, view in VIEWS.items()}
    )
    return counted


def rows_chosen(batch: Batch, chosen: str) -> QuerySet[BatchRow]:
    rows = batch.rows.select_related("payout").defer("payout__recipient").order_by("number")
    if chosen in VIEWS:
        return rows.filter(VIEWS[chosen].rows)
    stage = chosen.removeprefix("stage-")
    if stage != chosen and stage in Stage.values:
        return rows.filter(payout__in=payouts_of(batch).in_stage(stage).values("pk"))
    return rows if chosen == EVERY else rows.none()


def view_card(name: str, view: View, count: int, chosen: str) -> dict[str, Any]:
    return {
        "title": format.badge(str(view.title), tone=view.tone, icon=view.icon),
        "meaning": view.meaning,
        "count": format.number(count),
        "query": f"?show={name}",
        "is_chosen": name == chosen,
    }


def row_shown(row: BatchRow) -> dict[str, Any]:
    given = given_cells(row)
    cells = columns.masked(given) if given else {}
    name, account = name_and_account(mask_of(row))
    amount = money.shown(row.amount, row.currency) if row.amount is not None else ""
    return {
        "number": row.number,
        "user_id": row.user_id or cells.get("user_id", ""),
        "amount": amount or " ".join(filter(None, (cells.get("amount"), cells.get("currency")))),
        "name": name or cells.get("name", ""),
        "account": account or cells.get("account", ""),
        "faults": faults_of(row, given),
        "notes": _notes(row),
        "earlier": row.earlier_id,
        "earlier_url": _payout_url(row.earlier_id) if row.earlier_id else "",
        "payout": row.payout,
        "payout_url": _payout_url(row.payout.pk) if row.payout else "",
        "stage": format.stage_badge(row.payout.stage) if row.payout else "",
    }


def mask_of(row: BatchRow) -> dict[str, str]:
    """The masked recipient, or in its place the day on which the recipient was erased."""
    mask: dict[str, str] = row.recipient_masked
    return erased(timezone.localdate(row.erasure.erased_at)) if row.erasure else mask


def given_cells(row: BatchRow) -> Given | None:
    if not row.given:
        return None
    try:
        return Given.from_json(vault.decrypt(row.given))
    except vault.UnreadableError:
        return None


def faults_of(row: BatchRow, given: Given | None) -> list[tuple[str, str]]:
    if row.refusal:
        code, parameters = row.refusal
        return [("", columns.sentence(code, parameters))]
    if row.batch.stopped_at and row.is_valid and row.payout_id is None:
        return [("", _("The batch was stopped before this row."))]
    return columns.sentences(given, row.errors)


def _notes(row: BatchRow) -> list[str]:
    notes = [format.flag_label(flag) for flag in row.notes]
    if row.same_as:
        notes.append(_("same as line %(number)s") % {"number": row.same_as})
    return notes


def _payout_url(payout_id: int) -> str:
    return reverse("admin:payouts_payout_change", args=(payout_id,))
