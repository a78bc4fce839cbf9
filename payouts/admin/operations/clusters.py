"""Clusters and when each last gave a sign of life, to read only."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from payouts.admin.kit import format
from payouts.admin.kit.view_only import ViewOnlyAdmin
from payouts.admin.operations.figures import seconds_shown
from payouts.models import Heartbeat


def is_alive(heartbeat: Heartbeat) -> bool:
    return timezone.now() - heartbeat.beat_at <= timedelta(seconds=settings.STALL_SECONDS)


@display(description=gettext_lazy("State"))
def state(heartbeat: Heartbeat) -> SafeString:
    if is_alive(heartbeat):
        return format.badge(_("Alive"), tone="green", icon="check_circle")
    return format.badge(_("Silent"), tone="gray", icon="do_not_disturb_on")


@admin.register(Heartbeat)
class HeartbeatAdmin(ViewOnlyAdmin):
    list_display = ("cluster", state, "beat", "started")
    list_display_links = None
    ordering = ("-beat_at",)

    @display(description=gettext_lazy("Last beat"))
    def beat(self, heartbeat: Heartbeat) -> SafeString:
        return format.age(heartbeat.beat_at)

    @display(description=gettext_lazy("Started"))
    def started(self, heartbeat: Heartbeat) -> str:
        return format.exact_time(heartbeat.started_at)


def cluster_rows() -> list[dict[str, Any]]:
    """The clusters that gave signs of life last, newest first. The schedule “prune” deletes those that are gone."""
    beats = Heartbeat.objects.order_by("-beat_at")[:20]
    return [
        {
            "name": beat.cluster,
            "badge": state(beat),
            "beat": seconds_shown(max(0.0, (timezone.now() - beat.beat_at).total_seconds())),
            "started": format.exact_time(beat.started_at),
        }
        for beat in beats
    ]
