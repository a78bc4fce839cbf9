"""The adapter with the sandbox's account: pending first, then as the item says; webhooks that it verifies."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest

from payouts.providers import Account, Answer, Instruction, News, UnsignedError, Verdict, Webhook
from payouts.providers.paypal.client import PayPalProvider
from payouts.providers.paypal.webhook import hear
from tests.payouts.providers.paypal.objects import by_email
from tests.payouts.providers.programs import SandboxProgram, instruction, soon
from tests.payouts.sandbox.paypal import CLIENT_ID, SECRET, WEBHOOK_ID, business, order, pay
from tests.payouts.sandbox.requests import receiving

type Adapter = Callable[..., PayPalProvider]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProgram]:
    with business(tmp_path_factory.mktemp("business")) as running:
        yield running


def _paid_and_found(provider: PayPalProvider, attempt: Instruction) -> tuple[Answer, Answer]:
    paid = provider.pay(attempt, deadline=soon())
    return paid, provider.look_up(replace(attempt, provider_id=paid.provider_id), deadline=soon())


@pytest.mark.parametrize(
    "recipient",
    [{"email": "petrov@example.com"}, {"phone": "+1 408 555-12-34"}, {"paypal_id": "YH4ZYQ9QJGWQC"}],
    ids=["email", "phone", "account"],
)
def test_each_way_is_accepted_and_then_paid_with_its_fee(
    adapter: Adapter, program: SandboxProgram, recipient: dict[str, object]
) -> None:
    paid, found = _paid_and_found(adapter(program.url), instruction("100.50", "USD", recipient=recipient))

    assert (paid.verdict, paid.http_status) == (Verdict.PENDING, 201)
    assert found == Answer(Verdict.SUCCEEDED, paid.provider_id, http_status=200, fee=Decimal("2.01"))


@pytest.mark.parametrize(
    ("amount", "currency"),
    [("0.01", "EUR"), ("20000.00", "USD"), ("1000", "JPY"), ("1000.00", "HUF"), ("1000.00", "TWD")],
)
def test_an_amount_of_every_shape_is_paid(
    adapter: Adapter, program: SandboxProgram, amount: str, currency: str
) -> None:
    _, found = _paid_and_found(adapter(program.url), by_email(amount, currency))

    assert found.verdict is Verdict.SUCCEEDED


@pytest.mark.parametrize(
    ("amount", "verdict", "code"),
    [
        ("1313.02", Verdict.REFUSED, "RECEIVER_ACCOUNT_LOCKED"),
        ("1313.12", Verdict.PENDING, ""),
        ("1313.13", Verdict.SUCCEEDED, ""),
    ],
)
def test_an_item_ends_as_it_says(
    adapter: Adapter, program: SandboxProgram, amount: str, verdict: Verdict, code: str
) -> None:
    paid, found = _paid_and_found(adapter(program.url), by_email(amount))

    assert paid.verdict is Verdict.PENDING
    assert (found.verdict, found.code) == (verdict, code)


@pytest.mark.parametrize(
    ("amount", "currency", "field"),
    [
        ("20000.01", "USD", "items[0].amount.value"),
        ("100.50", "RUB", "items[0].amount.currency"),
        ("1313.01", "USD", "items[0].receiver"),
    ],
)
def test_what_it_does_not_take_is_refused_with_the_field(
    adapter: Adapter, program: SandboxProgram, amount: str, currency: str, field: str
) -> None:
    answer = adapter(program.url).pay(by_email(amount, currency), deadline=soon())

    assert (answer.verdict, answer.code) == (Verdict.REFUSED, "VALIDATION_ERROR")
    assert answer.message.startswith(f"{field}: ")


@pytest.mark.parametrize(
    ("amount", "code"),
    [("1313.06", "timeout"), ("1313.08", "http_500"), ("1313.09", "unparsable"), ("1313.11", "reset")],
)
def test_a_fault_after_paying_is_unknown_and_a_second_post_pays_nothing_and_names_the_first(
    adapter: Adapter, program: SandboxProgram, amount: str, code: str
) -> None:
    provider, attempt = adapter(program.url), by_email(amount)
    adapter(program.url).look_up(by_email(provider_id="WARM"), deadline=soon())

    lost = provider.pay(attempt, deadline=soon(1.0 if code == "timeout" else 20.0))
    again = provider.pay(attempt, deadline=soon())
    found = provider.look_up(replace(attempt, provider_id=again.provider_id), deadline=soon())

    assert (lost.verdict, lost.code, lost.provider_id) == (Verdict.UNKNOWN, code, "")
    assert (again.verdict, again.code) == (Verdict.UNKNOWN, "idempotency_conflict")
    assert (found.verdict, found.provider_id) == (Verdict.SUCCEEDED, again.provider_id)


def test_want_of_money_is_told_apart(adapter: Adapter, tmp_path: Path) -> None:
    with business(tmp_path, SANDBOX_PAYPAL_BALANCE="100") as program:
        answer = adapter(program.url).pay(by_email("100.01"), deadline=soon())

    assert (answer.verdict, answer.lacks_funds) == (Verdict.REFUSED, True)


def test_its_webhooks_are_verified_and_heard(tmp_path: Path) -> None:
    content = order()
    with receiving() as (receiver, url):
        settings = {"SANDBOX_PAYPAL_WEBHOOK_URL": url, "SANDBOX_PAYPAL_WEBHOOK_ID": WEBHOOK_ID}
        with business(tmp_path, **settings) as program:
            _, made = pay(program, content)
            headers, told = receiver.next()
            values = {"CLIENT_ID": CLIENT_ID, "SECRET": SECRET, "API_URL": program.url, "WEBHOOK_ID": WEBHOOK_ID}
            account = Account("main", "paypal", values)
            message = hear(account, Webhook(told, headers, None))
            with pytest.raises(UnsignedError):
                hear(account, Webhook(told.replace(b"SUCCESS", b"FAILED"), headers, None))

    reference = UUID(content["sender_batch_header"]["sender_batch_id"])
    batch_id = made["batch_header"]["payout_batch_id"]
    assert message.news == News(reference, Verdict.SUCCEEDED, Decimal("100.50"), "USD", batch_id)
