"""What the environment says of an account makes its adapter, or a sentence that says why not."""

from datetime import timedelta

import pytest

from payouts.providers import Account
from payouts.providers.yookassa import KIND
from payouts.providers.yookassa.client import YooKassaProvider
from tests.payouts.providers.programs import instruction, soon
from tests.payouts.providers.yookassa.objects import GATEWAY_ID, SECRET
from tests.payouts.providers.yookassa.stub import Stub

VALUES = {"GATEWAY_ID": GATEWAY_ID, "SECRET": SECRET}


def test_two_values_are_enough() -> None:
    made = KIND.make(Account("main", KIND.name, VALUES))

    assert isinstance(made, YooKassaProvider)
    assert made.name == "main"
    assert made.account == YooKassaProvider(name="other", gateway_id=GATEWAY_ID, secret="another").account
    assert {each.name for each in KIND.settings if each.is_required} == VALUES.keys()
    assert KIND.key_life == timedelta(hours=24)


def test_every_setting_is_heeded(stub: Stub) -> None:
    stub.is_test = True
    more = {"API_URL": stub.url, "TEST": "on", "CARD_NUMBERS": "on"}
    made = KIND.make(Account("main", KIND.name, VALUES | more))
    assert isinstance(made, YooKassaProvider)

    paid = made.pay(instruction(recipient={"card": "5555555555554477"}), deadline=soon())
    made.close()

    assert paid.verdict == "succeeded"


@pytest.mark.parametrize(
    "wrong",
    [
        {"GATEWAY_ID": ""},
        {"SECRET": ""},
        {"API_URL": "api.yookassa.ru"},
        {"TEST": "yes"},
        {"CARD_NUMBERS": "1"},
        {"WEBHOOK_NETWORKS": "185.71.76.1/27"},
        {"WEBHOOK_NETWORKS": "yookassa.ru"},
    ],
)
def test_what_cannot_work_is_an_error_that_names_its_setting(wrong: dict[str, str]) -> None:
    (name,) = wrong

    with pytest.raises(ValueError, match=name.removeprefix("API_")):
        KIND.make(Account("main", KIND.name, VALUES | wrong))
