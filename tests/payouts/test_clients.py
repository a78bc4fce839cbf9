"""API clients and their keys: shown once, found in constant time, revoked at once."""

import json
from collections.abc import Callable
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from payouts import clients
from payouts.clients import ClientError
from payouts.models import ApiClient, ApiKey

pytestmark = pytest.mark.django_db

BOTH = ["payouts:read", "payouts:write"]


def test_a_key_is_kept_as_its_prefix_and_a_hash_of_its_256_bits() -> None:
    client, key = clients.create_client("shop", scopes=BOTH)

    stored = ApiKey.objects.get()
    prefix, secret = key.removeprefix("pk_").split("_", 1)
    assert (stored.client, stored.prefix, stored.scopes) == (client, prefix, BOTH)
    assert len(secret) == 43  # 256 bits in base64
    assert secret not in str(ApiKey.objects.values())
    assert len(bytes(stored.secret_hash)) == 32
    assert stored.is_usable


def test_two_keys_of_a_client_are_different_and_both_work() -> None:
    client, one = clients.create_client("shop", scopes=BOTH)

    other = clients.create_key(client, scopes=["payouts:reveal"])

    found = [clients.find_key(key) for key in (one, other)]
    assert [key.scopes for key in found if key] == [BOTH, ["payouts:reveal"]]
    assert one != other


def test_a_key_is_found_with_its_client_and_its_use_is_noted_once_a_minute() -> None:
    client, key = clients.create_client("shop", scopes=BOTH)

    found = clients.find_key(key)
    first_use = ApiKey.objects.get().last_used_at
    clients.find_key(key)

    assert found is not None
    assert found.client == client
    assert first_use is not None
    assert ApiKey.objects.get().last_used_at == first_use


def test_a_revoked_key_is_not_found_from_then_on() -> None:
    client, key = clients.create_client("shop", scopes=BOTH)
    other = clients.create_key(client, scopes=BOTH)
    found = clients.find_key(key)
    assert found is not None

    clients.revoke_key(found.id)
    revoked_at = ApiKey.objects.get(pk=found.id).revoked_at
    clients.revoke_key(found.id)

    assert clients.find_key(key) is None
    assert clients.find_key(other) is not None
    assert not ApiKey.objects.get(pk=found.id).is_usable
    assert ApiKey.objects.get(pk=found.id).revoked_at == revoked_at


@pytest.mark.parametrize(("seconds", "is_found"), [(3_600, True), (-1, False)])
def test_a_key_is_found_until_it_expires(seconds: int, is_found: bool) -> None:
    client, _key = clients.create_client("shop", scopes=BOTH)

    key = clients.create_key(client, scopes=BOTH, expires_at=timezone.now() + timedelta(seconds=seconds))

    assert (clients.find_key(key) is not None) == is_found
    assert ApiKey.objects.latest("pk").is_usable == is_found


JUNK: dict[str, Callable[[str], str]] = {
    "nothing": lambda key: "",
    "only the kind": lambda key: "pk_",
    "no secret": lambda key: key[: key.index("_", 3) + 1],
    "no prefix": lambda key: "pk__" + key.split("_", 2)[2],
    "another kind": lambda key: "sk" + key[2:],
    "another prefix": lambda key: "pk_00000000_" + key.split("_", 2)[2],
    "a secret that is wrong in its last letter": lambda key: key[:-1] + ("A" if key[-1] != "A" else "B"),
    "a secret that is too long": lambda key: key + "A",
    "a secret that is cut": lambda key: key[:-1],
    "capital letters": lambda key: key.upper(),
    "a prefix that goes on": lambda key: key.replace("_", "_", 1)[:11] + "0000_" + key.split("_", 2)[2],
    "a space before": lambda key: " " + key,
    "a NUL": lambda key: "pk_\0_x",
    "SQL": lambda key: "pk_' OR 1=1 --_x",
    "letters of another script": lambda key: "pk_ключ_ключ",
    "the stored hash": lambda key: "pk_" + key.split("_")[1] + "_" + bytes(ApiKey.objects.get().secret_hash).hex(),
    "a megabyte": lambda key: "pk_" + "a" * 1_000_000 + "_x",
}


@pytest.mark.parametrize("what", JUNK)
def test_what_is_no_key_is_not_found(what: str) -> None:
    _client, key = clients.create_client("shop", scopes=BOTH)

    assert clients.find_key(JUNK[what](key)) is None
    assert ApiKey.objects.get().last_used_at is None


@pytest.mark.parametrize("scopes", [[], ["payouts:everything"], ["payouts:read", "admin"], ["PAYOUTS:READ"], [""]])
def test_scopes_are_one_or_more_of_the_four(scopes: list[str]) -> None:
    with pytest.raises(ClientError, match="payouts:read"):
        clients.create_client("shop", scopes=scopes)

    assert not ApiClient.objects.exists()


@pytest.mark.parametrize("name", ["", "a shop", "магазин", "x" * 65, "a/b", "a\0b"])
def test_a_name_that_is_no_slug_is_refused(name: str) -> None:
    with pytest.raises(ClientError):
        clients.create_client(name, scopes=BOTH)

    assert not ApiClient.objects.exists()


def test_two_clients_have_two_names() -> None:
    clients.create_client("shop", scopes=BOTH)

    with pytest.raises(ClientError):
        clients.create_client("shop", scopes=BOTH)

    assert ApiKey.objects.count() == 1


# The command


def test_the_command_prints_a_key_that_works() -> None:
    out = StringIO()

    call_command("create_api_client", "shop", "--scopes", "payouts:read, payouts:write", stdout=out)

    key = out.getvalue().split()[-1]
    found = clients.find_key(key)
    assert found is not None
    assert (found.client.name, found.scopes) == ("shop", BOTH)


def test_the_command_prints_json_on_demand() -> None:
    out = StringIO()

    call_command("create_api_client", "shop", "--scopes", "payouts:write,payouts:read", "--json", stdout=out)

    printed = json.loads(out.getvalue())
    assert set(printed) == {"client", "key", "scopes"}
    assert (printed["client"], sorted(printed["scopes"])) == ("shop", BOTH)
    assert clients.find_key(printed["key"]) is not None


@pytest.mark.parametrize(
    "arguments", [["shop", "--scopes", "all"], ["shop", "--scopes", ","], ["a shop", "--scopes", "x"]]
)
def test_the_command_refuses_with_a_sentence(arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        call_command("create_api_client", *arguments)

    assert not ApiClient.objects.exists()


def test_the_command_refuses_a_name_that_is_taken() -> None:
    call_command("create_api_client", "shop", "--scopes", "payouts:read", stdout=StringIO())

    with pytest.raises(CommandError):
        call_command("create_api_client", "shop", "--scopes", "payouts:read", stdout=StringIO())

    assert (ApiClient.objects.count(), ApiKey.objects.count()) == (1, 1)
