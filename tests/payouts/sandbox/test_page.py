"""The page of what the ledger holds."""

import urllib.request
from html import escape
from pathlib import Path

from payouts import sandbox as package
from payouts.sandbox import page, yookassa
from payouts.sandbox.ledger import Ledger, Order, Outcome
from tests.payouts.providers.programs import SandboxProgram
from tests.payouts.sandbox.requests import order, send
from tests.payouts.sandbox.yookassa import gateway, pay, to_wallet
from tests.payouts.sandbox.yookassa import order as yookassa_order


def _page(program: SandboxProgram) -> tuple[str, str]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{program.url}/", timeout=20) as response:
        return response.headers["Content-Type"], response.read().decode()


def test_the_page_shows_the_payments_of_every_dialect_and_no_recipient(tmp_path: Path) -> None:
    with gateway(tmp_path) as program:
        ours = send(program, "POST", "/v1/payouts", order())[1]
        theirs = [pay(program, body)[1] for body in (yookassa_order(), to_wallet("410011788545536"))]
        content_type, text = _page(program)

    assert content_type == "text/html; charset=utf-8"
    assert "Payments: 3." in text
    for payment in (ours, *theirs):
        assert f"<td>{payment['id']}</td>" in text
    assert "<td>general_decline</td>" in text
    for manual in (package, yookassa):
        assert escape(manual.__doc__ or "") in text
    for recipient in ("0000 1111", "79000000000", "<td>410011788545536</td>"):
        assert recipient not in text


def test_the_page_escapes_what_a_client_chose(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    ledger.pay(Order("d", "i", "<script>", "p", "1.00", "RUB", "f"), Outcome("rejected", "<b>&"))

    shown = page.of(ledger)
    ledger.close()

    assert shown.raw is not None
    assert b"<td>&lt;script&gt;</td>" in shown.raw
    assert b"<td>&lt;b&gt;&amp;</td>" in shown.raw


def test_the_page_shows_the_newest_and_counts_all(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    for number in range(page.SHOWN + 1):
        ledger.pay(Order("d", f"id-{number}", f"r-{number}", "p", "1.00", "RUB", "f"), Outcome("succeeded"))

    shown = page.of(ledger)
    ledger.close()

    assert shown.raw is not None
    assert f"Payments: {page.SHOWN + 1}. The newest {page.SHOWN}".encode() in shown.raw
    assert b"<td>id-1</td>" in shown.raw
    assert b"<td>id-0</td>" not in shown.raw
