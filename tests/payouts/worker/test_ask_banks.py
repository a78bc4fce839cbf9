"""The lists of banks are kept fresh by a schedule, and nobody's silence takes a list away."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from django_q.models import OrmQ

from payouts import tasks
from payouts.actions import bank_lists
from payouts.models import Bank
from payouts.providers import Answer, Verdict, registry
from payouts.providers import Bank as Told
from payouts.worker import ask_banks
from payouts.worker.supervisor import Supervisor

pytestmark = pytest.mark.django_db

SBER, ALFA = Told("100000000111", "Сбербанк"), Told("100000000008", "Альфа-Банк")
SILENT = Answer(Verdict.UNKNOWN, code="timeout", message="The provider did not answer in time.")


class Lister:
    """A provider that lists banks, and counts who asks."""

    def __init__(self) -> None:
        self.told: dict[str, Sequence[Told] | Answer] = {}
        self.asked: list[str] = []

    def of(self, name: str) -> Any:
        lister = self

        class Account:
            def banks(self, *, deadline: float) -> Sequence[Told] | Answer:
                lister.asked.append(name)
                return lister.told[name]

        return Account()


@pytest.fixture(autouse=True)
def lister(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Lister:
    """Two accounts of one kind that lists banks; http does not."""
    settings.PROVIDERS = {"first": "yookassa", "main": "yookassa"}
    made = Lister()
    kind = replace(registry.KINDS["yookassa"], lists_banks=True)
    monkeypatch.setitem(registry.KINDS, "yookassa", kind)
    monkeypatch.setattr(registry, "banks_of", made.of)
    made.told = {"first": [SBER, ALFA], "main": [SBER, ALFA]}
    return made


def _age(hours: int) -> None:
    Bank.objects.update(seen_at=timezone.now() - timedelta(hours=hours))


def test_one_account_of_a_kind_is_asked_and_the_list_is_kept_for_a_day(lister: Lister) -> None:
    tasks.ask_for_banks()
    tasks.ask_for_banks()

    assert lister.asked == ["first"]
    assert Bank.objects.offered().names == {SBER.id: SBER.name, ALFA.id: ALFA.name}


def test_the_next_account_is_asked_where_the_first_does_not_tell(lister: Lister, caplog: Any) -> None:
    lister.told["first"] = SILENT

    tasks.ask_for_banks()

    assert lister.asked == ["first", "main"]
    assert Bank.objects.count() == 2
    assert caplog.text.count("banks_not_told") == 1


@pytest.mark.parametrize("told", [SILENT, []])
def test_an_old_list_stays_while_nobody_tells_one(told: Any, lister: Lister) -> None:
    tasks.ask_for_banks()
    _age(30)
    lister.told = {"first": told, "main": told}

    tasks.ask_for_banks()

    assert lister.asked == ["first", "first", "main"]
    assert len(Bank.objects.offered().names) == 2


def test_a_list_that_is_a_day_old_is_asked_for_again_and_what_it_lacks_goes(lister: Lister) -> None:
    tasks.ask_for_banks()
    _age(21)
    lister.told["first"] = [replace(SBER, name="Сбер")]

    tasks.ask_for_banks()

    assert Bank.objects.offered().names == {SBER.id: "Сбер"}


def test_an_answer_that_came_late_does_not_replace_a_newer_list() -> None:
    now = timezone.now()
    bank_lists.note("yookassa", [SBER], asked_at=now)

    bank_lists.note("yookassa", [ALFA], asked_at=now - timedelta(minutes=1))

    assert Bank.objects.offered().names == {SBER.id: SBER.name}


@pytest.mark.parametrize(
    "wrong", [Told("", "x"), Told("1", " "), Told("1", "x\0"), Told("1", "\u202ex"), Told("1", "x" * 256)]
)
def test_a_bank_that_cannot_be_shown_is_left_out(wrong: Told) -> None:
    bank_lists.note("yookassa", [wrong, SBER], asked_at=timezone.now())

    assert Bank.objects.offered().names == {SBER.id: SBER.name}


def test_only_the_banks_of_accounts_that_there_are_are_offered(settings: Any) -> None:
    tasks.ask_for_banks()

    settings.PROVIDERS = {}

    assert Bank.objects.offered().names == {}


def test_a_cluster_that_starts_without_a_list_has_it_asked_for() -> None:
    Supervisor()._begin()
    assert [task.task["func"] for task in OrmQ.objects.all()] == ["payouts.tasks.ask_for_banks"]

    OrmQ.objects.all().delete()
    ask_banks.refresh()
    Supervisor()._begin()
    assert not OrmQ.objects.exists()
