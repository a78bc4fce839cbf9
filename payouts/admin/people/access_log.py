"""The access log: logins and privileged acts in one list, newest first, to read only."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import CharField, QuerySet, Value
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from payouts.admin.kit import format
from payouts.admin.kit.paginator import CappedPaginator, one_page
from payouts.admin.kit.view_only import ViewOnlyAdmin
from payouts.models import AccessEvent
from payouts.staff.access_log import ACTS
from payouts.staff.client_address import normal_address

PER_PAGE = 50
SIGN_INS, ACTS_ON_OBJECTS = "sign-ins", "acts"
FAILURES = (AccessEvent.Kind.LOGIN_FAILED, AccessEvent.Kind.LOCKED_OUT, AccessEvent.Kind.CODE_REFUSED)


@admin.register(AccessEvent)
class AccessEventAdmin(ViewOnlyAdmin):
    def get_urls(self) -> list[Any]:
        # A line has no page of its own.
        return [url for url in super().get_urls() if url.name == "payouts_accessevent_changelist"]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        asked = {name: request.GET.get(name, "").strip()[:150] for name in ("person", "about", "kind")}
        paginator = CappedPaginator(self._found(request, **asked), PER_PAGE)
        shown = one_page(request, paginator, **asked)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Access log"),
            "lines": _lines(list(shown["page"])),
            "is_capped": paginator.is_capped,
            "asked": asked,
            "is_narrowed": any(asked.values()),
            "people": User.objects.order_by("username").values_list("username", flat=True)[:500],
            "kinds": [("", _("Everything")), (SIGN_INS, _("Logging in")), (ACTS_ON_OBJECTS, _("Changes and views"))],
            **shown,
        }
        return TemplateResponse(request, "admin/payouts/accessevent/list.html", context)

    def _found(self, request: HttpRequest, *, person: str, about: str, kind: str) -> QuerySet[Any, Any]:
        """`(time, table, id)` from both tables, newest first.

        Each table is read by its primary key, and only as far as the pages reach.
        """
        events: QuerySet[Any, Any] = AccessEvent.objects.all()
        entries: QuerySet[Any, Any] = LogEntry.objects.all()
        if person:
            user = User.objects.filter(username=person).first() if "\0" not in person else None
            if user is None:
                messages.error(request, _("There is no person called “%(name)s”.") % {"name": person})
            events = events.filter(user=user) if user else events.none()
            entries = entries.filter(user=user) if user else entries.none()
        if about:
            address = normal_address(about)
            events = events.filter(address=address) if address else events.none()
            entries = entries.none() if address or "\0" in about else entries.filter(object_id=about)
        if kind == SIGN_INS:
            entries = entries.none()
        elif kind == ACTS_ON_OBJECTS:
            events = events.none()
        elif kind:
            events, entries = events.none(), entries.none()
        sources = [
            found.annotate(table=Value(name, output_field=CharField())).values_list(column, "table", "id")
            for found, column, name in ((events, "at", SIGN_INS), (entries, "action_time", ACTS_ON_OBJECTS))
            if not found.query.is_empty()
        ]
        if not sources:
            return AccessEvent.objects.none()
        if len(sources) == 1:
            only: QuerySet[Any, Any] = sources[0].order_by("-id")
            return only
        reach = CappedPaginator.LIMIT + 1
        newest = [source.order_by("-id")[:reach] for source in sources]
        both: QuerySet[Any, Any] = newest[0].union(newest[1], all=True).order_by("-at", "table", "-id")
        return both


def _lines(rows: Sequence[tuple[datetime, str, int]]) -> list[dict[str, Any]]:
    """The lines of a page; one query for each table."""
    signed_in = [pk for _at, table, pk in rows if table == SIGN_INS]
    acted = [pk for _at, table, pk in rows if table == ACTS_ON_OBJECTS]
    events = AccessEvent.objects.select_related("user").in_bulk(signed_in)
    entries = LogEntry.objects.select_related("user", "content_type").in_bulk(acted)
    return [_sign_in(events[pk]) if table == SIGN_INS else _act(entries[pk]) for _at, table, pk in rows]


def _sign_in(event: AccessEvent) -> dict[str, Any]:
    return {
        "at": format.exact_time(event.at),
        "who": event.user.get_username() if event.user else _("unknown name"),
        "what": capfirst(str(event.get_kind_display())),
        "source": event.address or "",
        "is_refusal": event.kind in FAILURES,
    }


def _act(entry: LogEntry) -> dict[str, Any]:
    what, detail = _told(entry)
    model = entry.content_type.model_class() if entry.content_type else None
    name = str(model._meta.verbose_name) if model else ""
    return {
        "at": format.exact_time(entry.action_time),
        "who": entry.user.get_username(),
        "what": capfirst(what),
        "detail": detail,
        "subject": f"{capfirst(name)} {entry.object_repr}".strip(),
        "url": "" if entry.action_flag == DELETION else entry.get_admin_url() or "",
    }


def _changed(parts: list[dict[str, Any]]) -> str:
    """Django's sentence, with the fields' names translated: it keeps them with a capital, its catalogue without."""
    words = []
    for part in parts:
        if "fields" in part.get("changed", {}):
            fields = [_label(name) for name in part["changed"]["fields"]]
            part = {"changed": {**part["changed"], "fields": fields}}
        words.append(part)
    return LogEntry(action_flag=CHANGE, change_message=json.dumps(words)).get_change_message()


def _label(name: str) -> str:
    found = _(name)
    return found if found != name or name[:1].islower() else capfirst(_(name[:1].lower() + name[1:]))


def _told(entry: LogEntry) -> tuple[str, str]:
    """What was done, and its details in words. Of a password form it says only that the password changed."""
    flags = {ADDITION: _("added"), CHANGE: _("changed"), DELETION: _("deleted")}
    what = flags.get(entry.action_flag, "")
    try:
        parts = json.loads(entry.change_message)
    except ValueError:
        return what, entry.change_message
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        return what, entry.change_message
    details = []
    is_told = False
    for part in parts:
        if act := part.get("act"):
            what, is_told = str(ACTS.get(act.get("name"), act.get("name"))), True
            details += [str(value) for key, value in act.items() if key != "name"]
        for label, change in part.get("lists", {}).items():
            is_told = True
            details += [f"{_(label)}: +{_(name)}" for name in change["given"]]
            details += [f"{_(label)}: −{_(name)}" for name in change["taken"]]
        for label, value in part.get("switches", {}).items():
            is_told = True
            details.append(f"{_(label)}: {_('yes') if value else _('no')}")
    if entry.action_flag == CHANGE and any("changed" in part for part in parts):
        details.insert(0, _changed(parts))
    elif entry.action_flag == ADDITION and not is_told:
        details = []
    return what, " ".join(detail if detail.endswith(".") else f"{detail}." for detail in details)
