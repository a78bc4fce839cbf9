"""What every provider promises: the double, and the adapters with their simulators behind them (simulators.py)."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from payouts.providers import (
    Account,
    Answer,
    Instruction,
    ListsBanks,
    ListsPayments,
    Payment,
    PaymentsPage,
    Provider,
    TellsBalance,
    TellsPayment,
    UnreadableError,
    UnsignedError,
    Verdict,
    Webhook,
    registry,
)
from payouts.sandbox.ledger import Magic
from tests.payouts.providers import programs
from tests.payouts.providers.double import DoubleProvider
from tests.payouts.providers.programs import soon
from tests.payouts.providers.simulators import SIMULATED, Simulated, made

DOUBLE = "double"


def _of(kind: str) -> Simulated:
    """The double speaks as `http` does."""
    return SIMULATED[kind if kind in SIMULATED else registry.UNNAMED]


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """Where the simulator of a kind is; it runs from the first question on."""
    running: dict[str, str] = {}
    with ExitStack() as programs_running:

        def url_of(kind: str) -> str:
            if kind not in running:
                program = programs_running.enter_context(SIMULATED[kind].running(tmp_path_factory.mktemp(kind)))
                running[kind] = program.url
            return running[kind]

        yield url_of


@pytest.fixture(params=[DOUBLE, *registry.KINDS])
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def dialect(kind: str) -> Simulated:
    return _of(kind)


@pytest.fixture
def instruction(kind: str) -> Callable[..., Instruction]:
    """Make an attempt that the kind can pay."""

    def instruction(*terms: Any) -> Instruction:
        return programs.instruction(*terms, recipient=dict(_of(kind).recipient))

    return instruction


@pytest.fixture
def nothing(kind: str) -> Verdict:
    """What a look-up says of what was never paid."""
    return Verdict.ABSENT if _is_asked_by_reference(kind) else Verdict.UNKNOWN


@pytest.fixture
def lost(kind: str) -> Verdict:
    """What a look-up says of a payment whose answer was lost."""
    return Verdict.SUCCEEDED if _is_asked_by_reference(kind) else Verdict.UNKNOWN


def _is_asked_by_reference(kind: str) -> bool:
    return kind == DOUBLE or registry.KINDS[kind].is_asked_by_reference


@pytest.fixture
def provider(kind: str, urls: Callable[[str], str]) -> Iterator[Any]:
    if kind == DOUBLE:
        yield DoubleProvider()
        return
    adapter: Any = made(kind, urls(kind))
    yield adapter
    adapter.close()


@pytest.mark.parametrize(
    ("kind", "amount", "currency"),
    [(kind, *ordinary) for kind in (DOUBLE, *registry.KINDS) for ordinary in _of(kind).ordinary],
    indirect=["kind"],
)
def test_an_ordinary_amount_succeeds(
    provider: Provider, amount: str, currency: str, instruction: Callable[..., Instruction]
) -> None:
    attempt = instruction(amount, currency)

    answer = provider.pay(attempt, deadline=soon())

    assert answer.verdict is Verdict.SUCCEEDED
    assert answer.provider_id
    assert provider.look_up(attempt, deadline=soon()) == replace(answer, http_status=200)


def test_a_reference_never_sent_is_absent(
    provider: Provider, instruction: Callable[..., Instruction], nothing: Verdict
) -> None:
    assert provider.look_up(instruction(), deadline=soon()).verdict is nothing


def test_the_same_key_pays_once(provider: Provider, instruction: Callable[..., Instruction]) -> None:
    attempt = instruction()

    first = provider.pay(attempt, deadline=soon())
    second = provider.pay(attempt, deadline=soon())

    assert (second.verdict, second.provider_id) == (first.verdict, first.provider_id)


def test_the_same_key_at_once_pays_once(provider: Provider, instruction: Callable[..., Instruction]) -> None:
    attempt = instruction()

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: provider.pay(attempt, deadline=soon()), range(8)))

    assert {answer.verdict for answer in answers} == {Verdict.SUCCEEDED}
    assert len({answer.provider_id for answer in answers}) == 1


def test_the_same_key_with_another_amount_is_unknown(
    provider: Provider, instruction: Callable[..., Instruction], dialect: Simulated
) -> None:
    attempt = instruction()
    provider.pay(attempt, deadline=soon())

    answer = provider.pay(replace(attempt, amount=Decimal("100.51")), deadline=soon())

    assert (answer.verdict, answer.code) == (Verdict.UNKNOWN, dialect.conflict)


def test_a_look_up_for_another_amount_is_a_mismatch(
    provider: Provider, instruction: Callable[..., Instruction]
) -> None:
    attempt = instruction()
    provider.pay(attempt, deadline=soon())

    answer = provider.look_up(replace(attempt, amount=Decimal("100.51")), deadline=soon())

    assert (answer.verdict, answer.code) == (Verdict.UNKNOWN, "mismatch")


def test_a_refusal_is_definite_and_leaves_nothing(
    provider: Provider, instruction: Callable[..., Instruction], dialect: Simulated, nothing: Verdict
) -> None:
    attempt = instruction(Magic.REFUSED.value)

    answer = provider.pay(attempt, deadline=soon())

    assert answer.verdict is Verdict.REFUSED
    assert (answer.code, answer.http_status, answer.message) == dialect.refusal
    assert provider.look_up(attempt, deadline=soon()).verdict is nothing


def test_a_rejected_payment_is_refused_and_found_again(
    provider: Provider, instruction: Callable[..., Instruction], dialect: Simulated
) -> None:
    attempt = instruction(Magic.REJECTED.value)

    answer = provider.pay(attempt, deadline=soon())

    assert (answer.verdict, answer.code) == (Verdict.REFUSED, dialect.rejection)
    assert answer.provider_id
    assert provider.look_up(attempt, deadline=soon()).verdict is Verdict.REFUSED


@pytest.mark.parametrize("magic", [Magic.PENDING_THEN_SETTLED, Magic.PENDING_THEN_REJECTED, Magic.PENDING_FOR_EVER])
def test_a_pending_payment_is_accepted_and_not_final(
    provider: Provider, magic: Magic, instruction: Callable[..., Instruction]
) -> None:
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
    provider: Provider, magic: Magic, code: str, instruction: Callable[..., Instruction], lost: Verdict
) -> None:
    attempt = instruction(magic.value)

    answer = provider.pay(attempt, deadline=soon())

    assert (answer.verdict, answer.code) == (Verdict.UNKNOWN, code)
    assert provider.look_up(attempt, deadline=soon()).verdict is lost
    assert provider.pay(attempt, deadline=soon()).verdict is Verdict.SUCCEEDED


def test_silence_after_paying_is_a_timeout_and_the_payment_is_found(
    provider: Provider, instruction: Callable[..., Instruction], lost: Verdict
) -> None:
    attempt = instruction(Magic.SILENT_AFTER_PAYING.value)

    answer = provider.pay(attempt, deadline=soon(0.5))

    assert (answer.verdict, answer.code) == (Verdict.UNKNOWN, "timeout")
    assert provider.look_up(attempt, deadline=soon()).verdict is lost


@pytest.mark.parametrize(
    ("magic", "faults"),
    [(Magic.ERROR_BEFORE_PAYING, ["http_500"]), (Magic.RATE_LIMITED, ["rate_limited"] * 2)],
)
def test_a_fault_before_paying_leaves_nothing_and_passes(
    provider: Provider, magic: Magic, faults: list[str], instruction: Callable[..., Instruction], nothing: Verdict
) -> None:
    attempt = instruction(magic.value)

    for code in faults:
        assert provider.pay(attempt, deadline=soon()).code == code
        assert provider.look_up(attempt, deadline=soon()).verdict is nothing

    assert provider.pay(attempt, deadline=soon()).verdict is Verdict.SUCCEEDED


def test_a_rate_limit_says_how_long_to_wait(provider: Provider, instruction: Callable[..., Instruction]) -> None:
    answer = provider.pay(instruction(Magic.RATE_LIMITED.value), deadline=soon())

    assert answer.retry_after_seconds == 1


# What a kind declares, its providers do

KINDS = sorted(registry.KINDS)
LISTING = [name for name in KINDS if registry.KINDS[name].lists_payments]
ASKED_BY_ANYBODY = [name for name in KINDS if not registry.KINDS[name].is_signed]


def test_every_kind_is_held_to_the_contract() -> None:
    assert SIMULATED.keys() == registry.KINDS.keys()


@pytest.mark.parametrize("kind", KINDS, indirect=True)
def test_a_kind_declares_what_its_providers_do(kind: str, provider: Any) -> None:
    declared = registry.KINDS[kind]
    does = getattr(provider, "adapter", provider)

    assert isinstance(does, TellsBalance) == declared.tells_balance
    assert isinstance(does, ListsPayments) == declared.lists_payments
    assert isinstance(does, ListsBanks) == declared.lists_banks
    assert isinstance(does, TellsPayment) >= (not declared.is_signed)


@pytest.mark.parametrize("kind", LISTING, indirect=True)
def test_a_list_of_payments_has_each_once_with_its_outcome(
    provider: Any, instruction: Callable[..., Instruction]
) -> None:
    since = datetime.now(UTC)
    paid = instruction("10.00")
    answers = [provider.pay(each, deadline=soon()) for each in (paid, instruction(Magic.REJECTED.value))]
    until = datetime.now(UTC) + timedelta(seconds=1)

    listed: list[Payment] = []
    cursor: str | None = None
    while cursor != "":
        page = provider.payments(since, until, cursor=cursor or "", deadline=soon())
        assert isinstance(page, PaymentsPage)
        listed, cursor = [*listed, *page.payments], page.cursor

    found = {each.provider_id: each for each in listed}
    assert len(found) == len(listed)
    assert [found[answer.provider_id].verdict for answer in answers] == [Verdict.SUCCEEDED, Verdict.REFUSED]
    ours = found[answers[0].provider_id]
    assert (ours.reference, ours.amount, ours.currency) == (paid.reference, paid.amount, paid.currency)
    assert ours.created_at is not None
    assert since - timedelta(milliseconds=1) <= ours.created_at < until


@pytest.mark.parametrize("kind", LISTING, indirect=True)
def test_a_list_of_another_time_is_empty(provider: Any, instruction: Callable[..., Instruction]) -> None:
    provider.pay(instruction(), deadline=soon())
    long_ago = datetime(2026, 1, 1, tzinfo=UTC)

    page = provider.payments(long_ago, long_ago + timedelta(days=1), cursor="", deadline=soon())

    assert page == PaymentsPage([], "")


@pytest.mark.parametrize("kind", [name for name in KINDS if registry.KINDS[name].lists_banks], indirect=True)
def test_a_bank_that_is_listed_can_be_paid_to(provider: Any, instruction: Callable[..., Instruction]) -> None:
    banks = provider.banks(deadline=soon())

    assert len({bank.id for bank in banks}) == len(banks) > 0
    to_a_bank = replace(instruction(), recipient={"phone": "+79000000000", "bank_id": banks[0].id})
    assert provider.pay(to_a_bank, deadline=soon()).verdict is Verdict.SUCCEEDED


@pytest.mark.parametrize("kind", ASKED_BY_ANYBODY, indirect=True)
def test_a_payment_is_told_by_its_id_or_is_absent(provider: Any, instruction: Callable[..., Instruction]) -> None:
    attempt = instruction()
    paid = provider.pay(attempt, deadline=soon())

    told = provider.payment(paid.provider_id, deadline=soon())
    made_up = provider.payment(paid.provider_id[:-4] + "0000", deadline=soon())

    assert isinstance(told, Payment)
    assert (told.reference, told.amount, told.verdict) == (attempt.reference, attempt.amount, Verdict.SUCCEEDED)
    assert made_up.verdict is Verdict.ABSENT


@pytest.mark.parametrize("kind", [name for name in KINDS if registry.KINDS[name].tells_balance], indirect=True)
def test_a_balance_is_told_by_currency(provider: Any) -> None:
    told = provider.balances(deadline=soon())

    assert not isinstance(told, Answer)
    assert len({each.currency for each in told}) == len(told)


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_comes_as_a_webhook_from_nowhere_is_no_news(kind: str) -> None:
    declared = registry.KINDS[kind]
    account = Account("main", kind, SIMULATED[kind].values("http://127.0.0.1:1"))

    with pytest.raises((UnsignedError, UnreadableError)):
        declared.hear(account, Webhook(b"{}", {}, None))
