"""The link by which people choose their own password: how it looks, and the page that it opens.

Its code stands behind the #, which browsers send to nobody: no log and no proxy has it, and a program that opens the
links in a mail uses up none. The page's script puts it into the form; without scripts people paste it.
"""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.forms import SetPasswordForm
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminTextInputWidget

from payouts.staff import password_links
from payouts.staff.password_links import LinkError


def link_of(request: HttpRequest, code: str) -> str:
    return f"{request.build_absolute_uri(reverse('password_link'))}#{code}"


class CodeForm(forms.Form):
    code = forms.CharField(
        label=gettext_lazy("Code"),
        max_length=100,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text=gettext_lazy("What stands behind the # in the link that you were given."),
    )

    def __init__(self, *args: Any, **given: Any) -> None:
        super().__init__(*args, **given)
        self.person: User | None = None

    def clean_code(self) -> str:
        """Raises ValidationError for a code that opens nothing."""
        code: str = self.cleaned_data["code"].rpartition("#")[2]
        try:
            self.person = password_links.whose(code)
        except LinkError as error:
            raise forms.ValidationError(str(error)) from error
        return code


class ChosenPasswordForm(SetPasswordForm):
    def __init__(self, *args: Any, **given: Any) -> None:
        super().__init__(*args, **given)
        for field in self.fields.values():
            field.widget = UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"})


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def choose(request: HttpRequest) -> HttpResponse:
    """Ask for the code first, then for the password. The person logs in with it afterwards, as always."""
    asking = CodeForm(request.POST if request.method == "POST" else None)
    if not asking.is_valid() or asking.person is None:
        return _page(request, form=asking)
    is_chosen = "new_password1" in request.POST
    form = ChosenPasswordForm(asking.person, request.POST if is_chosen else None)
    if form.is_valid():
        try:
            password_links.use(asking.cleaned_data["code"], form.cleaned_data["new_password1"])
        except LinkError as error:
            asking.add_error("code", str(error))
            return _page(request, form=asking)
        messages.success(request, _("Your password is set. Log in with it now."))
        return HttpResponseRedirect(reverse("admin:login"))
    return _page(request, form=form, code=asking.cleaned_data["code"], person=asking.person)


def _page(request: HttpRequest, **context: Any) -> HttpResponse:
    title = {"title": _("Choose your password")}
    response = TemplateResponse(
        request, "admin/password_link.html", {**admin.site.each_context(request), **title, **context}
    )
    add_never_cache_headers(response)
    return response
