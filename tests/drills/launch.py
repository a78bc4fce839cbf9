"""Starts a cluster in a process that is ill in one way; q2 forks its workers, so all of them have it.

python -m tests.drills.launch raises        the provider's adapter raises for the poisoned payout
python -m tests.drills.launch kills         calling the provider for it kills the worker
python -m tests.drills.launch clock +600    the clock is so many seconds off
python -m tests.drills.launch mutant no_pinning    one mechanism is broken (tests/campaign/mutants.py)
python -m tests.drills.launch search 8      an empty search is believed so many seconds later; may come before another
"""

import os
import signal
import sys
import time
from abc import ABC, abstractmethod
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import django
import time_machine

django.setup()

from django.conf import settings  # noqa: E402

from payouts.providers import Answer, Instruction  # noqa: E402
from payouts.providers.http.client import HttpProvider  # noqa: E402
from payouts.providers.registry import KINDS  # noqa: E402
from payouts.providers.yookassa import answers  # noqa: E402
from payouts.worker.supervisor import Supervisor  # noqa: E402
from tests.campaign import mutants  # noqa: E402

POISON = Decimal("666.66")


class Poisoned(ABC, HttpProvider):
    """The real adapter, but for payouts of POISON."""

    def pay(self, instruction: Instruction, *, deadline: float) -> Answer:
        self.strike(instruction)
        return super().pay(instruction, deadline=deadline)

    def look_up(self, instruction: Instruction, *, deadline: float) -> Answer:
        self.strike(instruction)
        return super().look_up(instruction, deadline=deadline)

    @abstractmethod
    def strike(self, instruction: Instruction) -> None:
        """Do harm when this is the poison."""


class Raising(Poisoned):
    def strike(self, instruction: Instruction) -> None:
        if instruction.amount == POISON:
            raise RuntimeError("the adapter cannot do this")


class Killing(Poisoned):
    def strike(self, instruction: Instruction) -> None:
        if instruction.amount == POISON:
            os.kill(os.getpid(), signal.SIGKILL)


def _stand_in(provider: HttpProvider) -> None:
    KINDS[provider.name] = replace(KINDS[provider.name], make=lambda _account: provider)


def sicken(arguments: list[str]) -> None:
    match arguments:
        case ["raises"]:
            _stand_in(Raising(settings.PROVIDER_URL, settings.PROVIDER_TOKEN))
        case ["kills"]:
            _stand_in(Killing(settings.PROVIDER_URL, settings.PROVIDER_TOKEN))
        case ["clock", seconds]:
            time_machine.travel(time.time() + float(seconds), tick=True).start()
        case ["mutant", name]:
            getattr(mutants, name)()
        case ["search", seconds, *others]:
            answers.SEARCH_LAG = timedelta(seconds=float(seconds))
            sicken(others)


if __name__ == "__main__":
    sicken(sys.argv[1:])
    Supervisor().run()
