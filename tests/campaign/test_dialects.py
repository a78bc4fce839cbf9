"""Each dialect of the campaign's provider is what the product's own adapter says and understands."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from queue import SimpleQueue
from typing import Any
from uuid import UUID

import pytest

from payouts.providers import Account, Balance, Instruction, Verdict, Webhook
from payouts.providers.registry import KINDS
from payouts.sandbox.yookassa.banks import BANK_IDS
from tests.campaign import provider as campaign
from tests.campaign.dialects import yookassa
from tests.campaign.dialects.spoken import SPOKEN
from tests.campaign.faults import Call, Frozen, Reply, behaviour
from tests.campaign.ledger import Ledger
from tests.campaign.plan import Plan
from tests.payouts.providers.programs import instruction, soon

HOUR_OLD = 3_600.0
# Of seed 1: the seeds that the documents name are these dice.
BEFORE = [("1092.53", "", ""), ("9899.64", "", "later"), ("5113.26", "", "")]


def plan_of(name: str) -> Plan:
    return Plan("1", 60, "both", "", name)


@contextmanager
def called(plan: Plan, folder: Path) -> Iterator[Any]:
    """The product's adapter, with the settings that the dialect gives, and the campaign's provider in a thread."""
    loop, ports = asyncio.new_event_loop(), SimpleQueue[int]()
    stop = asyncio.Event()

    async def serve() -> None:
        ledger = Ledger(folder / "ledger.sqlite3")
        provider = campaign.Provider(ledger, plan, "nobody", web_port=9)
        server = await asyncio.start_server(provider.serve, "127.0.0.1", 0)
        ports.put(server.sockets[0].getsockname()[1])
        await stop.wait()
        server.close()
        await server.wait_closed()
        tasks = list(provider.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        ledger.close()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    adapter = adapter_of(plan, f"http://127.0.0.1:{ports.get(timeout=20)}")
    try:
        yield adapter
    finally:
        adapter.close()
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)
        loop.close()


def adapter_of(plan: Plan, url: str) -> Any:
    values = plan.dialect.settings(url)
    kinds = dict(each.split("=") for each in values.get("PROVIDERS", "http=http").split(","))
    prefix = f"PROVIDER_{plan.dialect.account.upper()}_" if values.get("PROVIDERS") else "PROVIDER_"
    of_account = {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}
    kind = KINDS[kinds[plan.dialect.account]]
    return kind.make(Account(plan.dialect.account, kind.name, {"TOKEN": "campaign", **of_account}))


def order_of(plan: Plan, number: int, amount: str = "100.50") -> Instruction:
    return instruction(amount, recipient=plan.dialect.recipient(number))


@pytest.fixture(params=sorted(SPOKEN))
def plan(request: pytest.FixtureRequest) -> Plan:
    return plan_of(request.param)


def numbers(plan: Plan, treatment: str) -> list[int]:
    return [intent.number for intent in plan.storm if intent.treatment == treatment]


def test_what_is_paid_is_found(plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan.dialect, "search_lag_seconds", 0.0, raising=False)
    clean = plan.round("all_workers_killed")[0].number
    with called(plan, tmp_path) as adapter:
        order = order_of(plan, clean)
        nothing = adapter.look_up(order, deadline=soon())
        paid = adapter.pay(order, deadline=soon())
        again = adapter.pay(order, deadline=soon())
        found = [
            adapter.look_up(replace(order, provider_id=name), deadline=soon()) for name in ("", paid.provider_id)
        ]

    assert nothing.verdict is Verdict.ABSENT
    assert {each.verdict for each in (paid, again, *found)} == {Verdict.SUCCEEDED}
    assert len({each.provider_id for each in (paid, again, *found)}) == 1


def test_what_is_refused_is_refused(plan: Plan, tmp_path: Path) -> None:
    with called(plan, tmp_path) as adapter:
        answers = [
            adapter.pay(order_of(plan, number), deadline=soon()).verdict for number in numbers(plan, "refused")
        ]

    assert set(answers) == {Verdict.REFUSED}


def test_a_canceled_payout_of_yookassa_is_found_by_its_id(tmp_path: Path) -> None:
    plan = plan_of("yookassa")
    with called(plan, tmp_path) as adapter:
        refused = [
            (order, adapter.pay(order, deadline=soon()))
            for order in (order_of(plan, number) for number in numbers(plan, "refused"))
        ]
        canceled = [(order, answer) for order, answer in refused if answer.provider_id]
        found = [
            adapter.look_up(replace(order, provider_id=answer.provider_id), deadline=soon()).verdict
            for order, answer in canceled
        ]

    assert canceled
    assert Verdict.REFUSED in found
    assert set(found) <= {Verdict.REFUSED, Verdict.UNKNOWN}  # a look-up may meet a fault


def test_yookassas_search_lags_and_its_id_does_not(tmp_path: Path) -> None:
    plan = plan_of("yookassa")
    clean = plan.round("all_workers_killed")[0].number
    with called(plan, tmp_path) as adapter:
        order = order_of(plan, clean)
        paid = adapter.pay(order, deadline=soon())
        found = [
            adapter.look_up(replace(order, provider_id=name), deadline=soon()) for name in ("", paid.provider_id)
        ]

    assert [each.verdict for each in found] == [Verdict.ABSENT, Verdict.SUCCEEDED]


def test_yookassa_tells_what_is_left(tmp_path: Path) -> None:
    plan = plan_of("yookassa")
    clean = plan.round("all_workers_killed")[0].number
    with called(plan, tmp_path) as adapter:
        adapter.pay(order_of(plan, clean, "100.50"), deadline=soon())
        told = adapter.balances(deadline=soon())

    assert told == [Balance("RUB", campaign.BALANCE - Decimal("100.50"))]


def test_yookassas_webhook_is_heard(tmp_path: Path) -> None:
    plan = plan_of("yookassa")
    ledger = Ledger(tmp_path / "ledger.sqlite3")
    key = str(order_of(plan, 1).reference)
    ledger.pay(key, "payout", "100.50", "RUB", '{"wallet": "410000000000003"}', time.time() - HOUR_OLD)
    (payment,) = ledger.find(key)
    notice = plan.dialect.notice(payment)
    assert notice
    account = Account(plan.dialect.account, "yookassa", {})

    ledger.close()

    message = KINDS["yookassa"].hear(account, Webhook(notice.body, {}, notice.headers["X-Forwarded-For"]))

    assert notice.path == f"/api/webhooks/{plan.dialect.account}/"
    assert message.news
    assert (message.news.reference, message.news.reported) == (UUID(key), Verdict.SUCCEEDED)
    assert message.news.provider_id == payment.identity


def test_each_dialect_has_recipients_that_name_their_intents(plan: Plan) -> None:
    recipients = [str(plan.dialect.recipient(intent.number)) for intent in plan.intents.values()]

    assert len(set(recipients)) == len(plan.intents)
    assert yookassa.BANK in BANK_IDS


def test_each_treatment_of_a_dialect_befalls_somebody(plan: Plan) -> None:
    treated = {intent.treatment for intent in plan.storm}

    assert plan.dialect.treatments.keys() <= treated


def test_the_first_plan_is_what_it_was_before_there_were_dialects() -> None:
    plan = plan_of("http")

    assert [(intent.amount, intent.treatment, intent.doubled) for intent in plan.storm[:3]] == BEFORE
    assert plan.storm[0].body["recipient_details"] == {"card": "0000 1111 00000000", "intent": "0"}


def call(plan: Plan, treatment: str, **changes: object) -> Call:
    number = numbers(plan, treatment)[0]
    first = Call(
        intent=number,
        is_post=True,
        number=1,
        key_number=1,
        key_is_forgotten=False,
        key_has_paid=False,
        key_is_refused=False,
        frozen=Frozen.NEVER,
        to_freeze=False,
    )
    return replace(first, **changes)


@pytest.mark.parametrize(
    ("treatment", "changes", "reply", "pays"),
    [
        ("lost", {}, Reply.RESET, False),
        ("lost", {"number": 2}, Reply.RESET, False),
        ("lost", {"is_post": False}, Reply.ERROR, True),
        ("lost", {"is_post": False, "key_is_forgotten": True}, Reply.PAYMENT, True),
        ("judged_anew", {}, Reply.SILENCE, True),
        ("judged_anew", {"number": 2}, Reply.REFUSAL, False),
        ("judged_anew", {"number": 2, "key_has_paid": True}, Reply.PAYMENT, True),
        ("judged_anew", {"is_post": False}, Reply.PAYMENT, True),
    ],
)
def test_what_a_treatment_of_yookassa_does(
    treatment: str, changes: dict[str, object], reply: Reply, pays: bool
) -> None:
    plan = plan_of("yookassa")

    does = behaviour(plan, call(plan, treatment, **changes))

    assert (does.reply, does.pays) == (reply, pays)


def test_what_is_still_worked_on_is_refused_when_it_is_ordered_again(tmp_path: Path) -> None:
    plan = plan_of("yookassa")
    order = order_of(plan, numbers(plan, "judged_anew")[0])
    with called(plan, tmp_path) as adapter:
        first = adapter.pay(order, deadline=soon(0.5))
        again = adapter.pay(order, deadline=soon())

    assert (first.verdict, again.verdict) == (Verdict.UNKNOWN, Verdict.REFUSED)
