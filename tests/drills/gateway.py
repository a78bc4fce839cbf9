"""The sandbox's YooKassa gateway, with so much to pay from and no more."""

import threading
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from backoffice.local.servers import free_port
from payouts.sandbox.ledger import Ledger, Payment

if TYPE_CHECKING:
    from tests.drills.ground import Ground

ACCOUNT: Final = "main"
GATEWAY_ID: Final = "507000"
SECRET: Final = "drills"
# How long an order takes.
DELAY_MS: Final = 200
LAG_SECONDS: Final = 2
MANY: Final = 100_000


class Gateway:
    """A test gateway; it is topped up by starting it again on the same port and ledger, with more."""

    def __init__(self, here: "Ground", balance: Decimal) -> None:
        self._here = here
        self._path = here.folder / f"{here.name}-gateway.sqlite3"
        self._balance = balance
        self.port = free_port()
        self._program = self._start()

    def _start(self):
        program = self._here.start(
            "gateway",
            *("-m", "payouts.sandbox", "--port", str(self.port), "--ledger", str(self._path)),
            *("--delay-ms", str(DELAY_MS)),
            PROVIDER_TOKEN="unused",
            SANDBOX_GATEWAY_ID=GATEWAY_ID,
            SANDBOX_SECRET=SECRET,
            SANDBOX_SEARCH_LAG_SECONDS=str(LAG_SECONDS),
            SANDBOX_BALANCE=str(self._balance),
        )
        program.ask()
        # It tells of each request there.
        threading.Thread(target=program.process.stdout.read, daemon=True).start()
        return program

    def top_up(self, amount: Decimal) -> None:
        self._program.stop()
        self._balance += amount
        self._program = self._start()

    @property
    def settings(self) -> dict[str, str]:
        """The product's."""
        prefix = f"PROVIDER_{ACCOUNT.upper()}"
        return {
            "PROVIDER_URL": "",
            "PROVIDERS": f"{ACCOUNT}=yookassa",
            f"{prefix}_GATEWAY_ID": GATEWAY_ID,
            f"{prefix}_SECRET": SECRET,
            f"{prefix}_TEST": "on",
            f"{prefix}_API_URL": f"http://127.0.0.1:{self.port}/v3",
        }

    @property
    def payments(self) -> list[dict[str, str]]:
        """What has left, or is about to."""
        return [
            {"reference": each.metadata["attempt"] or "", "payout": each.payout, "amount": each.amount}
            for each in self._orders
            if each.status != "rejected"
        ]

    @property
    def refused(self) -> int:
        """How many it has refused for want of funds."""
        return sum(each.code == "insufficient_funds" for each in self._orders)

    @property
    def _orders(self) -> list[Payment]:
        ledger = Ledger(self._path)
        try:
            return ledger.newest(MANY, "yookassa")
        finally:
            ledger.close()
