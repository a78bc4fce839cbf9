"""Passkeys (WebAuthn, level 2): a second factor whose private key never leaves the person's device.

The browser tells the authenticator the site's own domain, so a page that looks like ours gets nothing. The person is
verified each time (PIN, fingerprint, face), and each challenge is for one use: passkey_ceremony.py, beside the pages,
keeps it. Which make of authenticator it is we do not ask.
"""

import binascii
import struct
from dataclasses import dataclass
from typing import Any

import structlog
from cryptography.exceptions import UnsupportedAlgorithm
from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import parse_authentication_credential_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AttestationConveyancePreference,
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from payouts import vault
from payouts.models import Passkey
from payouts.staff import second_factor
from payouts.staff.second_factor import SecondFactorError

log = structlog.get_logger(__name__)

CREDENTIAL_LIMIT = 20_000  # characters, of what the browser sends
PASSKEYS_LIMIT = 10  # of one person
# What a browser sends may be anything: the parsers below it raise these.
NONSENSE = (
    *(WebAuthnException, ValueError, TypeError, KeyError, IndexError, AttributeError),
    *(OverflowError, RecursionError, struct.error, binascii.Error, UnsupportedAlgorithm),
)


@dataclass(frozen=True, slots=True)
class Ceremony:
    """What the browser's answer must be about."""

    domain: str
    origin: str
    challenge: bytes


def options_to_add(user: User, ceremony: Ceremony) -> str:
    """What the browser makes a passkey by, in JSON. It makes none in an authenticator that has one of ours."""
    return options_to_json(
        generate_registration_options(
            rp_id=ceremony.domain,
            rp_name=settings.OTP_TOTP_ISSUER,
            # Tells nothing of the person to who reads the authenticator.
            user_id=vault.fingerprint("passkey-user", user.pk),
            user_name=user.get_username(),
            challenge=ceremony.challenge,
            attestation=AttestationConveyancePreference.NONE,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.DISCOURAGED,
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=_known(user),
        )
    )


def options_to_use(user: User, ceremony: Ceremony) -> str:
    """What the browser asks the person's passkeys by, in JSON."""
    return options_to_json(
        generate_authentication_options(
            rp_id=ceremony.domain,
            challenge=ceremony.challenge,
            allow_credentials=_known(user),
            user_verification=UserVerificationRequirement.REQUIRED,
        )
    )


def add(user: User, name: str, credential: str, ceremony: Ceremony | None) -> Passkey:
    """Store what the browser has made. Raises SecondFactorError."""
    try:
        if ceremony is None or len(credential) > CREDENTIAL_LIMIT:
            raise ValueError("no challenge, or too long")
        made = verify_registration_response(
            credential=credential,
            expected_challenge=ceremony.challenge,
            expected_rp_id=ceremony.domain,
            expected_origin=ceremony.origin,
            require_user_verification=True,
        )
    except NONSENSE as error:
        log.warning("passkey_not_added", error=type(error).__name__)
        raise SecondFactorError(_("The passkey was not added. Try again.")) from error
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        if Passkey.objects.filter(user=user).count() >= PASSKEYS_LIMIT:
            raise SecondFactorError(_("You have ten passkeys. Remove one first."))
        passkey = Passkey(user=user, name=name, sign_count=made.sign_count)
        passkey.credential_id, passkey.public_key = made.credential_id, made.credential_public_key
        try:
            with transaction.atomic():
                passkey.save(force_insert=True)
        except IntegrityError as error:
            raise SecondFactorError(_("You have a passkey of this name, or this one already.")) from error
        passkey.refresh_from_db(fields=["created_at"])
        passkey.seal_anew()
    return passkey


def verify(user: User, credential: str, ceremony: Ceremony | None) -> Passkey:
    """The person's passkey that has signed the challenge. Raises SecondFactorError."""
    with transaction.atomic():
        try:
            if ceremony is None or len(credential) > CREDENTIAL_LIMIT:
                raise ValueError("no challenge, or too long")
            answer = parse_authentication_credential_json(credential)
            passkey: Passkey = Passkey.objects.select_for_update().get(user=user, credential_id=answer.raw_id)
            if not passkey.is_sealed:
                log.error("passkey_altered", passkey=passkey.pk)
                raise ValueError("not sealed")
            used = verify_authentication_response(
                credential=answer,
                expected_challenge=ceremony.challenge,
                expected_rp_id=ceremony.domain,
                expected_origin=ceremony.origin,
                credential_public_key=bytes(passkey.public_key),
                # One that counts and does not count on was copied.
                credential_current_sign_count=passkey.sign_count,
                require_user_verification=True,
            )
        except (*NONSENSE, Passkey.DoesNotExist) as error:
            log.warning("passkey_refused", error=type(error).__name__)
            raise SecondFactorError(_("The passkey was not accepted. Try again.")) from error
        passkey.sign_count, passkey.last_used_at = used.new_sign_count, timezone.now()
        passkey.seal_anew()
    return passkey


def why_not_remove(passkey: Passkey) -> str:
    """The last of a person's second factors is taken away by a superuser alone."""
    if second_factor.has_code(passkey.user) or Passkey.objects.filter(user=passkey.user).count() > 1:
        return ""
    return _("This is your only second factor. Set up another one first.")


def remove(passkey: Passkey) -> None:
    """Sessions that it confirmed must confirm anew. Raises SecondFactorError."""
    with transaction.atomic():
        User.objects.select_for_update().get(pk=passkey.user_id)
        if obstacle := why_not_remove(passkey):
            raise SecondFactorError(obstacle)
        passkey.delete()


def _known(user: User) -> list[PublicKeyCredentialDescriptor]:
    found: Any = Passkey.objects.filter(user=user)
    return [PublicKeyCredentialDescriptor(id=bytes(each.credential_id)) for each in found]
