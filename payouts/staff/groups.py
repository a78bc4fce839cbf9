"""The groups of the back office and what each may do, made after every migrate."""

from collections.abc import Iterable

from django.apps import apps
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Group, Permission
from django.db.models import Q
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

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
    "view_velocitylimit",
    "view_route",
    "view_heartbeat",
    "view_providerpause",
    "view_providerreport",
    "view_reportline",
    "view_recovery",
    "view_unknownpayment",
    "view_reconciledday",
    "view_batch",
)
OPERATE = ("hold_payout", "cancel_payout", "retry_payout", "route_payout")
# What the provider or the bank says counts for as much as an approval.
EVIDENCE = ("add_providerreport", "return_payout")
CLIENTS = ("add_apiclient", "change_apiclient", "add_apikey", "change_apikey")
RULES = (
    *("add_approvalband", "change_approvalband", "delete_approvalband"),
    *("change_reviewrule", "add_payoutlimit", "change_payoutlimit", "delete_payoutlimit"),
    *("add_velocitylimit", "change_velocitylimit", "delete_velocitylimit"),
    *("add_route", "change_route", "delete_route"),
)

GROUPS: dict[str, tuple[str, ...]] = {
    gettext_noop("Operator"): (*VIEW, "add_payout", *OPERATE, "add_batch"),
    gettext_noop("Approver"): (
        *VIEW,
        "view_proposal",
        "approve_payout",
        "hold_payout",
        "resolve_payout",
        "export_payout",
        *EVIDENCE,
        "pause_providerpause",
        "end_recovery",
        "close_unknownpayment",
        "close_reconciledday",
        "erase_recipientkey",
    ),
    gettext_noop("Auditor"): (
        *VIEW,
        "view_proposal",
        "view_accessevent",
        "reveal_payout",
        "export_payout",
        "view_export",
    ),
    gettext_noop("Admin"): (
        *VIEW,
        "view_proposal",
        "view_accessevent",
        "add_payout",
        *OPERATE,
        "approve_payout",
        "settle_payout",
        "resolve_payout",
        "reveal_payout",
        "export_payout",
        "view_export",
        *EVIDENCE,
        "pause_providerpause",
        "end_recovery",
        "close_unknownpayment",
        "close_reconciledday",
        "erase_recipientkey",
        "add_batch",
        *CLIENTS,
        *RULES,
    ),
}
QUEUE = ("view_schedule", "view_task", "view_success", "view_failure", "view_ormq")
PEOPLE = ("view_user", "add_user", "change_user", "view_group")

# What a group may do, in the words of the table on the groups' page; each by the permission that stands for it.
VERBS: tuple[tuple[Promise, str], ...] = (
    (gettext_lazy("See payouts and what belongs to them"), "payouts.view_payout"),
    (gettext_lazy("Make a payout by hand"), "payouts.add_payout"),
    (gettext_lazy("Approve and reject"), "payouts.approve_payout"),
    (gettext_lazy("Hold and release"), "payouts.hold_payout"),
    (gettext_lazy("Cancel a payout"), "payouts.cancel_payout"),
    (gettext_lazy("Retry a failed payout"), "payouts.retry_payout"),
    (gettext_lazy("Route a payout anew"), "payouts.route_payout"),
    (gettext_lazy("Resolve an unknown outcome"), "payouts.resolve_payout"),
    (gettext_lazy("Record that the bank returned a payout"), "payouts.return_payout"),
    (gettext_lazy("Settle payouts by hand"), "payouts.settle_payout"),
    (gettext_lazy("See recipients in clear"), "payouts.reveal_payout"),
    (gettext_lazy("Upload provider reports"), "payouts.add_providerreport"),
    (gettext_lazy("Pause and resume a provider"), "payouts.pause_providerpause"),
    (gettext_lazy("Begin and end recovery mode"), "payouts.end_recovery"),
    (gettext_lazy("Close unknown payments"), "payouts.close_unknownpayment"),
    (gettext_lazy("Close days that do not agree with the provider"), "payouts.close_reconciledday"),
    (gettext_lazy("Erase recipients"), "payouts.erase_recipientkey"),
    (gettext_lazy("Make API clients and keys"), "payouts.add_apikey"),
    (gettext_lazy("Change approval bands, review rules and limits"), "payouts.change_approvalband"),
    (gettext_lazy("Change routes"), "payouts.change_route"),
    (gettext_lazy("Add and change people"), "auth.change_user"),
    (gettext_lazy("Read the access log"), "payouts.view_accessevent"),
    (gettext_lazy("See system pages: schedules, queue, failed tasks"), "django_q.view_ormq"),
)


def named(permissions: Iterable[Permission]) -> list[str]:
    """As in “payouts.view_payout”, sorted."""
    return sorted(f"{each.content_type.app_label}.{each.codename}" for each in permissions)


def in_words(permission: Permission) -> str:
    """“See: API clients” in the present language. Reads the permission's content type."""
    verb, _separator, model_name = permission.codename.partition("_")
    model = permission.content_type.model_class()
    verbs = {"view": _("See"), "add": _("Add"), "change": _("Change"), "delete": _("Delete")}
    if model is None or model_name != permission.content_type.model or verb not in verbs:
        return _(permission.name)  # the database has it in English
    return f"{verbs[verb]}: {model._meta.verbose_name_plural}"


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
