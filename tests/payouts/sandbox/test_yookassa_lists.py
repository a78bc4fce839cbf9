"""Lists and searches in YooKassa's dialect: pages, filters, how far back, and a search that lags."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from payouts.sandbox.ledger import Ledger
from tests.payouts.providers.programs import SandboxProgram
from tests.payouts.sandbox.yookassa import WALLET, ask, gateway, of_amount, order, pay, to_wallet

LIST, SEARCH = "/v3/payouts", "/v3/payouts/search"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProgram]:
    with gateway(tmp_path_factory.mktemp("gateway")) as running:
        yield running
        assert "Traceback" not in running.log.read_text()


@pytest.fixture(scope="module")
def made(program: SandboxProgram) -> list[dict[str, Any]]:
    """Twelve payouts, oldest first: every third canceled, the last one pending, all of one batch."""
    bodies = [to_wallet("410011788545536" if number % 3 == 0 else WALLET) for number in range(11)]
    batch = {"batch": str(uuid4())}
    return [pay(program, body | {"metadata": batch})[1] for body in (*bodies, of_amount("1313.12"))]


def _ids(content: dict[str, Any]) -> list[str]:
    return [payout["id"] for payout in content["items"]]


@pytest.mark.parametrize("path", [LIST, SEARCH])
def test_pages_follow_each_other_from_new_to_old(
    program: SandboxProgram, made: list[dict[str, Any]], path: str
) -> None:
    pages: list[dict[str, Any]] = []
    query = {"limit": "5"} | ({"metadata[batch]": made[0]["metadata"]["batch"]} if path == SEARCH else {})
    while not pages or "next_cursor" in pages[-1]:
        cursor = {"cursor": pages[-1]["next_cursor"]} if pages else {}
        pages.append(ask(program, "GET", path, query=query | cursor)[1])

    assert [identity for page in pages for identity in _ids(page)] == [payout["id"] for payout in made[::-1]]
    assert [len(page["items"]) for page in pages] == [5, 5, 2]


def test_ten_are_listed_unless_asked_for_more(program: SandboxProgram, made: list[dict[str, Any]]) -> None:
    _, usual = ask(program, "GET", LIST)
    _, all_of_them = ask(program, "GET", LIST, query={"limit": "12"})

    assert (len(usual["items"]), "next_cursor" in usual) == (10, True)
    assert (len(all_of_them["items"]), "next_cursor" in all_of_them) == (12, False)


def test_a_list_can_be_of_one_status_and_one_type(program: SandboxProgram, made: list[dict[str, Any]]) -> None:
    _, canceled = ask(program, "GET", LIST, query={"status": "canceled"})
    _, pending = ask(program, "GET", LIST, query={"status": "pending", "payout_destination.type": "sbp"})
    _, pending_wallets = ask(
        program, "GET", LIST, query={"status": "pending", "payout_destination.type": "yoo_money"}
    )

    assert _ids(canceled) == [payout["id"] for payout in made[::-1] if payout["status"] == "canceled"]
    assert _ids(pending) == [made[-1]["id"]]
    assert _ids(pending_wallets) == []


@pytest.mark.parametrize("path", [LIST, SEARCH])
def test_a_list_can_be_of_a_time_to_the_millisecond_that_is_told(
    program: SandboxProgram, made: list[dict[str, Any]], path: str
) -> None:
    time = made[5]["created_at"]
    times = {payout["id"]: payout["created_at"] for payout in made}

    def found(name: str) -> set[str]:
        return set(_ids(ask(program, "GET", path, query={f"created_at.{name}": time, "limit": "100"})[1]))

    assert found("gte") == {identity for identity, at in times.items() if at >= time}
    assert found("gt") == {identity for identity, at in times.items() if at > time}
    assert found("lte") == {identity for identity, at in times.items() if at <= time}
    assert found("lt") == {identity for identity, at in times.items() if at < time}


def test_a_search_finds_an_exact_pair_only(tmp_path: Path) -> None:
    attempt = str(uuid4())
    with gateway(tmp_path) as program:
        made = {name: pay(program, order(metadata={name: attempt}))[1]["id"] for name in ("attempt", "other")}

        def found(name: str, value: str) -> list[str]:
            return _ids(ask(program, "GET", SEARCH, query={f"metadata[{name}]": value})[1])

        assert found("attempt", attempt) == [made["attempt"]]
        assert found("other", attempt) == [made["other"]]
        assert found("attempt", attempt.upper()) == []
        assert found("attempt", attempt[:-1]) == []
        assert found("payout", attempt) == []


@pytest.mark.parametrize(
    ("path", "query", "parameter"),
    [
        (LIST, "limit=0", "limit"),
        (LIST, "limit=101", "limit"),
        (LIST, "limit=ten", "limit"),
        (LIST, "limit=1&limit=2", "limit"),
        (LIST, "cursor=po-nothing", "cursor"),
        (LIST, "status=rejected", "status"),
        (LIST, "payout_destination.type=iban", "payout_destination.type"),
        (LIST, "created_at.gte=yesterday", "created_at.gte"),
        (LIST, "created_at.gte=2026-01-14T12:00:00", "created_at.gte"),
        (LIST, "created_at.gte=0001-01-01T00:00:00%2B14:00", "created_at.gte"),
        (LIST, "metadata%5Battempt%5D=1", None),
        (LIST, "page=2", None),
        (SEARCH, "limit=101", "limit"),
        (SEARCH, "status=succeeded", None),
        (SEARCH, "metadata.attempt=1", None),
        (SEARCH, "metadata%5Battempt%5D=1&metadata%5Bpayout%5D=1", "metadata"),
        (SEARCH, f"metadata%5Battempt%5D={'1' * 513}", "metadata"),
        (SEARCH, f"metadata%5B{'a' * 33}%5D=1", None),
    ],
)
def test_a_query_that_is_not_as_documented_is_refused(
    program: SandboxProgram, path: str, query: str, parameter: str | None
) -> None:
    status, error = ask(program, "GET", f"{path}?{query}")

    assert (status, error.get("parameter")) == (400, parameter)


def test_a_search_lags_where_the_list_and_the_payout_do_not(tmp_path: Path) -> None:
    with gateway(tmp_path, SANDBOX_SEARCH_LAG_SECONDS="3600") as program:
        _, payout = pay(program, order())
        attempt = {"metadata[attempt]": payout["metadata"]["attempt"]}
        _, searched = ask(program, "GET", SEARCH, query=attempt)
        _, listed = ask(program, "GET", LIST)
        found = ask(program, "GET", f"{LIST}/{payout['id']}")
    with gateway(tmp_path) as program:
        _, later = ask(program, "GET", SEARCH, query=attempt)

    assert (_ids(searched), _ids(listed), found) == ([], [payout["id"]], (200, payout))
    assert _ids(later) == [payout["id"]]


@pytest.mark.parametrize(
    ("days", "in_search", "in_list"), [(89, True, True), (91, False, True), (3 * 365 + 1, False, False)]
)
def test_a_search_goes_three_months_back_and_a_list_three_years(
    tmp_path: Path, days: int, in_search: bool, in_list: bool
) -> None:
    Ledger(tmp_path / "ledger").close()
    made_at = (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="microseconds")
    identity = f"po-{uuid4()}"
    with closing(sqlite3.connect(tmp_path / "ledger", isolation_level=None)) as database:
        database.execute(
            "INSERT INTO payments (id, dialect, reference, payout, amount, currency, status, at, details)"
            " VALUES (?, 'yookassa', 'r', 'p', '1.00', 'RUB', 'succeeded', ?, ?)",
            (identity, made_at, '{"payout_destination": {"type": "yoo_money", "account_number": "41001614575714"}}'),
        )

    with gateway(tmp_path) as program:
        _, searched = ask(program, "GET", SEARCH)
        _, listed = ask(program, "GET", LIST)
        status, _ = ask(program, "GET", f"{LIST}/{identity}")

    assert (_ids(searched) == [identity], _ids(listed) == [identity], status) == (in_search, in_list, 200)
