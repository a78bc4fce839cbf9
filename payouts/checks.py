"""Rules between settings, as system checks: a setting that contradicts another stops the start."""

import base64
import re
from typing import Any

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from payouts.worker.pump import RECORDING_SECONDS


@register()
def check_settings(**_kwargs: Any) -> list[CheckMessage]:
    errors: list[CheckMessage] = []

    def refuse(number: int, text: str) -> None:
        errors.append(Error(text, id=f"payouts.E{number:03}"))

    def warn(number: int, text: str) -> None:
        errors.append(Warning(text, id=f"payouts.W{number:03}"))

    if settings.API_ANONYMOUS_CLIENT and not settings.DEBUG:
        refuse(1, "API_ANONYMOUS_CLIENT opens the API to anyone: it may be set only while DJANGO_DEBUG is on.")
    for key in settings.FIELD_ENCRYPTION_KEYS:
        try:
            Fernet(key)
        except ValueError:
            refuse(2, "FIELD_ENCRYPTION_KEYS has a key that is not a Fernet key (32 bytes in URL-safe base64).")
    if len(settings.EVENT_HMAC_KEY) < 32:
        refuse(3, "EVENT_HMAC_KEY is too short: give it 32 or more random characters.")
    if settings.Q_TIMEOUT_SECONDS < settings.PROVIDER_TIMEOUT_SECONDS + 2 * RECORDING_SECONDS:
        refuse(
            4,
            "Q_TIMEOUT_SECONDS must be at least PROVIDER_TIMEOUT_SECONDS + 10, or no call could be recorded.",
        )
    if settings.LEASE_SECONDS < settings.Q_TIMEOUT_SECONDS + RECORDING_SECONDS:
        warn(
            5,
            "LEASE_SECONDS should be at least Q_TIMEOUT_SECONDS + 5, or leases end in mid-call.",
        )
    if settings.Q_RETRY_SECONDS < 4 * settings.Q_TIMEOUT_SECONDS:
        warn(6, "Q_RETRY_SECONDS should be at least four times Q_TIMEOUT_SECONDS, or tasks run twice.")
    if settings.STALL_SECONDS < settings.PROVIDER_TIMEOUT_SECONDS + 2 * settings.SWEEP_SECONDS:
        warn(7, "STALL_SECONDS should be at least PROVIDER_TIMEOUT_SECONDS + 2 × SWEEP_SECONDS, or busy seems hung.")
    if settings.PROVIDER_KEY_TTL_SECONDS <= settings.LEASE_SECONDS:
        warn(8, "PROVIDER_KEY_TTL_SECONDS should be longer than LEASE_SECONDS, or nothing can be sent again safely.")
    if settings.PROVIDER_URL and not settings.PROVIDER_URL.startswith(("https://", "http://")):
        refuse(9, "PROVIDER_URL must begin with https:// (or http:// on a closed network).")
    if (
        min(
            settings.PROVIDER_CONCURRENCY,
            settings.Q_WORKERS,
            settings.MAX_ATTEMPT_CALLS,
            settings.SWEEP_SECONDS,
        )
        < 1
    ):
        refuse(10, "PROVIDER_CONCURRENCY, Q_WORKERS, MAX_ATTEMPT_CALLS and SWEEP_SECONDS must be 1 or more.")
    if not re.fullmatch(r"off|[1-9][0-9]{0,8}/[smh]", settings.API_THROTTLE):
        refuse(11, "API_THROTTLE must be a number of requests and a period, such as 600/m, or off.")
    if settings.PROVIDER_URL and not settings.PROVIDER_TOKEN:
        refuse(12, "PROVIDER_TOKEN is not set, so the provider at PROVIDER_URL would refuse every call.")
    if settings.PROVIDER_WEBHOOK_SECRET:
        # The library that verifies takes any base64, however short, and skips what is none.
        try:
            length = len(base64.b64decode(settings.PROVIDER_WEBHOOK_SECRET.removeprefix("whsec_"), validate=True))
        except ValueError:
            length = 0
        if not 24 <= length <= 64:
            refuse(13, "PROVIDER_WEBHOOK_SECRET is no Standard Webhooks secret: whsec_ and 24 to 64 bytes in base64.")
    if settings.LEASE_SECONDS < settings.PROVIDER_TIMEOUT_SECONDS + RECORDING_SECONDS:
        refuse(14, "LEASE_SECONDS must be at least PROVIDER_TIMEOUT_SECONDS + 5, or no call could begin.")
    if not 0 <= settings.RELEASE_DELAY_SECONDS <= 86_400:
        refuse(15, "RELEASE_DELAY_SECONDS must be between 0 and 86400, a day.")
    if settings.TRUSTED_PROXIES < 0:
        refuse(16, "TRUSTED_PROXIES is the number of proxies in front: 0 or more.")
    if not 60 <= settings.SESSION_IDLE_SECONDS <= settings.SESSION_COOKIE_AGE:
        refuse(17, f"SESSION_IDLE_SECONDS must be from 60 to {settings.SESSION_COOKIE_AGE}.")
    if not settings.SECOND_FACTOR and not settings.DEBUG:
        warn(18, "SECOND_FACTOR is off: a password alone lets somebody approve payouts.")
    return errors


def refusals() -> list[str]:
    """Why the settings must not be started with; for the web server, which runs no system checks."""
    return [str(message.msg) for message in check_settings() if isinstance(message, Error)]
