"""On the server a command stands for the second person, and says so."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from payouts import configuration, vault
from payouts.audit import broken_invariants
from payouts.clients import create_client, find_key
from payouts.models import AccessEvent, ApprovalBand, KeyMark, Passkey, Proposal
from payouts.models.sealed_sets import fault_of, forget
from payouts.staff import single_sign_on
from tests.databases import as_owner
from tests.payouts.observe import by_hand
from tests.recipes import allowed_to, open_proposal, pending_payout, person

pytestmark = pytest.mark.django_db

NEW_SEAL = "the new key that the next seals are made by"


def run(*arguments: str, **options: Any) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out, stderr=out, **options)
    return out.getvalue()


def test_a_proposal_is_listed_shown_and_confirmed_on_the_server() -> None:
    proposal = open_proposal()

    assert "RUB 1000000" in run("proposals", "list")
    assert "Approvals required: 2 → 3" in run("proposals", "show", str(proposal.pk))
    told = run("proposals", "confirm", str(proposal.pk))

    assert "Confirmed" in told
    proposal.refresh_from_db()
    assert (proposal.decision, proposal.decided_by) == ("confirmed", None)
    assert proposal.on_server.startswith("shell:")
    assert proposal.is_sealed
    assert ApprovalBand.objects.get(currency="RUB", from_amount=1_000_000).approvals_required == 3
    assert AccessEvent.objects.get(kind="on_server").user is None, "its proposer did not give the command"
    assert "No open proposal" in run("proposals", "list")
    with pytest.raises(CommandError, match="decided already"):
        run("proposals", "confirm", str(proposal.pk))


def test_a_proposal_is_declined_on_the_server_with_a_reason() -> None:
    proposal = open_proposal()

    run("proposals", "decline", str(proposal.pk), "--reason", "Not now.")

    proposal.refresh_from_db()
    assert (proposal.decision, proposal.decision_reason) == ("declined", "Not now.")
    with pytest.raises(CommandError, match="no such proposal"):
        run("proposals", "show", "999999")


def test_what_sql_has_changed_is_sealed_on_the_server_after_a_word_is_typed(monkeypatch: Any) -> None:
    assert "Every set fits" in run("seal_configuration")
    by_hand("UPDATE payouts_approvalband SET approvals_required = 4 WHERE currency = 'RUB' AND from_amount = 0")
    monkeypatch.setattr("builtins.input", lambda _asked: "no")
    with pytest.raises(CommandError, match="Nothing was sealed"):
        run("seal_configuration")
    assert fault_of("bands")

    told = run("seal_configuration", confirm="seal")

    assert "approvals_required 4" in told
    assert fault_of("bands") == ""
    assert pending_payout().approvals_required == 4
    with pytest.raises(CommandError, match="no set"):
        run("seal_configuration", "nothing")


def test_rotate_keys_renews_what_is_configured_and_names_what_does_not_fit(settings: Any) -> None:
    _client, key = create_client("shop", scopes=["payouts:read"])
    proposal = open_proposal()
    decided = open_proposal_of_a_limit()
    configuration.confirm(decided.pk, on_server="shell:root")
    linked = single_sign_on.link(person.make(), "anna")
    linked.refresh_token = vault.encrypt({"refresh_token": "r-1"})
    linked.seal_anew()
    passkey = Passkey.objects.create(user=linked.user, name="laptop", credential_id=b"c", public_key=b"k")
    passkey.refresh_from_db()
    passkey.seal_anew()
    old = settings.EVENT_HMAC_KEYS
    settings.EVENT_HMAC_KEYS = [NEW_SEAL, *old]

    run("rotate_keys")

    settings.EVENT_HMAC_KEYS, settings.EVENT_HMAC_KEYS_RETIRED = [NEW_SEAL], old
    with as_owner():
        KeyMark.objects.exclude(retired_at=None).delete()
    forget()
    assert list(broken_invariants()) == []
    assert find_key(key) is not None
    assert configuration.confirm(proposal.pk, on_server="shell:root").decision == "confirmed"


def test_rotate_keys_leaves_what_sql_has_changed(settings: Any) -> None:
    create_client("shop", scopes=["payouts:read"])
    by_hand("UPDATE payouts_apikey SET scopes = '{payouts:settle}'")
    single_sign_on.link(person.make(), "anna")
    by_hand("UPDATE payouts_singlesignon SET subject = 'thief'")
    settings.EVENT_HMAC_KEYS = [NEW_SEAL, *settings.EVENT_HMAC_KEYS]

    with pytest.raises(CommandError, match="the key pk_"):
        run("rotate_keys")

    assert {broken.invariant for broken in broken_invariants()} == {"api_key_sealed", "login_sealed"}


def open_proposal_of_a_limit() -> Proposal:
    by = allowed_to("add_payoutlimit")
    content = {"currency": "JPY", "recipient_amount": None, "day_amount": "500000"}
    return configuration.propose("limit", "", content, by=by, reason="Why", act="add")
