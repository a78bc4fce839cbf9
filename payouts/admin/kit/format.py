"""How facts read to people: badges, numbers, times, durations, masked recipients."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext, pgettext_lazy

from payouts import money
from payouts.models import Payout, ReviewFlag
from payouts.recipients import ERASED_ON, erased_on, name_and_account
from payouts.states import Stage

# The colour (admin.css) and the icon of each stage; the text always stands beside them.
STAGE_LOOKS: dict[Stage, tuple[str, str]] = {
    Stage.HELD: ("orange", "pause_circle"),
    Stage.AWAITING_APPROVAL: ("amber", "approval"),
    Stage.SCHEDULED: ("violet", "schedule"),
    Stage.READY: ("blue", "bolt"),
    Stage.PROCESSING: ("blue", "sync"),
    Stage.PROCESSED: ("green", "check_circle"),
    Stage.FAILED: ("red", "error"),
    Stage.UNKNOWN: ("magenta", "help"),
    Stage.REJECTED: ("gray", "block"),
    Stage.CANCELLED: ("gray", "cancel"),
    Stage.RETURNED: ("gray", "undo"),
}


KEY_LABELS = {
    ERASED_ON: gettext_lazy("Erased on"),
    "card": gettext_lazy("Card"),
    "card_number": gettext_lazy("Card"),
    "account": gettext_lazy("Account"),
    "account_number": gettext_lazy("Account"),
    "iban": gettext_lazy("IBAN"),
    "phone": gettext_lazy("Phone"),
    "wallet": gettext_lazy("Wallet"),
    "payout_token": gettext_lazy("Card token"),
    "bank": gettext_lazy("Bank"),
    "bank_id": gettext_lazy("Bank's ID"),
    "bank_name": gettext_lazy("Bank"),
    "bic": gettext_lazy("BIC"),
    "name": pgettext_lazy("recipient", "Name"),
    "full_name": pgettext_lazy("recipient", "Name"),
    "holder": gettext_lazy("Holder"),
    "city": gettext_lazy("City"),
    "country": gettext_lazy("Country"),
    "inn": gettext_lazy("Taxpayer number"),
}


def stage_badge(stage: Stage) -> SafeString:
    tone, icon = STAGE_LOOKS[stage]
    return badge(str(stage.label), tone=tone, icon=icon)


def badge(text: str, *, tone: str, icon: str = "") -> SafeString:
    """A label told by its text, coloured besides."""
    symbol = format_html('<span class="material-symbols-outlined" aria-hidden="true">{}</span>', icon) if icon else ""
    return format_html('<span class="po-badge po-{}">{}{}</span>', tone, symbol, text)


def number(value: Decimal | int) -> str:
    """In the current language's digits and groups; a Decimal with all its digits."""
    return formats.number_format(value, use_l10n=True, force_grouping=True)


def capped(count: int, limit: int) -> str:
    """A count that was left at `limit`: 999+ for 1,000 of 1,000."""
    return f"{number(limit - 1)}+" if count >= limit else number(count)


def amount(payout: Payout) -> str:
    return money.shown(payout.amount, payout.currency)


def day(on: date) -> str:
    return formats.date_format(on, pgettext("date format", "j M Y"))


def exact_time(moment: datetime | None) -> str:
    """The moment in the current time zone, which is named; empty for None."""
    if moment is None:
        return ""
    local = timezone.localtime(moment)
    pattern = pgettext("date format", "j M Y, H:i:s")  # in the letters of Django's date filter
    return f"{formats.date_format(local, pattern)} {local.tzname()}"


def duration(spent: timedelta) -> str:
    """Short, for people: 26 min, 31 h, 5 d."""
    seconds = max(0, int(spent.total_seconds()))
    if seconds < 60:
        return _("under 1 min")
    if seconds < 3600:
        return _("%(count)s min") % {"count": seconds // 60}
    if seconds < 48 * 3600:
        return _("%(count)s h") % {"count": seconds // 3600}
    return _("%(count)s d") % {"count": seconds // 86400}


def age(moment: datetime) -> SafeString:
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        moment.isoformat(),
        exact_time(moment),
        duration(timezone.now() - moment),
    )


def recipient_lines(content: Any, *path: str) -> Iterator[tuple[str, str]]:
    """The recipient as lines of a label and a text, nested parts with their path."""
    if found := erased_on(content):
        yield _key_label(ERASED_ON), day(found)
    elif isinstance(content, dict):
        for key, value in content.items():
            yield from recipient_lines(value, *path, _key_label(str(key)))
    elif isinstance(content, list):
        for place, value in enumerate(content, 1):
            yield from recipient_lines(value, *path, str(place))
    else:
        words = {"None": "–", "True": _("yes"), "False": _("no")}
        yield " › ".join(path), content if isinstance(content, str) else words.get(str(content), str(content))


def _key_label(key: str) -> str:
    if label := KEY_LABELS.get(key.lower()):
        return str(label)
    return capfirst(key.replace("_", " ").strip())


def recipient_cell(masked: Any) -> SafeString:
    name, account = name_and_account(masked)
    if name and account:
        return format_html('<span class="po-stack"><bdi>{}</bdi><bdi class="po-sub">{}</bdi></span>', name, account)
    return format_html("<bdi>{}</bdi>", name or account or "–")


def actor(text: str) -> str:
    """`user:anna`, `client:shop`, `provider:http` and `system:worker` in words."""
    kind, _separator, name = text.partition(":")
    match kind:
        case "client":
            return _("API client %(name)s") % {"name": name}
        case "provider":
            return _("Provider %(name)s") % {"name": name}
        case "system":
            return _("Worker") if name == "worker" else name
        case _:
            return name or text


def flag_label(flag: str) -> str:
    return str(ReviewFlag(flag).label) if flag in ReviewFlag.values else flag


def review_flags(payout: Payout) -> list[str]:
    """The payout's review flags in words, each as a sentence begins."""
    return [capfirst(flag_label(flag)) for flag in payout.review_flags]


def percent(part: Decimal | int, whole: Decimal | int) -> str:
    """For a style: a point whatever the language, and never nothing for something."""
    return f"{max(Decimal(part) * 100 / Decimal(whole), Decimal('0.6')) if part else 0:.2f}"
