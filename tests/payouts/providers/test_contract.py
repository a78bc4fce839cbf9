"""What every provider promises: the double, and the adapters with the sandbox behind them.

They differ in their own words only, which are in DIALECTS.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import pytest

from payouts.providers import Provider, Verdict
from payouts.providers.http.client import HttpProvider
from payouts.providers.yookassa.client import YooKassaProvider
from payouts.sandbox.ledger import Magic
from tests.payouts.providers.double import DoubleProvider
from tests.payouts.providers.programs import TOKEN, instruction, sandbox, soon
from tests.payouts.sandbox.yookassa import GATEWAY_ID, SECRET, gateway


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a provider says what all of them say."""

    refusal: tuple[str, int, str]
    """Of a request: the code, the HTTP status and the message."""
    rejection: str
    """The code of a payment that it made and rejected."""
    conflict: str
    """The code of an answer to a key that it knows with another amount."""


PROTOCOL = Dialect(("recipient_blocked", 422, "The recipient cannot be paid."), "account_closed", "http_409")
DIALECTS = {
    "double": PROTOCOL,
    "http": PROTOCOL,
    "yookassa": Dialect(
        ("invalid_request", 400, "payout_destination_data: The recipient cannot be paid"),
        "general_decline",
        "idempotency_conflict",
    ),
}
ANY_CURRENCY = [("100.50", "RUB"), ("0.01", "USD"), ("99999999999999.99", "EUR"), ("1000", "JPY"), ("0.001", "KWD")]
ORDINARY = {"double": ANY_CURRENCY, "http": ANY_CURRENCY, "yookassa": [("1.00", "RUB"), ("500000.00", "RUB")]}


@pytest.fixture(scope="module")
def sandbox_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("sandbox")
    with sandbox(folder) as program:
        yield program.url


@pytest.fixture(scope="module")
def gateway_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with gateway(tmp_path_factory.mktemp("gateway")) as program:
        yield f"{program.url}/v3"


@pytest.fixture(params=DIALECTS)
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def dialect(kind: str) -> Dialect:
    return DIALECTS[kind]


@pytest.fixture
def provider(kind: str, request: pytest.FixtureRequest) -> Iterator[Provider]:
    match kind:
        case "double":
            yield DoubleProvider()
        case "http":
            adapter = HttpProvider(request.getfixturevalue("sandbox_url"), TOKEN)
            yield adapter
            adapter.close()
        case "yookassa":
            url = request.getfixturevalue("gateway_url")
            account = YooKassaProvider(
                name="main", gateway_id=GATEWAY_ID, secret=SECRET, url=url, is_test=True, takes_card_numbers=True
            )
            yield account
            account.close()


@pytest.mark.parametrize(
    ("kind", "amount", "currency"),
    [(kind, *ordinary) for kind, amounts in ORDINARY.items() for ordinary in amounts],
    indirect=["kind"],
)
def test_an_ordinary_amount_succeeds(provider: Provider, amount: str, currency: str) -> None:
    attempt = instruction(amount, currency)

    answer = provider.pay(attempt, deadline=soon())

    assert answer.verdict is Verdict.SUCCEEDED
    assert answer.provider_id
    assert provider.look_up(attempt, deadline=soon()) == replace(answer, http_status=200)


def test_a_reference_never_sent_is_absent(provider: Provider) -> None:
    assert provider.look_up(instruction(), deadline=soon()).verdict is Verdict.ABSENT


def test_the_same_key_pays_once(provider: Provider) -> None:
    attempt = instruction()

    first = provider.pay(attempt, deadline=soon())
    second = provider.pay(attempt, deadline=soon())

    assert (second.verdict, second.provider_id) == (first.verdict, first.provider_id)


def test_the_same_key_at_once_pays_once(provider: Provider) -> None:
    attempt = instruction()

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: provider.pay(attempt, deadline=soon()), range(8)))

    assert {answer.verdict for answer in answers} == {Verdict.SUCCEEDED}
    assert len({answer.provider_id for answer in answers}) == 1


def test_the_same_key_with_another_amount_is_unknown(provider: Provider, dialect: Dialect) -> None:
    attempt = instruction()
    provider.pay(attempt, deadline=soon())

    answer = provider.pay(replace(attempt, amount=Decimal("100.51")), deadline=soon())

    assert (answer.verdict, answer.code) == (Verdict.UNKNOWN, dialect.conflict)


def test_a_look_up_for_another_amount_is_a_mismatch(provider: Provider) -> None:
    attempt = instruction()
    provider.pay(attempt, deadline=soon())

    answer = provider.look_up(replace(attempt, amount=Decimal("100.51")), deadline=soon())

    assert (answer.verdict, answer.code) == (Verdict.UNKNOWN, "mismatch")


def test_a_refusal_is_definite_and_leaves_nothing(provider: Provider, dialect: Dialect) -> None:
    attempt = instruction(Magic.REFUSED.value)

    answer = provider.pay(attempt, deadline=soon())

    assert answer.verdict is Verdict.REFUSED
    assert (answer.code, answer.http_status, answer.message) == dialect.refusal
    assert provider.look_up(attempt, deadline=soon()).verdict is Verdict.ABSENT


def test_a_rejected_payment_is_refused_and_found_again(provider: Provider, dialect: Dialect) -> None:
    attempt = instruction(Magic.REJECTED.value)

    answer = provider.pay(attempt, deadline=soon())

    assert (answer.verdict, answer.code) == (Verdict.REFUSED, dialect.rejection)
    assert answer.provider_id
    assert provider.look_up(attempt, deadline=soon()).verdict is Verdict.REFUSED


@pytest.mark.parametrize("magic", [Magic.PENDING_THEN_SETTLED, Magic.PENDING_THEN_REJECTED, Magic.PENDING_FOR_EVER])
def test_a_pending_payment_is_accepted_and_not_final(provider: Provider, magic: Magic) -> None:
    attempt = instruction(magic.value)

    answer = provider.pay(attempt, deadline=soon())

    assert answer.verdict is Verdict.PENDING
    assert answer.provider_id
    assert provider.look_up(attempt, deadline=soon()).verdict is Verdict.PENDING


@pytest.mark.parametrize(
    ("magic", "code"),
    [
        (Magic.ERROR_AFTER_PAYING, "http_500"),
        (Magic.GARBAGE_AFTER_PAYING, "unparsable"),
        (Magic.RESET_AFTER_PAYING, "reset"),
    ],
)
def test_a_fault_after_paying_is_unknown_and_the_payment_is_found(
    provider: Provider, magic: Magic, code: str
) -> None:
    attempt = instruction(magic.value)

    answer = provider.pay(attempt, deadline=soon())

    assert (answer.verdict, answer.code) == (Verdict.UNKNOWN, code)
    assert provider.look_up(attempt, deadline=soon()).verdict is Verdict.SUCCEEDED
    assert provider.pay(attempt, deadline=soon()).verdict is Verdict.SUCCEEDED


def test_silence_after_paying_is_a_timeout_and_the_payment_is_found(provider: Provider) -> None:
    attempt = instruction(Magic.SILENT_AFTER_PAYING.value)

    answer = provider.pay(attempt, deadline=soon(0.5))

    assert (answer.verdict, answer.code) == (Verdict.UNKNOWN, "timeout")
    assert provider.look_up(attempt, deadline=soon()).verdict is Verdict.SUCCEEDED


@pytest.mark.parametrize(
    ("magic", "faults"),
    [(Magic.ERROR_BEFORE_PAYING, ["http_500"]), (Magic.RATE_LIMITED, ["rate_limited"] * 2)],
)
def test_a_fault_before_paying_leaves_nothing_and_passes(provider: Provider, magic: Magic, faults: list[str]) -> None:
    attempt = instruction(magic.value)

    for code in faults:
        assert provider.pay(attempt, deadline=soon()).code == code
        assert provider.look_up(attempt, deadline=soon()).verdict is Verdict.ABSENT

    assert provider.pay(attempt, deadline=soon()).verdict is Verdict.SUCCEEDED


def test_a_rate_limit_says_how_long_to_wait(provider: Provider) -> None:
    answer = provider.pay(instruction(Magic.RATE_LIMITED.value), deadline=soon())

    assert answer.retry_after_seconds == 1
