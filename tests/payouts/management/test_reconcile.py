"""`manage.py reconcile`: a day's list is asked for and compared at once."""

from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from payouts.models import ReconciledDay
from tests.payouts.statements.listing import SILENT, Lister, listing, paid_payout, payment_of, strange

pytestmark = pytest.mark.django_db


@pytest.fixture
def main(settings: Any) -> Iterator[Lister]:
    settings.PROVIDER_URL = ""
    lister = Lister()
    lister.lists()
    with listing(lister):
        yield lister


def said(**options: Any) -> str:
    out = StringIO()
    call_command("reconcile", stdout=out, **options)
    return out.getvalue()


def test_the_last_day_of_each_account_is_compared(main: Lister) -> None:
    main.lists(payment_of(paid_payout()))
    yesterday = timezone.now().date() - timedelta(days=1)

    assert said() == f"main {yesterday}: agreed · 1 paid, 100.50 RUB\n"


@pytest.mark.parametrize(
    ("payments", "state"), [([strange()], "differs"), ([SILENT], "untold")], ids=["differs", "untold"]
)
def test_a_day_that_does_not_agree_is_an_error(main: Lister, payments: Any, state: str) -> None:
    if payments == [SILENT]:
        main.answers = payments
    else:
        main.lists(*payments)

    with pytest.raises(CommandError, match="Not every day agrees") as raised:
        said(account="main")

    assert raised.value.returncode == 1
    assert ReconciledDay.objects.get().report_id is None or state == "differs"


def test_a_day_that_is_not_over_is_refused(main: Lister) -> None:
    with pytest.raises(CommandError, match="is not over yet in UTC"):
        said(day=timezone.now().date())

    assert main.asked == []


def test_an_account_that_lists_nothing_is_refused(main: Lister) -> None:
    with pytest.raises(CommandError, match="Accounts that list their payments: main"):
        said(account="http")
