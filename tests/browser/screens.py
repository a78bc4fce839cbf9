"""Every screen and how to open it: read by the axe test, the test of frames and the screenshots.

A screen names its rows by what they are, not by ids: it finds the newest payout of a stage, whoever made it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import Group, User
from django.urls import reverse
from django_q.models import OrmQ, Schedule, Task
from playwright.sync_api import Page

from payouts.models import (
    ApiClient,
    ApprovalBand,
    Attention,
    Batch,
    BulkDecision,
    Export,
    Payout,
    PayoutLimit,
    Proposal,
    ProviderPause,
    ProviderReport,
    ReconciledDay,
    Recovery,
    ReviewRule,
    Route,
    UnknownPayment,
    VelocityLimit,
)
from payouts.states import Stage
from tests.browser.aside import expect

type Step = Callable[[Page], object]


@dataclass(frozen=True, slots=True)
class Address:
    """A view, for the newest of `rows` if there are any."""

    view: str
    rows: Callable[[], Any] | None = None
    query: str = ""

    def __call__(self) -> str:
        args = (self.rows().order_by("-pk")[0].pk,) if self.rows else ()
        return reverse(self.view, args=args) + self.query


@dataclass(frozen=True, slots=True)
class Screen:
    """An address, and what is done there before it is looked at."""

    address: Address
    step: Step | None = None
    for_nobody: bool = False
    """Opened by one who has not logged in."""

    def open(self, page: Page) -> None:
        page.goto(self.address())
        if self.step:
            self.step(page)
        settled(page)


def settled(page: Page) -> None:
    """Until nothing loads, and fonts are there."""
    page.wait_for_load_state("load")
    page.wait_for_function("!document.querySelector('.htmx-request, [x-cloak]:root')")
    page.evaluate("document.fonts.ready.then(() => true)")


def at(view: str, query: str = "") -> Address:
    return Address(f"admin:{view}", query=query)


def of(view: str, rows: Callable[[], Any]) -> Address:
    return Address(f"admin:{view}", rows)


def payout(stage: str) -> Address:
    return of("payouts_payout_change", lambda: Payout.objects.in_stage(stage).filter(attention=Attention.NONE))


def with_key() -> Address:
    return of("payouts_apiclient_change", ApiClient.objects.exclude(keys=None).all)


def press(selector: str) -> Step:
    """Click it, even in a menu that is closed: what it opens is what the screen is about."""
    return lambda page: page.locator(selector).first.evaluate("element => element.click()")


def dialog(name: str) -> Step:
    def opened(page: Page) -> None:
        press(f'a[hx-get$="/{name}/"]')(page)
        expect(page.get_by_role("dialog")).to_be_visible()

    return opened


def key_made(page: Page) -> None:
    dialog("add-key")(page)
    page.get_by_role("dialog").locator("button[type=submit]").click()
    expect(page.locator("#po-key")).to_be_visible()


def report_refused(page: Page) -> None:
    page.locator("input[type=file]").set_input_files(
        {"name": "march.csv", "mimeType": "text/csv", "buffer": b"reference,status,amount\nr-1,perhaps,1\n"}
    )
    page.locator("[data-once] button[type=submit]").click()
    expect(page.get_by_role("alert").filter(has=page.locator("h2"))).to_be_visible()


def batch(**facts: Any) -> Address:
    return of("payouts_batch_change", lambda: Batch.objects.filter(**facts))


def proposal(decision: str) -> Address:
    return of("payouts_proposal_change", lambda: Proposal.objects.filter(decision=decision))


def batch_refused(page: Page) -> None:
    page.locator("input[type=file]").set_input_files(
        {"name": "march.xls", "mimeType": "text/csv", "buffer": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"}
    )
    page.locator("[data-once] button[type=submit]").click()
    expect(page.get_by_role("alert").filter(has=page.locator("h2"))).to_be_visible()


def entry_refused(page: Page) -> None:
    page.locator("[data-once] button[type=submit]").click()
    expect(
        page.locator("[data-entry] .errorlist, [data-entry] .text-red-600, [data-entry] [role=alert]").first
    ).to_be_visible()


def code_refused(page: Page) -> None:
    page.locator("[name=code]").fill("000000")
    page.locator("[data-once] button[type=submit]").click()
    expect(page.locator("[name=code]")).to_have_attribute("aria-invalid", "true")


def filters_open(page: Page) -> None:
    page.locator(".filter-open-button").click()
    expect(page.locator("#filter-form")).to_be_visible()


def palette_open(page: Page) -> None:
    # Its key is heard once the scripts of the page have run.
    page.wait_for_load_state("load")
    page.keyboard.press("Control+KeyK")
    expect(page.locator("#search-input-command")).to_be_focused()


def rows_chosen(page: Page) -> None:
    page.locator("input.po-check").first.check()
    expect(page.get_by_role("region").locator("button[name=verb]").first).to_be_visible()


def bulk_asked(page: Page) -> None:
    rows_chosen(page)
    page.locator("button[name=verb]").first.click()
    expect(page.locator("textarea[name=reason]")).to_be_visible()


LIST = "payouts_payout_changelist"
SCREENS: dict[str, Screen] = {
    "login": Screen(at("login"), for_nobody=True),
    "start": Screen(at("index")),
    "palette": Screen(at("index"), palette_open),
    # Logging in, and one's own account
    "second factor set up": Screen(Address("second_factor_set_up")),
    "second factor refused": Screen(Address("second_factor_set_up"), code_refused),
    "second factor": Screen(Address("second_factor_mine")),
    "second factor passkey": Screen(Address("passkey_add")),
    # Payouts
    "payouts": Screen(at(LIST)),
    "payouts of a stage": Screen(at(LIST, query="?stage=awaiting_approval")),
    "payouts that need attention": Screen(at(LIST, query="?attention=any")),
    "no payouts": Screen(at(LIST, query="?q=nothing-is-called-so")),
    "filters": Screen(at(LIST), filters_open),
    "filters with faults": Screen(at(LIST, query="?amount_from=many")),
    "payouts chosen": Screen(at(LIST, query="?stage=awaiting_approval&amount_from=1"), rows_chosen),
    "bulk decision": Screen(Address("approvals"), bulk_asked),
    "bulk result": Screen(of("payouts_payout_bulk_page", BulkDecision.objects.exclude(decided_at=None).all)),
    "approvals": Screen(Address("approvals"), rows_chosen),
    "approvals of others": Screen(Address("approvals", query="?tab=others")),
    "approvals on hold": Screen(Address("approvals", query="?tab=held")),
    "new payout": Screen(at("payouts_payout_add")),
    "new payout with faults": Screen(at("payouts_payout_add"), entry_refused),
    **{f"payout {stage.value}": Screen(payout(stage)) for stage in Stage},
    "payout that needs attention": Screen(
        of("payouts_payout_change", lambda: Payout.objects.exclude(attention=Attention.NONE))
    ),
    "payout to review": Screen(of("payouts_payout_change", lambda: Payout.objects.exclude(review_flags=[]))),
    "dialog approve": Screen(payout(Stage.AWAITING_APPROVAL), dialog("approve")),
    "dialog reject": Screen(payout(Stage.AWAITING_APPROVAL), dialog("reject")),
    "dialog hold": Screen(payout(Stage.AWAITING_APPROVAL), dialog("hold")),
    "dialog cancel": Screen(payout(Stage.AWAITING_APPROVAL), dialog("cancel")),
    "dialog release": Screen(payout(Stage.HELD), dialog("release")),
    "dialog retry": Screen(payout(Stage.FAILED), dialog("retry")),
    "dialog resolve": Screen(payout(Stage.UNKNOWN), dialog("resolve")),
    "dialog ask now": Screen(payout(Stage.UNKNOWN), dialog("ask-now")),
    "dialog take back": Screen(
        of("payouts_payout_change", lambda: Payout.objects.filter(approvals__checker__is_superuser=True)),
        dialog("withdraw-approval"),
    ),
    "dialog clear the flag": Screen(
        of("payouts_payout_change", lambda: Payout.objects.filter(status="processed").exclude(attention="")),
        dialog("clear-flag"),
    ),
    "dialog schedule": Screen(payout(Stage.SCHEDULED), dialog("schedule")),
    "dialog settle": Screen(payout(Stage.SCHEDULED), dialog("settle")),
    "dialog record return": Screen(payout(Stage.PROCESSED), dialog("record-return")),
    "dialog reveal": Screen(payout(Stage.PROCESSED), dialog("reveal")),
    # Providers' reports
    "reports": Screen(at("payouts_providerreport_changelist")),
    "report": Screen(of("payouts_providerreport_change", lambda: ProviderReport.objects.filter(listed_at=None))),
    "list of a day": Screen(
        of("payouts_providerreport_change", lambda: ProviderReport.objects.exclude(listed_at=None))
    ),
    "report upload": Screen(at("payouts_providerreport_add")),
    "report refused": Screen(at("payouts_providerreport_add"), report_refused),
    "days": Screen(at("payouts_reconciledday_changelist")),
    "day": Screen(of("payouts_reconciledday_change", ReconciledDay.objects.filter(closed_at=None).all)),
    "dialog close a day": Screen(
        of("payouts_reconciledday_change", ReconciledDay.objects.filter(agreed_at=None, closed_at=None).all),
        dialog("close"),
    ),
    # Batches
    "exports": Screen(at("payouts_export_changelist")),
    "export": Screen(of("payouts_export_change", Export.objects.exclude(finished_at=None).all)),
    "export being written": Screen(of("payouts_export_change", Export.objects.filter(finished_at=None).all)),
    "batches": Screen(at("payouts_batch_changelist")),
    "batch upload": Screen(at("payouts_batch_add")),
    "batch upload refused": Screen(at("payouts_batch_add"), batch_refused),
    "batch being checked": Screen(batch(checked_at=None)),
    "batch that cannot be read": Screen(batch(refusal__isnull=False)),
    "batch to send": Screen(batch(checked_at__isnull=False, refusal__isnull=True, sent_at=None)),
    "batch awaiting approval": Screen(batch(sent_at__isnull=False, approved_at=None)),
    "batch submitted": Screen(batch(finished_at__isnull=False)),
    "batch being submitted": Screen(batch(approved_at__isnull=False, finished_at=None, stopped_at=None)),
    "batch stopped": Screen(batch(stopped_at__isnull=False)),
    "dialog stop a batch": Screen(
        batch(approved_at__isnull=False, finished_at=None, stopped_at=None), dialog("stop")
    ),
    "dialog send a batch": Screen(
        batch(checked_at__isnull=False, refusal__isnull=True, sent_at=None), dialog("send")
    ),
    "dialog approve a batch": Screen(batch(sent_at__isnull=False, approved_at=None), dialog("approve")),
    "dialog reject a batch": Screen(batch(sent_at__isnull=False, approved_at=None), dialog("reject")),
    # Rules and access
    "proposals": Screen(at("payouts_proposal_changelist")),
    "proposal": Screen(proposal("")),
    "proposal confirmed": Screen(proposal("confirmed")),
    "dialog confirm": Screen(proposal(""), dialog("confirm")),
    "dialog decline": Screen(proposal(""), dialog("decline")),
    "rules": Screen(at("payouts_reviewrule_changelist")),
    "rule": Screen(of("payouts_reviewrule_change", ReviewRule.objects.all)),
    "limits": Screen(at("payouts_payoutlimit_changelist")),
    "velocity limits": Screen(at("payouts_velocitylimit_changelist")),
    "velocity limit": Screen(of("payouts_velocitylimit_change", VelocityLimit.objects.all)),
    "payout over a limit": Screen(
        of("payouts_payout_change", Payout.objects.filter(waits_for__startswith="velocity").all)
    ),
    "payout without funds": Screen(
        of("payouts_payout_change", Payout.objects.filter(waits_for__startswith="funds").all)
    ),
    "dialog send over the limit": Screen(
        of("payouts_payout_change", Payout.objects.filter(waits_for__startswith="velocity").all), dialog("let-go")
    ),
    "limit": Screen(of("payouts_payoutlimit_change", PayoutLimit.objects.all)),
    "new limit": Screen(at("payouts_payoutlimit_add")),
    "bands": Screen(at("payouts_approvalband_changelist")),
    "band": Screen(of("payouts_approvalband_change", ApprovalBand.objects.all)),
    "routes": Screen(at("payouts_route_changelist")),
    "route": Screen(of("payouts_route_change", Route.objects.all)),
    "new route": Screen(at("payouts_route_add")),
    "clients": Screen(at("payouts_apiclient_changelist")),
    "client": Screen(with_key()),
    "new client": Screen(at("payouts_apiclient_add")),
    "dialog new key": Screen(with_key(), dialog("add-key")),
    "dialog revoke key": Screen(with_key(), dialog("revoke-key")),
    "key shown": Screen(with_key(), key_made),
    "people": Screen(at("auth_user_changelist")),
    "person": Screen(of("auth_user_change", User.objects.all)),
    "new person": Screen(at("auth_user_add")),
    "dialog password link": Screen(
        of("auth_user_change", User.objects.filter(is_active=True, is_superuser=False).all), dialog("make-link")
    ),
    "sessions": Screen(Address("own_sessions")),
    "password link": Screen(Address("password_link"), for_nobody=True),
    "own password": Screen(at("password_change")),
    "dialog close an account": Screen(
        of("auth_user_change", lambda: User.objects.filter(username="leaver")), dialog("close-account")
    ),
    "second look": Screen(of("auth_user_second_look", lambda: User.objects.filter(is_active=False))),
    "groups": Screen(at("auth_group_changelist")),
    "group": Screen(of("auth_group_change", Group.objects.all)),
    "access log": Screen(at("payouts_accessevent_changelist")),
    # System
    "operations": Screen(Address("operations")),
    "dialog pause": Screen(Address("operations"), dialog("pause/http")),
    "dialog resume": Screen(Address("operations"), dialog("resume")),
    "pauses": Screen(at("payouts_providerpause_changelist")),
    "pause": Screen(of("payouts_providerpause_change", ProviderPause.objects.all)),
    "recoveries": Screen(at("payouts_recovery_changelist")),
    "recovery": Screen(of("payouts_recovery_change", Recovery.objects.all)),
    "dialog begin recovery": Screen(Address("operations"), dialog("recovery/begin")),
    "dialog propose the end": Screen(
        of("payouts_recovery_change", lambda: Recovery.objects.filter(proposed_at=None)), dialog("propose-end")
    ),
    "dialog end recovery": Screen(
        of("payouts_recovery_change", lambda: Recovery.objects.exclude(proposed_at=None)), dialog("end")
    ),
    "unknown payments": Screen(at("payouts_unknownpayment_changelist")),
    "unknown payment": Screen(of("payouts_unknownpayment_change", UnknownPayment.objects.all)),
    "dialog close an unknown payment": Screen(
        of("payouts_unknownpayment_change", UnknownPayment.objects.all), dialog("close")
    ),
    "clusters": Screen(at("payouts_heartbeat_changelist")),
    "schedules": Screen(at("django_q_schedule_changelist")),
    "schedule": Screen(of("django_q_schedule_change", Schedule.objects.all)),
    "queue": Screen(at("django_q_ormq_changelist")),
    "queued task": Screen(of("django_q_ormq_change", OrmQ.objects.all)),
    "failed tasks": Screen(at("django_q_failure_changelist")),
    "failed task": Screen(of("django_q_failure_change", Task.objects.filter(success=False).all)),
}
