"""Single sign-on by OpenID Connect: who the identity provider says is there, and whether it still stands by them.

A person is found by a sealed link of the provider's subject to them, which one person proposes and another confirms;
never by an e-mail address, and nobody is made by logging in. Authlib keeps state, nonce and PKCE and checks the ID
token's signature; what the token must say is checked here. The link outlives the log-in: with its refresh token the
provider is asked every OIDC_RECHECK_SECONDS, and a session whose person it refuses ends.
"""

import time
from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache
from typing import Any

import django_otp
import structlog
from authlib.integrations.base_client import OAuthError
from authlib.integrations.django_client import DjangoOAuth2App, OAuth
from authlib.oidc.core import CodeIDToken
from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from joserfc.errors import JoseError

from payouts import vault
from payouts.models import SingleSignOn
from payouts.staff import access_log, authority
from payouts.staff.access_log import Kind

log = structlog.get_logger(__name__)

IN_SESSION = "single_sign_on"  # the link's id, in a session that it opened
TIMEOUT_SECONDS = 5
LEEWAY_SECONDS = 60  # between the provider's clock and ours
ASK_AGAIN_SECONDS = 10
KEPT_SECONDS = 3_600  # of the provider's own description and keys
# By public keys alone: nobody who knows the client's secret can sign.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
# What the provider says of a person, not of itself (RFC 6749, section 5.2).
REFUSALS = {"invalid_grant", "access_denied", "interaction_required", "login_required", "consent_required"}
FAILURES = (OAuthError, JoseError, OSError, ValueError, KeyError, RuntimeError)

type Claims = Mapping[str, Any]


class SingleSignOnError(Exception):
    """Nobody is logged in; the text is a sentence for a person."""


class _RefusedError(Exception):
    """The provider does not stand by the person any more."""


def is_on() -> bool:
    return bool(settings.OIDC_ISSUER)


# The link


def link(person: User, subject: str) -> SingleSignOn:
    """Link the person to their subject at the provider, in place of an earlier one."""
    with transaction.atomic():
        SingleSignOn.objects.filter(user=person).delete()
        made = SingleSignOn(user=person, name="single sign-on", issuer=settings.OIDC_ISSUER, subject=subject)
        made.save(force_insert=True)
        made.seal_anew()
        if not settings.OIDC_PASSWORDS:
            person.set_unusable_password()
            person.save(update_fields=["password"])
    return made


def unlink(person: User) -> None:
    """Sessions that the link opened end with their next request."""
    SingleSignOn.objects.filter(user=person).delete()


# Coming in


def go(request: HttpRequest, *, back: str) -> HttpResponse:
    """Send the browser to the provider, which sends it to `back`. Raises SingleSignOnError."""
    try:
        answer: HttpResponse = _provider().authorize_redirect(request, back)
    except FAILURES as error:
        raise _failed(error) from error
    return answer


def come_in(request: HttpRequest) -> User:
    """Log in whom the provider names in its answer. Raises SingleSignOnError; nobody is logged in then."""
    try:
        token = _provider().authorize_access_token(request, claims_options=_expected(), leeway=LEEWAY_SECONDS)
        claims = _with_groups(token, token["userinfo"])  # there is none without an ID token
    except FAILURES as error:
        raise _failed(error) from error
    found = SingleSignOn.objects.filter(issuer=settings.OIDC_ISSUER, subject=str(claims["sub"])).first()
    if found is None:
        raise SingleSignOnError(
            _(
                "You are known to the identity provider, but not linked to an account here. Give a superuser this "
                "identifier: %(subject)s"
            )
            % {"subject": str(claims["sub"])[:255]}
        )
    person = authority.genuine(found.user_id) if _is_ours(found) else None
    if person is None or not (person.is_active and person.is_staff):
        access_log.note(Kind.SIGN_ON_REFUSED, request, user=person)
        raise SingleSignOnError(_("The account that you are linked to here is not open."))
    _take_groups(found, person, claims)
    _stand_by(found, token)
    login(request, authority.genuine(found.user_id), backend=settings.AUTHENTICATION_BACKENDS[-1])
    request.session[IN_SESSION] = found.pk
    if _has_second_factor(claims):
        django_otp.login(request, found)
    access_log.note(Kind.SIGNED_ON, request, user=person)
    return person


def is_needed_here(request: HttpRequest) -> bool:
    """Whether the person who has come in still gives our own second factor, if they have one."""
    return django_otp.DEVICE_ID_SESSION_KEY not in request.session


def _expected() -> dict[str, dict[str, Any]]:
    return {
        "iss": {"essential": True, "value": settings.OIDC_ISSUER},
        "aud": {"essential": True, "value": settings.OIDC_CLIENT_ID},
    }


def _has_second_factor(claims: Claims) -> bool:
    """Whether the provider says, by a value of OIDC_SECOND_FACTOR, that it has asked for one (`acr`, `amr`)."""
    methods = claims.get("amr") or []
    said = {claims.get("acr"), *(methods if isinstance(methods, list) else [])}
    return bool(said & set(settings.OIDC_SECOND_FACTOR))


# Groups


def _take_groups(found: SingleSignOn, person: User, claims: Claims) -> None:
    """Take from the person at once what the provider does not name; what it names besides is proposed by people.

    With OIDC_RULES_GROUPS the provider's word gives a group too. Raises SingleSignOnError where it says nothing.
    """
    ours: dict[str, str] = settings.OIDC_GROUPS
    if not ours:
        return
    said = claims.get(settings.OIDC_GROUPS_CLAIM)
    if not isinstance(said, list):  # left out where there are too many, too: nothing can be concluded
        raise SingleSignOnError(_("The identity provider did not say which groups you belong to."))
    named = {ours[each] for each in said if isinstance(each, str) and each in ours}
    with transaction.atomic():
        locked = User.objects.select_for_update(no_key=True).get(pk=person.pk)
        held = set(locked.groups.filter(name__in=ours.values()).values_list("name", flat=True))
        taken, given = held - named, named - held if settings.OIDC_RULES_GROUPS else set()
        if taken:
            locked.groups.remove(*Group.objects.filter(name__in=taken))
            access_log.log_act(locked, locked, "groups_taken", groups=", ".join(sorted(taken)))
        if given:
            locked.groups.add(*Group.objects.filter(name__in=given))
            access_log.log_act(locked, locked, "groups_given", groups=", ".join(sorted(given)))
        SingleSignOn.objects.filter(pk=found.pk).update(groups_named=sorted(named - held - given))


# Standing by


def still_stands(request: HttpRequest) -> bool:
    """Whether the provider stands by whom this session is of; also for a session that it did not open.

    Asks it where it was last asked OIDC_RECHECK_SECONDS ago. Where it does not answer, the session goes on for that
    long again.
    """
    if IN_SESSION not in request.session:
        return True
    found = SingleSignOn.objects.filter(pk=request.session[IN_SESSION], user_id=request.user.pk).first()
    if found is None or not _is_ours(found) or found.checked_at is None:
        return False
    age = (timezone.now() - found.checked_at).total_seconds()
    if age < settings.OIDC_RECHECK_SECONDS:
        return True
    if _is_ours_to_ask(found):
        try:
            _ask(found)
        except _RefusedError:
            return False
        except FAILURES as error:
            log.warning("single_sign_on_silent", error=type(error).__name__)
        else:
            return True
    return bool(age < 2 * settings.OIDC_RECHECK_SECONDS)


def _is_ours_to_ask(found: SingleSignOn) -> bool:
    """Of requests at once, one asks: a provider may end what comes with a refresh token that was used before."""
    now = timezone.now()
    earlier = Q(asked_at=None) | Q(asked_at__lt=now - timedelta(seconds=ASK_AGAIN_SECONDS))
    return bool(SingleSignOn.objects.filter(earlier, pk=found.pk).update(asked_at=now))


def _ask(found: SingleSignOn) -> None:
    """Renew the provider's word. Raises _RefusedError, and FAILURES where it does not answer."""
    try:
        token = _renewed(found)
        claims = _claims_of(found, token)
        if claims["sub"] != found.subject:
            raise _RefusedError
        _take_groups(found, found.user, claims)
    except (_RefusedError, SingleSignOnError) as error:
        found.refresh_token, found.checked_at = "", None
        found.seal_anew()
        log.warning("single_sign_on_ended", person=found.user.get_username())
        raise _RefusedError from error
    _stand_by(found, token)


def _renewed(found: SingleSignOn) -> dict[str, Any]:
    """New tokens for the refresh token; one that is not there is refused, and the person logs in again."""
    if not found.refresh_token:
        raise _RefusedError
    secret = str(vault.decrypt(found.refresh_token)["refresh_token"])
    try:
        token: dict[str, Any] = _provider().fetch_access_token(grant_type="refresh_token", refresh_token=secret)
    except OAuthError as error:
        if error.error in REFUSALS:
            raise _RefusedError from error
        raise
    return {"refresh_token": secret, **token}


def _claims_of(found: SingleSignOn, token: dict[str, Any]) -> Claims:
    """What the provider says now of the person, in a new ID token where it gives one."""
    claims: Claims = {"sub": found.subject}
    if token.get("id_token"):
        claims = _provider().parse_id_token(
            token, nonce="", claims_options=_expected(), claims_cls=CodeIDToken, leeway=LEEWAY_SECONDS
        )
    return _with_groups(token, claims)


def _with_groups(token: dict[str, Any], claims: Claims) -> Claims:
    """The claims, and where they do not name the groups that are asked for, those that the provider says beside."""
    if not settings.OIDC_GROUPS or settings.OIDC_GROUPS_CLAIM in claims:
        return claims
    beside: Claims = _provider().userinfo(token=token)
    if beside.get("sub") != claims["sub"]:
        raise ValueError("The provider speaks of somebody else.")
    return {**beside, **claims}


def _stand_by(found: SingleSignOn, token: Mapping[str, Any]) -> None:
    secret = str(token.get("refresh_token") or "")
    found.refresh_token = vault.encrypt({"refresh_token": secret}) if secret else ""
    found.checked_at = timezone.now()
    found.seal_anew()


def _is_ours(found: SingleSignOn) -> bool:
    """Whether the row is what the product wrote, about the present provider."""
    if not found.is_sealed:
        log.error("single_sign_on_altered", link=found.pk)
        return False
    return bool(found.issuer == settings.OIDC_ISSUER)


# The provider


def _provider() -> DjangoOAuth2App:
    """Its description is read anew within the hour, so what it has taken back is not believed for ever.

    Raises FAILURES.
    """
    now = int(time.monotonic() // KEPT_SECONDS)
    app = _described(now, settings.OIDC_ISSUER, settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET)
    described = app.load_server_metadata()
    if described.get("issuer") != settings.OIDC_ISSUER:
        raise ValueError("The provider calls itself something else than OIDC_ISSUER.")
    named = described.get("id_token_signing_alg_values_supported") or ["RS256"]
    described["id_token_signing_alg_values_supported"] = [each for each in named if each in ALGORITHMS]
    return app


@lru_cache(maxsize=2)
def _described(_hour: int, issuer: str, client_id: str, secret: str) -> DjangoOAuth2App:
    registered = OAuth().register(
        "oidc",
        overwrite=True,
        client_id=client_id,
        client_secret=secret or None,
        server_metadata_url=f"{issuer.rstrip('/')}/.well-known/openid-configuration",
        client_kwargs={
            "scope": " ".join(settings.OIDC_SCOPES),
            "code_challenge_method": "S256",
            "default_timeout": TIMEOUT_SECONDS,
        },
    )
    assert isinstance(registered, DjangoOAuth2App)
    return registered


def _failed(error: Exception) -> SingleSignOnError:
    """For a log-in that did not come about. The error's own text may have a code or a token in it."""
    code = error.error if isinstance(error, OAuthError) else ""
    log.warning("single_sign_on_failed", error=type(error).__name__, code=str(code)[:40])
    if code == "access_denied":
        return SingleSignOnError(_("The identity provider did not let you in."))
    return SingleSignOnError(_("Single sign-on did not work. Try again."))
