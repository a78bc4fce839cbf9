"""For a second look after an account was closed: what the person approved, their batches, keys that they made."""

from collections.abc import Iterable
from itertools import groupby
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from payouts import accounts, batch_rules
from payouts.admin.batches.in_words import rows_in_words, state_badge, sum_shown
from payouts.admin.kit import format
from payouts.admin.kit.person import person
from payouts.admin.payouts import approvals, bulk
from payouts.models import ApiKey, Batch

SAFE_VERBS = ("hold", "cancel")


def url_of(someone: User) -> str:
    return reverse("admin:auth_user_second_look", args=(someone.pk,))


def what_closing_does(someone: User) -> SafeString:
    """For the dialog: which keys stop, and what is left to look at afterwards."""
    left = accounts.left_by(someone)
    said = [_("Every session of this person ends at once. Their past actions stay in the history.")]
    said += [
        _("API client %(client)s: its keys %(keys)s stop working at once.") % {"client": client, "keys": keys}
        for client, keys in _by_client(left.keys)
    ]
    said += [
        _("API client %(client)s: this person made its keys %(keys)s. They keep working until you revoke them.")
        % {"client": client, "keys": keys}
        for client, keys in _by_client(left.made_keys)
    ]
    if left.payouts:
        count = format.capped(len(left.payouts), accounts.PAYOUTS_LIMIT)
        waits = ngettext(
            "%(count)s payout that this person approved is not sent yet: you can hold it on the next page.",
            "%(count)s payouts that this person approved are not sent yet: you can hold them on the next page.",
            len(left.payouts),
        )
        said.append(waits % {"count": count})
    said += [
        _("The batch “%(name)s” is being submitted: you can stop it on the next page.") % {"name": batch.name}
        for batch in left.batches
    ]
    items = format_html_join("", "<li>{}</li>", ((line,) for line in said))
    return format_html('<ul class="po-plain-list">{}</ul>', items)


def second_look_view(model_admin: Any, request: HttpRequest, object_id: int) -> HttpResponse:
    """What the closed account approved and is not paid yet, with the buttons that keep it from being paid."""
    if not request.user.has_perms(("auth.view_user", "payouts.view_payout")):
        raise PermissionDenied
    someone = User.objects.filter(pk=object_id, is_active=False).first()
    if someone is None:
        raise Http404
    left = accounts.left_by(someone)
    may_stop = request.user.has_perms(("payouts.view_batch", "payouts.hold_payout"))
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": _("For a second look: %(name)s") % {"name": someone.get_username()},
        "someone": someone,
        "page_url": model_admin.page_url(someone),
        "is_nothing": not (left.payouts or left.batches or left.keys or left.made_keys),
        "rows": approvals.rows_of(request, left.payouts, is_others=True),
        "count": format.capped(len(left.payouts), accounts.PAYOUTS_LIMIT),
        "bulk_verbs": [offer for offer in bulk.offered(request) if offer["verb"] in SAFE_VERBS],
        "bulk_name": bulk.CHOSEN,
        "bulk_url": reverse("admin:payouts_payout_bulk"),
        "back": request.get_full_path(),
        "batches": [_batch(request, batch, may_stop=may_stop) for batch in left.batches],
        "clients": [
            {"name": client, "keys": keys, "url": reverse("admin:payouts_apiclient_change", args=(client.pk,))}
            for client, keys in _by_client([*left.keys, *left.made_keys])
        ],
    }
    return TemplateResponse(request, "admin/auth/user/second_look.html", context)


def _by_client(keys: Iterable[ApiKey]) -> list[tuple[Any, str]]:
    """The clients with their keys in words: pk_1a2b…, pk_3c4d…"""
    return [
        (client, ", ".join(f"pk_{key.prefix}…" for key in together))
        for client, together in groupby(keys, key=lambda key: key.client)
    ]


def _batch(request: HttpRequest, batch: Batch, *, may_stop: bool) -> dict[str, Any]:
    is_to_stop = may_stop and not batch_rules.why_not_stop_batch(batch, person(request))
    return {
        "name": batch.name,
        "url": reverse("admin:payouts_batch_change", args=(batch.pk,)),
        "state": state_badge(batch),
        "rows": rows_in_words(batch),
        "totals": [sum_shown(total) for total in batch.totals],
        "uploaded_by": batch.uploaded_by.get_username(),
        "approved_by": batch.approved_by.get_username() if batch.approved_by else "",
        "stop_url": reverse("admin:payouts_batch_stop", args=(batch.pk,)) if is_to_stop else "",
    }
