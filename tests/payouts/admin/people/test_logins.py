"""Logins that are throttled, by name and by address."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from django.utils import timezone

from payouts.models import AccessEvent
from payouts.staff.client_address import client_address
from tests.payouts.admin.conftest import as_user
from tests.payouts.admin.people.sign_in import PASSWORD, Kind, attempt, kinds, with_password

pytestmark = pytest.mark.django_db

CHANGE = "/admin/password_change/"


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "logins from your address are closed for 15 minutes"),
        ("ru", '<html lang="ru"'),  # its words are the catalogue's
    ],
)
def test_too_many_wrong_passwords_close_the_login_for_this_name_and_address(
    language: str, said: str, in_group: Callable[[str], User], settings: Any
) -> None:
    person, other = with_password(in_group("Operator")), with_password(in_group("Operator"))
    browser = Client(headers={"accept-language": language})
    for _number in range(settings.AXES_FAILURE_LIMIT - 1):
        assert attempt(browser, person.username).status_code == 200

    last = attempt(browser, person.username)
    right = attempt(browser, person.username, PASSWORD)

    for answer in (last, right):
        assert answer.status_code == 429
        assert answer["Retry-After"] == "900"
        assert said in answer.content.decode()
        assert "po-gate" in answer.content.decode()
    assert attempt(browser, other.username, PASSWORD).status_code == 302
    assert attempt(Client(), person.username, PASSWORD, REMOTE_ADDR="192.0.2.9").status_code == 302
    assert kinds(person).count(Kind.LOGIN_FAILED) == settings.AXES_FAILURE_LIMIT - 1
    assert kinds(person).count(Kind.LOCKED_OUT) == 1


def test_the_login_opens_again_after_its_time_though_somebody_went_on_trying(
    in_group: Callable[[str], User], settings: Any
) -> None:
    person = with_password(in_group("Operator"))
    browser = Client()
    for _number in range(settings.AXES_FAILURE_LIMIT):
        attempt(browser, person.username)
    with time_machine.travel(timezone.now() + timedelta(minutes=10)):
        assert attempt(browser, person.username).status_code == 429

    with time_machine.travel(timezone.now() + timedelta(minutes=16)):
        assert attempt(browser, person.username, PASSWORD).status_code == 302


def test_too_many_wrong_present_passwords_close_the_page_that_changes_it(
    in_group: Callable[[str], User], settings: Any
) -> None:
    """Shown before: a session left open could try every password there is."""
    person = with_password(in_group("Operator"))
    browser = as_user(person)
    new = {"new_password1": "quarry-lantern-71-otter", "new_password2": "quarry-lantern-71-otter"}
    for _number in range(settings.AXES_FAILURE_LIMIT - 1):
        answer = browser.post(CHANGE, {"old_password": "wrong", **new})
        assert "Your old password was entered incorrectly" in answer.content.decode()

    last = browser.post(CHANGE, {"old_password": "wrong", **new})
    right = browser.post(CHANGE, {"old_password": PASSWORD, **new})

    assert (last.status_code, right.status_code) == (429, 429)
    person.refresh_from_db()
    assert person.check_password(PASSWORD)
    assert kinds(person).count(Kind.LOGIN_FAILED) == settings.AXES_FAILURE_LIMIT - 1


def test_the_right_present_password_changes_it_and_the_session_goes_on(in_group: Callable[[str], User]) -> None:
    person = with_password(in_group("Operator"))
    browser = as_user(person)
    new = "quarry-lantern-71-otter"

    answer = browser.post(CHANGE, {"old_password": PASSWORD, "new_password1": new, "new_password2": new})

    assert answer["Location"] == f"{CHANGE}done/"
    assert browser.get("/admin/").status_code == 200
    person.refresh_from_db()
    assert person.check_password(new)
    assert kinds(person)[-1] == Kind.PASSWORD_SET


FORGED, CLIENT, PROXY = "203.0.113.1", "198.51.100.7", "10.0.0.2"


@pytest.mark.parametrize(
    ("proxies", "header", "address"),
    [
        (0, FORGED, PROXY),
        (1, CLIENT, CLIENT),
        (1, f"{FORGED}, {CLIENT}", CLIENT),
        (2, f"{FORGED}, {CLIENT}, 10.0.0.3", CLIENT),
        (2, CLIENT, PROXY),
        (1, "", PROXY),
        (1, f"{CLIENT}, nonsense", PROXY),
        (1, "2001:DB8::1", "2001:db8::1"),
    ],
)
def test_an_address_is_believed_as_far_as_our_proxies_wrote_it(
    proxies: int, header: str, address: str, settings: Any
) -> None:
    settings.TRUSTED_PROXIES = proxies

    request = RequestFactory().get("/", REMOTE_ADDR=PROXY, headers={"X-Forwarded-For": header})

    assert client_address(request) == address


def test_behind_a_proxy_only_the_attackers_address_is_locked_out(
    in_group: Callable[[str], User], settings: Any
) -> None:
    settings.TRUSTED_PROXIES = 1
    person = with_password(in_group("Operator"))
    for number in range(settings.AXES_FAILURE_LIMIT):
        attempt(Client(), person.username, headers={"X-Forwarded-For": f"10.9.9.{number}, {FORGED}"})

    answer = attempt(Client(), person.username, PASSWORD, headers={"X-Forwarded-For": CLIENT})

    assert answer.status_code == 302
    assert AccessEvent.objects.filter(kind=Kind.LOCKED_OUT, address=FORGED).count() == 1
