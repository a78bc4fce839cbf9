"""Demo people, clients and a few weeks of payouts, for a development copy.

The payouts are lived through, not written: a simulation moves from the past to now, in which people submit, approve
and hold, and a worker claims and is answered, all by the functions of `payouts.actions`. Those read the time from the
database, so for this one transaction its clock is the simulation's: a schema with clock functions of its own stands
before PostgreSQL's in the search path. Other sessions see nothing of it, and the schema is gone before the commit.
"""

import heapq
import json
import os
import secrets
import string
import tempfile
import uuid
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction
from django.utils import timezone
from django_q.models import OrmQ

from payouts import actions, clients, daily_totals
from payouts.actions import days, keys
from payouts.database import rights
from payouts.jobs import FILES
from payouts.models import ApiClient, Approval, Attempt, Payout, Scope
from payouts.providers import Answer, Verdict, payable, registry
from payouts.states import Status

KEPT = settings.BASE_DIR / "var" / "demo.json"
PEOPLE = {  # their group, first and last names
    "operator": ("Operator", "Olga", "Orlova"),
    "approver": ("Approver", "Anton", "Perov"),
    "admin": ("Admin", "Alice", "Admin"),
    "auditor": ("Auditor", "Aud", "Itorova"),
}
CLIENTS = {"demo": tuple(Scope.values), "store": (Scope.READ.value, Scope.WRITE.value)}

CLOCKS = ("clock_timestamp", "statement_timestamp", "now")
DAYS = 24
SEED = 20

RUSSIAN = (
    "Иванов Иван Петрович",
    "Петрова Анна Сергеевна",
    "Сидоров Алексей",
    "ООО «Ромашка»",
    "Кузнецова Мария",
    "ИП Волков Д. А.",
    "Смирнов Павел",
    "Фёдорова Елена",
)
LATIN = ("Acme GmbH", "Maria Gonzalez", "John Example", "Nordic Parts AB", "Yuki Tanaka", "Sam Sample")
# The card schemes' published test numbers: they reach nobody.
CARDS = ("4111 1111 1111 1111", "5555 5555 5555 4444", "2200 0000 0000 0004", "4012 8888 8888 1881")
# What a recipient has for the fields that a provider may ask for.
SAMPLES = {"phone": "+79123456789", "bank_id": "100000000111", "email": "payee@example.com"}
IN_ROUBLES = {"USD": 100, "EUR": 100, "JPY": 10}
COMMENTS = ("Оплата бонуса", "Возврат за заказ", "Partner payout", "Referral bonus", "Вознаграждение за октябрь", "")
REFUSALS = (
    ("account_closed", "The recipient's account is closed."),
    ("limit_exceeded", "The recipient's monthly limit is exceeded."),
    ("invalid_card", "The card cannot receive transfers."),
)


class Command(BaseCommand):
    help = "Load demo people, clients and payouts, and print how to log in as one line of JSON."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--if-empty", action="store_true", help="payouts only when there are none")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError("Demo data is for development: it is refused while DJANGO_DEBUG is off.")
        keys.begin_writing()
        kept = _kept()
        with transaction.atomic():
            people = {name: _person(name, kept["passwords"][name]) for name in PEOPLE}
            apis = {
                name: _client(name, kept, owner=people["operator"] if name == "store" else None) for name in CLIENTS
            }
            _keep(kept)
            if not (options["if_empty"] and Payout.objects.exists()):
                if obstacle := rights.why_not_migrate():  # its clock is made of functions
                    raise CommandError(obstacle)
                rung_before = OrmQ.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
                _Simulation(people, apis).run()
                _close_days(people["approver"])
                daily_totals.count_days()
                # The rings of the past have nothing to call for.
                OrmQ.objects.filter(pk__gt=rung_before, key__in=(settings.Q_CLUSTER["name"], FILES)).delete()
        logins = [[name, kept["passwords"][name]] for name in PEOPLE]
        self.stdout.write(json.dumps({"logins": logins, "api_key": kept["keys"]["demo"]}))


# People and clients


def _kept() -> dict[str, dict[str, str]]:
    """What earlier runs made up: passwords and keys stay the same from run to run."""
    try:
        kept = json.loads(KEPT.read_text())
    except (FileNotFoundError, ValueError):
        kept = {}
    alphabet = string.ascii_lowercase + string.digits
    made = {name: "-".join("".join(secrets.choice(alphabet) for _ in range(5)) for _ in range(3)) for name in PEOPLE}
    return {"passwords": made | kept.get("passwords", {}), "keys": dict(kept.get("keys", {}))}


def _keep(kept: dict[str, dict[str, str]]) -> None:
    """Written whole or not at all, readable by its owner alone."""
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=KEPT.parent, prefix="demo.")  # mkstemp gives mode 0600
    with os.fdopen(descriptor, "w") as file:
        json.dump(kept, file, indent=1)
    Path(name).replace(KEPT)


def _person(name: str, password: str) -> User:
    group, first, last = PEOPLE[name]
    user, is_new = User.objects.get_or_create(
        username=name, defaults={"is_staff": True, "first_name": first, "last_name": last}
    )
    if is_new or not user.check_password(password):
        user.set_password(password)
        user.save(update_fields=["password"])
    user.groups.add(Group.objects.get(name=group))
    return user


def _client(name: str, kept: dict[str, dict[str, str]], *, owner: User | None) -> ApiClient:
    client, _created = ApiClient.objects.get_or_create(name=name, defaults={"owner": owner})
    if clients.find_key(kept["keys"].get(name, "")) is None:
        kept["keys"][name] = clients.create_key(client, scopes=CLIENTS[name])
    return client


# The past


@contextmanager
def _shifted_clock() -> Iterator[Callable[[datetime], None]]:
    """Within it the database's clock stands where the yielded function last put it, for this transaction alone."""
    schema = f"demo_clock_{uuid.uuid4().hex[:8]}"
    with connection.cursor() as cursor:
        cursor.execute("SHOW search_path")
        (usual_path,) = cursor.fetchone()
        cursor.execute(f"CREATE SCHEMA {schema}")
        for name in CLOCKS:
            cursor.execute(
                f"CREATE FUNCTION {schema}.{name}() RETURNS timestamptz LANGUAGE sql STABLE AS "
                "$$ SELECT current_setting('demo.clock')::timestamptz $$"
            )
        cursor.execute(f"SET LOCAL search_path = {schema}, pg_catalog, public")

        def put(moment: datetime) -> None:
            cursor.execute("SELECT set_config('demo.clock', %s, true)", [moment.astimezone(UTC).isoformat()])

        yield put
        cursor.execute("SELECT set_config('search_path', %s, true)", [usual_path])
        for name in CLOCKS:
            cursor.execute(f"DROP FUNCTION {schema}.{name}()")
        cursor.execute(f"DROP SCHEMA {schema}")


def _payable(payment: dict[str, Any]) -> dict[str, Any]:
    """As the default account can pay it: where it cannot, by a way that it declares, and within its limits."""
    account = registry.default()
    obstacle = payable.obstacle(account, **payment)
    known = SAMPLES | {"name": payment["recipient"]["name"]}
    ways = [way for way in registry.recipients_of(account) or () if known.keys() >= set(way.fields)]
    if obstacle is None or not ways:
        return payment
    if obstacle.field != "amount":
        way = ways[0]
        usual = [code for code in (payment["currency"], "RUB", "USD") if code in way.currencies]
        was, payment["currency"] = payment["currency"], usual[0] if usual else min(way.currencies)
        # As large as it was: so many people must approve it.
        payment["amount"] = payment["amount"] * IN_ROUBLES.get(was, 1) / IN_ROUBLES.get(payment["currency"], 1)
        payment["recipient"] = {each: known[each] for each in (*way.fields, "name")}
    for way in registry.ways_for(payment["recipient"], account) or ():
        least, most = way.currencies[payment["currency"]]
        payment["amount"] = max(least, min(most, payment["amount"]))
    return payment


def _close_days(by: User) -> None:
    """The days that are compared with a provider's list, which has none of these payments."""
    account = registry.default()
    if not registry.lists_payments(account):
        return
    zone = ZoneInfo(registry.zone_of(account))
    since = timezone.now() - timedelta(days=days.ASKED_AGAIN_FOR + 1)
    paid = Attempt.objects.filter(provider=account, outcome=Attempt.Outcome.SUCCEEDED, finished_at__gte=since)
    for day in sorted({at.astimezone(zone).date() for at in paid.values_list("finished_at", flat=True) if at}):
        days.close(days.made(account, day).pk, by=by, reason="Demo data: the provider knows none of these payments.")


PAID, REFUSED, LOST, ACCEPTED = "paid", "refused", "lost", "accepted"


class _Simulation:
    """Steps in the order of their times. What the provider answers is told by the payout's plan, call by call."""

    def __init__(self, people: dict[str, User], apis: dict[str, ApiClient]) -> None:
        self.people, self.apis = people, apis
        self.random = Random(SEED)  # noqa: S311 (the same demo every time, guards nothing)
        self.now = timezone.now()
        self.steps: list[tuple[datetime, int, Callable[[datetime], object]]] = []
        self.number = count()
        self.plans: dict[int, list[str]] = {}

    def run(self) -> None:
        self._plan()
        with _shifted_clock() as put:
            while self.steps and self.steps[0][0] < self.now:
                moment, _number, step = heapq.heappop(self.steps)
                put(moment)
                step(moment)

    def at(self, moment: datetime, step: Callable[[datetime], object]) -> None:
        heapq.heappush(self.steps, (moment, next(self.number), step))

    def ago(self, **spent: float) -> datetime:
        return self.now - timedelta(**spent)

    def _plan(self) -> None:
        for _ in range(110):
            self.payout(self.ago(hours=self.random.uniform(8, DAYS * 24)), PAID)
        for day in (1, 2, 4, 6, 9, 13, 17):
            self.payout(self.ago(days=day, hours=self.random.uniform(0, 9)), REFUSED)
        for day in (3, 8, 15):
            self.payout(self.ago(days=day), REFUSED, PAID, retried_after=timedelta(hours=3))
        for day in (2, 5, 11):
            self.payout(self.ago(days=day), LOST, PAID)
        self._undecided()
        self._waiting()

    def _undecided(self) -> None:
        """Unknown and processing, at rest: nothing here is asked again before tomorrow."""
        day_long = timedelta(days=1)
        for day in (4, 6):
            self.payout(self.ago(days=day), *[LOST] * 30, size="small")
        self.payout(self.ago(days=3, hours=2), *[LOST] * 30, voice=("approver", day_long * 2), size="small")
        self.payout(
            self.ago(days=5, hours=3), *[LOST] * 30, voice=("approver", day_long), second="admin", size="small"
        )
        for hours in (3, 9):
            self.payout(self.ago(hours=hours), *[LOST] * 30, size="small")
        for hours in (2, 5, 16):
            self.payout(self.ago(hours=hours), *[ACCEPTED] * 30, size="small")

    def _waiting(self) -> None:
        for hours in (0.4, 1.5, 2, 3, 5, 7, 11, 20, 31, 52):
            self.payout(self.ago(hours=hours), size="one", approve=0)
        for hours in (1, 4, 9, 26):
            self.payout(self.ago(hours=hours), size="two", approve=1)
        for hours in (0.8, 6, 27):
            self.payout(self.ago(hours=hours), size="two", approve=0)
        for hours in (2.5, 21, 70):
            self.payout(self.ago(hours=hours), size="one", approve=0, held=True)
        for hours in (3, 12, 40):
            self.payout(self.ago(hours=hours), size="small", in_days=self.random.uniform(2, 9))
        for hours in (6, 60, 190, 300):
            self.payout(self.ago(hours=hours), size="one", approve=0, rejected=True)
        for hours in (4, 33, 100, 240, 410):
            self.payout(self.ago(hours=hours), size="one", approve=0, cancelled=True)
        for hours in (50, 170):
            self.payout(self.ago(hours=hours), size="small", in_days=20, settled=True)

    def payout(
        self,
        moment: datetime,
        *answers: str,
        size: str = "",
        approve: int | None = None,
        in_days: float = 0,
        held: bool = False,
        rejected: bool = False,
        cancelled: bool = False,
        settled: bool = False,
        retried_after: timedelta | None = None,
        voice: tuple[str, timedelta] | None = None,
        second: str = "",
    ) -> None:
        """Put one payout's life on the agenda, from its submission at `moment` on."""
        size = size or self.random.choices(("small", "one", "two"), (80, 16, 4))[0]
        content = self._content(size)

        def submit(at: datetime) -> None:
            payout = actions.submit(**content, scheduled_for=at + timedelta(days=in_days) if in_days else None)
            self.plans[payout.pk] = list(answers)
            # Never the last approval where the plan says how many: it would be paid.
            wanted = payout.approvals_required
            if approve is not None:
                wanted = min(approve, max(wanted - 1, 0))
            self._approvals(payout.pk, at, wanted)
            self._decisions(payout.pk, at, held=held, rejected=rejected, cancelled=cancelled, settled=settled)
            if payout.due_at and answers:
                self.at(payout.due_at + timedelta(milliseconds=40), self.work)
            if retried_after:
                self.at(at + retried_after, lambda later: self._retry(payout.pk, later))
            if voice:
                self.at(at + voice[1], lambda _later: self._resolve(payout.pk, voice[0]))
            if second and voice:
                self.at(at + voice[1] + timedelta(hours=5), lambda _later: self._resolve(payout.pk, second))

        self.at(moment, submit)

    def _content(self, size: str) -> dict[str, Any]:
        currency = self.random.choices(("RUB", "USD", "EUR", "JPY"), (70, 14, 12, 4))[0]
        if size == "two" and currency == "JPY":
            currency = "RUB"
        if currency == "JPY" and size == "small":
            currency = "EUR"  # no band lists the yen, so it always needs an approval
        low, high = {"small": (90, 990), "one": (1_050, 9_400), "two": (10_500, 19_900)}[size]
        amount = Decimal(self.random.randrange(low * 100, high * 100)) / 100
        if currency == "RUB":
            amount *= 100
        if currency == "JPY":
            amount = Decimal(int(amount) * 10)
        name = self.random.choice(RUSSIAN if currency == "RUB" else LATIN)
        recipient: dict[str, Any] = {"name": name, "card": self.random.choice(CARDS)}
        if currency in ("EUR", "JPY"):
            recipient = {"name": name, "iban": "DE02 1203 0000 0000 2020 51", "bank": "Example Bank"}
        content: dict[str, Any] = {
            "user_id": self.random.randrange(100, 99_999),
            **_payable({"amount": amount, "currency": currency, "recipient": recipient}),
            "comment": self.random.choice(COMMENTS),
        }
        origin = self.random.choices(("store", "demo", "operator"), (60, 25, 15))[0]
        if origin == "operator":
            return {**content, "maker": self.people["operator"]}
        key = f"order-{self.random.randrange(10**6, 10**7)}-{next(self.number)}-{uuid.uuid4().hex[:6]}"
        return {**content, "client": self.apis[origin], "idempotency_key": key}

    def _approvals(self, payout_id: int, at: datetime, wanted: int) -> None:
        for number, name in enumerate(("approver", "admin")[:wanted], 1):
            minutes = self.random.uniform(2, 20) * number

            def approve(_later: datetime, name: str = name) -> None:
                payout = actions.approve(payout_id, by=self.people[name], reason="Сверено с заявкой")
                if payout.due_at and self.plans[payout_id]:
                    self.at(payout.due_at + timedelta(milliseconds=40), self.work)

            self.at(at + timedelta(minutes=minutes), approve)

    def _decisions(
        self, payout_id: int, at: datetime, *, held: bool, rejected: bool, cancelled: bool, settled: bool
    ) -> None:
        soon = at + timedelta(minutes=self.random.uniform(25, 90))
        operator, approver, admin = (self.people[name] for name in ("operator", "approver", "admin"))
        if held:
            reason = self.random.choice(("Ждём документы от получателя", "The recipient asked for another card"))
            self.at(soon, lambda _later: actions.hold(payout_id, by=operator, reason=reason))
        if rejected:
            self.at(soon, lambda _later: actions.reject(payout_id, by=approver, reason="Нет договора"))
        if cancelled:
            self.at(soon, lambda _later: actions.cancel(payout_id, by=operator, reason="Duplicate order"))
        if settled:
            reason = "Paid from the bank's own page, document 118"
            self.at(soon, lambda _later: actions.settle(payout_id, by=admin, reason=reason))

    def _retry(self, payout_id: int, at: datetime) -> None:
        actions.retry(payout_id, by=self.people["operator"], reason="The recipient's bank lifted the limit")
        self.at(at + timedelta(milliseconds=40), self.work)

    def _resolve(self, payout_id: int, name: str) -> None:
        decision, evidence = Approval.Decision.NOT_PAID, "The statement of that day has no such debit."
        actions.resolve(payout_id, by=self.people[name], decision=decision, evidence=evidence)

    def work(self, at: datetime) -> None:
        """The worker's turn: claim what is due, and a moment later record what the provider said."""
        assignments = actions.claim(limit=100)
        if others := [each for each in assignments if each.payout_id not in self.plans]:
            actions.give_back(others)
        ours = [each for each in assignments if each.payout_id in self.plans]
        if Payout.objects.exclude(waits_for="").filter(pk__in=self.plans).exists():
            self.at(at + timedelta(hours=1), self.work)  # the velocity limits have more room then
        if not ours:
            return

        def record(later: datetime) -> None:
            actions.record_outcomes([(each, self._answer(each, later)) for each in ours])
            unsettled = Payout.objects.filter(pk__in=[each.payout_id for each in ours]).exclude(due_at=None)
            for due_at in unsettled.exclude(status=Status.PENDING).values_list("due_at", flat=True):
                assert due_at is not None
                self.at(due_at + timedelta(milliseconds=40), self.work)

        self.at(at + timedelta(milliseconds=self.random.randrange(120, 900)), record)

    def _answer(self, assignment: actions.Assignment, at: datetime) -> Answer:
        provider_id = f"SBX-{assignment.instruction.reference.hex[:12]}"
        planned = self.plans[assignment.payout_id]
        match planned.pop(0) if planned else LOST:
            case "paid":
                return Answer(Verdict.SUCCEEDED, provider_id=provider_id, http_status=200)
            case "refused":
                code, message = self.random.choice(REFUSALS)
                excerpt = f"code: {code}, message: {message}"
                return Answer(Verdict.REFUSED, code=code, message=message, http_status=422, excerpt=excerpt)
            case "accepted":
                return Answer(Verdict.PENDING, provider_id=provider_id, http_status=202)
            case _ if not assignment.may_post:
                return Answer(Verdict.ABSENT, http_status=200)
            case _:
                message = "The provider did not answer in time."
                return Answer(Verdict.UNKNOWN, code="timeout", message=message)
