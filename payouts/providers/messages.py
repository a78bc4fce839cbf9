"""What we write down of a call to a provider, in the reader's language; a provider's own words stay as they are."""

import re

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from payouts.providers.registry import KINDS

# As all providers write them, and each its own. They are kept in English, as they are for the log too.
OURS = (
    gettext_noop("The provider did not answer in time."),
    gettext_noop("The provider gave no whole answer before the deadline."),
    gettext_noop("The provider answered HTTP %(status)s."),
    gettext_noop("The provider asked to slow down (HTTP 429)."),
    gettext_noop("The provider redirected (HTTP %(status)s), which is not followed."),
    gettext_noop("The provider's answer cannot be read (HTTP %(status)s, %(size)s bytes)."),
    gettext_noop("The provider's answer is larger than 64 KiB."),
    gettext_noop("The provider's answer is larger than %(size)s KiB."),
    gettext_noop("The provider's answer broke off or is not HTTP (%(reason)s)."),
    gettext_noop("The provider broke the connection off (%(reason)s)."),
    gettext_noop("The provider's payment has no known status or no id."),
    gettext_noop("The provider knows the idempotency key with another request."),
    gettext_noop("The provider refused another reference than the one sent."),
    gettext_noop("The instruction cannot be written as JSON; nothing was sent."),
    gettext_noop("No connection before the deadline; nothing was sent."),
    gettext_noop("The provider knows a later attempt of this payout, which the database has forgotten."),
    gettext_noop("Another account knows this payment, which the database has forgotten."),
    gettext_noop("No connection to the provider (%(reason)s); nothing was sent."),
    gettext_noop("No trusted connection to the provider (%(reason)s); nothing was sent."),
    gettext_noop("The account's settings make no provider that can be asked."),
    gettext_noop("The provider's adapter failed: see the worker's log."),
    gettext_noop("The provider's list took too long to read."),
    gettext_noop("The provider's list has no end: its pages come again."),
    gettext_noop("The provider's list is longer than 100,000 payments."),
    *(sentence for kind in KINDS.values() for sentence in kind.sentences),
)
# Whole, and as a provider's refusal keeps them: why, and what people may do.
ADVICE = frozenset(sentence for kind in KINDS.values() for sentence in kind.sentences)
PATTERNS = [(re.compile(re.sub(r"%\\\((\w+)\\\)s", r"(?P<\1>.+)", re.escape(ours))), ours) for ours in OURS]


def translated(message: str) -> str:
    """The message in the current language, if it is one of ours."""
    for pattern, ours in PATTERNS:
        if found := pattern.fullmatch(message):
            return _(ours) % found.groupdict()
    return message


def advice(message: str) -> str:
    """What a known refusal says of its cause and the next safe action, in the current language; else empty."""
    return _(message) if message in ADVICE else ""
