"""Batches of payouts: the upload, what the check found, the two people's dialogs, and what became of the rows."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Count, Max, Min, Q, QuerySet, Sum
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone, translation
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from openpyxl import Workbook
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldBooleanWidget

from payouts import money, vault
from payouts.admin.kit import format
from payouts.admin.kit.dialogs import DialogForm, DialogsMixin, dialog_action
from payouts.admin.kit.paginator import queries_beside
from payouts.admin.kit.person import person
from payouts.admin.kit.view_only import ViewOnlyAdmin
from payouts.batches import columns, decide, upload
from payouts.batches.columns import COLUMNS, Given
from payouts.batches.errors import BatchAlteredError, BatchError
from payouts.database.snapshot import snapshot
from payouts.exports import safe
from payouts.files import tables
from payouts.models import Batch, BatchRow, BatchState, Payout
from payouts.recipients import name_and_account
from payouts.states import Stage, Status

ROWS_PER_PAGE = 50
# A batch whose task gives signs of life has news at every look, and so have payouts that were just submitted.
REFRESHED_FOR = timedelta(minutes=2)
BUSY = (BatchState.CHECKING, BatchState.SUBMITTING)

STATE_LOOKS: dict[BatchState, tuple[str, str]] = {
    BatchState.CHECKING: ("blue", "sync"),
    BatchState.REFUSED: ("red", "error"),
    BatchState.PREVIEW: ("amber", "preview"),
    BatchState.AWAITING_APPROVAL: ("amber", "approval"),
    BatchState.SUBMITTING: ("blue", "sync"),
    BatchState.SUBMITTED: ("green", "check_circle"),
    BatchState.REJECTED: ("gray", "block"),
    BatchState.DISCARDED: ("gray", "delete"),
    BatchState.ALTERED: ("red", "gpp_maybe"),
}
# An example must not be paid when somebody forgets to delete it: zero is refused.
EXAMPLES = (
    ("1001", "0.00", "RUB", "card", "4111111111111111", "Иван Петров", "", "example: delete this row"),
    ("1002", "0.00", "EUR", "iban", "DE89370400440532013000", "Anna Schmidt", "Commerzbank", "example"),
    ("1003", "0.00", "RUB", "phone", "+79123456789", "Мария Иванова", "Т-Банк", "example"),
    ("1004", "0.00", "USD", "other", "wallet 77-AB-1204", "Ann Lee", "", "example"),
)
CONTENT_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}

WRONG, REPEATED, EARLIER, NOTED, REFUSED, EVERY = "errors", "repeated", "earlier", "noted", "refused", "all"


@dataclass(frozen=True, slots=True)
class View:
    """A choice of rows, as a card that leads to them."""

    title: Any
    meaning: Any
    tone: str
    icon: str
    rows: Q


VIEWS: dict[str, View] = {
    WRONG: View(
        gettext_lazy("With errors"),
        gettext_lazy("Left out: nothing of them is paid."),
        "red",
        "error",
        Q(is_valid=False),
    ),
    REFUSED: View(
        gettext_lazy("Not submitted"),
        gettext_lazy("Approved, and could not become payouts."),
        "red",
        "block",
        Q(refusal__isnull=False),
    ),
    REPEATED: View(
        gettext_lazy("Twice in the file"),
        gettext_lazy("The same recipient and amount as in a line above."),
        "amber",
        "content_copy",
        Q(same_as__isnull=False),
    ),
    EARLIER: View(
        gettext_lazy("Like an earlier payout"),
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


class UploadForm(forms.Form):
    file = forms.FileField(
        label=gettext_lazy("File"),
        allow_empty_file=True,  # told in words of its own
        max_length=1_000,
        widget=forms.FileInput(attrs={"class": "po-input po-file", "accept": ".csv,.xlsx,text/csv"}),
        help_text=gettext_lazy("CSV or XLSX, at most 20 MB and 50,000 rows."),
    )


def _words(label: Any, help_text: Any, *, is_required: bool) -> forms.CharField:
    return forms.CharField(
        label=label,
        required=is_required,
        max_length=decide.TEXT_LIMIT,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text=help_text,
    )


KEPT = gettext_lazy("It stands in the batch's record for good.")


class SendForm(DialogForm):
    leaves_errors_out = forms.BooleanField(widget=UnfoldBooleanWidget, required=True)
    note = _words(gettext_lazy("Note"), gettext_lazy("For the person who approves it."), is_required=False)

    def prepare(self, batch: Batch) -> None:
        if not batch.rows_wrong:
            del self.fields["leaves_errors_out"]
            return
        label = ngettext(
            "I leave out %(count)s row with errors",
            "I leave out %(count)s rows with errors",
            batch.rows_wrong,
        )
        self.fields["leaves_errors_out"].label = label % {"count": format.number(batch.rows_wrong)}


class ApproveForm(DialogForm):
    reason = _words(gettext_lazy("Reason"), KEPT, is_required=False)


class RejectForm(DialogForm):
    reason = _words(gettext_lazy("Reason"), KEPT, is_required=True)


@admin.register(Batch)
class BatchAdmin(DialogsMixin, ViewOnlyAdmin):
    list_display = ("name", "state_shown", "rows_shown", "totals_shown", "uploaded_by", "uploaded")
    list_display_links = ("name",)
    list_fullwidth = True
    ordering = ("-id",)
    fields = ()
    change_form_template = "admin/payouts/batch/change_form.html"
    actions_detail: ClassVar[tuple[Any, ...]] = ("send", "approve", "reject", "discard")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perms(("payouts.view_batch", "payouts.add_batch"))

    def has_send_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_add_permission(request)

    def has_discard_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_add_permission(request)

    def has_approve_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perms(("payouts.view_batch", "payouts.approve_payout"))

    def has_reject_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_approve_permission(request)

    def get_urls(self) -> list[Any]:
        site = self.admin_site
        return [
            *(
                path(
                    f"template.{kind}",
                    site.admin_view(self.template_view),
                    {"kind": kind},
                    name=f"payouts_batch_template_{kind}",
                )
                for kind in CONTENT_TYPES
            ),
            path(
                "<int:object_id>/errors.csv",
                site.admin_view(self.errors_view),
                name="payouts_batch_errors",
            ),
            *super().get_urls(),
        ]

    # The list

    def get_queryset(self, request: HttpRequest) -> QuerySet[Batch]:
        found: QuerySet[Batch] = super().get_queryset(request)
        return found.select_related("uploaded_by", "approved_by", "rejected_by").defer("content")

    @display(description=gettext_lazy("State"))
    def state_shown(self, batch: Batch) -> SafeString:
        return _state(batch)

    @display(description=gettext_lazy("Rows"))
    def rows_shown(self, batch: Batch) -> str:
        return _rows_in_words(batch)

    @display(description=gettext_lazy("To pay"))
    def totals_shown(self, batch: Batch) -> SafeString:
        lines = [_sum(total) for total in batch.totals]
        return format_html(
            '<span class="po-stack po-amount">{}</span>',
            format_html_join("", "<span>{}</span>", ((x,) for x in lines)),
        )

    @display(description=gettext_lazy("Uploaded"))
    def uploaded(self, batch: Batch) -> str:
        return format.exact_time(batch.uploaded_at)

    # The upload

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = UploadForm(request.POST or None, request.FILES or None)
        refusal: BatchError | None = None
        if request.method == "POST" and form.is_valid():
            given = form.cleaned_data["file"]
            try:
                batch = upload.store(given.read(tables.SIZE_LIMIT + 1), name=given.name, by=person(request))
            except BatchError as error:
                refusal = error
            else:
                messages.success(request, _("The file is taken, and its rows are checked now. Nothing is paid yet."))
                return HttpResponseRedirect(self.page_url(batch))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Upload a batch of payouts"),
            "form": form,
            "refusal": refusal,
            "earlier_url": self.page_url(refusal.earlier) if refusal and refusal.earlier else "",
        }
        return TemplateResponse(request, "admin/payouts/batch/upload.html", context)

    def template_view(self, request: HttpRequest, kind: str) -> HttpResponse:
        """A table to fill in, with examples that cannot be paid."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        content = _xlsx_template() if kind == "xlsx" else _csv_template()
        return HttpResponse(
            content,
            content_type=CONTENT_TYPES[kind],
            headers={"Content-Disposition": f'attachment; filename="payouts.{kind}"'},
        )

    # The page

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        # The counts and the rows tell of the same moment, while the worker goes through them.
        with snapshot():
            response: HttpResponse = super().change_view(request, object_id, *args, **kwargs)
        return response

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Batch | None = None, **kwargs: Any
    ) -> HttpResponse:
        if obj is not None:
            context.update(_page(request, obj, may_approve=self.has_approve_permission(request)))
        response: HttpResponse = super().render_change_form(request, context, *args, obj=obj, **kwargs)
        return response

    def errors_view(self, request: HttpRequest, object_id: int) -> StreamingHttpResponse:
        """The rows that are not paid, as a CSV: what was given, accounts masked, and what is wrong."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        batch = self.get_object(request, str(object_id))
        if batch is None:
            raise Http404
        return StreamingHttpResponse(
            _error_file(batch, translation.get_language()),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="batch-{batch.pk}-errors.csv"'},
        )

    # The buttons

    def get_actions_detail(self, request: HttpRequest, object_id: int | str) -> list[Any]:
        batch = self.get_object(request, unquote(str(object_id)))
        if batch is None:
            return []
        prefix = f"{self.opts.app_label}_{self.opts.model_name}_"
        return [
            button
            for button in super().get_actions_detail(request, object_id)
            if not self.dialog_obstacle(request, button.action_name.removeprefix(prefix), batch)
        ]

    def dialog_summary(self, instance: Batch) -> dict[str, Any]:
        return {
            "heading": _("Batch %(id)s: %(name)s") % {"id": instance.pk, "name": instance.name},
            "amount": " + ".join(_sum(total) for total in instance.totals),
            "badge": _state(instance),
            "recipient": _rows_in_words(instance),
            "flags": _warnings(instance),
        }

    def dialog_obstacle(self, request: HttpRequest, name: str, instance: Batch) -> str:
        """Why the button is not offered. `payouts.batches` decides again, under lock."""
        if instance.state == BatchState.ALTERED:
            return str(BatchAlteredError())
        if instance.state not in POSSIBLE[name] or (name == "send" and not instance.rows_valid):
            return _("The batch is in the state “%(state)s”, in which this is not possible.") % {
                "state": instance.state.label
            }
        is_uploader = instance.uploaded_by_id == request.user.pk
        if name in ("approve", "reject") and is_uploader:
            return _("You uploaded this batch, so another person must decide on it.")
        if name in ("send", "discard") and not is_uploader:
            who = instance.uploaded_by.get_username()
            return _("Only %(who)s, who uploaded the batch, can do this.") % {"who": who}
        return ""

    @dialog_action(
        form_class=SendForm,
        permission="send",
        description=gettext_lazy("Send for approval"),
        title=gettext_lazy("Send for approval"),
        submit=gettext_lazy("Send for approval"),
        warning=gettext_lazy("Another person approves or rejects the whole. Until then nothing is paid."),
        icon="send",
        variant=ActionVariant.PRIMARY,
    )
    def send(self, request: HttpRequest, form: forms.Form, batch: Batch) -> str:
        given = form.cleaned_data
        decide.send(
            batch.pk,
            by=person(request),
            note=given["note"],
            leaves_errors_out=given.get("leaves_errors_out", False),
            revision=given["version"],
        )
        return _("The batch “%(name)s” waits for another person's approval.") % {"name": batch.name}

    @dialog_action(
        form_class=ApproveForm,
        permission="approve",
        description=gettext_lazy("Approve"),
        title=gettext_lazy("Approve the whole batch"),
        submit=gettext_lazy("Approve all"),
        warning=gettext_lazy(
            "Every row without errors becomes a payout with your approval. Large ones wait for further people."
        ),
        icon="check_circle",
        variant=ActionVariant.PRIMARY,
    )
    def approve(self, request: HttpRequest, form: forms.Form, batch: Batch) -> str:
        given = form.cleaned_data
        decide.approve(batch.pk, by=person(request), reason=given["reason"], revision=given["version"])
        return _("The batch “%(name)s” is approved. Its payouts are submitted now.") % {"name": batch.name}

    @dialog_action(
        form_class=RejectForm,
        permission="reject",
        description=gettext_lazy("Reject"),
        title=gettext_lazy("Reject the whole batch"),
        submit=gettext_lazy("Reject all"),
        warning=gettext_lazy("Nothing of it is paid. The file can be mended and uploaded again."),
        icon="block",
        variant=ActionVariant.DANGER,
        is_final=True,
    )
    def reject(self, request: HttpRequest, form: forms.Form, batch: Batch) -> str:
        given = form.cleaned_data
        decide.reject(batch.pk, by=person(request), reason=given["reason"], revision=given["version"])
        return _("The batch “%(name)s” is rejected.") % {"name": batch.name}

    @dialog_action(
        form_class=DialogForm,
        permission="discard",
        description=gettext_lazy("Discard"),
        title=gettext_lazy("Discard the batch"),
        submit=gettext_lazy("Discard"),
        warning=gettext_lazy("Nothing of it is paid. The same file can be uploaded again."),
        icon="delete",
        is_final=True,
    )
    def discard(self, request: HttpRequest, form: forms.Form, batch: Batch) -> str:
        decide.discard(batch.pk, by=person(request), revision=form.cleaned_data["version"])
        return _("The batch “%(name)s” is discarded.") % {"name": batch.name}


POSSIBLE = {
    "send": (BatchState.PREVIEW,),
    "approve": (BatchState.AWAITING_APPROVAL,),
    "reject": (BatchState.AWAITING_APPROVAL,),
    "discard": (BatchState.CHECKING, BatchState.PREVIEW, BatchState.AWAITING_APPROVAL),
}


# The page


def _page(request: HttpRequest, batch: Batch, *, may_approve: bool) -> dict[str, Any]:
    state = batch.state
    counts = _counts(batch)
    stages = _stages(batch) if batch.approved_at else []
    is_busy = state in BUSY or _are_under_way(batch, stages)
    has_signs = bool(batch.rung_at and timezone.now() - batch.rung_at < REFRESHED_FOR)
    done, total = _progress(batch, state, counts)
    chosen = request.GET.get("show") or (WRONG if batch.rows_wrong and not batch.approved_at else EVERY)
    page = Paginator(_chosen(batch, chosen), ROWS_PER_PAGE).get_page(request.GET.get("page"))
    earlier, later = queries_beside(page, show=chosen)
    cards = [_view_card(name, view, counts[name], chosen) for name, view in VIEWS.items() if counts[name]]
    return {
        "batch": batch,
        "state": _state(batch),
        "uploaded": format.exact_time(batch.uploaded_at),
        "step": _step(request, batch, counts, may_approve=may_approve),
        "faults": [columns.sentence(code, parameters) for code, parameters in batch.refusal or ()],
        "rows_in_words": _rows_in_words(batch),
        "is_working": state in BUSY,
        "is_about_to_change": is_busy and has_signs,
        "done": format.number(done),
        "total": format.number(total),
        "percent": done * 100 // total if total else 0,
        "totals": [
            {"currency": currency, "count": format.number(count), "sum": _sum([currency, count, amount])}
            for currency, count, amount in batch.totals
        ],
        "cards": [*_stage_cards(stages, chosen), *cards],
        "chosen": chosen,
        "is_every": chosen == EVERY,
        "rows": [_row(row) for row in page],
        "page": page,
        "count": format.number(page.paginator.count),
        "earlier_query": earlier,
        "later_query": later,
        "has_error_file": bool(counts[WRONG] or counts[REFUSED]),
        "errors_url": reverse("admin:payouts_batch_errors", args=(batch.pk,)),
        "facts": _facts(batch),
        "upload_url": reverse("admin:payouts_batch_add") if request.user.has_perm("payouts.add_batch") else "",
    }


def _counts(batch: Batch) -> dict[str, int]:
    """The rows of each view, and those that are submitted."""
    counted: dict[str, int] = batch.rows.order_by().aggregate(
        submitted=Count("payout"), **{name: Count("pk", filter=view.rows) for name, view in VIEWS.items()}
    )
    return counted


def _progress(batch: Batch, state: BatchState, counts: dict[str, int]) -> tuple[int, int]:
    """How many rows the worker has been through, of how many."""
    if state == BatchState.SUBMITTING:
        return counts["submitted"] + counts[REFUSED], batch.rows_valid
    return batch.rows_stored, batch.rows_total or 0


def _chosen(batch: Batch, chosen: str) -> QuerySet[BatchRow]:
    rows = batch.rows.select_related("payout").defer("recipient", "payout__recipient").order_by("number")
    if chosen in VIEWS:
        return rows.filter(VIEWS[chosen].rows)
    stage = chosen.removeprefix("stage-")
    if stage != chosen and stage in Stage.values:
        return rows.filter(payout__in=_payouts(batch).in_stage(stage).values("pk"))
    return rows if chosen == EVERY else rows.none()


def _payouts(batch: Batch) -> Any:
    """The batch's payouts. Their ids lie together, so the range keeps the question away from all the others."""
    ends = batch.rows.order_by().aggregate(first=Min("payout_id"), last=Max("payout_id"))
    return Payout.objects.order_by().filter(pk__range=(ends["first"] or 0, ends["last"] or 0), batch_row__batch=batch)


@dataclass(frozen=True, slots=True)
class StageSum:
    """What is in one stage: the totals by currency."""

    stage: Stage
    totals: list[list[Any]]

    @property
    def count(self) -> int:
        return sum(count for _currency, count, _amount in self.totals)


def _stages(batch: Batch) -> list[StageSum]:
    """Where the batch's payouts stand, in the order of a payout's life."""
    payouts = _payouts(batch)
    by_stage: dict[str, list[list[Any]]] = {}
    for status, *total in _summed(payouts, "status", "currency"):
        by_stage.setdefault(status, []).append(total)
    if by_stage.pop(Status.PENDING, None):
        for stage in (Stage.AWAITING_APPROVAL, Stage.HELD, Stage.SCHEDULED, Stage.READY):
            by_stage[stage] = [list(total) for total in _summed(payouts.in_stage(stage), "currency")]
    return [StageSum(stage, by_stage[stage]) for stage in Stage if by_stage.get(stage)]


def _summed(payouts: Any, *fields: str) -> Any:
    return payouts.order_by(*fields).values_list(*fields).annotate(Count("pk"), Sum("amount"))


def _are_under_way(batch: Batch, stages: Sequence[StageSum]) -> bool:
    return bool(batch.finished_at) and any(each.stage in (Stage.READY, Stage.PROCESSING) for each in stages)


def _view_card(name: str, view: View, count: int, chosen: str) -> dict[str, Any]:
    return {
        "title": format.badge(str(view.title), tone=view.tone, icon=view.icon),
        "meaning": view.meaning,
        "count": format.number(count),
        "query": f"?show={name}",
        "is_chosen": name == chosen,
    }


def _stage_cards(stages: Sequence[StageSum], chosen: str) -> list[dict[str, Any]]:
    return [
        {
            "title": format.stage_badge(each.stage),
            "meaning": " + ".join(_sum(total) for total in each.totals),
            "count": format.number(each.count),
            "query": f"?show=stage-{each.stage.value}",
            "is_chosen": chosen == f"stage-{each.stage.value}",
        }
        for each in stages
    ]


def _row(row: BatchRow) -> dict[str, Any]:
    given = _given(row)
    cells = columns.masked(given) if given else {}
    name, account = name_and_account(row.recipient_masked)
    amount = money.shown(row.amount, row.currency) if row.amount is not None else ""
    return {
        "number": row.number,
        "is_valid": row.is_valid,
        "user_id": row.user_id or cells.get("user_id", ""),
        "amount": amount or " ".join(filter(None, (cells.get("amount"), cells.get("currency")))),
        "name": name or cells.get("name", ""),
        "account": account or cells.get("account", ""),
        "faults": _faults(row, given),
        "notes": _notes(row),
        "earlier": row.earlier_id,
        "earlier_url": _payout_url(row.earlier_id) if row.earlier_id else "",
        "payout": row.payout,
        "payout_url": _payout_url(row.payout.pk) if row.payout else "",
        "stage": format.stage_badge(row.payout.stage) if row.payout else "",
    }


def _given(row: BatchRow) -> Given | None:
    if not row.given:
        return None
    try:
        return Given.from_json(vault.decrypt(row.given))
    except vault.UnreadableError:
        return None


def _faults(row: BatchRow, given: Given | None) -> list[tuple[str, str]]:
    if row.refusal:
        code, parameters = row.refusal
        return [("", columns.sentence(code, parameters))]
    return columns.sentences(given, row.errors)


def _notes(row: BatchRow) -> list[str]:
    notes = [format.flag_label(flag) for flag in row.notes]
    if row.same_as:
        notes.append(_("pays the same as line %(number)s") % {"number": row.same_as})
    return notes


def _payout_url(payout_id: int) -> str:
    return reverse("admin:payouts_payout_change", args=(payout_id,))


@dataclass(frozen=True, slots=True)
class Step:
    """Why it is where it is, and the next safe thing to do."""

    why: str
    then: str
    is_alarm: bool = False


def _step(request: HttpRequest, batch: Batch, counts: dict[str, int], *, may_approve: bool) -> Step:
    who = batch.uploaded_by.get_username()
    is_uploader = batch.uploaded_by_id == request.user.pk
    match batch.state:
        case BatchState.CHECKING:
            return Step(_("The worker checks the rows."), _("Nothing is paid before another person approves it."))
        case BatchState.REFUSED:
            return Step(_("The file cannot be taken, so nothing of it is paid."), _("Mend it and upload it again."))
        case BatchState.PREVIEW if not batch.rows_valid:
            return Step(_("No row is without errors."), _("Mend the file and upload it again."), is_alarm=True)
        case BatchState.PREVIEW if is_uploader:
            return Step(
                _("Checked, and not sent yet."),
                _("Look at the totals, the errors and the duplicates. Then send it for approval, or discard it."),
            )
        case BatchState.PREVIEW:
            return Step(_("Checked, and not sent yet."), _("%(who)s sends it for approval.") % {"who": who})
        case BatchState.AWAITING_APPROVAL if is_uploader:
            return Step(
                _("Waits for another person's approval."),
                _("You uploaded this batch, so another person must decide on it."),
            )
        case BatchState.AWAITING_APPROVAL if may_approve:
            return Step(
                _("Waits for your decision."),
                _("Check the totals, the rows and what is marked, then approve or reject the whole."),
            )
        case BatchState.AWAITING_APPROVAL:
            return Step(_("Waits for approval."), _("Someone who may approve payouts decides on it."))
        case BatchState.SUBMITTING:
            return Step(
                _("Approved by %(who)s.") % {"who": _username(batch.approved_by)},
                _("The worker makes a payout of each row."),
            )
        case BatchState.SUBMITTED if counts[REFUSED]:
            return Step(
                _("Some rows could not become payouts."),
                _("See why under “Not submitted”. The others go their way."),
                is_alarm=True,
            )
        case BatchState.SUBMITTED:
            return Step(
                _("Every row without errors is a payout now."),
                _("Below is where they stand; those that wait for further approvals are among the payouts."),
            )
        case BatchState.REJECTED:
            who = _username(batch.rejected_by)
            return Step(_("Rejected by %(who)s: nothing of it is paid.") % {"who": who}, batch.reason)
        case BatchState.DISCARDED:
            return Step(
                _("Discarded by %(who)s: nothing of it is paid.") % {"who": who},
                _("The same file can be uploaded again."),
            )
        case _:
            return Step(
                _("It was changed outside the product, so nothing more of it is submitted."),
                _("Have the audit look at the database. What is wanted still has to come as a new batch."),
                is_alarm=True,
            )


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
    ]
    return [(label, text) for label, text in facts if text]


def _moment(moment: Any, person: User | None) -> str:
    return f"{format.exact_time(moment)} · {_username(person)}" if moment else ""


def _username(person: User | None) -> str:
    return person.get_username() if person else ""


def _state(batch: Batch) -> SafeString:
    tone, icon = STATE_LOOKS[batch.state]
    return format.badge(str(batch.state.label), tone=tone, icon=icon)


def _rows_in_words(batch: Batch) -> str:
    """How many are to be paid, and how many are left out."""
    if not batch.rows_total:
        return "–"
    valid = ngettext("%(count)s payout", "%(count)s payouts", batch.rows_valid) % {
        "count": format.number(batch.rows_valid)
    }
    if not batch.rows_wrong:
        return valid
    wrong = ngettext("%(count)s row with errors", "%(count)s rows with errors", batch.rows_wrong)
    return f"{valid}, {wrong % {'count': format.number(batch.rows_wrong)}}"


def _warnings(batch: Batch) -> list[str]:
    """For the dialogs of who sends and who approves."""
    if batch.state not in (BatchState.PREVIEW, BatchState.AWAITING_APPROVAL):
        return []
    counts = _counts(batch)
    repeated, earlier, noted = counts[REPEATED], counts[EARLIER], counts[NOTED]
    one_repeats = ngettext(
        "%(count)s row pays the same as another", "%(count)s rows pay the same as others", repeated
    )
    one_is_known = ngettext(
        "%(count)s row is like an earlier payout", "%(count)s rows are like earlier ones", earlier
    )
    one_is_odd = ngettext("%(count)s row fails a checksum", "%(count)s rows fail a checksum", noted)
    found = [(repeated, one_repeats), (earlier, one_is_known), (noted, one_is_odd)]
    return [text % {"count": format.number(count)} for count, text in found if count]


def _sum(total: Sequence[Any]) -> str:
    currency, _count, amount = total
    return money.shown(Decimal(amount), currency)


# Files


def _csv_template() -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([COLUMNS, *EXAMPLES])
    return text.getvalue().encode("utf-8-sig")  # so that Excel takes it for UTF-8


def _xlsx_template() -> bytes:
    book = Workbook()
    sheet = book.active
    for row in (COLUMNS, *EXAMPLES):
        sheet.append(row)
    for place, column in enumerate(COLUMNS):
        letter = sheet.cell(1, place + 1).column_letter
        sheet.column_dimensions[letter].width = 28 if column in ("account", "name", "comment") else 14
        if column == "account":  # Excel would round a card's number
            sheet.column_dimensions[letter].number_format = "@"
        for cell in sheet[letter]:
            cell.number_format = "@"
    sheet.freeze_panes = "A2"
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


class _Echo:
    """For csv, which wants to write: gives the line back."""

    def write(self, line: str) -> str:
        return line


def _error_file(batch: Batch, language: str | None) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield "\ufeff" + writer.writerow(["line", *COLUMNS, "errors"])
    with translation.override(language):
        rows = batch.rows.filter(VIEWS[WRONG].rows | VIEWS[REFUSED].rows).defer("recipient").order_by("number")
        for row in rows.iterator(chunk_size=1_000):
            given = _given(row)
            cells = columns.masked(given) if given else _cells(row)
            faults = "; ".join(f"{column}: {text}" if column else text for column, text in _faults(row, given))
            texts = [cells.get(column, "") for column in COLUMNS]
            yield writer.writerow([row.number, *map(safe, texts), safe(faults)])


def _cells(row: BatchRow) -> dict[str, str]:
    """Of a valid row that became no payout."""
    name, account = name_and_account(row.recipient_masked)
    return {
        "user_id": str(row.user_id or ""),
        "amount": money.plain(row.amount) if row.amount is not None else "",
        "currency": row.currency,
        "kind": row.kind,
        "account": account,
        "name": name,
        "bank": str(row.recipient_masked.get("bank", "")),
        "comment": row.comment,
    }
