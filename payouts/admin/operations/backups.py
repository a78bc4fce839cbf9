"""Sentences about backups that are late, or of no use, where BACKUPS says that there should be some."""

from datetime import timedelta

from django.conf import settings
from django.db.models import Max, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from payouts.admin.kit import format
from payouts.figures.freshness import MADE_WITHIN, freshness
from payouts.models import Backup

# One is put back each week, and a day.
CHECKED_WITHIN = timedelta(days=8)


def backup_alerts() -> list[tuple[str, str]]:
    """What is wrong with the backups, each with what to do."""
    if not settings.BACKUPS:
        return []
    now = timezone.now()
    whole = Backup.objects.filter(finished_at__isnull=False, fault="")
    times = whole.aggregate(last=Max("finished_at"), checked=Max("started_at", filter=Q(checked_at__isnull=False)))
    last, checked, unchecked_since = times["last"], times["checked"], freshness().backup_checked_at
    said = []
    broken = Backup.objects.filter(finished_at__isnull=False).exclude(fault="").order_by("started_at").last()
    if broken and not whole.filter(started_at__gt=broken.started_at, checked_at__isnull=False).exists():
        said.append(
            (
                _("The backup of %(at)s could not take the place of the database.")
                % {"at": format.exact_time(broken.started_at)},
                _("The log says why (backup_not_restorable). Make another, and try that: manage.py restore_drill."),
            )
        )
    made_late = _("The log of manage.py backup says why (backup_failed). Each night a job should run it.")
    if last is None:
        said.append((_("There is no backup of the database."), made_late))
    elif last < now - MADE_WITHIN:
        late = _("The last backup of the database is of %(at)s.") % {"at": format.exact_time(last)}
        said.append((late, made_late))
    tried_late = _("Nobody knows whether they are of use. Each week a job should run manage.py restore_drill.")
    if last and unchecked_since and unchecked_since < now - CHECKED_WITHIN:
        late = _("The newest backup that was put back and audited is of %(at)s.")
        never = _("No backup was put back and audited yet.")
        said.append((late % {"at": format.exact_time(checked)} if checked else never, tried_late))
    return said
