"""A person's sessions: listed, and ended at once, by themselves, by an admin and by a new password."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import UpdateError
from django.test import Client

from payouts.models import StaffSession
from payouts.staff import second_factor, sessions
from payouts.staff.sessions import device_of, stored
from tests import recipes
from tests.payouts.admin.conftest import as_user
from tests.payouts.admin.people.sign_in import LOGIN, PASSWORD, Kind, attempt, idle, kinds, with_password
from tests.payouts.admin.people.test_second_factor import CONFIRM, code_of, enrolled
from tests.payouts.admin.text import plain

pytestmark = pytest.mark.django_db

PAGE = "/admin/sessions/"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
NEW = "quarry-lantern-71-otter"


def logged_in(person: User, *, agent: str = FIREFOX, address: str = "192.0.2.7") -> Client:
    browser = Client(headers={"accept-language": "en", "user-agent": agent}, REMOTE_ADDR=address)
    assert attempt(browser, person.username, PASSWORD).status_code == 302
    return browser


def is_open(browser: Client) -> bool:
    return browser.get("/admin/").status_code == 200


def row_of(browser: Client) -> str:
    return stored(browser.session.session_key)


@pytest.fixture
def person(in_group: Callable[[str], User]) -> User:
    return with_password(in_group("Operator"))


def test_the_page_lists_where_one_is_logged_in(person: User, in_group: Callable[[str], User]) -> None:
    browser = logged_in(person)
    logged_in(person, agent="curl/8", address="2001:db8::1")
    logged_in(with_password(in_group("Operator")), address="192.0.2.99")
    silent = logged_in(person, address="192.0.2.55")
    idle(silent, 1_801)

    text = plain(browser.get(PAGE).content.decode())

    assert "Firefox, Windows (this session) 192.0.2.7" in text
    assert "unknown device 2001:db8::1" in text
    assert "192.0.2.99" not in text
    assert "192.0.2.55" not in text
    assert browser.session.session_key not in browser.get(PAGE).content.decode()


def test_one_session_is_ended_and_the_others_go_on(person: User) -> None:
    browser, lost, third = (logged_in(person) for _number in range(3))

    browser.post(PAGE, {"session": row_of(lost)})

    assert (is_open(browser), is_open(lost), is_open(third)) == (True, False, True)
    assert kinds(person)[-1] == Kind.SESSIONS_ENDED


def test_all_others_are_ended_at_once(person: User) -> None:
    browser, second, third = (logged_in(person) for _number in range(3))

    text = browser.post(PAGE, follow=True).content.decode()

    assert "2 sessions ended." in text
    assert (is_open(browser), is_open(second), is_open(third)) == (True, False, False)


def test_nobody_ends_anothers_session_on_this_page(person: User, in_group: Callable[[str], User]) -> None:
    other = logged_in(with_password(in_group("Operator")))
    browser = logged_in(person)

    browser.post(PAGE, {"session": row_of(other)})
    browser.post(PAGE)

    assert is_open(other)


def test_a_new_password_ends_all_others_and_their_rows(person: User) -> None:
    browser, other = logged_in(person), logged_in(person)

    given = {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}
    browser.post("/admin/password_change/", given)

    assert (is_open(browser), is_open(other)) == (True, False)
    assert StaffSession.objects.filter(person=person).count() == 1


def test_an_admin_ends_one_session_or_all_of_another(person: User, in_group: Callable[[str], User]) -> None:
    admin = as_user(in_group("Admin"))
    path = f"/admin/auth/user/{person.pk}/end-sessions/"
    first, second, third = (logged_in(person) for _number in range(3))

    listed = plain(admin.get(f"/admin/auth/user/{person.pk}/change/").content.decode())
    admin.post(path, {"version": 0, "session": row_of(first), "reason": "A lost laptop."})
    one = (is_open(first), is_open(second), is_open(third))
    admin.post(path, {"version": 0, "session": "", "reason": "A lost laptop."})

    assert "Firefox, Windows 192.0.2.7" in listed
    assert one == (False, True, True)
    assert (is_open(second), is_open(third), is_open(admin)) == (False, False, True)
    assert "no open session" in admin.get(path).content.decode()
    acts = [json.loads(entry.change_message)[0]["act"]["name"] for entry in LogEntry.objects.all()]
    assert acts == ["sessions_ended", "sessions_ended"]


def test_a_row_of_anothers_session_ends_nothing(person: User, in_group: Callable[[str], User]) -> None:
    other = logged_in(with_password(in_group("Operator")))
    logged_in(person)

    path = f"/admin/auth/user/{person.pk}/end-sessions/"
    answer = as_user(in_group("Admin")).post(path, {"version": 0, "session": row_of(other), "reason": "Why not."})

    assert "Select a valid choice" in answer.content.decode()
    assert is_open(other)


def test_a_request_that_was_under_way_brings_no_ended_session_back(person: User) -> None:
    browser = logged_in(person)
    store = sessions.SessionStore(browser.session.session_key)
    store["x"] = 1

    sessions.end(person)
    with pytest.raises(UpdateError):
        store.save()

    assert not StaffSession.objects.filter(person=person).exists()


def test_the_row_follows_the_session_past_the_second_factor(person: User, settings: Any) -> None:
    settings.SECOND_FACTOR = True
    authenticator, _codes = enrolled(person)
    browser = logged_in(person)
    before = row_of(browser)

    browser.post(CONFIRM, {"code": code_of(authenticator)})

    (row,) = sessions.of_person(person)
    assert (row.pk, row.device, row.address) == (row_of(browser), "Firefox, Windows", "192.0.2.7")
    assert row.pk != before


@pytest.mark.parametrize(
    ("agent", "device"),
    [
        (FIREFOX, "Firefox, Windows"),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18 Safari/605.1",
            "Safari, macOS",
        ),
        ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36", "Chrome, Android"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0", "Edge, Windows"),
        ("Mozilla/5.0 (X11; Linux x86_64) Chrome/138.0 YaBrowser/25.8 Safari/537.36", "Yandex Browser, Linux"),
        ("<script>alert(1)</script>", ""),
    ],
)
def test_a_device_is_told_by_its_browser_and_system(agent: str, device: str) -> None:
    assert device_of(agent) == device


# What is told at the next login


def test_the_next_login_tells_what_has_changed_since_and_how_often_it_was_refused(person: User) -> None:
    browser = logged_in(person)
    given = {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}
    browser.post("/admin/password_change/", given)
    attempt(Client(), person.username)

    again = Client(headers={"accept-language": "en"})
    attempt(again, person.username, NEW)
    told = plain(again.get("/admin/").content.decode())
    third = Client(headers={"accept-language": "en"})
    attempt(third, person.username, NEW)

    assert "Since your last login: Password changed, " in told
    assert "1 login under your name was refused" in told
    assert "Since your last login" not in third.get("/admin/").content.decode()


def test_who_has_a_second_factor_is_told_only_after_it(person: User, settings: Any) -> None:
    settings.SECOND_FACTOR = True
    authenticator, _codes = enrolled(person)
    logged_in(person)
    second_factor.new_backup_codes(person)
    attempt(Client(), person.username)
    browser = logged_in(person)

    before = browser.get(CONFIRM).content.decode()
    answer = browser.post(CONFIRM, {"code": code_of(authenticator)})
    after = browser.get(answer["Location"]).content.decode()

    assert "was refused since" not in before
    assert "1 login under your name was refused since" in after


def test_a_login_that_is_not_confirmed_hides_nothing_from_the_next_one(person: User, settings: Any) -> None:
    settings.SECOND_FACTOR = True
    _authenticator, codes = enrolled(person)
    logged_in(person).post(CONFIRM, {"code": codes[0]})
    attempt(Client(), person.username)
    logged_in(person)  # by somebody who has the password alone

    browser = logged_in(person)
    answer = browser.post(CONFIRM, {"code": codes[1]})
    told = plain(browser.get(answer["Location"]).content.decode())

    assert "1 login under your name was refused since" in told
    assert "Since your last login: Confirmed the second factor with a backup code" in told


def test_a_first_login_tells_nothing(db: None) -> None:
    person: User = with_password(recipes.person.make())

    browser = logged_in(person)

    assert "Since your last login: Password changed" not in browser.get("/admin/").content.decode()
    assert browser.get(LOGIN).status_code == 302
