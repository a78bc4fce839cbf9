"""Sessions that end, logins that are throttled, and the log of who came and what privileged people did."""

import json
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user
from django.contrib.auth.models import Group, User
from django.contrib.sessions.models import Session
from django.test import Client, RequestFactory
from django.utils import timezone

from payouts import clients
from payouts.admin.kit.paginator import CappedPaginator
from payouts.models import AccessEvent, ApiKey, ApprovalBand
from payouts.staff import access_log
from payouts.staff.client_address import client_address
from tests import recipes
from tests.payouts.admin.conftest import as_user

pytestmark = pytest.mark.django_db

LOG = "/admin/payouts/accessevent/"
LOGIN = "/admin/login/"
PASSWORD = "a-long-password-1"
Kind = AccessEvent.Kind


def with_password(user: User) -> User:
    user.set_password(PASSWORD)
    user.save()
    return user


def idle(browser: Client, seconds: float) -> None:
    """Let so many seconds pass since anything was done."""
    session = browser.session
    session[access_log.SEEN_AT] = int(time.time() - seconds)
    session.save()


def kinds(user: User | None = None) -> list[str]:
    return list(AccessEvent.objects.filter(user=user).order_by("id").values_list("kind", flat=True))


# Sessions end


def test_a_session_ends_after_no_activity_and_the_login_says_why(in_group: Callable[[str], User]) -> None:
    person = in_group("Operator")
    browser = as_user(person)
    idle(browser, 1_801)

    answer = browser.get("/admin/payouts/payout/?q=1")

    assert answer["Location"] == f"{LOGIN}?next=%2Fadmin%2Fpayouts%2Fpayout%2F%3Fq%3D1&ended=idle"
    assert "nothing was done for a while" in browser.get(answer["Location"]).content.decode()
    assert not Session.objects.filter(session_data__contains="_auth_user_id").exists()
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
    seen_at = browser.session[access_log.SEEN_AT]
    idle(browser, 30)

    browser.get("/admin/")

    assert time.time() - seen_at < 60
    assert time.time() - browser.session[access_log.SEEN_AT] >= 30


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

    assert (time.time() - browser.session[access_log.SEEN_AT] < 60) is counts


def test_a_session_ends_at_its_limit_however_busy(in_group: Callable[[str], User], settings: Any) -> None:
    person = in_group("Operator")
    browser = as_user(person)
    session = browser.session
    session[access_log.BEGAN_AT] = int(time.time()) - settings.SESSION_COOKIE_AGE
    session.save()

    answer = browser.get("/admin/")

    assert answer["Location"] == f"{LOGIN}?next=%2Fadmin%2F&ended=expired"
    assert "a session lasts no longer" in browser.get(answer["Location"]).content.decode()
    assert kinds(person)[-1] == Kind.EXPIRED


def test_a_session_from_before_this_version_goes_on(in_group: Callable[[str], User]) -> None:
    browser = as_user(in_group("Operator"))
    session = browser.session
    del session[access_log.BEGAN_AT], session[access_log.SEEN_AT]
    session.save()

    assert browser.get("/admin/").status_code == 200
    assert access_log.BEGAN_AT in browser.session


def test_a_dialog_without_a_session_opens_the_login_page_not_a_login_in_itself() -> None:
    page = "http://testserver/admin/payouts/payout/1/change/"

    answer = Client().get("/admin/payouts/payout/1/hold/", headers={"HX-Request": "true", "HX-Current-URL": page})

    assert answer["HX-Redirect"] == f"{LOGIN}?next=%2Fadmin%2Fpayouts%2Fpayout%2F1%2Fchange%2F"


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(in_group: Callable[[str], User]) -> None:
    person = with_password(in_group("Operator"))

    cookie = Client().post(LOGIN, {"username": person.username, "password": PASSWORD}).cookies["payouts_session"]

    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"


# Logins are throttled


def attempt(browser: Client, name: str, password: str = "wrong", **extra: Any) -> Any:
    return browser.post(LOGIN, {"username": name, "password": password}, **extra)


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


# The log


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

    assert "A name that nobody has" in text or "a name that nobody has" in text
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
    return [(line.who, line.what) for line in answer.context["lines"]]


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
        access_log.log_act(reader, band, "exported")
    monkeypatch.setattr(CappedPaginator, "LIMIT", 60)
    browser = as_user(reader)

    first, second = browser.get(LOG), browser.get(LOG, {"page": "2"})

    assert len(first.context["lines"]) == 50
    assert len(second.context["lines"]) == 10
    assert "older ones by a search" in first.content.decode()
    assert "page=2" in first.content.decode()


def test_the_log_costs_the_same_for_many_lines(
    in_group: Callable[[str], User], django_assert_num_queries: Any
) -> None:
    browser = as_user(in_group("Auditor"))
    band = ApprovalBand.objects.all()[0]
    access_log.log_act(recipes.person.make(), band, "exported")
    with django_assert_num_queries(50, exact=False) as few:
        browser.get(LOG)
    for _number in range(10):
        access_log.note(Kind.LOGGED_IN, None, user=recipes.person.make())
        access_log.log_act(recipes.person.make(), band, "exported")

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
    assert (line.who, line.what, line.detail) == (auditor.username, "Saw the recipient in clear", "The bank asks.")
    assert "4111" not in LogEntry.objects.get().change_message


def test_given_and_taken_groups_are_told(in_group: Callable[[str], User]) -> None:
    person, superuser = in_group("Operator"), recipes.superuser.make()
    browser = as_user(superuser)
    auditors = str(Group.objects.get(name="Auditor").pk)
    form = {"username": person.username, "is_staff": "on", "groups": [auditors]}

    browser.post(f"/admin/auth/user/{person.pk}/change/", form)

    (line,) = browser.get(LOG, {"kind": "acts"}).context["lines"]
    assert "Groups: +Auditor." in line.detail
    assert "Groups: −Operator." in line.detail
    assert "May log in: no." in line.detail


def test_no_password_stands_in_the_log(in_group: Callable[[str], User]) -> None:
    person, browser = in_group("Operator"), as_user(recipes.superuser.make())
    new = {"password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"}

    browser.post(f"/admin/auth/user/{person.pk}/password/", new)

    assert PASSWORD not in str(list(LogEntry.objects.values())) + str(list(AccessEvent.objects.values()))
    assert "Changed password." in browser.get(LOG, {"kind": "acts"}).context["lines"][0].detail


def test_an_act_that_has_no_words_is_not_recorded() -> None:
    with pytest.raises(ValueError, match="dance"):
        access_log.log_act(recipes.person.make(), ApprovalBand.objects.all()[0], "dance")

    assert not LogEntry.objects.exists()


# History of what is configured


def sections(answer: Any) -> dict[str, Any]:
    return dict(answer.context["history_sections"])


def test_a_changed_band_shows_who_changed_it_from_what_to_what(in_group: Callable[[str], User]) -> None:
    admin = in_group("Admin")
    band = ApprovalBand.objects.get(currency="RUB", from_amount=0)
    browser, path = as_user(admin), f"/admin/payouts/approvalband/{band.pk}/change/"

    browser.post(path, {"currency": "RUB", "from_amount": "0", "approvals_required": "3"})

    newest, oldest = sections(browser.get(path))["History"]
    assert (newest.who, newest.what, newest.fields) == (
        admin.username,
        "Changed",
        [("Approvals required", str(band.approvals_required), "3")],
    )
    assert oldest.what == "As it stood"


def test_a_deleted_band_keeps_its_history(in_group: Callable[[str], User]) -> None:
    admin = in_group("Admin")
    band = ApprovalBand.objects.get(currency="RUB", from_amount=0)
    browser = as_user(admin)

    browser.post(f"/admin/payouts/approvalband/{band.pk}/delete/", {"post": "yes"})

    newest = sections(browser.get("/admin/payouts/approvalband/"))["Last changes"][0]
    assert (newest.who, newest.what, newest.subject) == (admin.username, "Deleted", str(band))
    assert ApprovalBand.history.filter(id=band.pk).count() == 2


def test_a_keys_making_and_end_are_history_but_not_its_use_nor_its_secret(in_group: Callable[[str], User]) -> None:
    client, secret = clients.create_client("shop", scopes=["payouts:read"])
    admin, key = in_group("Admin"), ApiKey.objects.get()
    browser = as_user(admin)

    clients.find_key(secret)
    browser.post(f"/admin/payouts/apiclient/{client.pk}/revoke-key/", {"version": 0, "key": key.pk})

    newest, oldest = sections(browser.get(f"/admin/payouts/apiclient/{client.pk}/change/"))["History of the keys"]
    key.refresh_from_db()
    assert key.last_used_at is not None
    assert (newest.who, [label for label, _then, _now in newest.fields]) == (admin.username, ["Revoked at"])
    assert oldest.what == "Created"
    columns = {field.name for field in ApiKey.history.model._meta.fields}
    assert not {"secret_hash", "last_used_at"} & columns


def test_a_key_that_is_revoked_again_changes_nothing() -> None:
    _client, _secret = clients.create_client("shop", scopes=["payouts:read"])
    key = ApiKey.objects.get()
    clients.revoke_key(key.pk)
    key.refresh_from_db()
    revoked_at = key.revoked_at

    clients.revoke_key(key.pk)

    key.refresh_from_db()
    assert key.revoked_at == revoked_at
    assert ApiKey.history.count() == 2


def test_who_may_only_look_can_put_nothing_back(as_group: Any) -> None:
    band = ApprovalBand.objects.get(currency="RUB", from_amount=0)
    record = ApprovalBand.history.filter(id=band.pk)[0]
    fields = {"currency": "RUB", "from_amount": "0", "approvals_required": "5"}

    answer = as_group("Auditor").post(f"/admin/payouts/approvalband/{band.pk}/history/{record.pk}/", fields)

    band.refresh_from_db()
    assert answer.status_code in (302, 403, 404)
    assert band.approvals_required != 5


def test_history_costs_the_same_for_many_changes(
    in_group: Callable[[str], User], django_assert_num_queries: Any
) -> None:
    browser = as_user(in_group("Admin"))
    band = ApprovalBand.objects.get(currency="RUB", from_amount=0)
    band.save()
    browser.get("/admin/payouts/approvalband/")
    with django_assert_num_queries(60, exact=False) as few:
        browser.get("/admin/payouts/approvalband/")
    for _number in range(8):
        band.save()

    with django_assert_num_queries(len(few)):
        browser.get("/admin/payouts/approvalband/")


# Groups


def test_the_table_of_groups_says_who_may_do_what(as_group: Any) -> None:
    answer = as_group("Admin").get("/admin/auth/group/")

    rows = {str(verb): dict(cells) for verb, cells in answer.context["matrix_rows"]}
    assert rows["Approve and reject"] == {"Operator": False, "Approver": True, "Auditor": False, "Admin": True}
    assert rows["Make a payout by hand"] == {"Operator": True, "Approver": False, "Auditor": False, "Admin": True}
    assert rows["Read the access log"] == {"Operator": False, "Approver": False, "Auditor": True, "Admin": True}
    assert rows["Add and change people"] == {"Operator": False, "Approver": False, "Auditor": False, "Admin": True}


def test_permissions_are_offered_in_words() -> None:
    text = as_user(recipes.superuser.make()).get("/admin/auth/group/add/").content.decode()

    assert "See: API clients" in text
    assert "Can approve and reject payouts" in text
    assert "payouts | payout" not in text
    assert "TOTP" not in text


def test_a_shipped_group_is_shown_and_not_changed(in_group: Callable[[str], User]) -> None:
    in_group("Operator")
    group = Group.objects.get(name="Operator")
    held = set(group.permissions.values_list("codename", flat=True))
    browser = as_user(recipes.superuser.make())

    answer = browser.post(f"/admin/auth/group/{group.pk}/change/", {"name": "Operator", "permissions": []})
    page = browser.get(f"/admin/auth/group/{group.pk}/change/").content.decode()

    assert answer.status_code == 403
    assert set(group.permissions.values_list("codename", flat=True)) == held
    assert "Can hold and release payouts" in page


def test_given_permissions_of_a_group_are_told() -> None:
    from django.contrib.auth.models import Permission

    group = Group.objects.create(name="Treasury")
    permission = Permission.objects.get(codename="hold_payout")
    browser = as_user(recipes.superuser.make())

    browser.post(f"/admin/auth/group/{group.pk}/change/", {"name": "Treasury", "permissions": [permission.pk]})

    lists = json.loads(LogEntry.objects.get().change_message)[-1]["lists"]
    assert lists == {"Permissions": {"given": ["Can hold and release payouts"], "taken": []}}


def test_nobody_is_left_logged_in_by_a_session_that_ended(in_group: Callable[[str], User]) -> None:
    browser = as_user(in_group("Operator"))
    idle(browser, 1_801)

    browser.get("/admin/")

    assert not get_user(browser).is_authenticated  # type: ignore[arg-type]
