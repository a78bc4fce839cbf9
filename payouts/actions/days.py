"""The days of our accounts, held against what their providers list: which to ask for, and whether they agree.

A day is asked for when it is over in the account's zone and has settled, until its list has come, and for
ASKED_AGAIN_FOR days until it agrees. The list is kept and compared as a report is (statements); here it is only
counted. What differs stays an alarm until a later list agrees, or a person closes the day with a reason. A day that
was closed without a list is asked for all the same, and is open again when its list comes.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo

import structlog
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import CharField, Count, Exists, Max, Min, OuterRef, Q, QuerySet
from django.db.models.functions import Cast, Now
from django.utils import timezone
from django.utils.translation import gettext as _

from payouts import operation_rules
from payouts.actions.errors import PayoutError, reason_fault
from payouts.models import Attempt, Attention, ProviderReport, ReconciledDay, ReportLine
from payouts.providers import Payment, Verdict, registry
from payouts.providers.csv_report import WORDS
from payouts.states import Status

log = structlog.get_logger(__name__)

Result = ReportLine.Result

# What was sent before midnight has its answer by then, and the provider's list has it.
SETTLED_AFTER = timedelta(hours=2)
# Days: a list that did not agree is asked for again for so long, and one that never came for so long.
ASKED_AGAIN_FOR = 3
ASKED_FOR = 31
# From one ask to the next: where no list came, and where the list did not agree.
NO_LIST_PAUSE = timedelta(minutes=50)
PAUSE = timedelta(hours=20)
# A day that nobody has told for so long is an alarm.
UNTOLD_FOR = timedelta(days=2)

SAME = (Result.AGREES, Result.SETTLED, Result.RETURNED)
DIFFERENT = tuple(result for result in Result if result not in (*SAME, Result.WAITING, Result.ASKED))


class DayError(PayoutError):
    """Why a day is not closed."""


class State(StrEnum):
    UNTOLD = "untold"
    """No list has come."""
    COMPARING = "comparing"
    ASKED = "asked"
    """Nothing differs, but the provider knows what we do not yet, and is asked."""
    DIFFERS = "differs"
    AGREED = "agreed"
    CLOSED = "closed"
    """A person has looked into it."""


@dataclass(frozen=True, slots=True)
class Standing:
    state: State
    differences: dict[str, int] = field(default_factory=dict)
    """How many lines of the list came to each result that a person must look at."""
    asked: int = 0
    """How many payments the provider is still being asked about."""


# Which days


def bounds(first: date, last: date, zone: str) -> tuple[datetime, datetime]:
    """When the first day begins and the last one ends there, aware."""
    begins, ends = (datetime.combine(day, time(), ZoneInfo(zone)) for day in (first, last + timedelta(days=1)))
    return begins, ends


def last_over(zone: str, now: datetime) -> date:
    return now.astimezone(ZoneInfo(zone)).date() - timedelta(days=1)


def last_settled(zone: str, now: datetime) -> date:
    """The last day that is over there and has settled."""
    return last_over(zone, now - SETTLED_AFTER)


def begin(account: str, *, now: datetime) -> None:
    """Make the account's rows up to the last day that has settled.

    The first is that of the first payment which ended in the last days, for what was before may be no work of ours.
    """
    zone = registry.zone_of(account)
    last = last_settled(zone, now)
    newest = ReconciledDay.objects.filter(account=account).aggregate(last=Max("on"))["last"]
    first = newest + timedelta(days=1) if newest else _first_day(account, zone, last)
    first = max(first, last - timedelta(days=ASKED_FOR - 1))
    days = [first + timedelta(days=each) for each in range((last - first).days + 1)]
    ReconciledDay.objects.bulk_create(
        [ReconciledDay(account=account, on=day, zone=zone) for day in days], ignore_conflicts=True
    )


def _first_day(account: str, zone: str, last: date) -> date:
    since, _ends = bounds(last - timedelta(days=ASKED_AGAIN_FOR - 1), last, zone)
    ended = Attempt.objects.filter(provider=account, finished_at__gte=since).aggregate(first=Min("finished_at"))
    first: datetime | None = ended["first"]
    return min(first.astimezone(ZoneInfo(zone)).date(), last) if first else last


def made(account: str, day: date) -> ReconciledDay:
    """The row of that day, made if there is none; it is asked for now."""
    row, _is_new = ReconciledDay.objects.get_or_create(
        account=account, on=day, defaults={"zone": registry.zone_of(account)}
    )
    ReconciledDay.objects.filter(pk=row.pk).update(asked_at=Now())
    return row


def due(*, now: datetime) -> list[ReconciledDay]:
    """The days to ask for now, of the accounts that the settings name; the newest first."""
    asked_for = Q(closed_at=None) | Q(report=None)
    days = [
        day
        for day in ReconciledDay.objects.filter(asked_for, agreed_at=None).order_by("-on", "account")
        if registry.lists_payments(day.account)
    ]
    found = standings(days)
    return [day for day in days if _is_due(day, found[day.pk], now)]


def _is_due(day: ReconciledDay, found: Standing, now: datetime) -> bool:
    age = (last_settled(day.zone, now) - day.on).days
    if age < 0 or found.state == State.COMPARING:
        return False
    if age >= (ASKED_AGAIN_FOR if day.report_id else ASKED_FOR):
        return False
    pause = PAUSE if day.report_id and not day.code else NO_LIST_PAUSE
    return day.asked_at is None or now - day.asked_at >= pause


def take(day: ReconciledDay, *, now: datetime) -> bool:
    """Whether it is for the caller to ask for the day: of two at once, for one."""
    return bool(ReconciledDay.objects.filter(pk=day.pk, asked_at=day.asked_at).update(asked_at=now))


# What came of it


def told(day: ReconciledDay, report: ProviderReport, payments: Sequence[Payment]) -> None:
    """Remember which list has come, and what it adds up to."""
    totals: dict[str, tuple[int, Decimal]] = defaultdict(lambda: (0, Decimal(0)))
    for payment in payments:
        if payment.verdict == Verdict.SUCCEEDED:
            count, amount = totals[payment.currency]
            totals[payment.currency] = count + 1, amount + payment.amount
    unseen = ReconciledDay.objects.filter(pk=day.pk, report=None, closed_at__isnull=False)
    if unseen.update(closed_at=None, closed_by=None, close_reason=""):
        log.warning("day_open_again", account=day.account, day=day.on.isoformat())
    ReconciledDay.objects.filter(pk=day.pk).update(
        report=report,
        totals={currency: [count, str(amount)] for currency, (count, amount) in sorted(totals.items())},
        unfinished=sum(payment.verdict == Verdict.PENDING for payment in payments),
        code="",
        message="",
        agreed_at=None,
    )


def not_told(day: ReconciledDay, *, code: str, message: str) -> None:
    """Remember why no list has come; an earlier one stays."""
    ReconciledDay.objects.filter(pk=day.pk).update(code=code, message=message)
    log.warning("day_not_told", account=day.account, day=day.on.isoformat(), code=code, reason=message)


def settle(*, now: datetime) -> None:
    """Mark the open days that agree, so that nobody compares them again.

    What the provider was asked about differs first, where its answer has settled the payment otherwise than its list.
    """
    days = _open()
    _unconfirmed(day.report_id for day in days).exclude(_IS_BEING_ASKED).update(result=Result.CONTRADICTS)
    found = standings(days)
    for day in days:
        is_over = not day.unfinished or (last_settled(day.zone, now) - day.on).days >= ASKED_AGAIN_FOR
        if is_over and found[day.pk].state == State.AGREED:
            # A list that has come meanwhile is another one.
            agreed = ReconciledDay.objects.filter(pk=day.pk, report=day.report_id, agreed_at=None, closed_at=None)
            agreed.update(agreed_at=Now())


def standings(days: Collection[ReconciledDay]) -> dict[int, Standing]:
    """How each day stands, by its id. Two queries; none for days that are agreed or closed."""
    reports = [day.report_id for day in days if day.report_id and not (day.agreed_at or day.closed_at)]
    applied = set(
        ProviderReport.objects.filter(pk__in=reports, applied_at__isnull=False).values_list("pk", flat=True)
    )
    differences = _differences([*{day.report_id for day in days if day.report_id and not day.agreed_at}])
    asked = _still_asked(reports)
    found = {}
    for day in days:
        of_report = differences.get(day.report_id or 0, {})
        unanswered = asked.get(day.report_id or 0, 0)
        if day.closed_at:
            state = State.CLOSED
        elif day.agreed_at:
            state = State.AGREED
        elif day.report_id is None:
            state = State.UNTOLD
        elif of_report:
            state = State.DIFFERS
        elif day.report_id not in applied:
            state = State.COMPARING
        else:
            state = State.ASKED if unanswered else State.AGREED
        found[day.pk] = Standing(state, of_report, unanswered)
    return found


def _differences(reports: Collection[int]) -> dict[int, dict[str, int]]:
    counts: dict[int, dict[str, int]] = defaultdict(dict)
    lines = ReportLine.objects.order_by().filter(report__in=reports, result__in=DIFFERENT)
    for report, result, count in lines.values_list("report", "result").annotate(Count("pk")):
        counts[report][result] = count
    return counts


def _of_line(outcome: Attempt.Outcome) -> Exists:
    """Whether the attempt that a line is about has ended so."""
    named = Attempt.objects.alias(key=Cast("reference", CharField())).filter(payout=OuterRef("payout"))
    line = OuterRef("reference")
    return Exists(named.filter(Q(key=line) | Q(provider_id=line), outcome=outcome))


_IS_BEING_ASKED = Q(payout__news_at__isnull=False) | _of_line(Attempt.Outcome.OPEN)
# That our record says what the line says; where the payment had not ended there, that nobody is asked any more.
_IS_CONFIRMED = (
    Q(_of_line(Attempt.Outcome.SUCCEEDED), status=WORDS[Verdict.SUCCEEDED])
    | Q(_of_line(Attempt.Outcome.REFUSED), status=WORDS[Verdict.REFUSED])
    | Q(status__in=(WORDS[Verdict.REFUSED], WORDS[Verdict.RETURNED]), payout__status=Status.RETURNED)
    | Q(status=WORDS[Verdict.PENDING], payout__due_at=None)
)


def _unconfirmed(reports: Iterable[int | None]) -> QuerySet[ReportLine]:
    """The lines about which the provider was asked, and of which our record does not say what they say."""
    lines = ReportLine.objects.order_by().filter(report__in=[each for each in reports if each], result=Result.ASKED)
    return lines.exclude(_IS_CONFIRMED)


def _still_asked(reports: Collection[int]) -> dict[int, int]:
    """The lines about which the provider was asked, and that are not confirmed or whose payouts need attention."""
    lines = ReportLine.objects.order_by().filter(report__in=reports, result=Result.ASKED)
    unanswered = lines.filter(~_IS_CONFIRMED | ~Q(payout__attention=Attention.NONE))
    return dict(unanswered.values_list("report").annotate(Count("pk")))


def _open() -> list[ReconciledDay]:
    return list(ReconciledDay.objects.filter(agreed_at=None, closed_at=None).order_by("-on", "account"))


# What people must know


def alarms(*, now: datetime | None = None) -> list[tuple[ReconciledDay, Standing]]:
    """The open days that differ, those that nobody has told for UNTOLD_FOR, in a report neither, and those whose list
    has a line that could not be compared for so long; oldest first."""
    now = now or timezone.now()
    days = _open()
    found = standings(days)
    differ = [day for day in days if found[day.pk].state == State.DIFFERS]
    differ += [
        day
        for day in days
        if found[day.pk].state == State.COMPARING and day.asked_at and now - day.asked_at >= UNTOLD_FOR
    ]
    late = [
        day
        for day in days
        if day.report_id is None
        and registry.lists_payments(day.account)
        and now - bounds(day.on, day.on, day.zone)[1] >= UNTOLD_FOR
    ]
    covered = set(covering().filter(pk__in=[day.pk for day in late]).values_list("pk", flat=True)) if late else set()
    said = [*differ, *(day for day in late if day.pk not in covered)]
    return [(day, found[day.pk]) for day in sorted(said, key=lambda day: (day.on, day.account))]


@dataclass(frozen=True, slots=True)
class Figures:
    account: str
    agreed_until: datetime | None
    """When the last day ended that agrees, or that a person has closed."""
    differs: int
    untold: int


def figures(*, now: datetime) -> list[Figures]:
    """Of each account that the settings name and whose provider lists its payments."""
    said = Counter((day.account, found.state) for day, found in alarms(now=now))
    ended = ReconciledDay.objects.order_by().exclude(agreed_at=None, closed_at=None).values("account", "zone")
    last = {
        each["account"]: bounds(each["last"], each["last"], each["zone"])[1]
        for each in ended.annotate(last=Max("on"))
    }
    return [
        Figures(
            name,
            last.get(name),
            differs=said[name, State.DIFFERS] + said[name, State.COMPARING],
            untold=said[name, State.UNTOLD],
        )
        for name in registry.known_names()
        if registry.lists_payments(name)
    ]


def covering() -> QuerySet[ReconciledDay]:
    """The days that a report covers which a person has uploaded."""
    uploaded = ProviderReport.objects.filter(
        provider=OuterRef("account"),
        uploaded_by__isnull=False,
        from_on__lte=OuterRef("on"),
        to_on__gte=OuterRef("on"),
    )
    return ReconciledDay.objects.filter(Exists(uploaded))


def close(day_id: int, *, by: User, reason: str) -> ReconciledDay:
    """Say what the difference was, or why the day was not told; its alarm ends. Raises DayError."""
    if fault := reason_fault(reason):
        raise DayError(fault)
    with transaction.atomic():
        day = ReconciledDay.objects.select_for_update(of=("self",)).filter(pk=day_id).first()
        if day is None:
            raise DayError(_("There is no such day."))
        if obstacle := operation_rules.why_not_close_day(day, by):
            raise DayError(obstacle)
        day.closed_at, day.closed_by, day.close_reason = Now(), by, reason.strip()
        day.save(update_fields=["closed_at", "closed_by", "close_reason"])
    day.refresh_from_db()
    log.warning("day_closed", account=day.account, day=day.on.isoformat(), by=by.get_username())
    return day
