"""People's sessions: the page of one's own, and how a page or a dialog of another person's lists them."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from payouts.admin.kit import format
from payouts.admin.kit.person import person
from payouts.models import StaffSession
from payouts.staff import access_log, sessions
from payouts.staff.access_log import Kind


def rows_of(someone: User, request: HttpRequest) -> list[dict[str, Any]]:
    """The person's sessions for a table; the one that asks is marked."""
    present = sessions.present(request)
    return [
        {
            "row": session.pk,
            "device": session.device or _("unknown device"),
            "address": session.address or "–",
            "began": format.exact_time(session.began_at),
            "seen": format.exact_time(session.seen_at),
            "is_present": session.pk == present,
        }
        for session in sessions.of_person(someone)
    ]


def in_words(session: StaffSession) -> str:
    """“Firefox, Windows · 192.0.2.1 · seen 26 Nov 2026, 06:31:00 UTC”."""
    seen = _("seen %(time)s") % {"time": format.exact_time(session.seen_at)}
    return " · ".join(filter(None, (session.device or _("unknown device"), session.address, seen)))


def ended_in_words(count: int) -> str:
    said = ngettext("%(count)s session ended.", "%(count)s sessions ended.", count)
    return said % {"count": format.number(count)}


@require_http_methods(["GET", "HEAD", "POST"])
def mine(request: HttpRequest) -> HttpResponse:
    """Show one's own sessions. A POST ends one of them, or all but the one that asks."""
    user = person(request)
    if request.method == "POST":
        # What is named is the fingerprint of a session, which opens none.
        ended = sessions.end(user, row=str(request.POST.get("session", ""))[:64], but=sessions.present(request))
        if ended:
            access_log.note(Kind.SESSIONS_ENDED, request, user=user)
        messages.success(request, ended_in_words(ended))
        return HttpResponseRedirect(reverse("own_sessions"))
    rows = rows_of(user, request)
    context = {"title": _("Your sessions"), "rows": rows, "has_others": len(rows) > 1}
    return TemplateResponse(request, "admin/own_sessions.html", {**admin.site.each_context(request), **context})
