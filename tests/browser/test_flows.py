"""What people do all day, done by a browser in both languages, until the money has left."""

from base64 import b32decode
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.utils import translation
from django.utils.translation import gettext
from django_otp.oath import totp
from playwright.sync_api import Page

from payouts import actions, tasks
from payouts.actions import PayoutError
from payouts.models import Approval, Batch, EventName, Payout
from payouts.staff import groups
from payouts.states import Stage, Status
from payouts.worker import pump
from tests import recipes
from tests.browser.aside import expect
from tests.browser.conftest import Enter
from tests.browser.watch import Watch
from tests.payouts.admin.urls import LIST, dialog
from tests.payouts.admin.urls import page as page_of
from tests.payouts.providers.double import DoubleProvider

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "correct-horse-7"


@pytest.fixture(params=["en", "ru"])
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def words(language: str) -> Callable[[Any], str]:
    """As the page says it."""

    def said(text: Any) -> str:
        with translation.override(language):
            return gettext(text) if isinstance(text, str) else str(text)

    return said


@pytest.fixture
def member(transactional_db: None) -> Callable[[str], User]:
    """A new member of staff, in the group."""
    groups.make_groups()

    def made(group: str) -> User:
        person: User = recipes.person.make(first_name=group)
        person.groups.add(Group.objects.get(name=group))
        return person

    return made


def opened(page: Page, payout: Payout, button: str) -> Any:
    """The dialog behind a button of the payout's page."""
    page.goto(page_of(payout))
    page.get_by_role("link", name=button, exact=True).click()
    shown = page.get_by_role("dialog")
    expect(shown).to_contain_text(str(payout.pk))
    return shown


def submit(shown: Any) -> None:
    shown.locator("button[type=submit]").click()


def fresh(payout: Payout) -> Payout:
    return Payout.objects.get(pk=payout.pk)


def test_a_wrong_password_is_told_and_the_right_one_opens_where_one_wanted_to_go(
    language: str, words: Any, member: Any, enter: Enter
) -> None:
    person = member("Operator")
    person.set_password(PASSWORD)
    person.save()
    page = enter(language=language)

    page.goto(LIST)
    page.locator("#id_username").fill(person.username)
    page.locator("#id_password").fill("wrong-horse-7")
    page.get_by_role("button", name=words("Log in")).click()
    expect(page.get_by_role("alert")).not_to_be_empty()
    page.locator("#id_username").fill(person.username)
    page.locator("#id_password").fill(PASSWORD)
    page.get_by_role("button", name=words("Log in")).click()

    page.wait_for_url(f"**{LIST}")
    expect(page.get_by_role("navigation", name=words("Payouts by stage"))).to_be_visible()


def logged_in(page: Page, person: User, log_in: str) -> None:
    page.goto(LIST)
    page.locator("#id_username").fill(person.username)
    page.locator("#id_password").fill(PASSWORD)
    page.get_by_role("button", name=log_in).click()


def test_who_decides_sets_up_a_second_factor_and_is_asked_for_it(
    language: str, words: Any, member: Any, enter: Enter, settings: Any
) -> None:
    settings.SECOND_FACTOR = True
    person = member("Approver")
    person.set_password(PASSWORD)
    person.save()

    page = enter(language=language)
    logged_in(page, person, words("Log in"))
    key = b32decode(page.locator(".po-secret").inner_text().replace(" ", ""))
    page.get_by_label(words("Code"), exact=False).fill(f"{totp(key):06}")
    page.get_by_role("button", name=words("Set up")).click()
    codes = page.get_by_role("list", name=words("Backup codes")).get_by_role("listitem")
    expect(codes).to_have_count(10)
    spare = codes.first.inner_text()
    page.get_by_role("link", name=words("I've saved my codes")).click()
    page.wait_for_url(f"**{LIST}")
    later = enter(language=language)
    logged_in(later, person, words("Log in"))
    later.get_by_label(words("Code"), exact=False).fill(spare)
    later.get_by_role("button", name=words("Confirm")).click()

    later.wait_for_url(f"**{LIST}")
    expect(later.get_by_role("navigation", name=words("Payouts by stage"))).to_be_visible()


def test_an_approval_with_a_reason_lets_the_money_leave(language: str, words: Any, member: Any, enter: Enter) -> None:
    payout = recipes.awaiting_payout()
    approver = member("Approver")
    page = enter(approver, language=language)

    shown = opened(page, payout, words("Approve"))
    shown.get_by_label(words("Approver's comment")).fill("Matches order 17.")
    submit(shown)
    expect(page.get_by_role("status").first).to_contain_text(words("%(payout)s: approved.").split(": ")[1])
    provider = DoubleProvider()
    pump.run(provider=provider)
    page.reload()

    expect(page.get_by_role("region", name=words("The payout now"))).to_contain_text(words(Stage.PROCESSED.label))
    expect(page.locator(".po-timeline")).to_contain_text("Matches order 17.")
    assert len(provider.paid(payout.reference)) == 1
    assert fresh(payout).approvals.get().checker == approver


def test_nobody_approves_what_they_made_themselves(language: str, words: Any, member: Any, enter: Enter) -> None:
    approver = member("Approver")
    payout = recipes.awaiting_payout(maker=approver)
    page = enter(approver, language=language)

    page.goto(page_of(payout))
    expect(page.get_by_role("link", name=words("Approve"), exact=True)).to_have_count(0)
    page.goto(dialog(payout, "approve"))

    expect(page.get_by_role("alert")).to_have_text(
        words("You made this payout, so another person must decide on it.")
    )
    expect(page.get_by_role("dialog").locator("button[type=submit]")).to_have_count(0)
    assert fresh(payout).version == payout.version


def test_a_failed_payout_is_retried_and_paid(language: str, words: Any, member: Any, enter: Enter) -> None:
    payout = recipes.failed_payout()
    page = enter(member("Operator"), language=language)

    shown = opened(page, payout, words("Retry"))
    shown.get_by_label(words("Reason")).fill("The account is open again.")
    submit(shown)
    expect(page.get_by_role("status").first).to_be_visible()
    provider = DoubleProvider()
    pump.run(provider=provider)
    page.reload()

    expect(page.get_by_role("region", name=words("The payout now"))).to_contain_text(words(Stage.PROCESSED.label))
    assert fresh(payout).attempts.count() == 2
    assert len(provider.paid(payout.reference)) == 1


def test_two_people_say_how_an_unknown_payout_ended(language: str, words: Any, member: Any, enter: Enter) -> None:
    payout = recipes.unknown_payout()
    people = [enter(member("Approver"), language=language) for _each in range(2)]

    statuses = []
    for page in people:
        shown = opened(page, payout, words("Record the outcome"))
        shown.get_by_label(words(Approval.Decision.PAID.label), exact=True).check()
        shown.get_by_label(words("Evidence")).fill("Statement of 14 January, line 7")
        submit(shown)
        expect(page.get_by_role("status").first).to_be_visible()
        statuses.append(fresh(payout).status)

    assert statuses == [Status.UNKNOWN, Status.PROCESSED]
    assert fresh(payout).approvals.count() == 2


def test_a_reveal_is_recorded_and_kept_nowhere(language: str, words: Any, member: Any, enter: Enter) -> None:
    payout = recipes.processed_payout()
    auditor = member("Auditor")
    page = enter(auditor, language=language)

    page.goto(page_of(payout))
    page.get_by_role("button", name=words("More")).click()
    page.get_by_role("link", name=words("Reveal recipient"), exact=True).click()
    shown = page.get_by_role("dialog")
    shown.get_by_label(words("Reason")).fill("Asked by the bank.")
    with page.expect_response(lambda answer: answer.request.method == "POST") as coming:
        submit(shown)
    expect(shown).to_contain_text(recipes.CARD["card"])
    page.get_by_role("link", name=words("Done")).click()

    expect(page.locator(".po-timeline")).to_contain_text("Asked by the bank.")
    assert "no-store" in coming.value.header_value("cache-control")
    assert recipes.CARD["card"] not in page.content()
    event = payout.events.get(event=EventName.REVEALED)
    assert event.actor == f"user:{auditor.username}"


def test_a_payout_is_held_and_released(language: str, words: Any, member: Any, enter: Enter) -> None:
    payout = recipes.awaiting_payout()
    page = enter(member("Operator"), language=language)
    hero = page.get_by_role("region", name=words("The payout now"))

    shown = opened(page, payout, words("Hold"))
    shown.get_by_label(words("Reason")).fill("The card looks odd.")
    submit(shown)
    expect(hero).to_contain_text(words(Stage.HELD.label))
    shown = opened(page, payout, words("Release"))
    shown.get_by_label(words("Reason")).fill("The bank confirms the card.")
    submit(shown)

    expect(hero).to_contain_text(words(Stage.AWAITING_APPROVAL.label))
    assert [event.event for event in payout.events.order_by("seq")][-2:] == [EventName.HELD, EventName.RELEASED]


TYPED_EARLY = """
document.addEventListener("readystatechange", () => {
    const form = document.querySelector("form[data-entry]");
    if (form && document.readyState === "interactive") {
        form.elements.namedItem("account").value = "%s";
        form.elements.namedItem("amount").value = "1234.50";
        form.elements.namedItem("user_id").value = "123";
    }
});
"""


def test_what_is_typed_before_the_script_is_there_is_checked_too(member: Any, enter: Enter) -> None:
    page = enter(member("Operator"))
    page.add_init_script(TYPED_EARLY % recipes.CARD["card"])

    page.goto("/admin/payouts/payout/add/")

    expect(page.locator("[data-entry-notes]")).to_contain_text("1111")


def test_a_payout_entered_by_hand_waits_for_another_person(
    language: str, words: Any, member: Any, enter: Enter
) -> None:
    operator = member("Operator")
    page = enter(operator, language=language)

    page.goto(LIST)
    page.locator("a.addlink").click()
    page.get_by_role("textbox", name=words("Amount")).fill("1234.505")
    page.get_by_label(words("Number")).fill(recipes.CARD["card"])
    page.get_by_label(words("User ID")).fill("123")
    page.get_by_role("button", name=words("Submit for approval")).click()
    expect(page.get_by_label(words("Number"))).to_have_value(recipes.CARD["card"])
    refused = Payout.objects.count()
    page.get_by_role("textbox", name=words("Amount")).fill("1234.50")
    expect(page.locator("[data-entry-notes]")).to_contain_text("1111")
    page.get_by_role("button", name=words("Submit for approval")).click()

    expect(page.get_by_role("region", name=words("The payout now"))).to_contain_text(
        words(Stage.AWAITING_APPROVAL.label)
    )
    payout = Payout.objects.get()
    assert refused == 0
    assert (payout.maker, payout.approvals_required, str(payout.amount)) == (operator, 1, "1234.50")


def test_a_file_that_is_too_large_is_refused_by_the_page_before_it_is_sent(
    language: str, words: Any, member: Any, enter: Enter
) -> None:
    page = enter(member("Operator"), language=language)
    page.goto("/admin/payouts/batch/add/")
    field = page.get_by_label(words("File"))
    # One byte is enough where none is taken.
    field.evaluate("input => { input.dataset.mostBytes = 0; }")

    field.set_input_files({"name": "march.csv", "mimeType": "text/csv", "buffer": b"x"})
    page.get_by_role("button", name=words("Upload and check")).click()

    assert field.evaluate("input => input.validationMessage").startswith(
        words("The file is larger than %(megabytes)s MB: split it.").split("%")[0]
    )
    assert not Batch.objects.exists()


def test_a_batch_with_errors_is_sent_without_them_and_approved_by_another_person(
    language: str, words: Any, member: Any, enter: Enter
) -> None:
    page = enter(member("Operator"), language=language)
    text = recipes.batch_csv(recipes.BATCH_ROW, "8;1.005;RUB;card;4111 1111 1111 1112;Anna;;")

    page.goto("/admin/payouts/batch/add/")
    page.get_by_label(words("File")).set_input_files({"name": "march.csv", "mimeType": "text/csv", "buffer": text})
    page.get_by_role("button", name=words("Upload and check")).click()
    page.wait_for_url("**/change/")
    batch = Batch.objects.get()
    tasks.check_batch(batch.pk)
    page.reload()
    expect(page.get_by_role("region", name=words("Rows")).first).to_contain_text("amount")
    with page.expect_download() as coming:
        page.get_by_role("link", name=words("Error file (CSV)")).click()
    errors = coming.value.path().read_text("utf-8-sig")
    page.get_by_role("link", name=words("Send for approval"), exact=True).click()
    shown = page.get_by_role("dialog")
    shown.get_by_role("checkbox").check()
    submit(shown)
    expect(page.get_by_role("status").first).to_be_visible()
    checker = enter(member("Approver"), language=language)
    checker.goto(f"/admin/payouts/batch/{batch.pk}/change/")
    checker.get_by_role("link", name=words("Approve"), exact=True).click()
    checker.get_by_role("dialog").get_by_label(words("Reason")).fill("As agreed.")
    submit(checker.get_by_role("dialog"))
    expect(checker.get_by_role("status").first).to_be_visible()
    tasks.submit_batch(batch.pk)
    checker.reload()

    payout = Payout.objects.get()
    expect(checker.get_by_role("link", name=str(payout.pk), exact=True)).to_be_visible()
    assert "1.005" in errors
    assert "250000" not in errors
    assert (payout.approvals_given, str(payout.amount)) == (1, "250000.00")


def test_a_double_click_posts_once(member: Any, enter: Enter) -> None:
    payout = recipes.awaiting_payout(amount=recipes.TWO_APPROVALS)
    page = enter(member("Approver"))
    posts: list[str] = []
    page.on("request", lambda request: posts.append(request.url) if request.method == "POST" else None)

    shown = opened(page, payout, "Approve")
    shown.get_by_label("Approver's comment").fill("Matches order 17.")
    shown.locator("button[type=submit]").dblclick()
    expect(page.get_by_role("status").first).to_be_visible()

    assert len(posts) == 1
    assert fresh(payout).version == payout.version + 1


def test_a_dialog_that_has_become_stale_is_refused_in_words(
    language: str, words: Any, member: Any, enter: Enter
) -> None:
    payout = recipes.awaiting_payout()
    approver = member("Approver")
    page = enter(approver, language=language)

    shown = opened(page, payout, words("Approve"))
    shown.get_by_label(words("Approver's comment")).fill("Matches order 17.")
    rejected = actions.reject(payout.pk, by=recipes.person.make(), reason="No contract.")
    submit(shown)

    with translation.override(language), pytest.raises(PayoutError) as refusal:
        actions.approve(payout.pk, by=approver, version=payout.version)
    expect(shown.get_by_role("alert")).to_contain_text(str(refusal.value))
    assert fresh(payout).version == rejected.version


def test_a_dialog_that_is_refused_shows_no_other_one(member: Any, enter: Enter, watch: Watch) -> None:
    payout = recipes.awaiting_payout()
    approver = member("Approver")
    page = enter(approver)
    watch.refusals = {403}

    shown = opened(page, payout, "Reject")
    page.keyboard.press("Escape")
    expect(shown).to_be_hidden()
    approver.user_permissions.set(approver.groups.get().permissions.filter(codename="view_payout"))
    approver.groups.clear()
    page.get_by_role("link", name="Approve", exact=True).click()

    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_text("This cannot be done: reload the page.")
    expect(page.locator("#modal-content form")).to_have_count(0)


# By the keyboard alone


def tabbed_to(page: Page, wanted: Any) -> None:
    for _step in range(60):
        if wanted.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    pytest.fail(f"Tab does not reach {wanted}")


def test_a_payout_is_opened_and_its_dialog_left_by_the_keyboard(member: Any, enter: Enter) -> None:
    payout = recipes.awaiting_payout()
    page = enter(member("Approver"))

    page.goto(LIST)
    tabbed_to(page, page.get_by_role("link", name=str(payout.pk), exact=True))
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{page_of(payout)}**")
    approve = page.get_by_role("link", name="Approve", exact=True)
    tabbed_to(page, approve)
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").get_by_label("Approver's comment")).to_be_focused()
    page.keyboard.press("Escape")

    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(approve).to_be_focused()


def test_the_first_tab_leads_past_the_menu(language: str, words: Any, member: Any, enter: Enter) -> None:
    page = enter(member("Operator"), language=language)

    page.goto(LIST)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name=words("Skip to the content"))).to_be_focused()
    page.keyboard.press("Enter")

    expect(page.get_by_role("main")).to_be_focused()


def test_filters_and_menus_open_by_the_keyboard(member: Any, enter: Enter) -> None:
    payout = recipes.awaiting_payout()
    page = enter(member("Admin"))

    page.goto(LIST)
    opener = page.get_by_role("button", name="Filters")
    tabbed_to(page, opener)
    page.keyboard.press("Enter")
    expect(page.locator("#filter-form select").first).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#filter-form")).to_be_hidden()
    expect(opener).to_be_focused()
    page.goto(page_of(payout))
    tabbed_to(page, page.get_by_role("button", name="More"))
    page.keyboard.press("Space")

    expect(page.get_by_role("link", name="Reveal recipient", exact=True)).to_be_visible()


def pressed(page: Page, *, code: str, key: str, with_control: bool = False) -> None:
    """A key as a Cyrillic layout has it."""
    session = page.context.new_cdp_session(page)
    for kind in ("rawKeyDown", "keyUp"):
        given = {"type": kind, "code": code, "key": key, "modifiers": 2 if with_control else 0}
        session.send("Input.dispatchKeyEvent", given)


def test_shortcuts_work_on_a_cyrillic_layout(member: Any, enter: Enter) -> None:
    page = enter(member("Operator"), language="ru")

    page.goto(LIST)
    pressed(page, code="KeyK", key="л", with_control=True)
    expect(page.locator("#search-input-command")).to_be_focused()
    page.goto(LIST)
    pressed(page, code="Slash", key=".")

    expect(page.locator("#searchbar")).to_be_focused()


def test_a_payout_is_found_from_any_screen(language: str, member: Any, enter: Enter) -> None:
    payout = recipes.awaiting_payout()
    page = enter(member("Operator"), language=language)

    page.goto("/admin/")
    page.keyboard.press("Control+KeyK")
    page.locator("#search-input-command").press_sequentially(str(payout.pk))
    page.locator("#command-results a").first.wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")

    page.wait_for_url(f"**{page_of(payout)}**")


def test_many_are_approved_at_once_and_the_one_left_out_says_why(
    language: str, words: Any, member: Any, enter: Enter
) -> None:
    approver = member("Approver")
    small, large = (
        recipes.awaiting_payout(amount=Decimal("200000.10")),
        recipes.awaiting_payout(amount=Decimal(250000)),
    )
    own = recipes.awaiting_payout(maker=approver)
    page = enter(approver, language=language)

    page.goto(f"{LIST}?stage=awaiting_approval")
    page.get_by_role("checkbox", name=words("Select all payouts on this page")).check()
    bar = page.get_by_role("region", name=words("The chosen payouts"))
    expect(bar).to_contain_text("700,000.10\u00a0RUB" if language == "en" else "700\u00a0000,10\u00a0RUB")
    bar.locator("button[value=approve]").click()
    why = words("You made this payout, so another person must decide on it.")
    expect(page.get_by_role("main")).to_contain_text(why)
    page.locator("textarea[name=reason]").fill("Matches the register.")
    page.locator("form[data-once] button[type=submit]").click()
    expect(page.get_by_role("status").first).to_contain_text(
        "450,000.10\u00a0RUB" if language == "en" else "450\u00a0000,10\u00a0RUB"
    )

    assert [fresh(payout).approvals_given for payout in (small, large, own)] == [1, 1, 0]


def test_who_goes_through_the_queue_stays_in_it(language: str, words: Any, member: Any, enter: Enter) -> None:
    payout = recipes.awaiting_payout()
    page = enter(member("Approver"), language=language)

    page.goto("/admin/payouts/approvals/")
    page.get_by_role("link", name=words("Approve payout %(id)s") % {"id": payout.pk}).click()
    shown = page.get_by_role("dialog")
    shown.locator("textarea").fill("Matches the contract.")
    submit(shown)

    expect(page.get_by_role("heading", name=words("Nothing waits for your approval"))).to_be_visible()
    assert fresh(payout).is_approved


def test_enter_in_the_command_search_opens_what_was_found(member: Any, enter: Enter) -> None:
    payout = recipes.awaiting_payout()
    page = enter(member("Operator"), language="en")

    page.goto(LIST)
    page.wait_for_load_state("load")
    page.keyboard.press("Control+KeyK")
    page.locator("#search-input-command").press_sequentially(str(payout.pk))
    page.keyboard.press("Enter")

    page.wait_for_url(f"**{page_of(payout)}")
