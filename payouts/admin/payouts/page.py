"""The payouts list and the payout page: view-only, with one button for each function of `payouts.actions`."""

from datetime import timedelta
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import PAGE_VAR, SEARCH_VAR
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.views import ChangeList

from payouts import actions as domain
from payouts import approvers
from payouts.actions import pauses
from payouts.actions.bulk import ITEMS_LIMIT as BULK_LIMIT
from payouts.admin.kit import format
from payouts.admin.kit.dialogs import (
    DialogsMixin,
    EvidenceForm,
    OptionalReasonForm,
    ReasonForm,
    ResolveForm,
    ScheduleForm,
    dialog_action,
    show_dialog,
)
from payouts.admin.kit.paginator import CappedPaginator
from payouts.admin.payouts import bulk, entry, norms, provider_answers, queues, row_marks, saved_views, search
from payouts.admin.payouts.exported import ExportedMixin
from payouts.admin.payouts.filters import (
    AmountFilter,
    AttentionFilter,
    ClientFilter,
    CreatedFilter,
    CurrencyFilter,
    FlagFilter,
    MakerFilter,
    StageFilter,
    active,
)
from payouts.admin.payouts.next_step import next_step, next_word
from payouts.admin.payouts.timeline import timeline
from payouts.database.snapshot import snapshot
from payouts.models import Approval, Attention, BatchRow, Breaker, EventName, Payout
from payouts.recipients import name_and_account
from payouts.staff import access_log
from payouts.states import OPEN, Stage, Status, allows

# To clear a flag on these moves no money; what else a release does is for those that wait.
AT_REST = (Status.PROCESSED, Status.FAILED, Status.RETURNED, Status.REJECTED, Status.CANCELLED)
# A payout that has just been let go is paid within a second or two: its page looks again by itself for so long.
REFRESHED_FOR = timedelta(minutes=1)


class PayoutChangeList(ChangeList):
    def get_queryset(self, request: HttpRequest, *args: Any, **kwargs: Any) -> QuerySet[Payout]:
        found: QuerySet[Payout] = super().get_queryset(request, *args, **kwargs)
        # Django takes a term that it refuses (a NUL) for none, and would show every row.
        return found.none() if request.GET.get(SEARCH_VAR, "").strip() and not self.query else found

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        # The whole table is never counted, so there is no other number to tell this one from.
        self.full_result_count = self.result_count


@admin.register(Payout)
class PayoutAdmin(ExportedMixin, DialogsMixin, ModelAdmin):
    list_display = ("number", "amount_shown", "stage_shown", "recipient_shown", "provider", "origin", "age")
    list_display_links = ("number",)
    list_filter = (
        StageFilter,
        AttentionFilter,
        FlagFilter,
        CurrencyFilter,
        AmountFilter,
        CreatedFilter,
        ClientFilter,
        MakerFilter,
    )
    # Their parameters: what a saved view may keep.
    filter_names = (
        *("stage", "attention", "flag", "currency", "amount_from", "amount_to"),
        *("created_from", "created_to", "client", "maker"),
    )
    list_filter_submit = True
    list_fullwidth = True
    list_per_page = 50
    list_max_show_all = 0
    list_select_related = ("client", "maker", "held_by")
    change_list_template = "admin/payouts/payout/change_list.html"
    list_before_template = "admin/payouts/payout/tabs.html"
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = CappedPaginator
    ordering = ("-id",)
    sortable_by = ("number",)
    search_fields = ("id",)
    search_help_text = gettext_lazy("ID, reference, key, provider's ID")
    actions = None
    fields = ()
    change_form_template = "admin/payouts/payout/change_form.html"
    actions_detail: ClassVar[tuple[Any, ...]] = (
        "approve",
        "reject",
        "hold",
        "release",
        "take_back",
        "clear_flag",
        "ask_now",
        "resolve",
        "retry",
        "cancel",
        {"title": gettext_lazy("More"), "items": ["schedule", "settle", "record_return", "reveal"]},
    )

    # Nobody edits a payout, whatever their permissions: it is changed by actions alone.

    def has_add_permission(self, request: HttpRequest) -> bool:
        return _may(request, "add_payout")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("payouts.view_payout")

    def has_approve_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _may(request, "approve_payout")

    def has_hold_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _may(request, "hold_payout")

    def has_cancel_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _may(request, "cancel_payout")

    def has_retry_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _may(request, "retry_payout")

    def has_ask_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _may(request, "retry_payout") or _may(request, "resolve_payout")

    def has_settle_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _may(request, "settle_payout")

    def has_resolve_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _may(request, "resolve_payout")

    def has_return_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _may(request, "return_payout")

    def has_reveal_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _may(request, "reveal_payout")

    # The list

    def get_queryset(self, request: HttpRequest) -> QuerySet[Payout]:
        payouts: QuerySet[Payout] = super().get_queryset(request)
        return payouts.select_related(*self.list_select_related).defer("recipient")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return PayoutChangeList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Payout], search_term: str
    ) -> tuple[QuerySet[Payout], bool]:
        if not search_term.strip():
            return queryset, False
        return queryset.filter(pk__in=search.matching_ids(search_term)), False

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        offers = bulk.offered(self, request, request.GET.get("stage", ""))
        return ("choice", *self.list_display) if offers else self.list_display

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        stage = request.GET.get("stage", "")
        context = {
            **(extra_context or {}),
            "stage_tabs": queues.tabs(stage, request.GET.get("attention", "")),
            "saved_views": saved_views.tabs(request, self.filter_names),
            "view_query": saved_views.kept_query(request.GET, self.filter_names),
            "bulk_verbs": bulk.offered(self, request, stage),
            "bulk_url": f"{reverse('admin:payouts_payout_bulk')}?{request.GET.urlencode()}",
            "bulk_limit": BULK_LIMIT,
            "back": request.get_full_path(),
        }
        response: HttpResponse = super().changelist_view(request, context)
        if isinstance(response, TemplateResponse) and response.context_data and "cl" in response.context_data:
            changelist = response.context_data["cl"]
            more = changelist.result_count > len(changelist.result_list)
            response.context_data |= {
                "chips": _chips(request, changelist),
                "bulk_matching": changelist.result_count if more and changelist.result_count <= BULK_LIMIT else 0,
                "bulk_too_many": changelist.result_count > BULK_LIMIT,
            }
            if set(request.GET) <= {"stage", "attention"}:
                changelist.empty_text = queues.empty_text(stage, request.GET.get("attention", ""))
        return response

    @display(description=gettext_lazy("Choose"))
    def choice(self, payout: Payout) -> SafeString:
        box = bulk.checkbox(payout)
        return render_to_string("admin/payouts/bulk/checkbox.html", {"box": box, "bulk_name": bulk.CHOSEN})

    @display(description=gettext_lazy("ID"), ordering="id")
    def number(self, payout: Payout) -> str:
        return str(payout.pk)

    @display(description=gettext_lazy("Amount"))
    def amount_shown(self, payout: Payout) -> SafeString:
        return format_html('<span class="po-amount">{}</span>', format.amount(payout))

    @display(description=gettext_lazy("Stage"))
    def stage_shown(self, payout: Payout) -> SafeString:
        if payout.attention:
            why = payout.get_attention_display()
            return format_html(
                '{} <span class="material-symbols-outlined po-alarm" role="img" title="{}" aria-label="{}">{}</span>',
                *(format.stage_badge(payout.stage), why, why, "flag"),
            )
        if payout.review_flags and payout.status in OPEN:
            return format_html("{} {}", format.stage_badge(payout.stage), row_marks.flags(payout))
        return format.stage_badge(payout.stage)

    @display(description=gettext_lazy("Recipient"))
    def recipient_shown(self, payout: Payout) -> SafeString:
        return format.recipient_cell(payout.recipient_masked)

    @display(description=gettext_lazy("Made by"))
    def origin(self, payout: Payout) -> str:
        return bulk.origin(payout)

    @display(description=gettext_lazy("Age"))
    def age(self, payout: Payout) -> SafeString:
        return row_marks.age(payout)

    # A new one

    def get_urls(self) -> list[Any]:
        check = self.admin_site.admin_view(self.check_view)
        return [
            path("add/check/", check, name="payouts_payout_check"),
            *bulk.urls(self),
            *saved_views.urls(self),
            *super().get_urls(),
        ]

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        return entry.enter(request, self)

    def check_view(self, request: HttpRequest) -> HttpResponse:
        """What is wrong with what was typed so far, and what staff would be told of it; stores nothing."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        return entry.check(request)

    # The page

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        # The row, its history and the buttons tell of the same moment, whatever the worker does meanwhile.
        with snapshot():
            response: HttpResponse = super().change_view(request, object_id, *args, **kwargs)
        return response

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Payout | None = None, **kwargs: Any
    ) -> HttpResponse:
        if obj is not None:
            context.update(self._page(request, obj))
        response: HttpResponse = super().render_change_form(request, context, *args, obj=obj, **kwargs)
        return response

    def _page(self, request: HttpRequest, payout: Payout) -> dict[str, Any]:
        events = list(payout.events.order_by("seq"))
        attempts = list(payout.attempts.order_by("number"))
        approvals = list(payout.approvals.select_related("checker").order_by("at"))
        name, account = name_and_account(payout.recipient_masked)
        waits = payout.status in (Status.PENDING, Status.PROCESSING, Status.UNKNOWN, Status.FAILED)
        # A reveal is an event too, but it ends nothing.
        moves = [event.at for event in events if event.from_status != event.to_status]
        now = timezone.now()
        began_at = payout.held_at or moves[-1] if waits and moves else payout.created_at
        spent = (now if waits or not moves else moves[-1]) - began_at
        is_paused = payout.provider in pauses.paused_providers()
        is_under_way = payout.stage in (Stage.READY, Stage.PROCESSING)
        assert isinstance(request.user, User)
        return {
            "payout": payout,
            "has_add_permission": False,  # a new payout begins at the list
            "is_about_to_change": is_under_way and timezone.now() - payout.updated_at < REFRESHED_FOR,
            "number": str(payout.pk),
            "amount": format.amount(payout),
            "stage_badge": format.stage_badge(payout.stage),
            "recipient_name": name,
            "recipient_account": account,
            "waiting_label": _("Waiting") if waits else _("Took"),
            "waiting": norms.against_norm(payout.stage, spent),
            "is_late": norms.is_over(payout.stage, spent),
            "next_word": next_word(payout),
            "known": provider_answers.about(payout, attempts, is_paused=is_paused)
            if payout.status == Status.UNKNOWN
            else [],
            "blocked": approvers.missing_approvers(payout) or "",
            "batch": BatchRow.objects.filter(payout=payout)
            .select_related("batch")
            .only("number", "batch__name")
            .first(),
            "created": format.exact_time(payout.created_at),
            "step": next_step(
                payout,
                user=request.user,
                attempts=attempts,
                approvals=approvals,
                may_approve=self.has_approve_permission(request),
                is_silent=Breaker.objects.filter(provider=payout.provider, open_until__isnull=False).exists(),
                is_paused=is_paused,
            ),
            "facts": _facts(payout),
            "recipient": format.recipient_lines(payout.recipient_masked),
            "flags": format.review_flags(payout) if payout.status in OPEN else [],
            "timeline": timeline(events),
            "attempts": [
                {
                    "attempt": attempt,
                    "outcome": attempt.get_outcome_display(),
                    "began": format.exact_time(attempt.created_at),
                    "called": format.exact_time(attempt.last_called_at),
                    "finished": format.exact_time(attempt.finished_at),
                }
                for attempt in attempts
            ],
            "exchanges": provider_answers.exchanges(attempts),
            "webhooks": provider_answers.webhooks(attempts),
            "approvals": [
                {
                    "approval": approval,
                    "decision": approval.get_decision_display()
                    if approval.attempt_id
                    else EventName.APPROVED.label
                    if approval.decision == Approval.Decision.APPROVE
                    else EventName.APPROVAL_WITHDRAWN.label,
                    "at": format.exact_time(approval.at),
                }
                for approval in approvals
            ],
        }

    # The buttons

    def get_actions_detail(self, request: HttpRequest, object_id: int | str) -> list[Any]:
        payout = self.get_object(request, unquote(str(object_id)))
        if payout is None:
            return []
        allowed = super().get_actions_detail(request, object_id)
        prefix = f"{self.opts.app_label}_{self.opts.model_name}_"
        return [
            button
            for button in allowed
            if not self.dialog_obstacle(request, button.action_name.removeprefix(prefix), payout)
        ]

    def dialog_summary(self, instance: Payout) -> dict[str, Any]:
        name, account = name_and_account(instance.recipient_masked)
        return {
            "heading": _("Payout %(id)s") % {"id": instance.pk},
            "amount": format.amount(instance),
            "recipient": " · ".join(part for part in (name, account) if part),
            "badge": format.stage_badge(instance.stage),
            "flags": format.review_flags(instance) if instance.status in OPEN else [],
        }

    def dialog_obstacle(self, request: HttpRequest, name: str, instance: Payout) -> str:
        """Why the button is not offered. `payouts.actions` decides again, under lock."""
        assert isinstance(request.user, User)
        if instance.attention == Attention.ALTERED:
            return str(domain.AlteredError())
        if not _is_possible(name, instance):
            return _("The payout is in the stage “%(stage)s”, in which this is not possible.") % {
                "stage": instance.stage.label
            }
        if name == "ask_now" and instance.provider in pauses.paused_providers():
            return _("The provider %(provider)s is paused: it is asked again when somebody has resumed it.") % {
                "provider": instance.provider
            }
        voices = instance.approvals.filter(checker=request.user)
        has_approved = bool(voices.filter(attempt=None).count() % 2)
        if name == "take_back" and not has_approved:
            return _("You have not approved this payout.")
        if name not in ("approve", "reject", "resolve", "record_return"):
            return ""
        if instance.maker_id == request.user.pk:
            return _("You made this payout, so another person must decide on it.")
        if name == "approve" and has_approved:
            return _("You have approved this payout already.")
        if name == "resolve" and voices.filter(attempt__outcome="open").exists():
            return _("You have given your voice on this payout already.")
        return ""

    @dialog_action(
        form_class=ReasonForm,
        permission="approve",
        description=gettext_lazy("Approve"),
        title=gettext_lazy("Approve the payout"),
        submit=gettext_lazy("Approve"),
        warning=gettext_lazy("With its last approval the money leaves."),
        icon="check",
        variant=ActionVariant.SUCCESS,
    )
    def approve(self, request: HttpRequest, form: Form, payout: Payout) -> str:
        payout = domain.approve(payout.pk, by=_person(request), **form.cleaned_data)
        return _said(_("%(payout)s: approved."), payout)

    @dialog_action(
        form_class=ReasonForm,
        permission="approve",
        description=gettext_lazy("Reject"),
        title=gettext_lazy("Reject the payout"),
        submit=gettext_lazy("Reject"),
        warning=gettext_lazy("It is closed for good and is never paid."),
        icon="block",
        is_final=True,
    )
    def reject(self, request: HttpRequest, form: Form, payout: Payout) -> str:
        payout = domain.reject(payout.pk, by=_person(request), **form.cleaned_data)
        return _said(_("%(payout)s: rejected."), payout)

    @dialog_action(
        form_class=ReasonForm,
        permission="hold",
        description=gettext_lazy("Hold"),
        title=gettext_lazy("Put the payout on hold"),
        submit=gettext_lazy("Hold"),
        warning=gettext_lazy("It is not paid until someone releases it."),
        icon="pause",
    )
    def hold(self, request: HttpRequest, form: Form, payout: Payout) -> str:
        payout = domain.hold(payout.pk, by=_person(request), **form.cleaned_data)
        return _said(_("%(payout)s: on hold."), payout)

    @dialog_action(
        form_class=ReasonForm,
        permission="hold",
        description=gettext_lazy("Release"),
        title=gettext_lazy("Release the payout"),
        submit=gettext_lazy("Release"),
        warning=gettext_lazy(
            "It goes on: with all its approvals the money leaves. If its outcome is unknown, the provider is asked"
            " again."
        ),
        icon="play_arrow",
        variant=ActionVariant.PRIMARY,
    )
    def release(self, request: HttpRequest, form: Form, payout: Payout) -> str:
        payout = domain.release(payout.pk, by=_person(request), **form.cleaned_data)
        return _said(_("%(payout)s: released."), payout)

    @dialog_action(
        form_class=ReasonForm,
        permission="approve",
        description=gettext_lazy("Undo my approval"),
        title=gettext_lazy("Take your approval back"),
        submit=gettext_lazy("Take it back"),
        warning=gettext_lazy("It waits for approval again. Once the worker has taken it, it is too late."),
        icon="undo",
    )
    def take_back(self, request: HttpRequest, form: Form, payout: Payout) -> str:
        payout = domain.take_back(payout.pk, by=_person(request), **form.cleaned_data)
        return _said(_("%(payout)s: your approval is taken back."), payout)

    @dialog_action(
        form_class=OptionalReasonForm,
        permission="ask",
        description=gettext_lazy("Ask the provider now"),
        title=gettext_lazy("Ask the provider what became of the payout"),
        submit=gettext_lazy("Ask now"),
        warning=gettext_lazy("The worker looks it up within seconds; nothing is paid twice by asking."),
        icon="contact_support",
    )
    def ask_now(self, request: HttpRequest, form: Form, payout: Payout) -> str:
        payout = domain.ask_now(payout.pk, by=_person(request), **form.cleaned_data)
        return _said(_("%(payout)s: the provider is asked now."), payout)

    @dialog_action(
        form_class=ScheduleForm,
        permission="hold",
        description=gettext_lazy("Schedule"),
        title=gettext_lazy("Say when the payout is paid"),
        submit=gettext_lazy("Schedule"),
        warning=gettext_lazy("It is paid not before that time, and only with all its approvals."),
        icon="schedule",
    )
    def schedule(self, request: HttpRequest, form: Form, payout: Payout) -> str:
        payout = domain.schedule(payout.pk, by=_person(request), **form.cleaned_data)
        if payout.scheduled_for:
            said = _("%(payout)s: paid not before %(at)s.")
            return said % {"payout": payout, "at": format.exact_time(payout.scheduled_for)}
        return _said(_("%(payout)s: paid as soon as it may be."), payout)

    @dialog_action(
        form_class=ReasonForm,
        permission="hold",
        description=gettext_lazy("Clear the flag"),
        title=gettext_lazy("Say that the payout needs no more attention"),
        submit=gettext_lazy("Clear the flag"),
        warning=gettext_lazy("No money moves. Say what you found: a failed payout can be retried afterwards."),
        icon="flag_check",
        variant=ActionVariant.PRIMARY,
    )
    def clear_flag(self, request: HttpRequest, form: Form, payout: Payout) -> str:
        payout = domain.release(payout.pk, by=_person(request), **form.cleaned_data)
        return _said(_("%(payout)s: needs no more attention."), payout)

    @dialog_action(
        form_class=ReasonForm,
        permission="cancel",
        description=gettext_lazy("Cancel payout"),
        title=gettext_lazy("Cancel the payout"),
        submit=gettext_lazy("Cancel payout"),
        warning=gettext_lazy("It is closed for good and is never paid."),
        icon="cancel",
        is_final=True,
    )
    def cancel(self, request: HttpRequest, form: Form, payout: Payout) -> str:
        payout = domain.cancel(payout.pk, by=_person(request), **form.cleaned_data)
        return _said(_("%(payout)s: cancelled."), payout)

    @dialog_action(
        form_class=ReasonForm,
        permission="retry",
        description=gettext_lazy("Retry"),
        title=gettext_lazy("Retry the payout"),
        submit=gettext_lazy("Retry"),
        warning=gettext_lazy("It is paid by a new attempt with a new key: the last one was refused for certain."),
        icon="refresh",
        variant=ActionVariant.PRIMARY,
    )
    def retry(self, request: HttpRequest, form: Form, payout: Payout) -> str:
        payout = domain.retry(payout.pk, by=_person(request), **form.cleaned_data)
        return _said(_("%(payout)s: waits for a new attempt."), payout)

    @dialog_action(
        form_class=ResolveForm,
        permission="resolve",
        description=gettext_lazy("Resolve"),
        title=gettext_lazy("Say how the payout ended"),
        submit=gettext_lazy("Give my voice"),
        warning=gettext_lazy("Two people must say the same. A wrong “was not paid” lets it be paid twice."),
        icon="gavel",
        variant=ActionVariant.PRIMARY,
    )
    def resolve(self, request: HttpRequest, form: Form, payout: Payout) -> str:
        payout = domain.resolve(
            payout.pk,
            by=_person(request),
            decision=Approval.Decision(form.cleaned_data["decision"]),
            evidence=_evidence(form),
            version=form.cleaned_data["version"],
        )
        if payout.status == Status.UNKNOWN:
            return _said(_("%(payout)s: your voice is recorded; a second person must agree."), payout)
        return _said(_("%(payout)s: resolved."), payout)

    @dialog_action(
        form_class=ReasonForm,
        permission="settle",
        description=gettext_lazy("Settle by hand"),
        title=gettext_lazy("Record that the payout was paid by hand"),
        submit=gettext_lazy("Settle by hand"),
        warning=gettext_lazy("Nothing is sent to the provider: say how the money left."),
        icon="handshake",
    )
    def settle(self, request: HttpRequest, form: Form, payout: Payout) -> str:
        payout = domain.settle(payout.pk, by=_person(request), **form.cleaned_data)
        return _said(_("%(payout)s: settled by hand."), payout)

    @dialog_action(
        form_class=EvidenceForm,
        permission="return",
        description=gettext_lazy("Record return"),
        title=gettext_lazy("Record that the bank returned the payout"),
        submit=gettext_lazy("Record return"),
        warning=gettext_lazy("It is closed for good as returned: pay again with a new payout if it must be paid."),
        icon="undo",
        is_final=True,
    )
    def record_return(self, request: HttpRequest, form: Form, payout: Payout) -> str:
        version = form.cleaned_data["version"]
        payout = domain.record_return(payout.pk, by=_person(request), evidence=_evidence(form), version=version)
        return _said(_("%(payout)s: returned."), payout)

    @dialog_action(
        form_class=ReasonForm,
        permission="reveal",
        description=gettext_lazy("Reveal recipient"),
        title=gettext_lazy("Reveal the recipient"),
        submit=gettext_lazy("Reveal recipient"),
        warning=gettext_lazy("That you saw it, and why, is recorded in the payout's history."),
        icon="visibility",
    )
    def reveal(self, request: HttpRequest, form: Form, payout: Payout) -> HttpResponse:
        recipient = domain.reveal(payout.pk, by=_person(request), reason=form.cleaned_data["reason"])
        access_log.log_act(request.user, payout, "revealed", reason=form.cleaned_data["reason"])
        payout.refresh_from_db()
        return show_dialog(
            request,
            self,
            payout,
            {
                "title": _("The recipient in clear"),
                "warning": _("Shown this once. Your look is in the payout's history."),
                "revealed": format.recipient_lines(recipient),
            },
        )


def _chips(request: HttpRequest, changelist: ChangeList) -> list[dict[str, str]]:
    """The active filters in words, each with the address of the list without it."""
    found = []
    for chip in active(changelist):
        rest = request.GET.copy()
        for name in (*chip.names, PAGE_VAR):
            rest.pop(name, None)
        found.append({"text": chip.text, "query": f"?{rest.urlencode()}"})
    return found


def _is_possible(name: str, payout: Payout) -> bool:
    """Whether the payout's state lets the button be offered."""
    is_pending = payout.status == Status.PENDING
    match name:
        case "approve":
            return is_pending and not payout.is_approved
        case "reject":
            return allows(payout.status, Status.REJECTED)
        case "hold":
            return is_pending and not payout.held_at
        case "release":
            return payout.stage == Stage.HELD or bool(payout.status == Status.UNKNOWN and payout.attention)
        case "clear_flag":
            return bool(payout.attention) and payout.status in AT_REST
        case "record_return":
            return allows(payout.status, Status.RETURNED)
        case "cancel":
            return allows(payout.status, Status.CANCELLED)
        case "retry":
            return allows(payout.status, Status.PENDING) and not payout.attention
        case "take_back" | "schedule":
            return is_pending
        case "ask_now":
            is_sent = payout.status in (Status.PROCESSING, Status.UNKNOWN)
            return is_sent and payout.attention in (Attention.NONE, *domain.UNANSWERED)
        case "settle":
            return payout.stage in (Stage.READY, Stage.SCHEDULED)
        case "resolve":
            return payout.status == Status.UNKNOWN
        case _:
            return True


def _facts(payout: Payout) -> list[tuple[str, str]]:
    facts = [
        (_("ID"), str(payout.pk)),
        (_("Reference"), str(payout.reference)),
        (_("Status"), str(payout.get_status_display())),
        (_("API client"), payout.client.name if payout.client else ""),
        (_("Maker"), payout.maker.get_username() if payout.maker else ""),
        (_("User ID"), str(payout.user_id)),
        (_("Provider"), payout.provider),
        (_("Comment"), payout.comment),
        (_("Approvals"), f"{payout.approvals_given} / {payout.approvals_required}"),
        (_("Scheduled for"), format.exact_time(payout.scheduled_for)),
        (_("Approval can be taken back until"), format.exact_time(payout.release_at)),
        (_("Failure"), ": ".join(part for part in (payout.failure_code, payout.failure_message) if part)),
        (_("Needs attention"), str(payout.get_attention_display()) if payout.attention else ""),
        (_("Created"), format.exact_time(payout.created_at)),
        (_("Updated"), format.exact_time(payout.updated_at)),
        (_("Paid"), format.exact_time(payout.processed_at)),
        (_("Withdrawn by the client"), format.exact_time(payout.withdrawn_at)),
        (_("Idempotency key"), payout.idempotency_key or ""),
        (_("Request ID"), payout.trace_id),
        (_("Version"), str(payout.version)),
    ]
    return [(label, text) for label, text in facts if text]


def _may(request: HttpRequest, codename: str) -> bool:
    return request.user.has_perms(("payouts.view_payout", f"payouts.{codename}"))


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def _evidence(form: Form) -> str:
    assert isinstance(form, EvidenceForm)
    return form.whole_evidence()


def _said(sentence: str, payout: Payout) -> str:
    return sentence % {"payout": str(payout)}
