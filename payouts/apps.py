from typing import TYPE_CHECKING

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.db.models import QuerySet
    from django.http import HttpRequest

    from payouts.models import Payout


def _tell_at_login(request: "HttpRequest", user: "User", **signal: object) -> None:
    # The admin's modules are read when its pages are first asked for.
    from payouts.admin.people import told_at_login

    told_at_login.logged_in(request, user, **signal)


class PayoutsConfig(AppConfig):
    name = "payouts"
    verbose_name = _("Payouts")

    def rows_of(self, query: str, *, by: "User") -> "QuerySet[Payout]":
        """What the payouts list shows this person under a filter. Raises ExportError.

        For the task that writes exports: tasks import no screens, and only the app is above both.
        """
        from payouts.admin.payouts.exported import rows_of

        return rows_of(query, by=by)

    def ready(self) -> None:
        from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
        from django.db.models.signals import post_migrate
        from django_q.signals import pre_enqueue

        from payouts.actions import keys
        from payouts.database import rights
        from payouts.models import sealed_sets
        from payouts.staff import access_log, authority, groups
        from payouts.worker import packages, schedules

        packages.no_pickles()
        authority.connect()
        post_migrate.connect(groups.make_groups, sender=self)
        post_migrate.connect(schedules.register, sender=self)
        pre_enqueue.connect(schedules.only_listed)
        post_migrate.connect(keys.begin, sender=self)
        post_migrate.connect(sealed_sets.seal_new_sets, sender=self)
        post_migrate.connect(rights.grant, sender=self)
        user_logged_in.connect(access_log.logged_in)
        user_logged_in.connect(_tell_at_login)
        user_logged_out.connect(access_log.logged_out)
        user_login_failed.connect(access_log.login_failed)
