"""What a provider was asked for and listed of one day becomes a report, without a file and without a person."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from payouts.models import ProviderReport
from payouts.providers import Payment, registry
from payouts.statements.lines import APPLY, Line, copy


def listed(account: str, day: date, payments: Sequence[Payment], *, asked_at: datetime) -> ProviderReport:
    """Keep an account's payments of a day, all of them, as the provider listed them at `asked_at` (aware).

    The day is one of the zone whose days the account counts (`registry.zone_of`). The worker holds the lines against
    our record as those of any report: what differs is flagged. An earlier list of the same account and day is
    superseded: it has `superseded_at`, and is gone on with no longer. Returns the later one, if there is one already.
    """
    report = ProviderReport(
        provider=account,
        format=ProviderReport.LISTED,
        name=f"{account} {day}",
        zone=registry.zone_of(account),
        from_on=day,
        to_on=day,
        listed_at=asked_at,
        seen_at=Now(),
    )
    standing = ProviderReport.objects.filter(
        provider=account, from_on=day, listed_at__isnull=False, superseded_at=None
    )
    try:
        with transaction.atomic():
            standing.filter(listed_at__lt=asked_at).update(superseded_at=Now())
            report.save(force_insert=True)
            copy(report, _lines(payments))
            APPLY.ring(report.pk)
    except IntegrityError as error:
        if "provider_report_one_list_a_day" not in str(error):
            raise
        return standing.get()
    return report


def _lines(payments: Sequence[Payment]) -> list[Line]:
    """Pages can overlap: what comes later is newer. Payments that share our key are told apart by the provider's id.

    Only one of those can be the attempt's own, whose id we know: the others are no payments of ours.
    """
    once = list({payment.provider_id or str(payment.reference): payment for payment in payments}.values())
    keys = Counter(payment.reference for payment in once)
    return [
        Line.of(number, payment, name=payment.provider_id if keys[payment.reference] > 1 else "")
        for number, payment in enumerate(once, 1)
    ]
