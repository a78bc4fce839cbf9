"""Form fields as these screens show them."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from payouts.database.storable import TEXT_LIMIT
from payouts.files.limits import FILE_BYTES

REASON = gettext_lazy("Reason")


def text_field(
    help_text: Any,
    *,
    label: Any = REASON,
    max_length: int = TEXT_LIMIT,
    is_required: bool = True,
) -> forms.CharField:
    """A few lines of text: a reason, or what `label` says."""
    return forms.CharField(
        label=label,
        required=is_required,
        max_length=max_length,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text=help_text,
    )


def day_field(label: Any, help_text: Any = "") -> forms.DateField:
    """A day that may be left out."""
    return forms.DateField(
        label=label,
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"type": "date"}),
        input_formats=["%Y-%m-%d", "%d.%m.%Y"],
        help_text=help_text,
    )


def moment_field(label: Any, help_text: Any) -> forms.DateTimeField:
    """A day and a time that may be left out."""
    return forms.DateTimeField(
        label=label,
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"type": "datetime-local"}),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%d.%m.%Y %H:%M"],
        help_text=help_text,
    )


def file_field(label: Any, help_text: Any, *, accepts: str) -> forms.FileField:
    """A file to upload. An empty one is refused by its reader, in words of its own.

    One that is too large is refused by the page before it is sent (admin.js): the web server answers without one.
    """
    return forms.FileField(
        label=label,
        allow_empty_file=True,
        max_length=1_000,
        widget=forms.FileInput(attrs={"class": "po-input po-file", "accept": accepts, "data-most-bytes": FILE_BYTES}),
        help_text=help_text,
    )
