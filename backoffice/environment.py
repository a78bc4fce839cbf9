"""What the environment says of each setting: settings.py reads all of them here, and `make run` passes them on.

backoffice/declared/ is the list of them. An empty variable counts as one that is not set.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from backoffice.declared import SECTIONS
from backoffice.kinds import CALLED


class SettingError(ImproperlyConfigured):
    """A setting is missing or invalid; the text is a sentence that says how to fix it."""


# The name of EVENT_HMAC_KEYS, when it was one key.
BEFORE_THERE_WERE_SEVERAL = "EVENT_HMAC_KEY"
SETTINGS = {setting.name: setting for settings in SECTIONS.values() for setting in settings}


def session_options(asked: Mapping[str, object]) -> str:
    """What a session asks of the server as it begins, in the form of libpq's `options`; times in milliseconds."""
    return " ".join(f"-c {name}={value}" for name, value in asked.items())


def account_variables(account: str) -> dict[str, str]:
    """Those of the environment that are this account's, as they are: PROVIDER_<ACCOUNT>_<NAME>."""
    prefix = f"PROVIDER_{account.upper()}_"
    return {name: text for name, text in os.environ.items() if name.startswith(prefix) and text.strip()}


def account_values(accounts: Iterable[str]) -> dict[str, dict[str, str]]:
    """What the environment says of each account, by account and <NAME>; …_FILE is read from that file.

    Raises SettingError for a file that cannot be read, and where both are given.
    """
    found: dict[str, dict[str, str]] = {account: {} for account in accounts}
    for account, values in found.items():
        for variable, text in account_variables(account).items():
            name = variable.removeprefix(f"PROVIDER_{account.upper()}_")
            is_file = name.endswith("_FILE")
            if name.removesuffix("_FILE") in values:
                both = variable.removesuffix("_FILE")
                raise SettingError(f"{both} and its _FILE are both given: one of them must go.")
            values[name.removesuffix("_FILE")] = _content(variable, text.strip()) if is_file else text.strip()
    return found


def _content(variable: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"{variable} names a file that cannot be read ({type(error).__name__}).") from None


def read(name: str) -> Any:
    """The setting's value, or its default. Raises SettingError."""
    setting = SETTINGS[name]
    text = os.environ.get(name, "")
    if name == "EVENT_HMAC_KEYS" and not text.strip() and os.environ.get(BEFORE_THERE_WERE_SEVERAL, "").strip():
        return [os.environ[BEFORE_THERE_WERE_SEVERAL]]  # as it is: it may have a comma
    try:
        value = setting.kind(text) if text.strip() else setting.default
    except ValueError:
        raise SettingError(f"{name} must be {CALLED[setting.kind]}, and is {text}.") from None
    if setting.remedy and not value:
        raise SettingError(
            f"{name} is not set: {setting.remedy}. docs/settings.md has every setting; while `make run` runs in "
            "another terminal, manage.py needs none."
        )
    return value
