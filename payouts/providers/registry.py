"""Who pays, by name. To add a provider: a folder beside this file, and its line in MAKERS."""

from collections.abc import Callable

from payouts.providers import Provider, http

MAKERS: dict[str, Callable[[], Provider]] = {http.NAME: http.from_settings}
# Who pays when nothing else is said.
DEFAULT = http.NAME


class UnknownProviderError(LookupError):
    """No provider goes by that name."""


def get_provider(name: str = DEFAULT) -> Provider:
    """The provider of that name, made from the settings.

    Raises UnknownProviderError, and ValueError for settings that cannot work.
    """
    if name not in MAKERS:
        raise UnknownProviderError(f"There is no provider named {name!r}.")
    return MAKERS[name]()


def account(name: str) -> str:
    """The fingerprint of that provider's account in the present settings; empty when they make no such provider."""
    try:
        return get_provider(name).account
    except (UnknownProviderError, ValueError):
        return ""


def known_names() -> list[str]:
    """The names that `get_provider` takes, sorted."""
    return sorted(MAKERS)
