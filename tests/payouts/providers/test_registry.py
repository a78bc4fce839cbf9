"""Which provider a name stands for."""

from typing import Any

import pytest

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
