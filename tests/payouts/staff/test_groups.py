"""The groups that are there after every migrate, and what each may do."""

import pytest
from django.contrib.auth.models import Group, Permission

from payouts.staff import groups

pytestmark = pytest.mark.django_db


def test_the_groups_may_do_these_things_and_no_more() -> None:
    view = {
        f"view_{model}"
        for model in (
            *("payout", "event", "attempt", "approval", "apiclient", "apikey", "approvalband", "heartbeat"),
            *("providerreport", "reportline", "reviewrule", "payoutlimit", "providerpause", "batch"),
            *("recovery", "unknownpayment", "velocitylimit", "route", "reconciledday"),
        )
    }
    evidence = {"add_providerreport", "return_payout"}
    queue = {"view_schedule", "view_task", "view_success", "view_failure", "view_ormq"}

    may = {group.name: set(group.permissions.values_list("codename", flat=True)) for group in Group.objects.all()}

    assert may["Operator"] == view | {
        *("add_batch", "add_payout", "hold_payout", "cancel_payout", "retry_payout", "route_payout"),
    }
    assert may["Approver"] == view | evidence | {
        "view_proposal",
        "approve_payout",
        "hold_payout",
        "resolve_payout",
        "pause_providerpause",
        "end_recovery",
        "close_unknownpayment",
        "close_reconciledday",
        "erase_recipientkey",
        "export_payout",
    }
    assert may["Auditor"] == view | queue | {
        *("reveal_payout", "view_accessevent", "view_proposal", "export_payout", "view_export"),
    }
    assert may["Admin"] >= view | queue | evidence | {
        *(
            "approve_payout",
            "settle_payout",
            "resolve_payout",
            "change_schedule",
            "pause_providerpause",
            "end_recovery",
            "close_unknownpayment",
            "close_reconciledday",
            "erase_recipientkey",
        )
    }
    assert set(may) == {"Operator", "Approver", "Auditor", "Admin"}


def test_no_group_may_change_or_delete_money_or_its_history() -> None:
    forbidden = {
        f"{verb}_{model}" for verb in ("change", "delete") for model in ("payout", "event", "attempt", "approval")
    } | {"add_event", "add_attempt", "add_approval", "add_ormq", "change_ormq", "add_schedule", "delete_user"}

    given = set(Permission.objects.filter(group__isnull=False).values_list("codename", flat=True))

    assert given & forbidden == set()


def test_making_the_groups_again_mends_them_and_leaves_others_alone() -> None:
    operator, other = Group.objects.get(name="Operator"), Group.objects.create(name="Night shift")
    wanted = set(operator.permissions.all())
    operator.permissions.clear()
    operator.permissions.add(Permission.objects.get(codename="settle_payout"))
    other.permissions.add(Permission.objects.get(codename="hold_payout"))

    groups.make_groups()

    assert set(operator.permissions.all()) == wanted
    assert other.permissions.count() == 1
