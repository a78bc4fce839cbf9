"""PayPal's adapter with what the worker does about it: it keeps PayPal's id, and looks up what is only accepted."""

from dataclasses import dataclass, field, replace
from uuid import UUID

from payouts.providers import Answer, Instruction, Verdict
from payouts.providers.paypal.client import PayPalProvider


@dataclass
class Followed:
    """A provider whose answers are those that a payout ends with. It pays dollars for roubles."""

    adapter: PayPalProvider
    ids: dict[UUID, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.adapter.name

    @property
    def account(self) -> str:
        return self.adapter.account

    def pay(self, instruction: Instruction, *, deadline: float) -> Answer:
        answer = self.adapter.pay(self._named(instruction), deadline=deadline)
        if answer.provider_id:
            self.ids[instruction.reference] = answer.provider_id
        is_known = answer.verdict is Verdict.PENDING or answer.code == "idempotency_conflict"
        return self.look_up(instruction, deadline=deadline) if is_known else answer

    def look_up(self, instruction: Instruction, *, deadline: float) -> Answer:
        return self.adapter.look_up(self._named(instruction), deadline=deadline)

    def _named(self, instruction: Instruction) -> Instruction:
        currency = "USD" if instruction.currency == "RUB" else instruction.currency
        provider_id = self.ids.get(instruction.reference, "")
        return replace(instruction, currency=currency, provider_id=provider_id)

    def close(self) -> None:
        self.adapter.close()
