"""The provider `http`: any service that speaks the provider protocol at PROVIDER_URL; the sandbox is one."""

from functools import cache

from django.conf import settings

from payouts.providers.http.client import HttpProvider

NAME = HttpProvider.name


def from_settings() -> HttpProvider:
    """The provider of PROVIDER_URL and PROVIDER_TOKEN. Raises ValueError for what cannot work."""
    return _made(settings.PROVIDER_URL, settings.PROVIDER_TOKEN, settings.PROVIDER_ACCOUNT)


@cache
def _made(url: str, token: str, account: str) -> HttpProvider:
    return HttpProvider(url, token, account=account)
