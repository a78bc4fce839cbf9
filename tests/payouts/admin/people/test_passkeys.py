"""Passkeys: added with password and present factor, used in place of the code; no answer of a browser breaks it."""

import json
import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from payouts.models import AccessEvent, Passkey
from payouts.staff import second_factor
from tests import recipes
from tests.payouts.admin.conftest import as_user
from tests.payouts.admin.people.authenticator_device import PRESENT, Device
from tests.payouts.admin.people.sign_in import PASSWORD, kinds, with_password
from tests.payouts.admin.people.test_second_factor import CONFIRM, MINE, code_of, codes_in, enrolled
from tests.payouts.observe import audit_of, by_hand

pytestmark = pytest.mark.django_db

ADD = "/admin/second-factor/passkeys/add/"
HOME = "/admin/"
Kind = AccessEvent.Kind


@pytest.fixture(autouse=True)
def _second_factor_is_on(settings: Any) -> None:
    settings.SECOND_FACTOR = True


@pytest.fixture
def approver(in_group: Callable[[str], User]) -> User:
    person: User = with_password(in_group("Approver"))
    return person


def options_of(browser: Client, path: str) -> dict[str, Any]:
    """What the page asks the browser for."""
    found = re.search(r'data-passkey="([^"]+)"', browser.get(path).content.decode())
    assert found is not None
    options: dict[str, Any] = json.loads(unescape(found[1]))
    return options


def added(browser: Client, device: Device, *, name: str = "laptop", **given: str) -> Any:
    credential = device.make(options_of(browser, ADD))
    return browser.post(ADD, {"name": name, "credential": credential, **given})


def confirmed(browser: Client, device: Device) -> Any:
    return browser.post(CONFIRM, {"credential": device.use(options_of(browser, CONFIRM))})


def removal(passkey: Passkey) -> str:
    return f"/admin/second-factor/passkeys/{passkey.pk}/remove/"


@pytest.fixture
def device(approver: User) -> Device:
    """Has the person's first second factor."""
    found = Device()
    added(as_user(approver), found)
    return found


# Adding


def test_the_first_passkey_is_set_up_after_the_password_and_comes_with_backup_codes(approver: User) -> None:
    browser = as_user(approver)

    answer = added(browser, Device())

    assert len(codes_in(answer.content.decode())) == 10
    assert browser.get(HOME).status_code == 200
    passkey = Passkey.objects.get()
    assert (passkey.user, passkey.name, passkey.is_sealed) == (approver, "laptop", True)
    assert Kind.PASSKEY_ADDED in kinds(approver)
    assert second_factor.has_one(approver)
    assert audit_of(None) == set()


def test_the_page_asks_for_a_verified_person_and_tells_nothing_of_them(approver: User) -> None:
    options = options_of(as_user(approver), ADD)

    assert options["authenticatorSelection"]["userVerification"] == "required"
    assert options["rp"]["id"] == "testserver"
    assert str(approver.pk) not in options["user"]["id"]


def test_one_beside_an_app_takes_the_password_and_the_present_code(approver: User) -> None:
    authenticator, codes = enrolled(approver)
    browser = as_user(approver)
    assert browser.get(ADD).headers["Location"].startswith(f"{CONFIRM}?next=")
    browser.post(CONFIRM, {"code": code_of(authenticator)})

    added(browser, Device(), password="another", present_code=codes[0])
    added(browser, Device(), password=PASSWORD, present_code="000000")
    assert not Passkey.objects.exists()
    answer = added(browser, Device(), password=PASSWORD, present_code=codes[1])

    assert answer.headers["Location"] == MINE
    assert Passkey.objects.count() == 1


def test_a_second_passkey_takes_the_password_and_the_first_one_just_now(approver: User, device: Device) -> None:
    browser = as_user(approver)
    confirmed(browser, device)

    added(browser, Device(), name="ring")
    added(browser, Device(), name="ring", password="another")
    assert Passkey.objects.count() == 1
    added(browser, Device(), name="ring", password=PASSWORD)

    assert {passkey.name for passkey in approver.passkeys.all()} == {"laptop", "ring"}


def test_one_that_was_given_a_while_ago_is_asked_for_again(approver: User, device: Device) -> None:
    browser = as_user(approver)
    confirmed(browser, device)
    session = browser.session
    session["confirmed_at"] -= 301
    session.save()

    assert browser.get(ADD).headers["Location"].startswith(f"{CONFIRM}?next=")
    assert browser.get(HOME).status_code == 302
    confirmed(browser, device)

    assert browser.get(ADD).status_code == 200


@pytest.mark.parametrize(
    ("fault", "given"),
    [
        ("another site", {"origin": "https://testserver.evil.example"}),
        ("another domain", {"domain": "evil.example"}),
        ("nobody was verified", {"flags": PRESENT}),
    ],
)
def test_what_was_made_for_another_site_or_by_nobody_is_not_added(
    fault: str, given: dict[str, Any], approver: User
) -> None:
    browser = as_user(approver)

    text = added(browser, Device(**given)).content.decode()

    assert "was not added" in text, fault
    assert not Passkey.objects.exists()


def test_a_challenge_is_for_one_answer_and_one_session(approver: User) -> None:
    browser, another = as_user(approver), as_user(approver)
    answer = Device().make(options_of(browser, ADD))
    another.get(ADD)

    assert "was not added" in another.post(ADD, {"name": "x", "credential": answer}).content.decode()
    browser.post(ADD, {"name": "", "credential": answer})
    assert "was not added" in browser.post(ADD, {"name": "x", "credential": answer}).content.decode()
    assert not Passkey.objects.exists()


NONSENSE = (
    *("", "{", "[]", "null", "1", '"x"', "{}", '{"id": "eA", "rawId": "eA", "type": "public-key"}', "x" * 30_000),
    '{"id": "eA", "rawId": "eA", "type": "public-key", "response": {}}',
    '{"id": "eA", "rawId": "eA", "type": "public-key", "response":'
    ' {"clientDataJSON": "e30", "attestationObject": "AA"}}',
    '{"id": "eA", "rawId": "eA", "type": "public-key", "response":'
    ' {"clientDataJSON": "e30", "authenticatorData": "AA", "signature": "AA"}}',
    "[" * 15_000,
)


@pytest.mark.parametrize("number", range(len(NONSENSE)))
def test_nonsense_is_refused_with_a_sentence(number: int, approver: User, device: Device) -> None:
    browser = as_user(approver)
    browser.get(CONFIRM)

    answer = browser.post(CONFIRM, {"credential": NONSENSE[number], "code": "12"}, follow=True)
    browser.get(ADD)

    assert answer.status_code == 200
    assert browser.get(HOME).status_code == 302


def test_nonsense_adds_nothing(approver: User) -> None:
    browser = as_user(approver)

    for nonsense in NONSENSE:
        browser.get(ADD)
        assert browser.post(ADD, {"name": "x", "credential": nonsense}).status_code == 200

    assert not Passkey.objects.exists()


def test_an_address_of_numbers_offers_none(approver: User, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["127.0.0.1"]

    text = as_user(approver).get(ADD, headers={"Host": "127.0.0.1:8000"}).content.decode()

    assert "open it by a name" in text
    assert "data-passkey=" not in text


# Using


def test_it_takes_the_place_of_the_code(approver: User, device: Device) -> None:
    browser = as_user(approver)
    before = browser.session.session_key

    answer = confirmed(browser, device)

    assert answer.headers["Location"] == HOME
    assert browser.get("/admin/payouts/payout/").status_code == 200
    assert browser.session.session_key != before
    assert kinds(approver)[-1] == Kind.PASSKEY_ACCEPTED
    passkey = Passkey.objects.get()
    assert (passkey.sign_count, passkey.is_sealed, bool(passkey.last_used_at)) == (1, True, True)


def test_an_answer_opens_one_session_once(approver: User, device: Device) -> None:
    first, second = as_user(approver), as_user(approver)
    answer = device.use(options_of(first, CONFIRM))
    second.get(CONFIRM)

    second.post(CONFIRM, {"credential": answer})
    first.post(CONFIRM, {"credential": answer})
    third = as_user(approver)
    third.post(CONFIRM, {"credential": answer})

    assert [browser.get(HOME).status_code for browser in (first, second, third)] == [200, 302, 302]


def test_a_copy_that_counts_from_before_opens_nothing(approver: User, device: Device) -> None:
    copied = Device(credential=device.credential, key=device.key, count=device.count)
    confirmed(as_user(approver), device)
    browser = as_user(approver)

    confirmed(browser, copied)

    assert browser.get(HOME).status_code == 302
    assert kinds(approver)[-1] == Kind.CODE_REFUSED


@pytest.mark.parametrize(
    "given", [{"origin": "https://evil.example"}, {"domain": "evil.example"}, {"flags": PRESENT}], ids=str
)
def test_an_answer_to_another_site_or_by_nobody_opens_nothing(
    given: dict[str, Any], approver: User, device: Device
) -> None:
    browser = as_user(approver)

    confirmed(browser, Device(credential=device.credential, key=device.key, **given))

    assert browser.get(HOME).status_code == 302


@pytest.mark.usefixtures("device")
def test_who_has_only_passkeys_is_asked_for_no_code_of_an_app(approver: User) -> None:
    text = as_user(approver).get(CONFIRM).content.decode()

    assert "One of the backup codes that you saved." in text
    assert "authenticator app" not in text


def test_anothers_passkey_opens_nothing(approver: User, device: Device, in_group: Callable[[str], User]) -> None:
    other, others_device = in_group("Approver"), Device()
    added(as_user(other), others_device)
    browser = as_user(approver)

    confirmed(browser, others_device)

    assert browser.get(HOME).status_code == 302


def test_what_sql_changes_opens_nothing(approver: User, device: Device, in_group: Callable[[str], User]) -> None:
    thief, thiefs_device = in_group("Approver"), Device()
    added(as_user(thief), thiefs_device)
    theirs = Passkey.objects.get(user=thief)
    by_hand("UPDATE payouts_passkey SET credential_id = 'x' WHERE id = %s", theirs.pk)
    by_hand(
        "UPDATE payouts_passkey SET credential_id = %s, public_key = %s WHERE user_id = %s",
        *(bytes(theirs.credential_id), bytes(theirs.public_key), approver.pk),
    )
    browser = as_user(approver)

    confirmed(browser, thiefs_device)

    assert browser.get(HOME).status_code == 302
    assert audit_of(None) == {"login_sealed"}


def test_who_is_given_a_passkey_by_sql_is_not_let_in_at_all(
    approver: User, device: Device, in_group: Callable[[str], User]
) -> None:
    thief = in_group("Approver")
    added(as_user(thief), Device())
    by_hand("UPDATE payouts_passkey SET user_id = %s, name = 'x' WHERE user_id = %s", approver.pk, thief.pk)

    answer = as_user(approver).get(CONFIRM)

    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/admin/login/")
    assert audit_of(None) == {"login_sealed", "person_sealed"}


def test_a_backup_code_goes_on_working(approver: User) -> None:
    setting_up = as_user(approver)
    codes = codes_in(added(setting_up, Device()).content.decode())
    browser = as_user(approver)

    browser.post(CONFIRM, {"code": codes[0]})

    assert browser.get(HOME).status_code == 200


# Removing


def test_it_is_removed_with_the_password_and_its_sessions_confirm_anew(approver: User, device: Device) -> None:
    browser, left = as_user(approver), Device()
    confirmed(browser, device)
    added(browser, left, name="ring", password=PASSWORD)
    laptop, other = Passkey.objects.get(name="laptop"), as_user(approver)
    confirmed(other, left)

    browser.post(removal(laptop), {"password": "another"})
    assert Passkey.objects.count() == 2
    other.post(removal(laptop), {"password": PASSWORD})

    assert [passkey.name for passkey in approver.passkeys.all()] == ["ring"]
    assert browser.get(HOME).headers["Location"].startswith(CONFIRM)
    assert Kind.PASSKEY_REMOVED in kinds(approver)


def test_the_last_second_factor_and_anothers_passkey_stay(
    approver: User, device: Device, in_group: Callable[[str], User]
) -> None:
    other = with_password(in_group("Approver"))
    stranger = as_user(other)
    added(stranger, Device())
    browser = as_user(approver)
    confirmed(browser, device)
    mine = approver.passkeys.get()

    text = browser.post(removal(mine), {"password": PASSWORD}).content.decode()

    assert "your only second factor" in text
    assert stranger.post(removal(mine), {"password": PASSWORD}).status_code == 404
    assert Passkey.objects.count() == 2


def test_a_superusers_removal_takes_them_all(approver: User, device: Device, settings: Any) -> None:
    settings.SECOND_FACTOR = False
    page = f"/admin/auth/user/{approver.pk}/remove-second-factor/"

    as_user(recipes.superuser.make()).post(page, {"version": 0, "reason": "The laptop is lost."})

    assert not Passkey.objects.exists()


def test_the_page_of_ones_own_lists_them(approver: User, device: Device) -> None:
    browser = as_user(approver)
    confirmed(browser, device)

    text = browser.get(MINE).content.decode()

    assert "<bdi>laptop</bdi>" in text
    assert removal(Passkey.objects.get()) in text
    assert "It is set up: every login asks for one of your passkeys." in text


def test_who_has_only_passkeys_makes_backup_codes_with_the_password(approver: User, device: Device) -> None:
    browser = as_user(approver)
    confirmed(browser, device)

    text = browser.post(MINE, {"password": PASSWORD}).content.decode()

    assert len(codes_in(text)) == 10
    assert browser.get(HOME).status_code == 200
