"""Which provider an account's name stands for."""

from datetime import timedelta
from typing import Any

import pytest

from payouts.providers import registry
from payouts.providers.http.client import HttpProvider
from payouts.providers.registry import UnknownProviderError, get_provider, known_names
from tests.payouts.providers.double import DoubleProvider


def test_a_name_nobody_has_is_an_error() -> None:
    with pytest.raises(UnknownProviderError, match="no provider named 'nobody'"):
        get_provider("nobody")


def test_a_double_goes_by_its_name_until_it_is_removed() -> None:
    with DoubleProvider("double").registered() as double:
        found, names = get_provider("double"), known_names()

    assert found is double
    assert names == ["double", "http"]
    with pytest.raises(UnknownProviderError):
        get_provider("double")


def test_http_is_made_once_from_the_settings(settings: Any) -> None:
    settings.PROVIDER_URL = "https://provider.test/base"
    settings.PROVIDER_TOKEN = "first"

    found = get_provider("http")

    assert isinstance(found, HttpProvider)
    assert get_provider("http") is found
    settings.PROVIDER_TOKEN = "second"
    assert get_provider("http") is not found


def test_a_double_can_stand_in_for_http() -> None:
    with DoubleProvider("http").registered() as double:
        assert get_provider("http") is double


def test_two_accounts_of_one_kind_are_two_providers(settings: Any) -> None:
    settings.PROVIDERS = {"main": "http", "eu": "http"}
    settings.PROVIDER_VALUES = {
        "main": {"URL": "https://main.test", "TOKEN": "a"},
        "eu": {"URL": "https://eu.test", "TOKEN": "b"},
    }

    main, eu = get_provider("main"), get_provider("eu")

    assert (main.name, eu.name) == ("main", "eu")
    assert main.account != eu.account
    assert known_names() == ["eu", "http", "main"]


@pytest.mark.parametrize("url", ["https://provider.test/base", ""])
def test_the_first_that_providers_names_pays_whoever_is_given_the_url(settings: Any, url: str) -> None:
    settings.PROVIDER_URL = url
    settings.PROVIDERS = {"main": "http", "eu": "http"}
    assert registry.default() == "main"
    assert known_names() == ["eu", *(["http"] if url else []), "main"]

    settings.PROVIDERS = {}
    assert registry.default() == "http"


def test_an_account_of_a_kind_that_there_is_not_is_an_error(settings: Any) -> None:
    settings.PROVIDERS = {"main": "nobodys"}

    with pytest.raises(UnknownProviderError):
        get_provider("main")
    assert registry.fingerprint_of("main") == ""


def test_a_provider_can_be_asked_by_our_reference_unless_it_declares_otherwise(settings: Any) -> None:
    settings.PROVIDERS = {"eu": "paypal"}

    assert registry.is_asked_by_reference("http")
    assert registry.is_asked_by_reference("gone")
    assert not registry.is_asked_by_reference("eu")


def test_a_key_lives_as_long_as_its_provider_declares_or_the_setting_says(settings: Any) -> None:
    settings.PROVIDER_KEY_TTL_SECONDS = 3600

    assert registry.key_life("http") == timedelta(hours=1)
    assert registry.key_life("gone") == timedelta(hours=1)


def test_an_account_has_the_formats_of_its_kind_and_our_csv(settings: Any) -> None:
    settings.PROVIDERS = {"main": "yookassa", "eu": "http", "lost": "nobodys"}

    formats = {name: [each.name for each in registry.formats_of(name)] for name in settings.PROVIDERS}

    assert formats == {"main": ["yookassa_register", "payments"], "eu": ["payments"], "lost": ["payments"]}
    assert [registry.zone_of(name) for name in settings.PROVIDERS] == ["Europe/Moscow", "UTC", "UTC"]
    assert len({each.name for kind in registry.KINDS.values() for each in kind.reports} | {"payments", "list"}) == 3
