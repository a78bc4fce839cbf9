"""Permissions in words, as choices of a form and as a list on a page."""

from typing import Any

from django.contrib.auth.models import Permission
from django.db.models import Q, QuerySet
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from payouts.staff import groups

MANAGED = Q(content_type__app_label__in=("payouts", "django_q")) | Q(
    content_type__app_label="auth", content_type__model__in=("user", "group")
)


def offer_in_words(field: Any) -> None:
    """Let a form's field offer only the product's own permissions, in words."""
    field.queryset = Permission.objects.filter(MANAGED).select_related("content_type").order_by("content_type", "pk")
    field.label_from_instance = groups.in_words


def listed_in_words(permissions: QuerySet[Permission]) -> SafeString | str:
    """An HTML list, sorted by the words."""
    words = sorted(groups.in_words(permission) for permission in permissions)
    if not words:
        return "–"
    items = format_html_join("", "<li>{}</li>", ((word,) for word in words))
    return format_html_join("", '<ul class="po-plain-list">{}</ul>', ((items,),))
