"""Links by which people choose their own password: nobody else ever knows it, as an admin who typed it would.

A link works once, for 72 hours, until the next one is made or the password changes. Its code is shown to whoever made
it and stored nowhere: the row holds a fingerprint of the code, the end of its time, the person and their present
password's hash, under INDEX_KEY. So who reads the row has no link, and who writes it can make, move or renew none.
"""

import hmac
import secrets
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from payouts import vault
from payouts.models import PasswordLink
from payouts.models.stamps import stamp
from payouts.staff import authority

WORKS_FOR = timedelta(hours=72)


class LinkError(Exception):
    """The link opens nothing; the text is a sentence for a person."""


def make(person: User, *, by: User) -> str:
    """The code of a new link for this person, in clear, this once. The earlier link stops working."""
    code, expires_at = secrets.token_urlsafe(32), timezone.now() + WORKS_FOR
    PasswordLink.objects.update_or_create(
        person=person,
        defaults={"fingerprint": _fingerprint(person, code, expires_at), "made_by": by, "expires_at": expires_at},
    )
    return f"{person.pk}-{code}"


def whose(code: str) -> User:
    """The person whose password the link sets. Raises LinkError; which links there are is told to nobody."""
    number, _separator, secret = code.strip().partition("-")
    is_number = number.isascii() and number.isdigit() and len(number) < 19
    person = authority.genuine(int(number)) if is_number else None
    link = PasswordLink.objects.filter(person=person).first() if person is not None else None
    if person is None or link is None or not person.is_active or link.expires_at <= timezone.now():
        raise LinkError(_refusal())
    if not hmac.compare_digest(bytes(link.fingerprint), _fingerprint(person, secret, link.expires_at)):
        raise LinkError(_refusal())
    return person


def use(code: str, password: str) -> User:
    """Set the password. The link is used up, and every session of the person ends. Raises LinkError."""
    with transaction.atomic():
        person = User.objects.select_for_update(no_key=True).get(pk=whose(code).pk)
        whose(code)  # which may have been used before this had the lock
        person.set_password(password)
        person.save(update_fields=["password"])
        stop(person)
    return person


def stop(person: User) -> None:
    PasswordLink.objects.filter(person=person).delete()


def _refusal() -> str:
    return _("This link does not work any more: it was used, replaced, or is older than 72 hours. Ask for a new one.")


def _fingerprint(person: User, secret: str, expires_at: datetime) -> bytes:
    return vault.fingerprint("password-link", person.pk, person.password, stamp(expires_at), secret)
