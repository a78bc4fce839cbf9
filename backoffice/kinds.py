"""What the text of a setting may be, and what it means."""

import math
import re
from collections.abc import Callable
from typing import Any

import environ


def listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def decimal(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def on_or_off(text: str) -> bool:
    word = text.strip().lower()
    if word in environ.Env.BOOLEAN_TRUE_STRINGS:
        return True
    if word in {"off", "no", "n", "false", "0"}:
        return False
    raise ValueError(text)


def mapped(text: str) -> dict[str, str]:
    """“theirs=ours, theirs=ours”; each name of theirs once."""
    pairs = [part.rpartition("=") for part in listed(text)]
    found = {theirs.strip(): ours.strip() for theirs, _sign, ours in pairs}
    if len(found) < len(pairs) or not all(theirs and ours for theirs, ours in found.items()):
        raise ValueError(text)
    return found


ACCOUNT = re.compile(r"[a-z][a-z0-9]{0,15}")
# PROVIDER_URL and its like are the settings of one account without a name.
NO_ACCOUNTS = ("http", "provider", "url", "token", "account", "webhook", "timeout", "key", "concurrency")


def named_kinds(text: str) -> dict[str, str]:
    """“account=kind, account=kind”."""
    found = mapped(text)
    if not all(ACCOUNT.fullmatch(name) and name not in NO_ACCOUNTS for name in found):
        raise ValueError(text)
    return found


POOLERS = ("transaction",)


def pooler(text: str) -> str:
    if text.strip() not in POOLERS:
        raise ValueError(text)
    return text.strip()


BROKERS = ("orm", "redis", "sqs")


def broker(text: str) -> str:
    if text.strip() not in BROKERS:
        raise ValueError(text)
    return text.strip()


# Any text is a str, and a list.
CALLED: dict[Callable[[str], Any], str] = {
    int: "a whole number",
    decimal: "a number",
    on_or_off: "on or off",
    mapped: "pairs such as theirs=Operator",
    pooler: "empty, or transaction",
    broker: "orm, redis or sqs",
    named_kinds: "pairs such as main=yookassa, no account of which is named " + " or ".join(NO_ACCOUNTS),
}
