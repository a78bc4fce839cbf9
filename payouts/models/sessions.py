"""People's sessions, with what lets them and an admin tell one from another."""

from typing import Any

from django.conf import settings
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _


class StaffSession(AbstractBaseSession):
    """One session in the back office; payouts.staff.sessions writes it. The key's place holds its fingerprint."""

    person = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("person"),
    )
    address = models.GenericIPAddressField(_("address"), null=True)
    device = models.CharField(_("device"), max_length=60, blank=True)
    began_at = models.DateTimeField(_("began at"), null=True)
    seen_at = models.DateTimeField(_("last seen at"), null=True)

    class Meta:
        verbose_name = _("session")
        verbose_name_plural = _("sessions")
        default_permissions = ()

    @classmethod
    def get_session_store_class(cls) -> Any:
        return import_string(f"{settings.SESSION_ENGINE}.SessionStore")
