"""The log of who came and what privileged people did."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group, User
from django.test import Client, RequestFactory

from payouts.admin.kit.paginator import CappedPaginator
from payouts.models import AccessEvent, ApprovalBand
from payouts.staff import access_log
from tests import recipes
from tests.payouts.admin.conftest import as_user
from tests.payouts.admin.people.sign_in import PASSWORD, Kind, attempt, kinds, with_password

pytestmark = pytest.mark.django_db

LOG = "/admin/payouts/accessevent/"


def test_coming_going_and_being_refused_are_recorded(in_group: Callable[[str], User]) -> None:
    person = with_password(in_group("Operator"))
    browser = Client()

    attempt(browser, person.username, REMOTE_ADDR="192.0.2.9")
    attempt(browser, person.username, PASSWORD, REMOTE_ADDR="192.0.2.9")
    browser.post("/admin/logout/", REMOTE_ADDR="192.0.2.9")

    assert kinds(person) == [Kind.PASSWORD_SET, Kind.LOGIN_FAILED, Kind.LOGGED_IN, Kind.LOGGED_OUT]
    assert set(AccessEvent.objects.exclude(kind=Kind.PASSWORD_SET).values_list("address", flat=True)) == {"192.0.2.9"}


def test_a_name_that_nobody_has_is_not_kept_since_it_may_be_a_password(as_group: Any) -> None:
    attempt(Client(), "my-secret-password-9")

    text = as_group("Auditor").get(LOG).content.decode()

    assert "A name that nobody has" in text or "unknown name" in text
    assert kinds(None) == [Kind.LOGIN_FAILED]
    assert "my-secret-password-9" not in str(list(AccessEvent.objects.values()))


def test_ones_own_new_password_is_recorded(in_group: Callable[[str], User]) -> None:
    person = with_password(in_group("Operator"))
    new = "another-long-password-2"

    as_user(person).post(
        "/admin/password_change/", {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    )

    person.refresh_from_db()
    assert person.check_password(new)
    event = AccessEvent.objects.filter(user=person, kind=Kind.PASSWORD_SET).first()
    assert event is not None
    assert event.address == "127.0.0.1"


@pytest.mark.parametrize("group", ["Auditor", "Admin"])
def test_the_log_shows_sign_ins_and_acts_newest_first(group: str, in_group: Callable[[str], User]) -> None:
    reader, operator = in_group(group), in_group("Operator")
    access_log.note(Kind.LOGGED_IN, None, user=operator)
    band = ApprovalBand.objects.get(currency="RUB", from_amount=0)
    superuser = as_user(recipes.superuser.make())
    superuser.post(
        f"/admin/payouts/approvalband/{band.pk}/change/",
        {"currency": "RUB", "from_amount": "0", "approvals_required": "4"},
    )

    text = as_user(reader).get(LOG).content.decode()

    assert "Changed Approvals required." in text
    assert f'href="/admin/payouts/approvalband/{band.pk}/change/"' in text
    assert text.index("Changed Approvals required.") < text.rindex("Logged in")


@pytest.mark.parametrize("group", ["Operator", "Approver"])
def test_others_do_not_see_the_log(group: str, as_group: Any) -> None:
    browser = as_group(group)

    assert browser.get(LOG).status_code == 403
    assert LOG not in browser.get("/admin/").content.decode()


def test_nobody_changes_the_log_through_the_back_office() -> None:
    browser = as_user(recipes.superuser.make())
    event = AccessEvent.objects.get()
    before = list(AccessEvent.objects.values())

    for path in ("add/", f"{event.pk}/change/", f"{event.pk}/delete/"):
        assert browser.post(f"{LOG}{path}", {"post": "yes"}).status_code in (302, 404)
    browser.post(LOG, {"action": "delete_selected", "_selected_action": [event.pk], "post": "yes"})
    assert browser.get("/admin/admin/logentry/").status_code == 404

    assert list(AccessEvent.objects.values()) == before


def seen(answer: Any) -> list[tuple[str, str]]:
    return [(line["who"], line["what"]) for line in answer.context["lines"]]


def test_the_log_is_narrowed_by_person_object_address_and_kind(in_group: Callable[[str], User]) -> None:
    reader, anna, boris = in_group("Auditor"), recipes.person.make(), recipes.person.make()
    payout = recipes.pending_payout()
    access_log.note(Kind.LOGGED_IN, RequestFactory().get("/", REMOTE_ADDR="192.0.2.9"), user=anna)
    access_log.note(Kind.LOGGED_IN, None, user=boris)
    access_log.log_act(anna, payout, "revealed", reason="The bank asks.")
    browser = as_user(reader)

    came, looked = (anna.username, "Logged in"), (anna.username, "Saw the recipient in clear")
    assert seen(browser.get(LOG, {"person": anna.username})) == [looked, came]
    assert seen(browser.get(LOG, {"person": anna.username, "kind": "acts"})) == [looked]
    assert seen(browser.get(LOG, {"person": anna.username, "kind": "sign-ins"})) == [came]
    assert seen(browser.get(LOG, {"about": str(payout.pk)})) == [looked]
    assert seen(browser.get(LOG, {"about": "192.0.2.9"})) == [came]
    for wrong in ({"person": "nobody"}, {"person": "\0"}, {"about": "\0"}, {"kind": "x"}, {"about": "no such"}):
        assert seen(browser.get(LOG, wrong)) == [], wrong


def test_the_log_has_pages_and_counts_no_more_than_its_cap(
    in_group: Callable[[str], User], monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    reader = in_group("Auditor")
    band = ApprovalBand.objects.all()[0]
    for _number in range(40):
        access_log.note(Kind.LOGGED_IN, None, user=reader)
        access_log.log_act(reader, band, "key_made")
    monkeypatch.setattr(CappedPaginator, "LIMIT", 60)
    browser = as_user(reader)

    first, second = browser.get(LOG), browser.get(LOG, {"page": "2"})

    assert len(first.context["lines"]) == 50
    assert len(second.context["lines"]) == 10
    assert "use the search for older ones" in first.content.decode()
    assert "page=2" in first.content.decode()


def test_the_log_costs_the_same_for_many_lines(
    in_group: Callable[[str], User], django_assert_num_queries: Any
) -> None:
    browser = as_user(in_group("Auditor"))
    band = ApprovalBand.objects.all()[0]
    access_log.log_act(recipes.person.make(), band, "key_made")
    with django_assert_num_queries(50, exact=False) as few:
        browser.get(LOG)
    for _number in range(10):
        access_log.note(Kind.LOGGED_IN, None, user=recipes.person.make())
        access_log.log_act(recipes.person.make(), band, "key_made")

    with django_assert_num_queries(len(few)):
        browser.get(LOG)


def test_a_reveal_stands_in_the_log_with_its_reason_and_without_the_recipient(
    in_group: Callable[[str], User],
) -> None:
    payout, auditor = recipes.pending_payout(), in_group("Auditor")
    browser = as_user(auditor)
    form = {"version": payout.version, "reason": "The bank asks."}

    browser.post(f"/admin/payouts/payout/{payout.pk}/reveal/", form)

    (line,) = browser.get(LOG, {"kind": "acts"}).context["lines"]
    assert (line["who"], line["what"], line["detail"]) == (
        auditor.username,
        "Saw the recipient in clear",
        "The bank asks.",
    )
    assert "4111" not in LogEntry.objects.get().change_message


def test_given_and_taken_groups_are_told(in_group: Callable[[str], User]) -> None:
    person, superuser = in_group("Operator"), recipes.superuser.make()
    browser = as_user(superuser)
    auditors = str(Group.objects.get(name="Auditor").pk)
    form = {"username": person.username, "groups": [auditors]}

    browser.post(f"/admin/auth/user/{person.pk}/change/", form)

    (line,) = browser.get(LOG, {"kind": "acts"}).context["lines"]
    assert "Groups: +Auditor." in line["detail"]
    assert "Groups: −Operator." in line["detail"]
    assert "Staff: no." in line["detail"]


def test_no_link_to_a_password_stands_in_the_log(in_group: Callable[[str], User]) -> None:
    person, browser = in_group("Operator"), as_user(recipes.superuser.make())

    path = f"/admin/auth/user/{person.pk}/make-link/"
    shown = browser.post(path, {"version": 0, "reason": "Forgot it."}).content.decode()

    (code,) = set(re.findall(r"/password-link/#([^<\"]+)", shown))
    assert code not in str(list(LogEntry.objects.values())) + str(list(AccessEvent.objects.values()))
    line = browser.get(LOG, {"kind": "acts"}).context["lines"][0]
    assert (line["what"], line["detail"]) == ("Made a password link", "Forgot it.")


def test_the_fields_that_were_changed_are_named_in_the_readers_language(in_group: Callable[[str], User]) -> None:
    person, browser = in_group("Operator"), as_user(recipes.superuser.make())
    message = [{"changed": {"fields": ["First name", "Email address"]}}]
    LogEntry.objects.log_actions(person.pk, [person], CHANGE, change_message=message)

    line = browser.get(LOG, {"kind": "acts"}, headers={"accept-language": "ru"}).context["lines"][0]

    assert line["detail"] == "Изменено Имя и Адрес электронной почты."


def test_an_act_that_has_no_words_is_not_recorded() -> None:
    with pytest.raises(ValueError, match="dance"):
        access_log.log_act(recipes.person.make(), ApprovalBand.objects.all()[0], "dance")

    assert not LogEntry.objects.exists()
