"""What each account has to pay from, and what waits for funds: for the start page and operations, and as alerts."""

from typing import Any

from django.urls import reverse
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from payouts import money
from payouts.actions import funds, pauses
from payouts.actions.funds import Funds, Waiting
from payouts.admin.kit import format
from payouts.admin.kit.counted_once import cached
from payouts.models import AccountBalance


def balance_rows() -> list[dict[str, Any]]:
    """A row for each account and currency that a provider tells a balance of, by account."""
    return [_row(each) for each in funds.overview()]


def balance_rows_counted_once() -> list[dict[str, Any]]:
    """The same for the page that everybody has open."""
    return cached(f"balances:{get_language()}", list[dict[str, Any]], balance_rows)


def funds_alerts() -> list[dict[str, Any]]:
    """`said` and `link` for each account that payouts wait for."""
    link = (_("Show them"), f"{reverse('admin:payouts_payout_changelist')}?waits=funds")
    told = {(each.account, each.currency): each for each in funds.balances()}
    return [{"said": _said(each, told.get((each.account, each.currency))), "link": link} for each in funds.waiting()]


def old_balances() -> list[str]:
    """A sentence for each balance that is too old to hold anything back; a paused account is not asked."""
    paused = pauses.paused_providers()
    said = _("The balance of the account %(account)s (%(currency)s) was last told at %(at)s.")
    return [
        said % {"account": each.account, "currency": each.currency, "at": format.exact_time(each.at)}
        for each in funds.balances()
        if not each.holds() and each.account not in paused
    ]


def _said(waiting: Waiting, balance: AccountBalance | None) -> str:
    text = ngettext(
        "%(count)s payout waits for funds in the account %(account)s: %(amount)s.",
        "%(count)s payouts wait for funds in the account %(account)s: %(amount)s.",
        waiting.count,
    ) % {
        "count": format.number(waiting.count),
        "account": waiting.account,
        "amount": money.shown(waiting.amount, waiting.currency),
    }
    if balance is None:
        return text
    told = _("Its balance was %(balance)s at %(at)s.") % {
        "balance": money.shown(balance.amount, balance.currency),
        "at": format.exact_time(balance.at),
    }
    return f"{text} {told}"


def _row(each: Funds) -> dict[str, Any]:
    balance, waiting = each.balance, each.waiting
    return {
        "account": balance.account,
        "currency": balance.currency,
        "amount": money.shown(balance.amount, balance.currency),
        "at": format.exact_time(balance.at),
        "is_old": not balance.holds(),
        "under_way": money.shown(each.under_way, balance.currency),
        "due": money.shown(each.due, balance.currency),
        "is_short": each.due > balance.amount - each.under_way,
        "waiting": format.number(waiting.count) if waiting else "",
        "waiting_amount": money.shown(waiting.amount, waiting.currency) if waiting else "",
        "since": format.exact_time(waiting.since) if waiting else "",
    }
