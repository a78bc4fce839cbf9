"""The groups of the back office and what each may do, made after every migrate."""

from django.apps import apps
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Group, Permission
from django.db.models import Q
from django.utils.translation import gettext_noop

VIEW = (
    "view_payout",
    "view_event",
    "view_attempt",
    "view_approval",
    "view_apiclient",
    "view_apikey",
    "view_approvalband",
    "view_reviewrule",
    "view_payoutlimit",
    "view_heartbeat",
    "view_providerreport",
    "view_reportline",
)
OPERATE = ("hold_payout", "cancel_payout", "retry_payout")
# What the provider or the bank says counts for as much as an approval.
EVIDENCE = ("add_providerreport", "return_payout")
CLIENTS = ("add_apiclient", "change_apiclient", "add_apikey", "change_apikey")
RULES = (
    *("add_approvalband", "change_approvalband", "delete_approvalband"),
    *("change_reviewrule", "add_payoutlimit", "change_payoutlimit", "delete_payoutlimit"),
)

GROUPS: dict[str, tuple[str, ...]] = {
    gettext_noop("Operator"): (*VIEW, "add_payout", *OPERATE),
    gettext_noop("Approver"): (*VIEW, "approve_payout", "hold_payout", "resolve_payout", *EVIDENCE),
    gettext_noop("Auditor"): (*VIEW, "reveal_payout"),
    gettext_noop("Admin"): (
        *VIEW,
        "add_payout",
        *OPERATE,
        "approve_payout",
        "settle_payout",
        "resolve_payout",
        "reveal_payout",
        *EVIDENCE,
        *CLIENTS,
        *RULES,
    ),
}
QUEUE = ("view_schedule", "view_task", "view_success", "view_failure", "view_ormq")
PEOPLE = ("view_user", "add_user", "change_user", "view_group")


def make_groups(**_kwargs: object) -> None:
    """Receiver of post_migrate; idempotent. Permissions given by hand to other groups stay."""
    for label in ("payouts", "django_q", "auth"):
        create_permissions(apps.get_app_config(label), verbosity=0)
    ours = Q(content_type__app_label="payouts")
    for name, codenames in GROUPS.items():
        wanted = ours & Q(codename__in=codenames)
        if name in ("Admin", "Auditor"):
            wanted |= Q(content_type__app_label="django_q", codename__in=QUEUE)
        if name == "Admin":
            wanted |= Q(content_type__app_label="auth", codename__in=PEOPLE)
            wanted |= Q(content_type__app_label="django_q", codename="change_schedule")
        group, _created = Group.objects.get_or_create(name=name)
        group.permissions.set(Permission.objects.filter(wanted))
