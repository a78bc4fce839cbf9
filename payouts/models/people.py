"""How staff log in, and the views that they save."""

import base64

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from payouts import vault


class SavedView(models.Model):
    """A filter of the payouts list under a name of its owner's."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="saved_views",
        db_index=False,
        verbose_name=_("owner"),
    )
    name = models.CharField(_("name"), max_length=40)
    query = models.CharField(_("query"), max_length=1000)
    created_at = models.DateTimeField(_("created at"), db_default=Now())

    class Meta:
        verbose_name = _("saved view")
        verbose_name_plural = _("saved views")
        default_permissions = ()
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="saved_view_name_unique")]

    def __str__(self) -> str:
        return self.name


class Authenticator(TOTPDevice):  # type: ignore[misc]
    """A person's authenticator app. The row holds no key: the key is derived from it under INDEX_KEY.

    So reading the database gives no code, and writing to it cannot give anybody an authenticator.
    """

    class Meta:
        proxy = True
        default_permissions = ()
        verbose_name = _("authenticator")
        verbose_name_plural = _("authenticators")

    @property
    def bin_key(self) -> bytes:
        return vault.fingerprint("authenticator", self.user_id, self.key)[:20]


class BackupCodes(StaticDevice):  # type: ignore[misc]
    """A person's backup codes, for when the phone is lost. Each works once; only its HMAC is kept."""

    class Meta:
        proxy = True
        default_permissions = ()
        verbose_name = _("backup codes")
        verbose_name_plural = _("backup codes")

    def sealed(self, code: str) -> str:
        return base64.b32encode(vault.fingerprint("backup-code", self.user_id, code)[:10]).decode().lower()

    def verify_token(self, token: str) -> bool:
        is_right: bool = super().verify_token(self.sealed(token))
        return is_right


class PasswordLink(models.Model):
    """The link by which a person chooses their password; payouts.staff.password_links makes and reads it."""

    person = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    fingerprint = models.BinaryField(max_length=32)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False)
    made_at = models.DateTimeField(auto_now=True)
    expires_at = models.DateTimeField()

    class Meta:
        verbose_name = _("password link")
        verbose_name_plural = _("password links")
        default_permissions = ()

    def __str__(self) -> str:
        return f"of {self.person_id}"


class AccessEvent(models.Model):
    """A log-in, a log-out or a refusal, or a change of somebody's password or second factor."""

    class Kind(models.TextChoices):
        LOGGED_IN = "logged_in", _("logged in")
        LOGGED_OUT = "logged_out", _("logged out")
        IDLE = "idle", _("session ended after no activity")
        EXPIRED = "expired", _("session ended at its time limit")
        LOGIN_FAILED = "login_failed", _("login refused")
        LOCKED_OUT = "locked_out", _("locked out after too many refusals")
        CODE_ACCEPTED = "code_accepted", _("confirmed the second factor")
        BACKUP_CODE_USED = "backup_code_used", _("confirmed the second factor with a backup code")
        CODE_REFUSED = "code_refused", _("second factor refused")
        SET_UP = "set_up", _("set up a second factor")
        REPLACED = "replaced", _("replaced the second factor")
        CODES_MADE = "codes_made", _("made new backup codes")
        REMOVED = "removed", _("second factor removed on the server")
        PASSKEY_ACCEPTED = "passkey_accepted", _("confirmed the second factor with a passkey")
        PASSKEY_ADDED = "passkey_added", _("added a passkey")
        PASSKEY_REMOVED = "passkey_removed", _("removed a passkey")
        SIGNED_ON = "signed_on", _("came by single sign-on")
        SIGN_ON_REFUSED = "sign_on_refused", _("single sign-on refused")
        SIGN_ON_ENDED = "sign_on_ended", _("session ended by the identity provider")
        PASSWORD_SET = "password_set", _("password changed")
        SESSIONS_ENDED = "sessions_ended", _("ended other sessions")
        ON_SERVER = "on_server", _("configuration changed on the server")

    at = models.DateTimeField(_("time"), db_default=Now())
    kind = models.CharField(_("what"), max_length=32, choices=Kind)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        verbose_name=_("person"),
    )
    address = models.GenericIPAddressField(_("address"), null=True)
    trace_id = models.CharField(_("request ID"), max_length=128, blank=True)

    class Meta:
        verbose_name = _("access event")
        verbose_name_plural = _("access log")
        default_permissions = ["view"]
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["user", "-id"], name="access_event_of_user"),
            models.Index(fields=["address", "-id"], name="access_event_from"),
        ]

    def __str__(self) -> str:
        return f"{self.at}: {self.kind}"
