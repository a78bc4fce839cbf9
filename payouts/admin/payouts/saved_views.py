"""Saved views: filters of the payouts list that a person keeps under names of their own."""

from functools import partial
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.contrib.admin.views.main import ORDER_VAR, SEARCH_VAR
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from payouts.admin.kit.person import person
from payouts.models import SavedView

LIMIT = 20
# The list's parameters that are kept, beside its filters'. Never the page.
KEPT = (SEARCH_VAR, ORDER_VAR)


class ViewForm(forms.Form):
    name = forms.CharField(max_length=40)
    query = forms.CharField(max_length=2_000, required=False)


def urls(model_admin: Any) -> list[Any]:
    def wrapped(view: Any) -> Any:
        return require_POST(model_admin.admin_site.admin_view(partial(view, model_admin)))

    return [
        path("views/", wrapped(save_view), name="payouts_payout_view_save"),
        path("views/<int:view_id>/delete/", wrapped(delete_view), name="payouts_payout_view_delete"),
    ]


def tabs(request: HttpRequest, known: tuple[str, ...]) -> list[dict[str, Any]]:
    """This person's views, and which of them the list shows just now."""
    shown = kept_query(request.GET, known)
    return [
        {
            "id": view.pk,
            "name": view.name,
            "query": f"?{view.query}",
            "is_active": view.query == shown,
            "delete_url": reverse("admin:payouts_payout_view_delete", args=(view.pk,)),
        }
        for view in SavedView.objects.filter(owner=person(request)).order_by("name")[:LIMIT]
    ]


def kept_query(given: QueryDict, known: tuple[str, ...]) -> str:
    """The filter alone, in one spelling: known parameters that say something, sorted."""
    names = {*known, *KEPT}
    pairs = [(name, given.get(name, "").strip()) for name in sorted(names & given.keys())]
    return urlencode([(name, value) for name, value in pairs if value and "\x00" not in value])


def save_view(model_admin: Any, request: HttpRequest) -> HttpResponse:
    _require(model_admin, request)
    form = ViewForm(request.POST)
    query = ""
    if not form.is_valid():
        messages.error(request, _("Give the view a name of at most 40 characters."))
    else:
        query = kept_query(QueryDict(form.cleaned_data["query"]), model_admin.filter_names)
        refusal = _saved(person(request), form.cleaned_data["name"], query)
        if refusal:
            messages.error(request, refusal)
        else:
            messages.success(request, _("The view “%(name)s” is saved.") % {"name": form.cleaned_data["name"]})
    return HttpResponseRedirect(reverse("admin:payouts_payout_changelist", query=QueryDict(query)))


def delete_view(model_admin: Any, request: HttpRequest, view_id: int) -> HttpResponse:
    _require(model_admin, request)
    view = get_object_or_404(SavedView, pk=view_id, owner=person(request))
    view.delete()
    messages.success(request, _("The view “%(name)s” is deleted.") % {"name": view.name})
    return HttpResponseRedirect(reverse("admin:payouts_payout_changelist", query=QueryDict(view.query)))


def _saved(owner: User, name: str, query: str) -> str:
    """Why the view was not saved; empty when it was."""
    if not query:
        return _("Choose a filter first: a view without one would be the whole list.")
    if len(query) > 1_000:
        return _("The filter is too long to be saved.")
    try:
        with transaction.atomic():
            # Two windows of one person must not pass the limit together.
            User.objects.select_for_update(no_key=True).get(pk=owner.pk)
            if SavedView.objects.filter(owner=owner).count() >= LIMIT:
                return _("You have %(limit)s views already. Delete one first.") % {"limit": LIMIT}
            SavedView.objects.create(owner=owner, name=name, query=query)
    except IntegrityError as error:
        if "saved_view_name_unique" not in str(error):
            raise
        return _("You have a view called “%(name)s” already.") % {"name": name}
    return ""


def _require(model_admin: Any, request: HttpRequest) -> None:
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
