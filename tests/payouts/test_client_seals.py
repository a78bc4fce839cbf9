"""SQL alone makes no key that works, and hides nobody's closeness to a client."""

from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import IntegrityError, connection

from payouts import actions, vault
from payouts.actions import FourEyesError, NotAllowedError
from payouts.audit import broken_invariants
from payouts.clients import create_client, create_key, find_key, revoke_key
from payouts.models import ApiClient, ApiKey, ClientAlteredError
from tests import recipes
from tests.databases import as_owner
from tests.payouts.observe import by_hand, unguarded

pytestmark = pytest.mark.django_db


@pytest.fixture
def key(db: None) -> str:
    _client, made = create_client("shop", scopes=["payouts:read", "payouts:write"])
    return made


def test_a_key_that_sql_puts_in_opens_nothing_and_the_audit_names_it(key: str) -> None:
    """Shown before: a row of one's own with the SHA-256 of one's own secret paid 50,000,000."""
    columns = "client_id, prefix, secret_hash, scopes, created_at"
    by_hand(
        f"INSERT INTO payouts_apikey ({columns}) SELECT client_id, 'abcd1234', %s, scopes, now() FROM payouts_apikey",
        vault.digest("a secret of my own"),
    )
    own = f"pk_abcd1234_{'a secret of my own'}"

    assert find_key(own) is None
    by_hand("UPDATE payouts_apikey SET facts_seal = (SELECT facts_seal FROM payouts_apikey LIMIT 1)")
    assert find_key(own) is None
    assert {broken.invariant for broken in broken_invariants()} == {"api_key_sealed"}


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE payouts_apikey SET scopes = '{payouts:read,payouts:write,payouts:settle}'",
        "UPDATE payouts_apikey SET expires_at = now() + interval '1 day'",
        "UPDATE payouts_apikey SET client_id = %(other)s",
        "UPDATE payouts_apikey SET created_at = created_at + interval '1 s'",
        "UPDATE payouts_apiclient SET owner_id = %(person)s WHERE name = 'shop'",
        "UPDATE payouts_apiclient SET name = 'another' WHERE name = 'shop'",
        """UPDATE payouts_apiclient SET ties = '{"owners": {}, "handlers": {}}' WHERE name = 'shop'""",
        "UPDATE payouts_apiclient SET ties = '[]' WHERE name = 'shop'",
    ],
)
def test_a_key_whose_row_or_client_sql_has_changed_opens_nothing(change: str, key: str) -> None:
    ids = {"other": recipes.client.make().pk, "person": recipes.person.make().pk}
    assert find_key(key)

    with connection.cursor() as cursor:
        cursor.execute(change, ids)

    assert find_key(key) is None
    assert {broken.invariant for broken in broken_invariants()} <= {"api_key_sealed", "client_sealed"}
    assert list(broken_invariants())


def test_a_revoked_key_is_not_brought_back_by_sql(key: str) -> None:
    found = ApiKey.objects.get()
    revoke_key(found.pk)

    by_hand("UPDATE payouts_apikey SET revoked_at = NULL, facts_seal = %s", bytes(found.facts_seal or b""))

    assert find_key(key) is None


def test_a_key_that_sql_has_changed_can_be_revoked_and_makes_nothing_right(key: str) -> None:
    by_hand("UPDATE payouts_apikey SET scopes = '{payouts:settle}'")

    revoke_key(ApiKey.objects.get().pk)

    assert not ApiKey.objects.get().is_usable
    assert not ApiKey.objects.get().is_sealed


def test_a_client_that_sql_has_changed_is_not_sealed_anew_by_a_form_or_a_key(key: str) -> None:
    by_hand("UPDATE payouts_apiclient SET name = 'another'")
    client = ApiClient.objects.get()

    with pytest.raises(ClientAlteredError):
        client.save()
    with pytest.raises(ClientAlteredError):
        create_key(client, scopes=["payouts:read"])
    assert not ApiClient.objects.get().is_sealed


def test_nobody_decides_on_the_payouts_of_a_client_that_sql_has_changed(checker: User) -> None:
    payout = recipes.awaiting_payout(client=recipes.client.make(owner=checker))
    by_hand("UPDATE payouts_apiclient SET ties = '{}', owner_id = NULL")

    for person in (checker, recipes.person.make(is_superuser=True)):
        with pytest.raises(NotAllowedError, match="changed outside the product"):
            actions.approve(payout.pk, by=person)


def test_a_former_owner_and_a_handler_are_close_though_every_history_is_gone(checker: User, operator: User) -> None:
    client = recipes.client.make(owner=checker)
    create_key(client, scopes=["payouts:read"], by=operator)
    client.owner = None
    client.save()
    for table in ("payouts_historicalapiclient", "payouts_historicalapikey"):
        with unguarded(table):
            by_hand(f"DELETE FROM {table}")
    payout = recipes.awaiting_payout(client=client)

    for person in (checker, operator):
        with pytest.raises(FourEyesError):
            actions.approve(payout.pk, by=person)


def test_the_history_of_keys_and_clients_cannot_be_cleaned_away(key: str) -> None:
    by_hand("SET CONSTRAINTS ALL IMMEDIATE")

    with pytest.raises(IntegrityError, match="history_append_only"), as_owner():
        call_command("clean_old_history", "--auto", "--days", "0", stdout=StringIO())


def test_a_form_that_was_opened_before_a_key_was_made_does_not_forget_who_made_it(key: str, checker: User) -> None:
    opened = ApiClient.objects.get()
    create_key(ApiClient.objects.get(), scopes=["payouts:read"], by=checker)

    opened.owner = recipes.person.make()
    opened.save()

    assert str(checker.pk) in ApiClient.objects.get().ties["handlers"]


def test_who_was_closed_since_the_request_began_approves_nothing(checker: User) -> None:
    payout = recipes.awaiting_payout()
    assert checker.is_active
    User.objects.filter(pk=checker.pk).update(is_active=False)

    with pytest.raises(FourEyesError, match="account is closed"):
        actions.approve(payout.pk, by=checker)


@pytest.mark.parametrize("way", ["owner", "key"])
def test_an_old_row_of_a_client_put_back_hides_nobody_from_the_audit(way: str) -> None:
    """Shown before: its seal fits, so whoever took a key meanwhile approved what it made; the audit was clean."""
    person, client = recipes.person.make(), recipes.client.make()
    old = ApiClient.objects.values_list("owner_id", "facts_seal").get(pk=client.pk)
    ties = vault.canonical(ApiClient.objects.get(pk=client.pk).ties).decode()
    if way == "owner":
        client.owner = person
        client.save()
    else:
        create_key(client, scopes=["payouts:write"], by=person)
    assert not list(broken_invariants())

    by_hand(
        "UPDATE payouts_apiclient SET owner_id = %s, facts_seal = %s, ties = %s WHERE id = %s", *old, ties, client.pk
    )
    actions.approve(recipes.awaiting_payout(client=ApiClient.objects.get()).pk, by=person)

    assert {broken.invariant for broken in broken_invariants()} == {"client_put_back"}
