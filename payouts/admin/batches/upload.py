"""The upload of a batch."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from payouts.admin.kit.fields import file_field
from payouts.admin.kit.person import person
from payouts.batches import upload
from payouts.batches.errors import BatchError


class UploadForm(forms.Form):
    file = file_field(
        gettext_lazy("File"),
        gettext_lazy("CSV or XLSX, at most 20 MB and 50,000 rows."),
        accepts=".csv,.xlsx,text/csv",
    )


def upload_view(request: HttpRequest, model_admin: Any) -> HttpResponse:
    """Show the form. A file that is taken leads to its batch's page; one that is refused, to the reason."""
    form = UploadForm(request.POST or None, request.FILES or None)
    refusal: BatchError | None = None
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data["file"]
        try:
            batch = upload.store(given.read(), name=given.name, by=person(request))
        except BatchError as error:
            refusal = error
        else:
            messages.success(request, _("The file is accepted and its rows are being checked. Nothing is paid yet."))
            return HttpResponseRedirect(model_admin.page_url(batch))
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": _("Upload a batch of payouts"),
        "form": form,
        "refusal": refusal,
        "earlier_url": model_admin.page_url(refusal.earlier) if refusal and refusal.earlier else "",
    }
    return TemplateResponse(request, "admin/payouts/batch/upload.html", context)
