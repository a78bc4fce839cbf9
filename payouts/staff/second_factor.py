"""The second factor, besides the password: a code from the person's phone (TOTP, RFC 6238), or a passkey.

Who may do more than look needs one while SECOND_FACTOR is on; who has set one up is always asked for it. A person
sets up their own; only a superuser, or `manage.py reset_second_factor` on the server, takes one away.
"""

import re
import secrets
import time
from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, Permission, User
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django_otp.oath import TOTP

from payouts import vault
from payouts.models import Authenticator, BackupCodes, Passkey

LOOKING = "view_"
"""How the permissions begin that move, stop and change nothing: who has only these needs no second factor."""
CODES = 10
OFFERED_SECONDS = 1_800

_SPACES = re.compile(r"[\s\-\u2010-\u2015]")
_CODE = re.compile(r"[0-9]{6}")
_BACKUP_CODE = re.compile(r"[0-9]{10}")


class SecondFactorError(Exception):
    """The code is not accepted; the text is a sentence for a person."""


# Who needs one, and who has one


def moving_permissions() -> QuerySet[Permission]:
    """All that do more than look.

    Whoever can act as another of these people is both of the two whom a payout, a key or a change of the rules needs:
    they could make, or propose, as one and approve, release or confirm as the other.
    """
    return Permission.objects.exclude(codename__startswith=LOOKING)


def movers() -> QuerySet[User]:
    """Everybody who may do more than look, and so needs one; those with closed accounts too: they can be opened."""
    moving = moving_permissions()
    return User.objects.filter(
        Q(is_superuser=True) | Q(groups__permissions__in=moving) | Q(user_permissions__in=moving)
    ).distinct()


def has_one(user: User | AnonymousUser) -> bool:
    codes, passkeys = Authenticator.objects.filter(confirmed=True), Passkey.objects.all()
    either = (each.filter(user_id=user.pk).values("pk") for each in (codes, passkeys))
    return bool(next(either).union(*either).exists())  # every page asks: one query


def has_code(user: User | AnonymousUser) -> bool:
    """Whether the person has an app that shows codes; others have passkeys, if anything."""
    return bool(Authenticator.objects.filter(user_id=user.pk, confirmed=True).exists())


def is_required(user: User | AnonymousUser) -> bool:
    """Whether this person may do more than look: every other permission moves or stops money, or says who may."""
    if not settings.SECOND_FACTOR:
        return False
    return user.is_superuser or any(
        not name.partition(".")[2].startswith(LOOKING) for name in user.get_all_permissions()
    )


# Setting one up


def offer(user: User) -> str:
    """A new key for this person, encrypted, for the form that asks for its first code. Nothing is stored yet."""
    until = int(time.time()) + OFFERED_SECONDS
    return vault.encrypt({"purpose": "second factor", "user": user.pk, "key": secrets.token_hex(20), "until": until})


def offered(user: User, token: str) -> Authenticator | None:
    """The authenticator that was offered; None when it was not, or not to this person, or too long ago."""
    try:
        facts = vault.decrypt(token)
    except vault.UnreadableError:
        return None
    if facts.get("purpose") != "second factor" or facts.get("user") != user.pk or facts["until"] < time.time():
        return None
    return Authenticator(user=user, name="authenticator", key=facts["key"])


def check_first_code(authenticator: Authenticator, code: str) -> TOTP:
    """Raises SecondFactorError where the app does not show this code now. Nothing is used up."""
    digits = _digits(code)
    totp = TOTP(authenticator.bin_key, authenticator.step, authenticator.t0, authenticator.digits)
    totp.time = time.time()
    if not _CODE.fullmatch(digits) or not totp.verify(int(digits), authenticator.tolerance):
        raise SecondFactorError(_("This code is not the one that the app shows now. Type the next one."))
    return totp


def set_up(user: User, authenticator: Authenticator, code: str) -> list[str]:
    """Confirm it by its first code, in place of the one before; returns new backup codes.

    Raises SecondFactorError.
    """
    totp = check_first_code(authenticator, code)
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        Authenticator.objects.filter(user=user).delete()
        authenticator.confirmed, authenticator.last_t, authenticator.drift = True, totp.t(), totp.drift
        authenticator.save(force_insert=True)
        return new_backup_codes(user)


def new_backup_codes(user: User) -> list[str]:
    """Ten codes that work once each, in clear, which is stored nowhere; the earlier ones stop."""
    codes = [f"{secrets.randbelow(10**10):010}" for _number in range(CODES)]
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        BackupCodes.objects.filter(user=user).delete()
        device = BackupCodes.objects.create(user=user, name="backup codes")
        for code in codes:
            device.token_set.create(token=device.sealed(code))
    return [f"{code[:5]}-{code[5:]}" for code in codes]


def backup_codes_left(user: User) -> int:
    device = BackupCodes.objects.filter(user=user).first()
    return device.token_set.count() if device else 0


def remove(user: User) -> bool:
    """Take the second factor away, passkeys and backup codes too; every session that it confirmed must confirm anew.

    Returns whether there was one.
    """
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        BackupCodes.objects.filter(user=user).delete()
        removed, _by_model = Authenticator.objects.filter(user=user).delete()
        passkeys = list(Passkey.objects.filter(user=user))
        for passkey in passkeys:  # each is sealed by itself (payouts/staff/authority.py)
            passkey.delete()
    return bool(removed or passkeys)


# Checking a code


def verify(user: User, code: str) -> Authenticator | BackupCodes:
    """What accepted the code, which is used up by it.

    Raises SecondFactorError; after wrong codes for every code, until a wait that doubles is over.
    """
    digits = _digits(code)
    if _CODE.fullmatch(digits):
        devices: QuerySet[Authenticator] | QuerySet[BackupCodes] = Authenticator.objects.filter(confirmed=True)
    elif _BACKUP_CODE.fullmatch(digits):
        devices = BackupCodes.objects.filter(confirmed=True)
    else:
        raise SecondFactorError(_("A code has 6 digits, a backup code 10."))
    with transaction.atomic():  # a wrong code is counted, so nothing is raised in here
        device = devices.filter(user=user).select_for_update().first()
        wait = _wait(device) if device else None
        is_right = device is not None and wait is None and device.verify_token(digits)
    if device is not None and is_right:
        return device
    if wait:
        raise SecondFactorError(
            _("Too many wrong codes. Try again in %(seconds)s s.") % {"seconds": int(wait.total_seconds()) + 1}
        )
    raise SecondFactorError(_("This code is wrong, or was used already. Wait for the next one."))


def _wait(device: Authenticator | BackupCodes) -> timedelta | None:
    is_allowed, facts = device.verify_is_allowed()
    if is_allowed:
        return None
    left: timedelta = facts["locked_until"] - timezone.now()
    return max(left, timedelta(0))


def _digits(code: str) -> str:
    return _SPACES.sub("", code)
