"""The link by which a person chooses their own password: once, in time, and never by SQL."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from payouts import accounts
from payouts.models import PasswordLink
from payouts.staff import password_links
from payouts.staff.password_links import LinkError
from tests import recipes
from tests.payouts.admin.conftest import as_user
from tests.payouts.admin.people.sign_in import LOGIN, PASSWORD, Kind, attempt, kinds, with_password
from tests.payouts.observe import by_hand

pytestmark = pytest.mark.django_db

PAGE = "/admin/password-link/"
NEW = "quarry-lantern-71-otter"
WORN = "This link does not work any more"


@pytest.fixture
def boss(db: None) -> User:
    boss: User = recipes.superuser.make()
    return boss


def chosen(code: str, password: str = NEW, again: str = NEW) -> Any:
    return Client().post(PAGE, {"code": code, "new_password1": password, "new_password2": again})


def test_a_person_chooses_a_password_by_the_link_and_logs_in(boss: User) -> None:
    person: User = recipes.person.make()
    code = password_links.make(person, by=boss)

    asked = Client().get(PAGE).content.decode()
    named = Client().post(PAGE, {"code": code}).content.decode()
    answer = chosen(code)

    assert "data-code-from-link" in asked
    assert person.username not in asked
    assert f'value="{person.username}"' in named
    assert answer["Location"] == LOGIN
    assert attempt(Client(), person.username, NEW).status_code == 302
    assert kinds(person)[:1] == [Kind.PASSWORD_SET]


def test_it_works_once_and_the_sessions_from_before_end(in_group: Callable[[str], User], boss: User) -> None:
    person = with_password(in_group("Operator"))
    browser = as_user(person)
    code = password_links.make(person, by=boss)

    first, second = chosen(code), chosen(code, "another-lantern-72-otter", "another-lantern-72-otter")

    assert first.status_code == 302
    assert WORN in second.content.decode()
    person.refresh_from_db()
    assert person.check_password(NEW)
    assert browser.get("/admin/")["Location"].startswith(LOGIN)


def test_what_opens_nothing_is_refused_in_the_same_words(boss: User) -> None:
    person: User = recipes.person.make()
    other: User = recipes.person.make()
    first = password_links.make(person, by=boss)
    code = password_links.make(person, by=boss)
    secret = code.partition("-")[2]

    others = (first, f"{other.pk}-{secret}", f"{person.pk}-", secret, f"{code}\0")
    for each in (*others, "nonsense", "9" * 30, "-1-x", "²-x"):
        answer = chosen(each)
        assert answer.status_code == 200, each
        assert WORN in answer.content.decode() or "Null characters" in answer.content.decode(), each

    assert not User.objects.get(pk=person.pk).check_password(NEW)
    assert chosen(f"http://testserver{PAGE}#{code}").status_code == 302  # pasted whole


def test_it_ends_after_its_time_with_a_change_of_the_password_and_with_the_account(boss: User) -> None:
    late, changed, closed = (recipes.person.make() for _number in range(3))
    codes = [password_links.make(person, by=boss) for person in (late, changed, closed)]

    changed.set_password(PASSWORD)
    changed.save()
    accounts.close(closed.pk, by=boss, reason="Left.")
    with time_machine.travel(timezone.now() + timedelta(hours=72, minutes=1)):
        assert WORN in chosen(codes[0]).content.decode()

    assert WORN in chosen(codes[1]).content.decode()
    assert WORN in chosen(codes[2]).content.decode()


def test_a_weak_password_is_refused_and_the_link_goes_on(boss: User) -> None:
    person: User = recipes.person.make()
    code = password_links.make(person, by=boss)

    refused = [chosen(code, "password1", "password1"), chosen(code, NEW, "another"), chosen(code, "", "")]

    assert {answer.status_code for answer in refused} == {200}
    assert "too common" in refused[0].content.decode()
    assert chosen(code).status_code == 302


def test_who_reads_or_writes_the_rows_has_no_link(boss: User) -> None:
    """Who writes has a link of their own: moved to another, renewed, or put back after its use, it opens nothing."""
    thief: User = recipes.person.make()
    victim: User = recipes.superuser.make()
    code = password_links.make(thief, by=boss)
    secret = code.partition("-")[2]
    row = PasswordLink.objects.get()
    before = User.objects.get(pk=thief.pk).password

    by_hand("UPDATE payouts_passwordlink SET person_id = %s", victim.pk)
    assert WORN in chosen(f"{victim.pk}-{secret}").content.decode()
    by_hand("UPDATE payouts_passwordlink SET person_id = %s, expires_at = now() + interval '9 days'", thief.pk)
    assert WORN in chosen(code).content.decode()
    by_hand("UPDATE payouts_passwordlink SET expires_at = %s", row.expires_at)
    assert chosen(code).status_code == 302
    row.save(force_insert=True)
    assert WORN in chosen(code).content.decode()
    by_hand("UPDATE auth_user SET password = %s WHERE id = %s", before, thief.pk)
    assert WORN in chosen(code).content.decode()
    assert secret not in str(list(PasswordLink.objects.values()))


def test_who_is_not_what_the_back_office_stored_has_no_link(boss: User) -> None:
    person: User = recipes.person.make()
    code = password_links.make(person, by=boss)

    by_hand("UPDATE auth_user SET is_superuser = true WHERE id = %s", person.pk)

    with pytest.raises(LinkError):
        password_links.use(code, NEW)


def test_the_page_opens_whoever_is_logged_in_and_logs_nobody_in(
    in_group: Callable[[str], User], boss: User, settings: Any
) -> None:
    settings.SECOND_FACTOR = True
    person: User = recipes.person.make()
    code = password_links.make(person, by=boss)
    browser = as_user(in_group("Admin"))

    assert browser.get(PAGE).status_code == 200
    browser.post(PAGE, {"code": code, "new_password1": NEW, "new_password2": NEW})

    assert attempt(Client(), person.username, NEW).status_code == 302
    assert "no-store" in Client().get(PAGE)["Cache-Control"]
    assert "payouts_session" not in chosen(code).cookies
