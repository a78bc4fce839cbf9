"""Erasing a recipient takes two people, one of whom confirms it in the back office."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from payouts import actions, configuration
from payouts.configuration import ConfigurationError
from payouts.models import AccessEvent, Payout, Proposal
from tests.payouts.observe import is_clean
from tests.recipes import CARD, allowed_to, pending_payout, person, processed_payout

pytestmark = pytest.mark.django_db

MAY_ERASE = ("view_payout", "erase_recipientkey")
OTHER = {"card": "5555 5555 5555 4444"}


@pytest.fixture(autouse=True)
def _two_people(settings: Any) -> None:
    settings.DUAL_CONTROL = True


@pytest.fixture
def asking() -> User:
    return allowed_to(*MAY_ERASE, username="asking")


@pytest.fixture
def confirming() -> User:
    return allowed_to(*MAY_ERASE, username="confirming")


def erase(*arguments: str, by: str = "asking") -> str:
    out = StringIO()
    call_command("erase", *arguments, "--by", by, "--reason", "The person asked for it.", stdout=out, stderr=out)
    return out.getvalue()


def proposed(payout: Payout) -> Proposal:
    erase("--payout", str(payout.pk))
    return Proposal.objects.latest("pk")


def test_nothing_is_erased_before_another_person_confirms(asking: User, confirming: User) -> None:
    payout = processed_payout()

    proposal = proposed(payout)

    assert proposal.is_sealed
    assert "Петров" not in json.dumps([proposal.title, proposal.before, proposal.after], ensure_ascii=False)
    assert Payout.objects.get(pk=payout.pk).recipient_details == CARD
    with pytest.raises(ConfigurationError, match="another person"):
        configuration.confirm(proposal.pk, by=asking)
    configuration.confirm(proposal.pk, by=confirming)
    erasure = Payout.objects.get(pk=payout.pk).erasure
    assert erasure is not None
    assert (erasure.proposed_by, erasure.confirmed_by) == (asking, confirming)
    assert erasure.reason == "The person asked for it."
    assert is_clean()
    assert AccessEvent.objects.filter(kind="on_server").exists()


def test_the_server_that_proposed_it_is_no_second_person(asking: User) -> None:
    payout = processed_payout()
    proposal = proposed(payout)

    with pytest.raises(ConfigurationError, match="back office"):
        configuration.confirm(proposal.pk, on_server="shell:root")

    assert Payout.objects.get(pk=payout.pk).erasure is None


def test_whoever_may_not_erase_neither_proposes_nor_confirms(asking: User) -> None:
    payout = processed_payout()
    person.make(username="somebody")

    with pytest.raises(CommandError, match="permission"):
        erase("--payout", str(payout.pk), by="somebody")
    with pytest.raises(CommandError, match="nobody"):
        erase("--payout", str(payout.pk), by="stranger")
    proposal = proposed(payout)
    with pytest.raises(ConfigurationError, match="permission"):
        configuration.confirm(proposal.pk, by=User.objects.get(username="somebody"))


def test_an_open_payout_refuses_it_when_it_is_proposed_and_when_it_is_confirmed(
    asking: User, confirming: User
) -> None:
    payout = processed_payout()
    proposal = proposed(payout)
    waiting = pending_payout()

    with pytest.raises(ConfigurationError, match="changed meanwhile"):
        configuration.confirm(proposal.pk, by=confirming)
    configuration.withdraw(proposal.pk, by=asking)
    with pytest.raises(CommandError, match=f"#{waiting.pk}"):
        erase("--payout", str(payout.pk))

    assert Payout.objects.get(pk=waiting.pk).recipient_details == CARD
    assert actions.claim(limit=10)


def test_every_recipient_of_a_user_is_proposed(asking: User) -> None:
    client = processed_payout().client
    assert client is not None
    processed_payout(client=client, recipient=OTHER)
    processed_payout(client=client, user_id=124, recipient={"card": "4012888888881881"})

    told = erase("--client", client.name, "--user-id", "123")

    assert told.count("Proposal ") == 2


def test_a_recipient_is_found_by_the_details(asking: User, tmp_path: Path) -> None:
    payout = processed_payout()
    file = tmp_path / "recipient.json"
    file.write_text(json.dumps(CARD))

    erase("--recipient", str(file))

    assert Proposal.objects.get().object_id == str(payout.recipient_key and payout.recipient_key.pk)
    file.write_text(json.dumps(OTHER))
    with pytest.raises(CommandError, match="nothing to erase"):
        erase("--recipient", str(file))
    file.write_text("[]")
    with pytest.raises(CommandError, match="JSON object"):
        erase("--recipient", str(file))
    with pytest.raises(CommandError, match="cannot be read"):
        erase("--recipient", str(tmp_path / "none.json"))


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--payout", "999999"], "no such payout"),
        (["--client", "nobody"], "--user-id"),
        (["--client", "nobody", "--user-id", "1"], "no such payout"),
    ],
)
def test_what_is_not_there_is_not_erased(asking: User, arguments: list[str], why: str) -> None:
    with pytest.raises(CommandError, match=why):
        erase(*arguments)


def test_one_person_is_enough_while_dual_control_is_off(asking: User, settings: Any) -> None:
    settings.DUAL_CONTROL = False
    payout = processed_payout()

    told = erase("--payout", str(payout.pk))

    erasure = Payout.objects.get(pk=payout.pk).erasure
    assert "is erased" in told
    assert erasure is not None
    assert (erasure.proposed_by, erasure.confirmed_by, erasure.on_server) == (asking, None, "DUAL_CONTROL is off")
    assert is_clean()


def test_its_page_says_what_happens(asking: User) -> None:
    proposal = proposed(processed_payout())
    kind = configuration.subject(proposal.subject)

    lines = kind.lines(proposal.before, proposal.after)

    assert ("Recipient's details", "readable", "erased for good") in lines
    assert any(line.after.startswith("shell:") for line in lines)
