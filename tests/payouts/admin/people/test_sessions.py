"""Sessions that end: after no activity, and at their limit."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user
from django.contrib.auth.models import User
from django.test import Client

from payouts.models import StaffSession
from payouts.staff import sessions
from payouts.staff.sessions import stored
from tests.payouts.admin.conftest import as_user
from tests.payouts.admin.people.sign_in import LOGIN, PASSWORD, Kind, idle, kinds, with_password
from tests.payouts.observe import by_hand

pytestmark = pytest.mark.django_db


def test_a_session_ends_after_no_activity_and_the_login_says_why(in_group: Callable[[str], User]) -> None:
    person = in_group("Operator")
    browser = as_user(person)
    idle(browser, 1_801)

    answer = browser.get("/admin/payouts/payout/?q=1")

    assert answer["Location"] == f"{LOGIN}?next=%2Fadmin%2Fpayouts%2Fpayout%2F%3Fq%3D1&ended=idle"
    assert "after a while without activity" in browser.get(answer["Location"]).content.decode()
    assert not StaffSession.objects.filter(session_data__contains="_auth_user_id").exists()
    assert kinds(person)[-1] == Kind.IDLE
    assert browser.get("/admin/").status_code == 302


def test_the_login_after_it_goes_on_where_one_was(in_group: Callable[[str], User]) -> None:
    person = with_password(in_group("Operator"))
    browser = as_user(person)
    idle(browser, 1_801)
    login = browser.get("/admin/payouts/payout/?q=1")["Location"]

    form = {"username": person.username, "password": PASSWORD, "next": "/admin/payouts/payout/?q=1"}
    answer = browser.post(login, form)

    assert answer["Location"] == "/admin/payouts/payout/?q=1"


def test_a_form_left_open_leads_back_to_its_page(in_group: Callable[[str], User]) -> None:
    browser = as_user(in_group("Operator"))
    page = "http://testserver/admin/payouts/payout/1/change/"

    idle(browser, 1_801)
    posted = browser.post("/admin/payouts/payout/1/hold/", headers={"Referer": page})
    browser = as_user(in_group("Operator"))
    idle(browser, 1_801)
    dialog = browser.post("/admin/payouts/payout/1/hold/", headers={"HX-Request": "true", "HX-Current-URL": page})

    login = f"{LOGIN}?next=%2Fadmin%2Fpayouts%2Fpayout%2F1%2Fchange%2F&ended=idle"
    assert posted["Location"] == login
    assert (dialog.status_code, dialog["HX-Redirect"]) == (200, login)


def test_a_form_of_another_site_leads_nowhere_but_to_the_start(in_group: Callable[[str], User]) -> None:
    browser = as_user(in_group("Operator"))
    idle(browser, 1_801)

    answer = browser.post("/admin/payouts/payout/1/hold/", headers={"Referer": "https://evil.example/x"})

    assert answer["Location"] == f"{LOGIN}?next=%2Fadmin%2F&ended=idle"


def test_activity_keeps_a_session_and_is_written_once_a_minute(
    in_group: Callable[[str], User], django_assert_num_queries: Any
) -> None:
    browser = as_user(in_group("Operator"))
    idle(browser, 1_700)
    browser.get("/admin/")
    seen_at = browser.session[sessions.SEEN_AT]
    idle(browser, 30)

    browser.get("/admin/")

    assert time.time() - seen_at < 60
    assert time.time() - browser.session[sessions.SEEN_AT] >= 30


@pytest.mark.parametrize(
    ("headers", "counts"),
    [
        ({"Sec-Fetch-Mode": "navigate", "Sec-Fetch-User": "?1"}, True),
        ({"Sec-Fetch-Mode": "cors", "HX-Request": "true"}, True),
        ({"Sec-Fetch-Mode": "navigate"}, False),
        ({"Sec-Fetch-Mode": "cors"}, False),
    ],
)
def test_what_a_page_asks_for_by_itself_is_no_activity(
    headers: dict[str, str], counts: bool, in_group: Callable[[str], User]
) -> None:
    browser = as_user(in_group("Operator"))
    idle(browser, 600)

    browser.get("/admin/", headers=headers)

    assert (time.time() - browser.session[sessions.SEEN_AT] < 60) is counts


def test_a_session_ends_at_its_limit_however_busy(in_group: Callable[[str], User], settings: Any) -> None:
    person = in_group("Operator")
    browser = as_user(person)
    session = browser.session
    session[sessions.BEGAN_AT] = int(time.time()) - settings.SESSION_COOKIE_AGE
    session.save()

    answer = browser.get("/admin/")

    assert answer["Location"] == f"{LOGIN}?next=%2Fadmin%2F&ended=expired"
    assert "the session reached its time limit" in browser.get(answer["Location"]).content.decode()
    assert kinds(person)[-1] == Kind.EXPIRED


def test_a_session_from_before_this_version_goes_on(in_group: Callable[[str], User]) -> None:
    browser = as_user(in_group("Operator"))
    session = browser.session
    del session[sessions.BEGAN_AT], session[sessions.SEEN_AT]
    session.save()

    assert browser.get("/admin/").status_code == 200
    assert sessions.BEGAN_AT in browser.session


def test_a_dialog_without_a_session_opens_the_login_page_not_a_login_in_itself() -> None:
    page = "http://testserver/admin/payouts/payout/1/change/"

    answer = Client().get("/admin/payouts/payout/1/hold/", headers={"HX-Request": "true", "HX-Current-URL": page})

    assert answer["HX-Redirect"] == f"{LOGIN}?next=%2Fadmin%2Fpayouts%2Fpayout%2F1%2Fchange%2F"


def test_every_cookie_is_out_of_reach_of_scripts_and_other_sites(in_group: Callable[[str], User]) -> None:
    person = with_password(in_group("Operator"))
    browser = Client()
    browser.get(LOGIN)
    browser.post(LOGIN, {"username": person.username, "password": PASSWORD})
    browser.get("/admin/")
    browser.post("/i18n/setlang/", {"language": "ru"})

    assert browser.cookies.keys() == {"payouts_session", "csrftoken", "payouts_device", "payouts_language"}
    for cookie in browser.cookies.values():
        assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/"), cookie


def test_in_production_every_cookie_has_the_prefix_of_its_host_alone() -> None:
    asked = "[settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME, settings.LANGUAGE_COOKIE_NAME,"
    asked += " settings.DEVICE_COOKIE_NAME, settings.SESSION_COOKIE_SECURE, settings.CSRF_COOKIE_SECURE,"
    asked += " settings.LANGUAGE_COOKIE_SECURE, settings.SESSION_COOKIE_DOMAIN, settings.WRITTEN_COOKIE_NAME]"
    program = f"from django.conf import settings; print({asked})"
    production = {**os.environ, "DJANGO_DEBUG": "off", "DJANGO_SETTINGS_MODULE": "backoffice.settings"}

    said = subprocess.check_output([sys.executable, "-c", program], env=production, text=True)

    names = [f"'__Host-{name}'" for name in ("payouts_session", "csrftoken", "payouts_language", "payouts_device")]
    assert said.strip() == f"[{', '.join(names)}, True, True, True, None, '__Host-payouts_written']"


def test_nobody_is_left_logged_in_by_a_session_that_ended(in_group: Callable[[str], User]) -> None:
    browser = as_user(in_group("Operator"))
    idle(browser, 1_801)

    browser.get("/admin/")

    assert not get_user(browser).is_authenticated  # type: ignore[arg-type]


def test_who_reads_and_copies_the_rows_of_sessions_has_none(in_group: Callable[[str], User], settings: Any) -> None:
    """Shown before: the row had the cookie's value, and its content opened a session under a key of one's own."""
    victim, own = as_user(in_group("Approver")), as_user(in_group("Operator"))
    (theirs,) = StaffSession.objects.exclude(pk=stored(own.session.session_key))
    thief = Client()
    opened = []
    for taken in (theirs.pk, "a" * 32, stored("a" * 32)):
        by_hand(
            "INSERT INTO payouts_staffsession SELECT %s, session_data, expire_date, address, device, began_at,"
            " seen_at, person_id FROM payouts_staffsession WHERE session_key = %s ON CONFLICT DO NOTHING",
            taken,
            theirs.pk,
        )
        for key in (taken, "a" * 32):
            thief.cookies[settings.SESSION_COOKIE_NAME] = key
            opened.append(thief.get("/admin/payouts/payout/").status_code)
    own_row = StaffSession.objects.filter(pk=stored(own.session.session_key))
    own_row.update(session_data=theirs.session_data)

    assert set(opened) == {302}
    assert own.get("/admin/payouts/payout/").status_code == 302
    assert victim.get("/admin/payouts/payout/").status_code == 200
