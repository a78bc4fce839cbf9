from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from backoffice import health
from payouts.admin import palette
from payouts.admin.operations import overview
from payouts.admin.payouts import approvals
from payouts.admin.people import (
    own_password,
    passkeys_shown,
    password_link,
    second_factor,
    sessions_shown,
    single_sign_on,
)
from payouts.api import api

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/second-factor/", second_factor.confirm, name="second_factor"),
    path("admin/second-factor/set-up/", second_factor.set_up, name="second_factor_set_up"),
    path("admin/second-factor/mine/", second_factor.mine, name="second_factor_mine"),
    path("admin/second-factor/passkeys/add/", passkeys_shown.add, name="passkey_add"),
    path("admin/second-factor/passkeys/<int:passkey_id>/remove/", passkeys_shown.remove, name="passkey_remove"),
    path("admin/password-link/", password_link.choose, name="password_link"),
    path("admin/single-sign-on/", single_sign_on.go, name="single_sign_on"),
    path("admin/single-sign-on/back/", single_sign_on.back, name="single_sign_on_back"),
    path("admin/password_change/", admin.site.admin_view(own_password.change), name="own_password"),
    path("admin/sessions/", admin.site.admin_view(sessions_shown.mine), name="own_sessions"),
    path("admin/operations/", admin.site.admin_view(overview.view), name="operations"),
    path("admin/payouts/approvals/", admin.site.admin_view(approvals.queue), name="approvals"),
    # In place of Unfold's.
    path("admin/search/", admin.site.admin_view(palette.view), name="search"),
    path("admin/", admin.site.urls),
    path("i18n/", include("django.conf.urls.i18n")),
    path("api/", api.urls),
    re_path(r"^healthz/?$", health.alive),
    re_path(r"^readyz/?$", health.ready),
]
