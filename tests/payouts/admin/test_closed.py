"""Nothing is open: every address without a login and without a permission, and every action by group."""

import uuid
from datetime import date
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from payouts import clients
from payouts.actions import pauses, recovery
from payouts.models import Payout, ReconciledDay, UnknownPayment
from payouts.providers import Verdict
from payouts.statements import read
from tests import recipes
from tests.payouts.admin.conftest import as_user
from tests.payouts.admin.test_gets import addresses

pytestmark = pytest.mark.django_db

CANARY = "canary-8c1f"
# What any member of staff may open: none of it is about payouts.
FOR_ALL_STAFF = {
    "/admin/",
    "/admin/jsi18n/",
    "/admin/login/",
    "/admin/password-link/",
    "/admin/password_change/",
    "/admin/password_change/done/",
    "/admin/search/",
    "/admin/sessions/",
    "/admin/second-factor/",
    "/admin/second-factor/mine/",
    "/admin/second-factor/passkeys/add/",
    "/admin/second-factor/set-up/",
}
EVERYBODY = {"Operator", "Approver", "Auditor", "Admin"}
# Who may do what: literally, so that a permission that is given away by accident shows.
ALLOWED: dict[str, set[str]] = {
    "payouts_payout_approve": {"Approver", "Admin"},
    "payouts_payout_reject": {"Approver", "Admin"},
    "payouts_payout_withdraw_approval": {"Approver", "Admin"},
    "payouts_payout_hold": {"Operator", "Approver", "Admin"},
    "payouts_payout_release": {"Operator", "Approver", "Admin"},
    "payouts_payout_clear_flag": {"Operator", "Approver", "Admin"},
    "payouts_payout_schedule": {"Operator", "Approver", "Admin"},
    "payouts_payout_ask_now": {"Operator", "Approver", "Admin"},
    "payouts_payout_cancel": {"Operator", "Admin"},
    "payouts_payout_retry": {"Operator", "Admin"},
    "payouts_payout_route": {"Operator", "Admin"},
    "payouts_payout_resolve": {"Approver", "Admin"},
    "payouts_payout_record_return": {"Approver", "Admin"},
    "payouts_payout_settle": {"Admin"},
    "payouts_payout_reveal": {"Auditor", "Admin"},
    "payouts_payout_let_go": {"Approver", "Admin"},
    "payouts_payout_confirm_unchanged": {"Approver", "Admin"},
    "payouts_recovery_propose_end": {"Approver", "Admin"},
    "payouts_recovery_end": {"Approver", "Admin"},
    "payouts_unknownpayment_close": {"Approver", "Admin"},
    "payouts_reconciledday_close": {"Approver", "Admin"},
    "payouts_apiclient_add_key": {"Admin"},
    "payouts_apiclient_revoke_key": {"Admin"},
    "payouts_providerpause_resume": {"Approver", "Admin"},
    "payouts_batch_send": {"Operator", "Admin"},
    "payouts_batch_discard": {"Operator", "Admin"},
    "payouts_batch_approve": {"Approver", "Admin"},
    "payouts_batch_reject": {"Approver", "Admin"},
    "payouts_batch_stop": {"Operator", "Approver", "Admin"},
    "payouts_proposal_confirm": {"Admin", "Approver"},
    "payouts_proposal_decline": {"Admin", "Approver"},
    "payouts_proposal_withdraw": {"Admin", "Approver"},
    "payouts_proposal_take": {"Admin", "Approver"},
    "payouts_proposal_take_link": {"Admin", "Approver"},
    "auth_user_make_link": {"Admin"},
    "auth_user_end_sessions": {"Admin"},
    "auth_user_close_account": {"Admin"},
    "auth_user_remove_second_factor": set(),
    "auth_user_link_single_sign_on": set(),
    "auth_user_unlink_single_sign_on": set(),
}
FORMS: dict[str, set[str]] = {
    "payouts_payout_add": {"Operator", "Admin"},
    "payouts_payout_check": {"Operator", "Admin"},
    "payouts_providerreport_add": {"Approver", "Admin"},
    "payouts_batch_add": {"Operator", "Admin"},
    "payouts_apiclient_add": {"Admin"},
    "payouts_approvalband_add": {"Admin"},
    "payouts_payoutlimit_add": {"Admin"},
    "payouts_velocitylimit_add": {"Admin"},
    "payouts_route_add": {"Admin"},
    "payouts_recovery_begin": {"Approver", "Admin"},
    "auth_user_add": {"Admin"},
}


@pytest.fixture
def ids() -> dict[str, Any]:
    """A row of each kind whose address takes an id; the payout's text is a canary."""
    uploader = recipes.person.make()
    payout = recipes.awaiting_payout(recipient={"account": CANARY, "name": CANARY}, comment=CANARY)
    client, _key = clients.create_client(CANARY, scopes=["payouts:read"])
    return {
        "payouts/payout": payout.pk,
        "payouts/apiclient": client.pk,
        "payouts/providerreport": read.store(
            b"reference,status,amount\nr-1,pending,1\n", name=f"{CANARY}.csv", by=uploader
        ).pk,
        "payouts/providerpause": pauses.pause("elsewhere", by=uploader, reason=CANARY).pk,
        "payouts/providerpause/pause": "http",
        "payouts/recovery": recovery.begin(by="shell:operator", reason=CANARY).pk,
        "payouts/unknownpayment": UnknownPayment.objects.create(
            reference=uuid.uuid4(), reported=Verdict.SUCCEEDED, source=UnknownPayment.Source.WEBHOOK, detail=CANARY
        ).pk,
        "payouts/reconciledday": ReconciledDay.objects.create(account=CANARY, on=date(2026, 11, 25), zone="UTC").pk,
        "payouts/batch": recipes.checked_batch(by=uploader, name=f"{CANARY}.csv").pk,
        "payouts/proposal": recipes.open_proposal(reason=CANARY).pk,
        "auth/user": uploader.pk,
    }


@pytest.mark.parametrize("method", ["get", "post"])
def test_without_a_login_every_address_leads_to_the_login(method: str, ids: dict[str, Any]) -> None:
    for path in sorted(addresses(ids) - {"/admin/login/", "/admin/password-link/"}):
        answer = getattr(Client(), method)(path)

        if answer.status_code == 405:  # an address for POST alone says so to everybody
            assert method == "get", path
            continue
        assert answer.status_code == 302, path
        assert answer.headers["Location"].startswith(reverse("admin:login")), path


@pytest.mark.parametrize("method", ["get", "post"])
def test_staff_without_a_permission_are_refused_everywhere(method: str, ids: dict[str, Any]) -> None:
    browser = as_user(recipes.person.make())
    before = list(Payout.objects.values())

    for path in sorted(addresses(ids) - FOR_ALL_STAFF):
        answer = getattr(browser, method)(path)

        # Django leads from an object's bare address to its page, and from one that is not there to the start page.
        is_led_away = answer.status_code == 302 and answer.headers["Location"] in (f"{path}change/", "/admin/")
        assert answer.status_code in (403, 404, 405) or is_led_away, path
        assert CANARY not in answer.content.decode(errors="replace"), path
    assert list(Payout.objects.values()) == before


def test_what_all_staff_may_open_tells_of_no_payout(ids: dict[str, Any]) -> None:
    browser = as_user(recipes.person.make())

    for path in FOR_ALL_STAFF:
        answer = browser.get(path, {"s": str(ids["payouts/payout"])})

        assert answer.status_code in (200, 302), path
        assert CANARY not in answer.content.decode(), path
        assert f"/payout/{ids['payouts/payout']}/" not in answer.content.decode(), path


def test_the_table_names_every_action_of_the_admin() -> None:
    named = {
        f"{model_admin.opts.app_label}_{model_admin.opts.model_name}_{name}"
        for model_admin in admin.site._registry.values()
        for kind in ("actions_list", "actions_row", "actions_detail", "actions_submit_line")
        for name in model_admin._extract_action_names(getattr(model_admin, kind, ()))
    }

    assert named == ALLOWED.keys()


@pytest.mark.parametrize("group", sorted(EVERYBODY))
@pytest.mark.parametrize("name", [*ALLOWED, *FORMS])
def test_a_post_reaches_a_view_exactly_if_the_group_may(
    name: str, group: str, ids: dict[str, Any], in_group: Any
) -> None:
    person: User = in_group(group)
    app, model, _rest = name.split("_", 2)
    args = (ids[f"{app}/{model}"],) if name in ALLOWED else ()

    answer = as_user(person).post(reverse(f"admin:{name}", args=args))

    # Empty, the form is shown again by who may open it, and nothing is done.
    assert (answer.status_code != 403) == (group in (ALLOWED | FORMS)[name])
    assert answer.status_code in (200, 403)
