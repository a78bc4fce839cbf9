"""The adapter with the sandbox's gateway: documented test wallets, a search that lags, a key that is forgotten."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from payouts.providers import Verdict
from payouts.providers.yookassa.client import YooKassaProvider
from tests.payouts.providers.programs import SandboxProgram, instruction, soon
from tests.payouts.providers.yookassa.objects import by_sbp
from tests.payouts.sandbox.yookassa import GATEWAY_ID, SECRET, gateway, payouts

type Adapter = Callable[..., YooKassaProvider]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProgram]:
    with gateway(tmp_path_factory.mktemp("gateway")) as running:
        yield running


@pytest.fixture
def of(adapter: Adapter) -> Callable[[SandboxProgram], YooKassaProvider]:
    def of(program: SandboxProgram) -> YooKassaProvider:
        return adapter(f"{program.url}/v3", gateway_id=GATEWAY_ID, secret=SECRET, is_test=True)

    return of


@pytest.mark.parametrize(
    ("wallet", "verdict", "code", "lacks_funds"),
    [
        ("41001614575714", Verdict.SUCCEEDED, "", False),
        ("41001614575572", Verdict.REFUSED, "one_time_limit_exceeded", False),
        ("41001614575643", Verdict.REFUSED, "periodic_limit_exceeded", False),
        ("410011806060766", Verdict.REFUSED, "insufficient_funds", True),
        ("410011788545536", Verdict.REFUSED, "general_decline", False),
    ],
)
def test_the_test_wallets_end_as_documented(
    of: Callable[[SandboxProgram], YooKassaProvider],
    program: SandboxProgram,
    wallet: str,
    verdict: Verdict,
    code: str,
    lacks_funds: bool,
) -> None:
    provider, attempt = of(program), instruction(recipient={"wallet": wallet})

    answer = provider.pay(attempt, deadline=soon())

    assert (answer.verdict, answer.code, answer.lacks_funds) == (verdict, code, lacks_funds)
    assert provider.look_up(attempt, deadline=soon()) == answer
    assert provider.look_up(replace(attempt, provider_id=answer.provider_id), deadline=soon()) == answer


@pytest.mark.parametrize(
    ("amount", "currency", "parameter"),
    [("0.99", "RUB", "amount.value"), ("500000.01", "RUB", "amount.value"), ("100.50", "USD", "amount.currency")],
)
def test_what_is_beyond_its_limits_is_refused_with_the_parameter(
    of: Callable[[SandboxProgram], YooKassaProvider],
    program: SandboxProgram,
    amount: str,
    currency: str,
    parameter: str,
) -> None:
    answer = of(program).pay(by_sbp(amount, currency=currency), deadline=soon())

    assert (answer.verdict, answer.code) == (Verdict.REFUSED, "invalid_request")
    assert answer.message.startswith(f"{parameter}: ")


def test_a_live_account_believes_nothing_of_a_test_gateway(adapter: Adapter, program: SandboxProgram) -> None:
    provider, attempt = adapter(f"{program.url}/v3", gateway_id=GATEWAY_ID, secret=SECRET), by_sbp()

    assert provider.pay(attempt, deadline=soon()).code == "test_mismatch"
    assert provider.look_up(attempt, deadline=soon()).code == "test_mismatch"


def test_a_search_that_lags_shows_nothing_and_an_id_shows_all(
    of: Callable[[SandboxProgram], YooKassaProvider], tmp_path: Path
) -> None:
    with gateway(tmp_path, SANDBOX_SEARCH_LAG_SECONDS="3600") as program:
        provider, attempt = of(program), by_sbp(age=timedelta())
        paid = provider.pay(attempt, deadline=soon())

        searched = provider.look_up(attempt, deadline=soon())
        named = provider.look_up(replace(attempt, provider_id=paid.provider_id), deadline=soon())

    assert (searched.verdict, searched.code) == (Verdict.UNKNOWN, "not_found_yet")
    assert named == paid


def test_a_key_that_is_forgotten_pays_again_so_two_are_found_and_neither_is_believed(
    of: Callable[[SandboxProgram], YooKassaProvider], tmp_path: Path
) -> None:
    with gateway(tmp_path, SANDBOX_KEY_TTL_SECONDS="0") as program:
        provider, attempt = of(program), by_sbp(age=timedelta(hours=25))

        paid = [provider.pay(attempt, deadline=soon()).provider_id for _time in range(2)]
        found = provider.look_up(attempt, deadline=soon())

        assert len(payouts(program)) == len(set(paid)) == 2
    assert (found.verdict, found.code) == (Verdict.UNKNOWN, "several_matches")
