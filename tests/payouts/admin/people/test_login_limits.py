"""One password tried on everybody, and everything tried on one person: both wait, and the person does not."""

from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.core import signing
from django.test import Client
from django.utils import timezone

from payouts.staff import login_limits
from payouts.staff.login_limits import FROM_ADDRESS, OF_NAME
from tests.payouts.admin.conftest import as_user
from tests.payouts.admin.people.sign_in import PASSWORD, attempt, with_password
from tests.payouts.admin.people.test_second_factor import CONFIRM, code_of, enrolled

pytestmark = pytest.mark.django_db

HERE = "192.0.2.7"


@pytest.fixture
def person(in_group: Callable[[str], User]) -> User:
    return with_password(in_group("Operator"))


def failed(name: str, address: str, times: int = 1) -> None:
    """As that many wrong passwords leave it, without the time that each takes."""
    AccessAttempt.objects.create(
        username=login_limits.hashed_name(None, {"username": name}),
        ip_address=address,
        user_agent="",
        failures_since_start=times,
        attempt_time=timezone.now(),
    )


def on_known_device(person: User) -> Client:
    browser = as_user(person)
    assert browser.get("/admin/").status_code == 200
    browser.post("/admin/logout/")
    return browser


def test_one_password_tried_on_everybody_closes_the_address_and_nobody_elses(person: User) -> None:
    """Shown before: an address could try a password on as many names as there are."""
    known = on_known_device(person)
    for number in range(FROM_ADDRESS):
        failed(f"name-{number}", HERE)

    answer = attempt(Client(), person.username, PASSWORD, REMOTE_ADDR=HERE)

    assert answer.status_code == 429
    assert 0 < int(answer["Retry-After"]) <= 900
    assert "a device that you have logged in on before" in answer.content.decode()
    assert attempt(Client(), person.username, PASSWORD, REMOTE_ADDR="192.0.2.8").status_code == 302
    assert attempt(known, person.username, PASSWORD, REMOTE_ADDR=HERE).status_code == 302
    with time_machine.travel(timezone.now() + timedelta(minutes=16)):
        assert attempt(Client(), person.username, PASSWORD, REMOTE_ADDR=HERE).status_code == 302


def test_the_addresses_of_one_ipv6_network_count_together(person: User) -> None:
    for number in range(FROM_ADDRESS):
        failed(f"name-{number}", f"2001:db8:0:1::{number + 1:x}")

    near = attempt(Client(), person.username, PASSWORD, REMOTE_ADDR="2001:db8:0:1:ffff::9")
    far = attempt(Client(), person.username, PASSWORD, REMOTE_ADDR="2001:db8:0:2::9")

    assert (near.status_code, far.status_code) == (429, 302)


@pytest.mark.parametrize("is_anybodys", [True, False])
def test_many_addresses_on_one_name_wait_longer_and_longer(is_anybodys: bool, person: User) -> None:
    """Shown before: each new address had ten tries at the same name. A name that nobody has is treated alike."""
    name = person.username if is_anybodys else "nobody"
    asking: Any = SimpleNamespace(axes_ip_address="192.0.2.200", COOKIES={})
    waits = []
    for number in range(OF_NAME + 14):
        with time_machine.travel(timezone.now() + timedelta(hours=number / 60), tick=False):
            failed(name, f"198.51.100.{number}")
            waits.append(login_limits.wait_of(asking, name).total_seconds())

    assert waits[: OF_NAME - 1] == [0] * (OF_NAME - 1)
    assert waits[OF_NAME - 1 :][:4] == [1, 2, 4, 8]
    assert waits[-1] == 1_800


def test_the_owner_is_not_locked_out_by_strangers(person: User) -> None:
    known = on_known_device(person)
    failed(person.username, "198.51.100.1", times=200)

    assert attempt(Client(), person.username, PASSWORD, REMOTE_ADDR=HERE).status_code == 429
    assert attempt(known, person.username, PASSWORD, REMOTE_ADDR=HERE).status_code == 302


def test_a_known_device_has_no_more_tries_than_any_other(person: User, settings: Any) -> None:
    known = on_known_device(person)
    for _number in range(settings.AXES_FAILURE_LIMIT):
        last = attempt(known, person.username)

    assert last.status_code == 429
    assert attempt(known, person.username, PASSWORD).status_code == 429


def test_a_device_is_known_for_its_person_alone_and_cannot_be_made_up(
    person: User, in_group: Callable[[str], User], settings: Any
) -> None:
    other = with_password(in_group("Operator"))
    of_other = on_known_device(other)
    forged = Client()
    failed(person.username, "198.51.100.1", times=200)

    for value in (signing.dumps(person.pk), signing.dumps(person.pk, key="x" * 50, salt="payouts.known-device"), "x"):
        forged.cookies[settings.DEVICE_COOKIE_NAME] = value
        assert attempt(forged, person.username, PASSWORD, REMOTE_ADDR=HERE).status_code == 429
    assert attempt(of_other, person.username, PASSWORD, REMOTE_ADDR=HERE).status_code == 429
    old = on_known_device(person)
    with time_machine.travel(timezone.now() + timedelta(days=91)):
        failed(person.username, "198.51.100.2", times=200)
        assert attempt(old, person.username, PASSWORD, REMOTE_ADDR=HERE).status_code == 429


def test_a_password_alone_makes_no_device_known(person: User, settings: Any) -> None:
    settings.SECOND_FACTOR = True
    authenticator, _codes = enrolled(person)
    browser = Client()
    attempt(browser, person.username, PASSWORD)
    browser.get("/admin/")
    before = settings.DEVICE_COOKIE_NAME in browser.cookies

    browser.post(CONFIRM, {"code": code_of(authenticator)})
    browser.get("/admin/")

    cookie = browser.cookies[settings.DEVICE_COOKIE_NAME]
    assert not before
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")


def test_no_typed_name_and_nothing_of_a_form_stands_in_the_tables(person: User) -> None:
    """Shown before: names were stored as typed, passwords typed into their field among them."""
    attempt(Client(), "My-Password-Typed-Too-Early", "x")
    browser = as_user(person)
    given = {"old_password": "secret-one", "new_password1": "secret-two", "new_password2": "secret-two"}
    browser.post("/admin/password_change/?next=secret-three", given)

    rows = list(AccessAttempt.objects.values())

    assert len(rows) == 2
    assert "Typed-Too-Early" not in str(rows)
    assert person.username not in str([{**row, "user_agent": ""} for row in rows])
    assert "secret" not in str(rows)


def test_failures_that_count_no_more_are_deleted(person: User) -> None:
    with time_machine.travel(timezone.now() - timedelta(hours=25)):
        failed(person.username, HERE)
    failed(person.username, "192.0.2.8")

    assert login_limits.forget() == 1
    assert AccessAttempt.objects.count() == 1
