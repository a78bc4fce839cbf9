"""The second factor: who needs it, how it is set up and confirmed, and who may take it away."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import get_resolver
from django.utils import timezone
from django_otp.oath import TOTP
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from payouts.models import AccessEvent, Authenticator, BackupCodes, StaffSession
from payouts.staff import groups, second_factor, sessions
from payouts.staff.sessions import stored
from tests import recipes
from tests.payouts.admin.conftest import as_user
from tests.payouts.admin.people.sign_in import PASSWORD, with_password
from tests.payouts.admin.test_gets import addresses

pytestmark = pytest.mark.django_db

CONFIRM, SET_UP, MINE = "/admin/second-factor/", "/admin/second-factor/set-up/", "/admin/second-factor/mine/"


@pytest.fixture(autouse=True)
def _second_factor_is_on(settings: Any) -> None:
    settings.SECOND_FACTOR = True


def code_of(authenticator: Authenticator, *, steps_ahead: int = 0) -> str:
    """What the phone shows now, or some half minutes later."""
    totp = TOTP(authenticator.bin_key, authenticator.step, authenticator.t0, authenticator.digits)
    totp.time = timezone.now().timestamp() + 30 * steps_ahead
    return f"{totp.token():06}"


def wrong_code(authenticator: Authenticator) -> str:
    near = {code_of(authenticator, steps_ahead=steps) for steps in range(-3, 4)}
    return next(code for number in range(10) if (code := f"{number:06}") not in near)


def enrolled(user: User) -> tuple[Authenticator, list[str]]:
    """An authenticator that was set up some time ago, and its backup codes."""
    authenticator = second_factor.offered(user, second_factor.offer(user))
    assert authenticator is not None
    codes = second_factor.set_up(user, authenticator, code_of(authenticator))
    Authenticator.objects.update(last_t=-1)
    authenticator.refresh_from_db()
    return authenticator, codes


def codes_in(text: str) -> list[str]:
    return re.findall(r"<li>(\d{5}-\d{5})</li>", text)


def offer_in(text: str) -> tuple[str, str]:
    """The form's hidden offer, and the secret as text."""
    offer = re.search(r'name="offer" value="([^"]+)"', text)
    secret = re.search(r'po-secret" translate="no">([A-Z2-7 ]+)<', text)
    assert offer is not None
    assert secret is not None
    return unescape(offer[1]), secret[1]


def test_no_address_of_the_admin_answers_before_the_second_factor(in_group: Callable[[str], User]) -> None:
    browser = as_user(in_group("Admin"))
    ours = (CONFIRM, SET_UP, MINE, *(f"/admin/{path}/" for path in ("login", "password-link")))
    ours += ("/admin/second-factor/passkeys/add/", "/admin/single-sign-on/", "/admin/single-sign-on/back/")

    for path in sorted(addresses({}) - set(ours)):
        for answer in (browser.get(path), browser.post(path)):
            assert answer.status_code == 302, path
            assert answer["Location"].startswith(f"{SET_UP}?next="), path


def test_nothing_for_people_lies_outside_of_what_is_guarded() -> None:
    def first_parts(patterns: list[Any]) -> set[str]:
        return {str(pattern.pattern) for pattern in patterns}

    outside = {path for path in first_parts(get_resolver().url_patterns) if not path.startswith("admin/")}

    assert outside == {"", "i18n/", "api/", "^healthz/?$", "^readyz/?$"}


def test_each_permission_to_do_more_than_look_needs_it() -> None:
    person = recipes.person.make()
    browser = as_user(person)
    codenames = set(Permission.objects.values_list("codename", flat=True))
    looking = {name for name in codenames if name.startswith("view_")}

    asked = set()
    for codename in codenames:
        person.user_permissions.set(Permission.objects.filter(codename=codename))
        if browser.get("/admin/").headers.get("Location") == f"{SET_UP}?next=%2Fadmin%2F":
            asked.add(codename)

    assert {"add_payout", "hold_payout", "retry_payout", "cancel_payout", "add_apikey", "change_user"} < asked
    assert asked == codenames - looking


@pytest.mark.parametrize("group", groups.GROUPS)
def test_every_group_needs_it(group: str, in_group: Callable[[str], User]) -> None:
    person = in_group(group)

    assert as_user(person).get("/admin/").status_code == 302
    assert person in second_factor.movers()


def test_a_superuser_needs_it_and_who_only_looks_does_not() -> None:
    person = recipes.person.make()
    person.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))

    assert as_user(recipes.superuser.make()).get("/admin/").status_code == 302
    assert as_user(person).get("/admin/").status_code == 200
    assert person not in second_factor.movers()


def test_where_it_is_not_required_only_who_has_one_is_asked(settings: Any, in_group: Callable[[str], User]) -> None:
    settings.SECOND_FACTOR = False
    without, with_one = in_group("Approver"), in_group("Operator")
    enrolled(with_one)

    assert as_user(without).get("/admin/").status_code == 200
    assert as_user(with_one).get("/admin/")["Location"].startswith(f"{CONFIRM}?next=")


def test_the_page_asked_for_is_kept_and_no_other_site_is_gone_to(in_group: Callable[[str], User]) -> None:
    person = in_group("Approver")
    authenticator, _codes = enrolled(person)
    browser = as_user(person)

    assert browser.get("/admin/payouts/payout/?q=1")["Location"] == (
        f"{CONFIRM}?next=%2Fadmin%2Fpayouts%2Fpayout%2F%3Fq%3D1"
    )
    answer = browser.post(CONFIRM, {"code": code_of(authenticator), "next": "https://evil.example/"})
    assert answer["Location"] == "/admin/"


def test_a_dialog_sends_the_page_around_it_to_the_second_factor(in_group: Callable[[str], User]) -> None:
    person = in_group("Approver")
    enrolled(person)

    answer = as_user(person).post(
        "/admin/payouts/payout/1/approve/",
        headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/admin/payouts/payout/1/change/"},
    )

    assert answer.status_code == 200
    assert answer["HX-Redirect"] == f"{CONFIRM}?next=%2Fadmin%2Fpayouts%2Fpayout%2F1%2Fchange%2F"


def test_the_pages_send_a_stranger_to_the_login() -> None:
    for path in (CONFIRM, SET_UP, MINE):
        assert Client().get(path)["Location"].startswith("/admin/login/?next=")
        assert Client().post(path)["Location"].startswith("/admin/login/?next=")


def test_setting_up_shows_a_key_and_takes_its_first_code(in_group: Callable[[str], User]) -> None:
    person = in_group("Approver")
    browser = as_user(person)
    page = browser.get(SET_UP)
    text = page.content.decode()
    offer, secret = offer_in(text)
    authenticator = second_factor.offered(person, offer)
    assert authenticator is not None

    answer = browser.post(SET_UP, {"offer": offer, "code": code_of(authenticator), "next": "/admin/payouts/payout/"})

    assert 'src="data:image/svg+xml' in text
    assert secret.replace(" ", "") in authenticator.config_url.partition("secret=")[2]
    assert "no-store" in page["Cache-Control"]
    assert "no-store" in answer["Cache-Control"]
    assert len(codes_in(answer.content.decode())) == 10
    assert browser.get("/admin/").status_code == 200
    assert AccessEvent.objects.filter(user=person, kind=AccessEvent.Kind.SET_UP).count() == 1


def test_a_get_of_the_set_up_page_stores_nothing(in_group: Callable[[str], User]) -> None:
    as_user(in_group("Approver")).get(SET_UP)

    assert not TOTPDevice.objects.exists()


def test_a_wrong_first_code_sets_up_nothing_and_keeps_the_key(in_group: Callable[[str], User]) -> None:
    person = in_group("Approver")
    browser = as_user(person)
    offer, secret = offer_in(browser.get(SET_UP).content.decode())
    authenticator = second_factor.offered(person, offer)
    assert authenticator is not None

    text = browser.post(SET_UP, {"offer": offer, "code": wrong_code(authenticator)}).content.decode()

    assert "not the one that the app shows now" in text
    assert offer_in(text) == (offer, secret)
    assert not TOTPDevice.objects.exists()


def test_an_offer_is_good_for_its_person_alone_and_not_for_ever(in_group: Callable[[str], User]) -> None:
    person, other = in_group("Approver"), in_group("Approver")
    offer = second_factor.offer(person)

    assert second_factor.offered(person, offer) is not None
    assert second_factor.offered(other, offer) is None
    assert second_factor.offered(person, "nonsense") is None
    with time_machine.travel(timezone.now() + timedelta(seconds=second_factor.OFFERED_SECONDS + 5)):
        assert second_factor.offered(person, offer) is None


def test_who_has_one_sets_up_another_only_after_confirming_and_with_the_password_and_a_present_code(
    in_group: Callable[[str], User],
) -> None:
    person = with_password(in_group("Approver"))
    first, codes = enrolled(person)
    browser = as_user(person)
    assert browser.get(SET_UP)["Location"].startswith(f"{CONFIRM}?next=")
    browser.post(CONFIRM, {"code": code_of(first)})
    offer, _secret = offer_in(browser.get(SET_UP).content.decode())
    second = second_factor.offered(person, offer)
    assert second is not None
    form = {"offer": offer, "code": code_of(second), "password": PASSWORD, "present_code": codes[0]}

    assert "not your password" in browser.post(SET_UP, form | {"password": "another"}).content.decode()
    refused = browser.post(SET_UP, form | {"present_code": code_of(first)}).content.decode()  # used at the login
    assert "wrong, or was used already" in refused
    mistyped = browser.post(SET_UP, form | {"code": wrong_code(second)}).content.decode()
    assert "not the one that the app shows now" in mistyped
    assert Authenticator.objects.get().key == first.key
    browser.post(SET_UP, form)

    assert Authenticator.objects.get().key == second.key
    assert browser.get("/admin/").status_code == 200
    assert AccessEvent.objects.filter(kind=AccessEvent.Kind.REPLACED).count() == 1


def test_the_database_holds_neither_the_key_nor_a_backup_code(in_group: Callable[[str], User]) -> None:
    authenticator, codes = enrolled(in_group("Approver"))
    stored = TOTPDevice.objects.get()

    assert stored.bin_key != authenticator.bin_key
    assert not stored.verify_token(int(code_of(authenticator)))
    assert not StaticToken.objects.filter(token__in=[code.replace("-", "") for code in codes]).exists()
    copied = Authenticator(user=in_group("Approver"), key=stored.key)
    assert copied.bin_key != authenticator.bin_key


def test_a_code_opens_the_back_office_for_this_session_alone(in_group: Callable[[str], User]) -> None:
    person = in_group("Approver")
    authenticator, _codes = enrolled(person)
    browser, another = as_user(person), as_user(person)
    before = browser.session.session_key

    answer = browser.post(CONFIRM, {"code": code_of(authenticator), "next": "/admin/payouts/payout/"})

    assert answer["Location"] == "/admin/payouts/payout/"
    assert browser.get("/admin/payouts/payout/").status_code == 200
    assert another.get("/admin/payouts/payout/").status_code == 302
    assert browser.session.session_key != before
    assert not StaffSession.objects.filter(pk=stored(before)).exists()


def test_the_same_code_opens_nothing_twice(in_group: Callable[[str], User]) -> None:
    person = in_group("Approver")
    authenticator, _codes = enrolled(person)
    code = code_of(authenticator)
    as_user(person).post(CONFIRM, {"code": code})
    another = as_user(person)

    text = another.post(CONFIRM, {"code": code}).content.decode()

    assert "wrong, or was used already" in text
    assert another.get("/admin/").status_code == 302


def test_wrong_codes_make_people_wait_even_for_a_right_one(in_group: Callable[[str], User]) -> None:
    person = in_group("Approver")
    authenticator, _codes = enrolled(person)
    browser = as_user(person)
    for _number in range(6):
        Authenticator.objects.update(throttling_failure_timestamp=None)
        browser.post(CONFIRM, {"code": wrong_code(authenticator)})

    text = browser.post(CONFIRM, {"code": code_of(authenticator)}).content.decode()

    assert "Too many wrong codes. Try again in 3" in text  # two to the fifth seconds
    assert browser.get("/admin/").status_code == 302
    assert AccessEvent.objects.filter(user=person, kind=AccessEvent.Kind.CODE_REFUSED).count() == 7


def test_what_is_no_code_is_told_so(in_group: Callable[[str], User]) -> None:
    person = in_group("Approver")
    enrolled(person)

    for text in ("12345", "abcdef", "١٢٣٤٥٦", "1" * 20):
        page = as_user(person).post(CONFIRM, {"code": text}).content.decode()
        assert "A code has 6 digits, a backup code 10." in page


def test_the_field_is_made_for_phones(in_group: Callable[[str], User]) -> None:
    person = in_group("Approver")
    enrolled(person)

    text = as_user(person).get(CONFIRM).content.decode()

    assert 'autocomplete="one-time-code"' in text
    assert 'inputmode="numeric"' in text


def test_a_backup_code_works_once(in_group: Callable[[str], User]) -> None:
    person = in_group("Approver")
    _authenticator, codes = enrolled(person)
    first, second = as_user(person), as_user(person)

    first.post(CONFIRM, {"code": codes[0]})
    second.post(CONFIRM, {"code": codes[0]})

    assert first.get("/admin/").status_code == 200
    assert second.get("/admin/").status_code == 302
    assert second_factor.backup_codes_left(person) == 9


def test_anothers_codes_open_nothing(in_group: Callable[[str], User]) -> None:
    person, other = in_group("Approver"), in_group("Approver")
    enrolled(person)
    authenticator, codes = enrolled(other)
    browser = as_user(person)

    for code in (code_of(authenticator), codes[0]):
        browser.post(CONFIRM, {"code": code})

    assert browser.get("/admin/").status_code == 302
    assert second_factor.backup_codes_left(other) == 10


def test_new_backup_codes_end_the_earlier_ones(in_group: Callable[[str], User]) -> None:
    person = with_password(in_group("Approver"))
    authenticator, codes = enrolled(person)
    browser = as_user(person)
    browser.post(CONFIRM, {"code": codes[0]})

    given = {"password": PASSWORD, "present_code": code_of(authenticator)}
    new = codes_in(browser.post(MINE, given).content.decode())

    assert browser.get("/admin/").status_code == 200
    another = as_user(person)
    another.post(CONFIRM, {"code": codes[1]})
    assert another.get("/admin/").status_code == 302
    BackupCodes.objects.update(throttling_failure_timestamp=None)
    another.post(CONFIRM, {"code": new[0]})
    assert another.get("/admin/").status_code == 200


def test_new_backup_codes_need_a_confirmed_session(in_group: Callable[[str], User]) -> None:
    person = in_group("Approver")
    _authenticator, codes = enrolled(person)

    answer = as_user(person).post(MINE)

    assert answer["Location"].startswith(CONFIRM)
    assert second_factor.verify(person, codes[0])


def test_new_backup_codes_need_the_password_and_a_present_code(in_group: Callable[[str], User]) -> None:
    """Shown before: a session left open was enough, and whoever sat down there had codes for ever."""
    person = with_password(in_group("Approver"))
    authenticator, codes = enrolled(person)
    browser = as_user(person)
    browser.post(CONFIRM, {"code": codes[0]})
    right = {"password": PASSWORD, "present_code": code_of(authenticator)}

    for wrong in ({}, {"password": "another"}, {"present_code": ""}, {"present_code": codes[0]}):
        given = right | wrong if wrong else {}
        assert codes_in(browser.post(MINE, given).content.decode()) == []

    assert second_factor.backup_codes_left(person) == 9
    assert not AccessEvent.objects.filter(kind=AccessEvent.Kind.CODES_MADE).exists()
    assert AccessEvent.objects.filter(kind=AccessEvent.Kind.CODE_REFUSED, user=person).count() == 1


def remove_path(person: User) -> str:
    return f"/admin/auth/user/{person.pk}/remove-second-factor/"


def test_a_superuser_removes_it_with_a_reason_and_every_session_must_confirm_anew(
    settings: Any, in_group: Callable[[str], User]
) -> None:
    person = in_group("Approver")
    authenticator, _codes = enrolled(person)
    confirmed = as_user(person)
    confirmed.post(CONFIRM, {"code": code_of(authenticator)})
    settings.SECOND_FACTOR = False
    superuser = recipes.superuser.make()

    as_user(superuser).post(remove_path(person), {"version": 0, "reason": "The phone is lost."})
    settings.SECOND_FACTOR = True

    assert not TOTPDevice.objects.exists()
    assert not StaticToken.objects.exists()
    assert confirmed.get("/admin/")["Location"].startswith(SET_UP)
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_id) == (superuser, str(person.pk))
    assert json.loads(entry.change_message) == [
        {"act": {"name": "second_factor_removed", "reason": "The phone is lost."}}
    ]


@pytest.mark.parametrize("group", ["Admin", "Auditor", "Approver", "Operator"])
def test_nobody_else_removes_one_not_even_their_own(settings: Any, group: str, in_group: Any) -> None:
    settings.SECOND_FACTOR = False
    person, actor = in_group("Approver"), in_group(group)
    enrolled(person)

    for whose in (person, actor):
        answer = as_user(actor).post(remove_path(whose), {"version": 0, "reason": "The phone is lost."})
        assert answer.status_code in (403, 404)

    assert TOTPDevice.objects.count() == 1


def test_the_command_removes_it_and_says_when_there_is_none(in_group: Callable[[str], User]) -> None:
    person = in_group("Approver")
    enrolled(person)

    call_command("reset_second_factor", person.username)

    assert not TOTPDevice.objects.exists()
    assert AccessEvent.objects.get(kind=AccessEvent.Kind.REMOVED).user == person
    with pytest.raises(CommandError, match="has no second factor"):
        call_command("reset_second_factor", person.username)
    with pytest.raises(CommandError, match="There is no person called"):
        call_command("reset_second_factor", "nobody")


def test_the_list_of_people_says_who_has_one(settings: Any, in_group: Callable[[str], User]) -> None:
    settings.SECOND_FACTOR = False
    person = in_group("Approver")
    enrolled(person)
    browser = as_user(recipes.superuser.make())

    text = browser.get("/admin/auth/user/").content.decode()

    assert text.count("In use</span>") == 1


def test_django_otps_own_pages_are_not_there(settings: Any) -> None:
    settings.SECOND_FACTOR = False
    browser = as_user(recipes.superuser.make())

    for path in ("otp_totp/totpdevice", "otp_static/staticdevice", "payouts/authenticator"):
        assert browser.get(f"/admin/{path}/").status_code == 404


def test_an_idle_session_ends_on_these_pages_too(in_group: Callable[[str], User]) -> None:
    person = in_group("Approver")
    authenticator, _codes = enrolled(person)
    browser = as_user(person)
    session = browser.session
    session[sessions.SEEN_AT] -= 1_801
    session.save()

    answer = browser.post(CONFIRM, {"code": code_of(authenticator)})

    assert answer["Location"].startswith("/admin/login/")
    assert AccessEvent.objects.filter(user=person, kind=AccessEvent.Kind.IDLE).count() == 1
