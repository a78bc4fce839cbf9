"""Single sign-on against an identity provider that is a program of its own: who comes in, and who no longer does."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from payouts import configuration
from payouts.configuration import Act, ConfigurationError
from payouts.models import AccessEvent, Approval, Passkey, Proposal, SingleSignOn
from payouts.staff import access_log, authority, groups, single_sign_on
from tests import recipes
from tests.payouts.admin.conftest import as_user
from tests.payouts.admin.people.identity_provider import CLIENT, GO, IdentityProvider, identity_provider, local
from tests.payouts.admin.people.sign_in import PASSWORD, attempt, kinds, with_password
from tests.payouts.observe import audit_of, by_hand

pytestmark = pytest.mark.django_db

Kind = AccessEvent.Kind
HOME = "/admin/"


@pytest.fixture(scope="module")
def running() -> Iterator[IdentityProvider]:
    with identity_provider() as found:
        yield found


@pytest.fixture
def provider(running: IdentityProvider, settings: Any) -> IdentityProvider:
    settings.OIDC_ISSUER = running.issuer
    settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET = CLIENT, "a secret"
    settings.SECOND_FACTOR = True
    settings.OIDC_SECOND_FACTOR = ["mfa"]
    return running


@pytest.fixture
def approver(provider: IdentityProvider) -> User:
    """Linked to the subject `anna`, who has given a second factor there."""
    groups.make_groups()
    person: User = with_password(recipes.person.make(username="anna"))
    person.groups.set(groups_called("Approver"))
    single_sign_on.link(person, "anna")
    provider.person("anna", email="anna@example.com", amr=["pwd", "mfa"])
    return User.objects.get(pk=person.pk)


def groups_called(*names: str) -> Any:
    from django.contrib.auth.models import Group

    return Group.objects.filter(name__in=names)


def later(settings: Any, *, times: float = 1.0) -> Any:
    """When the provider must be asked again."""
    return time_machine.travel(timezone.now() + timedelta(seconds=settings.OIDC_RECHECK_SECONDS * times + 1))


# Coming in


def test_a_linked_person_comes_in_and_goes_on_to_the_page_asked_for(
    provider: IdentityProvider, approver: User
) -> None:
    browser = Client()

    answer = provider.log_in(browser, "anna", wanted="/admin/payouts/payout/")

    assert answer.headers["Location"] == "/admin/payouts/payout/"
    assert browser.get("/admin/payouts/payout/").status_code == 200
    assert kinds(approver)[-2:] == [Kind.LOGGED_IN, Kind.SIGNED_ON]
    assert audit_of(None) == set()


def test_the_way_there_has_state_nonce_and_pkce_and_our_address(provider: IdentityProvider) -> None:
    query = parse_qs(urlsplit(provider.asked(Client())).query)

    assert query["response_type"] == ["code"]
    assert query["code_challenge_method"] == ["S256"]
    assert query["redirect_uri"] == [f"http://testserver{GO}back/"]
    assert min(len(query[name][0]) for name in ("state", "nonce", "code_challenge")) >= 20


def test_no_other_site_is_gone_to_afterwards(provider: IdentityProvider, approver: User) -> None:
    answer = provider.log_in(Client(), "anna", wanted="https://evil.example/")

    assert answer.headers["Location"] == HOME


def test_our_second_factor_is_asked_for_unless_the_provider_asked(provider: IdentityProvider, approver: User) -> None:
    provider.person("anna", amr=["pwd"])
    browser = Client()

    provider.log_in(browser, "anna")

    assert browser.get(HOME).headers["Location"].startswith("/admin/second-factor/set-up/")


def test_an_address_that_is_the_persons_own_opens_nothing(provider: IdentityProvider, approver: User) -> None:
    """Nobody is found by e-mail or name, and nobody is made."""
    User.objects.filter(pk=approver.pk).update(email="anna@example.com")
    provider.person("somebody", email="anna@example.com", email_verified=True, preferred_username="anna", amr=["mfa"])
    browser, before = Client(), User.objects.count()

    answer = provider.log_in(browser, "somebody")

    assert answer.headers["Location"] == "/admin/login/"
    assert "identifier: somebody" in browser.get("/admin/login/").content.decode()
    assert browser.get(HOME).status_code == 302
    assert User.objects.count() == before


def test_another_browsers_answer_and_one_that_was_used_open_nothing(
    provider: IdentityProvider, approver: User
) -> None:
    victim, thief = Client(), Client()
    back = local(provider.consents(provider.asked(victim), "anna"))

    assert thief.get(back).headers["Location"] == "/admin/login/"
    assert victim.get(back).headers["Location"] == HOME
    victim.post("/admin/logout/")
    assert victim.get(back).headers["Location"] == "/admin/login/"
    assert victim.get(HOME).status_code == 302


def test_a_token_for_another_client_of_the_provider_opens_nothing(
    provider: IdentityProvider, approver: User, settings: Any
) -> None:
    browser = Client()
    back = local(provider.consents(provider.asked(browser), "anna"))
    settings.OIDC_CLIENT_ID = "another"

    assert browser.get(back).headers["Location"] == "/admin/login/"
    assert browser.get(HOME).status_code == 302


def test_who_is_refused_there_is_told_so(provider: IdentityProvider) -> None:
    browser = Client()
    browser.get(local(provider.denies(provider.asked(browser))))

    assert "did not let you in" in browser.get("/admin/login/").content.decode()


def test_a_closed_account_opens_by_no_provider(provider: IdentityProvider, approver: User) -> None:
    authority.close(approver.pk)
    browser = Client()

    provider.log_in(browser, "anna")

    assert "is not open" in browser.get("/admin/login/").content.decode()
    assert browser.get(HOME).status_code == 302
    assert kinds(approver)[-1] == Kind.SIGN_ON_REFUSED


def test_the_password_of_who_comes_by_single_sign_on_opens_nothing(
    provider: IdentityProvider, approver: User, settings: Any
) -> None:
    with_password(approver)  # somebody has set one since
    browser = Client()

    attempt(browser, "anna", PASSWORD)
    refused = browser.get(HOME).status_code
    settings.OIDC_PASSWORDS = True
    attempt(browser, "anna", PASSWORD)

    assert refused == 302
    assert browser.get(HOME).headers["Location"].startswith("/admin/second-factor/")


def test_a_provider_that_is_away_is_told_to_the_person(provider: IdentityProvider, settings: Any) -> None:
    settings.OIDC_ISSUER = "http://127.0.0.1:9"
    browser = Client()

    assert browser.get(GO).headers["Location"] == "/admin/login/"
    assert "Single sign-on did not work" in browser.get("/admin/login/").content.decode()


def test_without_a_provider_there_is_nothing(settings: Any) -> None:
    for path in (GO, f"{GO}back/"):
        assert Client().get(path).headers["Location"] == "/admin/login/"
        assert as_user(recipes.person.make()).get(path).status_code == 404
    assert "single sign-on" not in Client().get("/admin/login/").content.decode()


# SQL


def test_a_link_that_sql_put_in_or_changed_opens_nothing(provider: IdentityProvider, approver: User) -> None:
    provider.person("thief", amr=["mfa"])
    by_hand("UPDATE payouts_singlesignon SET subject = 'thief' WHERE user_id = %s", approver.pk)
    browser = Client()

    provider.log_in(browser, "thief")

    assert browser.get(HOME).status_code == 302
    assert audit_of(None) == {"login_sealed"}


def test_sql_does_not_keep_a_closed_persons_session(
    provider: IdentityProvider, approver: User, settings: Any
) -> None:
    browser = Client()
    provider.log_in(browser, "anna")
    provider.close("anna")

    with later(settings, times=3):
        by_hand("UPDATE payouts_singlesignon SET checked_at = %s", timezone.now())

        assert browser.get(HOME).status_code == 302


# Standing by


def test_a_person_disabled_there_cannot_approve(provider: IdentityProvider, approver: User, settings: Any) -> None:
    payout = recipes.awaiting_payout()
    browser = Client()
    provider.log_in(browser, "anna")
    form = {"version": payout.version, "reason": "Matches order 17."}
    assert browser.get(f"/admin/payouts/payout/{payout.pk}/approve/").status_code == 200
    provider.close("anna")

    with later(settings):
        answer = browser.post(f"/admin/payouts/payout/{payout.pk}/approve/", form)

    assert answer.headers["Location"].startswith("/admin/login/?")
    assert "ended=sign_on_ended" in answer.headers["Location"]
    assert not Approval.objects.exists()
    assert kinds(approver)[-1] == Kind.SIGN_ON_ENDED
    assert browser.get(HOME).status_code == 302


def test_whom_the_provider_stands_by_goes_on(provider: IdentityProvider, approver: User, settings: Any) -> None:
    browser = Client()
    provider.log_in(browser, "anna")

    for number in range(1, 4):
        with later(settings, times=number):
            assert browser.get(HOME).status_code == 200

    assert SingleSignOn.objects.get().is_sealed


def test_one_refusal_ends_every_session_that_the_provider_opened(
    provider: IdentityProvider, approver: User, settings: Any
) -> None:
    first, second = Client(), Client()
    provider.log_in(first, "anna")
    provider.log_in(second, "anna")
    provider.close("anna")

    with later(settings):
        first.get(HOME)
        assert second.get(HOME).status_code == 302


def test_a_provider_that_does_not_answer_ends_sessions_soon_not_at_once(
    provider: IdentityProvider, approver: User, settings: Any
) -> None:
    browser = Client()
    with identity_provider() as leaving:
        settings.OIDC_ISSUER = leaving.issuer
        single_sign_on.link(approver, "anna")
        leaving.person("anna", amr=["mfa"])
        leaving.log_in(browser, "anna")

    with later(settings):
        assert browser.get(HOME).status_code == 200
    with later(settings, times=2):
        assert browser.get(HOME).status_code == 302


def test_who_is_unlinked_is_logged_out(provider: IdentityProvider, approver: User) -> None:
    browser = Client()
    provider.log_in(browser, "anna")

    single_sign_on.unlink(approver)

    assert browser.get(HOME).status_code == 302


# Groups


@pytest.fixture
def mapped(settings: Any) -> None:
    settings.OIDC_GROUPS = {"checkers": "Approver", "makers": "Operator"}


def test_groups_are_taken_at_once_and_given_by_people(
    provider: IdentityProvider, approver: User, mapped: None, settings: Any
) -> None:
    provider.person("anna", amr=["mfa"], groups=["makers", "others"])

    provider.log_in(Client(), "anna")

    assert not approver.groups.exists()
    assert SingleSignOn.objects.get().groups_named == ["Operator"]
    settings.SECOND_FACTOR = False
    page = as_user(recipes.superuser.make()).get(f"/admin/auth/user/{approver.pk}/change/").content.decode()
    assert "also names this person in: Operator" in page
    assert authority.unfit() == []


def test_with_the_setting_the_provider_gives_groups_too(
    provider: IdentityProvider, approver: User, mapped: None, settings: Any
) -> None:
    settings.OIDC_RULES_GROUPS = True
    provider.person("anna", amr=["mfa"], groups=["makers"])
    browser = Client()

    provider.log_in(browser, "anna")

    assert [group.name for group in approver.groups.all()] == ["Operator"]
    assert browser.get("/admin/payouts/payout/add/").status_code == 200


def test_a_provider_that_says_no_groups_lets_nobody_in_and_takes_nothing(
    provider: IdentityProvider, approver: User, mapped: None
) -> None:
    browser = Client()

    provider.log_in(browser, "anna")

    assert "which groups" in browser.get("/admin/login/").content.decode()
    assert approver.groups.count() == 1


def test_a_group_that_is_left_while_logged_in_is_taken_at_the_next_recheck(
    provider: IdentityProvider, approver: User, mapped: None, settings: Any
) -> None:
    provider.person("anna", amr=["mfa"], groups=["checkers"])
    browser = Client()
    provider.log_in(browser, "anna")
    assert approver.groups.count() == 1
    provider.person("anna", amr=["mfa"], groups=[])

    with later(settings):
        browser.get(HOME)

    assert not approver.groups.exists()


def test_who_comes_by_single_sign_on_is_told_what_has_changed_since(
    provider: IdentityProvider, approver: User
) -> None:
    browser = Client()
    provider.log_in(browser, "anna")
    Passkey.objects.create(user=approver, name="laptop", credential_id=b"c", public_key=b"k")
    access_log.note(Kind.PASSKEY_ADDED, None, user=approver)
    again = Client()

    provider.log_in(again, "anna")

    assert "Since your last login: Added a passkey" in again.get(HOME).content.decode()


# The link


@pytest.fixture
def boss(db: None) -> User:
    boss: User = recipes.superuser.make(username="boss")
    return boss


def proposed(person: User, subject: str, by: User, act: str = Act.CHANGE) -> Proposal:
    after = {"issuer": "https://login.example.com", "subject": subject} if act == Act.CHANGE else {}
    return configuration.propose("single_sign_on", person.pk, after, by=by, reason="They asked.", act=act)


def test_a_link_takes_two_people_and_ends_the_password(settings: Any, boss: User) -> None:
    settings.DUAL_CONTROL, settings.OIDC_ISSUER = True, "https://login.example.com"
    second = recipes.allowed_to("add_user", "change_user", "view_group")
    person = with_password(recipes.person.make())

    proposal = proposed(person, "anna", boss)
    assert not SingleSignOn.objects.exists()
    configuration.confirm(proposal.pk, by=second)

    assert SingleSignOn.objects.get().subject == "anna"
    assert not User.objects.get(pk=person.pk).has_usable_password()
    assert authority.unfit() == []
    configuration.confirm(proposed(person, "", boss, Act.DELETE).pk, by=second)
    assert not SingleSignOn.objects.exists()


def test_nobody_links_themselves_or_takes_anothers_identifier(settings: Any, boss: User) -> None:
    settings.DUAL_CONTROL, settings.OIDC_ISSUER = True, "https://login.example.com"
    someone, another = recipes.person.make(), recipes.person.make()
    single_sign_on.link(another, "anna")
    admin = recipes.allowed_to("change_user")

    for person, subject, by in (
        (boss, "boss", boss),
        (someone, "anna", boss),
        (someone, "x", admin),
        (someone, "", boss),
    ):
        with pytest.raises(ConfigurationError):
            proposed(person, subject, by)


def test_the_page_links_and_unlinks(provider: IdentityProvider, boss: User, settings: Any) -> None:
    settings.SECOND_FACTOR = False
    person, browser = recipes.person.make(), as_user(boss)
    page = f"/admin/auth/user/{person.pk}"

    browser.post(f"{page}/link-single-sign-on/", {"version": 0, "subject": "anna", "reason": "They asked."})
    linked = SingleSignOn.objects.get()
    browser.post(f"{page}/unlink-single-sign-on/", {"version": 0, "reason": "They left."})

    assert (linked.user, linked.subject, linked.is_sealed) == (person, "anna", True)
    assert not SingleSignOn.objects.exists()


@pytest.mark.parametrize("group", groups.GROUPS)
def test_no_group_links_anybody(group: str, provider: IdentityProvider, in_group: Callable[[str], User]) -> None:
    person = recipes.person.make()

    answer = as_user(in_group(group)).post(
        f"/admin/auth/user/{person.pk}/link-single-sign-on/", {"version": 0, "subject": "anna", "reason": "Mine."}
    )

    assert answer.status_code in (302, 403, 404)
    assert not SingleSignOn.objects.exists()
