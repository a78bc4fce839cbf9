"""Rules between settings, as system checks: a setting that contradicts another stops the start."""

import base64
import re
from collections.abc import Collection, Iterator
from typing import Any
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import DEFAULT_DB_ALIAS, connections

from payouts.actions import recovery
from payouts.backups import envelope
from payouts.database import replica, rights
from payouts.providers import Account, registry
from payouts.worker.pump import RECORDING_SECONDS


@register()
def check_settings(**_kwargs: Any) -> list[CheckMessage]:
    return [
        *_keys(),
        *_times(),
        *_provider(),
        *_access(),
        *_single_sign_on(),
        *_installation(),
        *_backups(),
        *_replica(),
    ]


@register(Tags.database)
def check_server(databases: Collection[str] | None = None, **_kwargs: Any) -> list[CheckMessage]:
    """For `migrate` and `check --database default`; the web server and the cluster ask by themselves."""
    text = recovery.why_not_start() if databases else ""
    return [_refuse(21, text)] if text else []


@register(Tags.database, deploy=True)
def check_role(databases: Collection[str] | None = None, **_kwargs: Any) -> list[CheckMessage]:
    """For `check --deploy --database default`; `migrate` must be the owner, and is not asked."""
    text = rights.excess() if databases else ""
    return [_warn(50, text)] if text else []


@register(Tags.database, deploy=True)
def check_replica(databases: Collection[str] | None = None, **_kwargs: Any) -> list[CheckMessage]:
    """For `check --deploy --database default`; the processes say it in their logs."""
    text = replica.standing().why_not if databases and replica.is_there() else ""
    return [_warn(64, f"The standby is not read from: {text}.")] if text else []


def refusals() -> list[str]:
    """Why the settings must not be started with; for the web server, which runs no system checks."""
    return [str(message.msg) for message in check_settings() if isinstance(message, Error)]


def _refuse(number: int, text: str) -> Error:
    return Error(text, id=f"payouts.E{number:03}")


def _warn(number: int, text: str) -> Warning:
    return Warning(text, id=f"payouts.W{number:03}")


def _keys() -> Iterator[CheckMessage]:
    for key in settings.FIELD_ENCRYPTION_KEYS:
        try:
            Fernet(key)
        except ValueError:
            yield _refuse(
                2, "FIELD_ENCRYPTION_KEYS has a key that is not a Fernet key (32 bytes in URL-safe base64)."
            )
    if min(map(len, [*settings.EVENT_HMAC_KEYS, *settings.EVENT_HMAC_KEYS_RETIRED])) < 32:
        yield _refuse(3, "EVENT_HMAC_KEYS has a key that is too short: give each 32 or more random characters.")
    if len(settings.INDEX_KEY) < 32:
        yield _refuse(19, "INDEX_KEY is too short: give it 32 or more random characters.")
    if settings.PROVIDER_WEBHOOK_SECRET and not all(map(_is_secret, settings.PROVIDER_WEBHOOK_SECRET.split(","))):
        yield _refuse(
            13,
            "PROVIDER_WEBHOOK_SECRET is not a Standard Webhooks secret, or several, comma-separated: whsec_ and 24 "
            "to 64 bytes in base64.",
        )


def _is_secret(text: str) -> bool:
    """The library that verifies webhooks takes a secret of any length, and ignores invalid base64."""
    try:
        return 24 <= len(base64.b64decode(text.strip().removeprefix("whsec_"), validate=True)) <= 64
    except ValueError:
        return False


def _times() -> Iterator[CheckMessage]:
    if settings.Q_TIMEOUT_SECONDS < settings.PROVIDER_TIMEOUT_SECONDS + 2 * RECORDING_SECONDS:
        yield _refuse(
            4, "Q_TIMEOUT_SECONDS must be at least PROVIDER_TIMEOUT_SECONDS + 10, or no call could be recorded."
        )
    if settings.LEASE_SECONDS < settings.Q_TIMEOUT_SECONDS + RECORDING_SECONDS:
        yield _warn(5, "LEASE_SECONDS should be at least Q_TIMEOUT_SECONDS + 5, or leases end during a call.")
    if settings.LEASE_SECONDS < settings.PROVIDER_TIMEOUT_SECONDS + RECORDING_SECONDS:
        yield _refuse(14, "LEASE_SECONDS must be at least PROVIDER_TIMEOUT_SECONDS + 5, or no call could begin.")
    if settings.Q_RETRY_SECONDS < 4 * settings.Q_TIMEOUT_SECONDS:
        yield _warn(6, "Q_RETRY_SECONDS should be at least four times Q_TIMEOUT_SECONDS, or tasks run twice.")
    if settings.STALL_SECONDS < settings.PROVIDER_TIMEOUT_SECONDS + 2 * settings.SWEEP_SECONDS:
        yield _warn(
            7,
            "STALL_SECONDS should be at least PROVIDER_TIMEOUT_SECONDS + 2 × SWEEP_SECONDS, "
            "or a busy cluster seems hung.",
        )
    if settings.Q_BROKER == "redis" and not settings.Q_REDIS_URL:
        yield _warn(
            90, "Q_BROKER is redis, and neither Q_REDIS_URL nor REDIS_URL says where: payouts wait for the sweep."
        )
    if settings.PROVIDER_KEY_TTL_SECONDS <= settings.LEASE_SECONDS:
        yield _warn(
            8, "PROVIDER_KEY_TTL_SECONDS should be longer than LEASE_SECONDS, or nothing can be sent again safely."
        )
    if not 0 <= settings.RELEASE_DELAY_SECONDS <= 86_400:
        yield _refuse(15, "RELEASE_DELAY_SECONDS must be between 0 and 86400, a day.")
    if settings.ACCESS_LOG_RETENTION_DAYS < 0:
        yield _refuse(29, "ACCESS_LOG_RETENTION_DAYS is a number of days, or 0 for no end.")
    if not 60 <= settings.SESSION_IDLE_SECONDS <= settings.SESSION_COOKIE_AGE:
        yield _refuse(17, f"SESSION_IDLE_SECONDS must be from 60 to {settings.SESSION_COOKIE_AGE}.")


def _provider() -> Iterator[CheckMessage]:
    if settings.PROVIDER_URL and not settings.PROVIDER_URL.startswith(("https://", "http://")):
        yield _refuse(9, "PROVIDER_URL must begin with https:// (or http:// on a closed network).")
    if settings.PROVIDER_URL and not settings.PROVIDER_TOKEN:
        yield _refuse(12, "PROVIDER_TOKEN is not set, so the provider at PROVIDER_URL would refuse every call.")
    for name, account in registry.accounts().items():
        yield from _account(name, account) if name in settings.PROVIDERS else ()
    counts = (settings.PROVIDER_CONCURRENCY, settings.Q_WORKERS, settings.MAX_ATTEMPT_CALLS, settings.SWEEP_SECONDS)
    if min(counts) < 1:
        yield _refuse(10, "PROVIDER_CONCURRENCY, Q_WORKERS, MAX_ATTEMPT_CALLS and SWEEP_SECONDS must be 1 or more.")


def _account(name: str, account: Account) -> Iterator[CheckMessage]:
    """The web has no secrets for paying, so nothing of them may be missing, but not some."""
    kind = registry.KINDS.get(account.kind)
    if kind is None:
        known = ", ".join(sorted(registry.KINDS))
        yield _refuse(41, f"PROVIDERS names {account.kind} for the account {name}, and there are: {known}.")
        return
    prefix = f"PROVIDER_{name.upper()}_"
    if odd := sorted(account.values.keys() - {setting.name for setting in kind.settings}):
        yield _refuse(42, f"{prefix}{odd[0]} is no setting of an account with {kind.name}.")
    needed = [setting.name for setting in kind.settings if setting.is_required]
    missing = [each for each in needed if not account.values.get(each)]
    if missing and len(missing) < len(needed):
        yield _refuse(43, f"{prefix}{missing[0]} is not set, so nothing could be paid with the account {name}.")


def _access() -> Iterator[CheckMessage]:
    if settings.API_ANONYMOUS_CLIENT and not settings.DEBUG:
        yield _refuse(1, "API_ANONYMOUS_CLIENT opens the API to anyone: it may be set only while DJANGO_DEBUG is on.")
    if not re.fullmatch(r"off|[1-9][0-9]{0,8}/[smh]", settings.API_THROTTLE):
        yield _refuse(11, "API_THROTTLE must be a number of requests and a period, such as 600/m, or off.")
    if min(settings.REVEALS_A_MINUTE, settings.REVEALS_A_DAY) < 1:
        yield _refuse(40, "REVEALS_A_MINUTE and REVEALS_A_DAY must be 1 or more.")
    if settings.TRUSTED_PROXIES < 0:
        yield _refuse(16, "TRUSTED_PROXIES is the number of proxies in front: 0 or more.")
    if not settings.TRUSTED_PROXIES and settings.SECURE_SSL_REDIRECT:
        yield _warn(
            30,
            "TRUSTED_PROXIES is 0, so nobody says that a request came by https: pages lead to https for ever and the "
            "API refuses every call. Say how many proxies stand in front.",
        )
    if not settings.SECOND_FACTOR and not settings.DEBUG:
        yield _warn(18, "SECOND_FACTOR is off: a password alone lets somebody make payouts and approve them.")
    if not settings.DUAL_CONTROL and not settings.DEBUG:
        yield _warn(22, "DUAL_CONTROL is off: one person alone changes what decides over money.")


def _single_sign_on() -> Iterator[CheckMessage]:
    if not settings.OIDC_ISSUER:
        return
    if not settings.OIDC_ISSUER.startswith("https://") and not settings.DEBUG:
        yield _refuse(31, "OIDC_ISSUER must begin with https://: what it says opens the back office.")
    if not (settings.OIDC_CLIENT_ID and settings.OIDC_CLIENT_SECRET):
        yield _refuse(32, "OIDC_ISSUER needs OIDC_CLIENT_ID and OIDC_CLIENT_SECRET.")
    if "openid" not in settings.OIDC_SCOPES:
        yield _refuse(33, "OIDC_SCOPES must have openid, or the identity provider names nobody.")
    if not 10 <= settings.OIDC_RECHECK_SECONDS <= 3_600:
        yield _refuse(34, "OIDC_RECHECK_SECONDS must be from 10 to 3600.")
    if settings.OIDC_RULES_GROUPS and settings.DUAL_CONTROL:
        yield _warn(35, "OIDC_RULES_GROUPS is on: whoever rules the identity provider gives rights here alone.")
    if settings.OIDC_PASSWORDS and not settings.DEBUG:
        yield _warn(36, "OIDC_PASSWORDS is on: who is closed at the identity provider can still use a password.")


def _installation() -> Iterator[CheckMessage]:
    if len(settings.INSTALLATION) > 64:
        yield _refuse(20, "INSTALLATION must be a name of at most 64 characters.")


def _backups() -> Iterator[CheckMessage]:
    if settings.BACKUP_RETENTION_DAYS < 0:
        yield _refuse(60, "BACKUP_RETENTION_DAYS is a number of days, or 0 for no end.")
    if not settings.BACKUP_RECIPIENTS:
        return  # `manage.py backup` says so; the web server knows where backups are, and needs no key
    try:
        envelope.recipients()
    except envelope.EnvelopeError as error:
        yield _refuse(61, str(error))


def _replica() -> Iterator[CheckMessage]:
    if not 1 <= settings.REPLICA_LAG_SECONDS <= 300:
        yield _refuse(62, "REPLICA_LAG_SECONDS must be from 1 to 300.")
    if not settings.DATABASE_REPLICA_URL:
        return
    url, primary = urlsplit(settings.DATABASE_REPLICA_URL), connections[DEFAULT_DB_ALIAS].settings_dict
    # One pooler may have both, each under a name of its own; of a server each would be a database of the primary.
    place = (url.hostname or "", url.port or 5432, url.path[1:])
    if place == (primary["HOST"], int(primary["PORT"] or 5432), primary["NAME"]):
        yield _refuse(63, "DATABASE_REPLICA_URL leads where DATABASE_URL does: it must name a standby, or be empty.")
