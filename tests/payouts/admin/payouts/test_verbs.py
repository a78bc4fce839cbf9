"""The buttons of a payout: who may press them, what they do, and how a refusal is told."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.html import escape

from payouts import actions
from payouts.actions.confirmations import confirm_unchanged
from payouts.actions.verbs import VERBS, Asks
from payouts.admin.kit import format
from payouts.admin.payouts.payout_admin import PayoutAdmin
from payouts.models import Approval, Event, EventName, Payout, Route
from payouts.providers import Answer, Verdict
from payouts.rules import Standing
from payouts.staff.groups import GROUPS
from payouts.states import Stage, Status
from tests import recipes
from tests.payouts.admin.conftest import as_user
from tests.payouts.admin.urls import LIST, dialog, page
from tests.payouts.observe import by_hand

pytestmark = pytest.mark.django_db


def flagged_payout(**given: Any) -> Payout:
    """Processed, and missing in a report of the provider's."""
    payout = recipes.processed_payout(**given)
    actions.flag_missing(payout.pk, by=recipes.person.make(), source="march.csv")
    return Payout.objects.get(pk=payout.pk)


def confirmed_payout(**given: Any) -> Payout:
    """Flagged as altered, as a process with wrong keys did, and confirmed as unchanged by one of two people."""
    payout = recipes.pending_payout(**given)
    by_hand("UPDATE payouts_payout SET attention = 'altered', due_at = NULL WHERE id = %s", payout.pk)
    return confirm_unchanged(payout.pk, by=recipes.person.make(), evidence="The log of 14 January, 10:00.")


def routable_payout(**given: Any) -> Payout:
    """Never sent, and since it was made a route says that another account pays it."""
    payout = recipes.pending_payout(**given)
    Route.objects.create(position=Route.objects.count() + 1, account="elsewhere")
    return payout


MAKE = {
    "confirm_unchanged": confirmed_payout,
    "approve": recipes.awaiting_payout,
    "reject": recipes.awaiting_payout,
    "hold": recipes.pending_payout,
    "release": recipes.held_payout,
    "cancel": recipes.pending_payout,
    "retry": recipes.failed_payout,
    "clear_flag": flagged_payout,
    "resolve": recipes.unknown_payout,
    "ask_now": recipes.unknown_payout,
    "schedule": recipes.pending_payout,
    "route": routable_payout,
    "settle": recipes.pending_payout,
    "record_return": recipes.processed_payout,
    "reveal": recipes.pending_payout,
}
PERMITTED = {
    "Operator": {"hold", "release", "clear_flag", "cancel", "retry", "ask_now", "schedule", "route"},
    "Approver": {
        *("approve", "reject", "hold", "release", "clear_flag", "resolve", "record_return", "ask_now", "schedule"),
        "confirm_unchanged",
    },
    "Auditor": {"reveal"},
    "Admin": set(MAKE),
}
EVENTS = {
    "approve": EventName.APPROVED,
    "reject": EventName.REJECTED,
    "hold": EventName.HELD,
    "release": EventName.RELEASED,
    "clear_flag": EventName.RELEASED,
    "record_return": EventName.RETURNED,
    "cancel": EventName.CANCELLED,
    "retry": EventName.RETRIED,
    "confirm_unchanged": EventName.CONFIRMED,
    "resolve": EventName.RESOLUTION_PROPOSED,
    "ask_now": EventName.ASKED,
    "schedule": EventName.SCHEDULED,
    "route": EventName.ROUTED,
    "settle": EventName.SETTLED,
    "reveal": EventName.REVEALED,
}


def filled(payout: Payout, **changed: Any) -> dict[str, Any]:
    return {
        "version": payout.version,
        "reason": "Checked against the order.",
        "decision": "paid",
        "evidence": "Line 7 of the statement.",
    } | changed


@pytest.mark.parametrize("group", PERMITTED)
@pytest.mark.parametrize("name", MAKE)
def test_each_group_may_do_what_is_its_own_and_nothing_else(name: str, group: str, as_group: Any) -> None:
    payout = Payout.objects.get(pk=MAKE[name]().pk)
    browser = as_group(group)

    shown = browser.get(dialog(payout, name))
    done = browser.post(dialog(payout, name), filled(payout), headers={"HX-Request": "true"})

    after = Payout.objects.get(pk=payout.pk)
    if name in PERMITTED[group]:
        assert shown.status_code == 200
        assert done.status_code == 200
        assert after.version == payout.version + 1
        event = after.events.get(seq=after.version)
        assert event.event == EVENTS[name]
        assert event.actor.startswith("user:person-")
        if name != "reveal":
            assert done.headers["HX-Redirect"] == page(payout)
    else:
        assert (shown.status_code, done.status_code) == (403, 403)
        assert after.version == payout.version


@pytest.mark.parametrize("name", MAKE)
def test_a_member_of_staff_without_a_group_may_do_nothing(name: str) -> None:
    payout = MAKE[name]()
    browser = as_user(recipes.person.make())

    assert browser.get(page(payout)).status_code == 403
    assert browser.post(dialog(payout, name), filled(payout)).status_code == 403


@pytest.mark.parametrize("name", MAKE)
def test_a_permission_without_the_right_to_see_payouts_opens_no_dialog(name: str, in_group: Any) -> None:
    from django.contrib.auth.models import Permission

    payout = MAKE[name]()
    user = recipes.person.make()
    user.user_permissions.set(Permission.objects.exclude(codename="view_payout"))

    assert as_user(user).get(dialog(payout, name)).status_code == 403


@pytest.mark.parametrize("name", MAKE)
def test_a_dialog_says_which_payout_it_is_about_and_how_much(name: str, as_group: Any) -> None:
    payout = Payout.objects.get(
        pk=MAKE[name](amount=Decimal("250000.50" if name in ("approve", "reject") else "2500.50")).pk
    )

    text = as_group("Admin").get(dialog(payout, name), headers={"HX-Request": "true"}).content.decode()

    assert f"Payout {payout.pk}" in text
    assert "500.50\u00a0RUB" in text or "250,000.50\u00a0RUB" in text
    assert f'name="version" value="{payout.version}"' in text
    assert "<html" not in text


def test_without_its_script_a_dialog_is_a_page_that_works(as_group: Any) -> None:
    payout = recipes.awaiting_payout()
    browser = as_group("Approver")

    shown = browser.get(dialog(payout, "approve"))
    done = browser.post(dialog(payout, "approve"), filled(payout), follow=True)

    assert "<html" in shown.content.decode()
    assert done.redirect_chain == [(page(payout), 302)]
    assert "approved." in done.content.decode()


def test_a_get_with_the_form_in_its_address_does_nothing(as_group: Any) -> None:
    payout = recipes.awaiting_payout()

    as_group("Approver").get(dialog(payout, "approve"), filled(payout))

    assert Payout.objects.get(pk=payout.pk).version == payout.version


@pytest.mark.parametrize(
    "name", [name for name in MAKE if VERBS[name].asks in (Asks.COMMENT, Asks.REASON, Asks.TIME)]
)
def test_a_reason_is_required(name: str, as_group: Any) -> None:
    payout = Payout.objects.get(pk=MAKE[name]().pk)

    answer = as_group("Admin").post(dialog(payout, name), filled(payout, reason="  "))

    assert answer.status_code == 200
    assert "This field is required." in answer.content.decode()
    assert Payout.objects.get(pk=payout.pk).version == payout.version


def test_a_reason_is_optional_to_have_the_provider_asked(as_group: Any) -> None:
    payout = recipes.unknown_payout()

    as_group("Admin").post(dialog(payout, "ask_now"), filled(payout, reason=""))

    assert Payout.objects.get(pk=payout.pk).version == payout.version + 1


def test_the_reason_stands_in_the_event(as_group: Any) -> None:
    payout = recipes.pending_payout()

    as_group("Operator").post(dialog(payout, "hold"), filled(payout, reason="The card looks odd."))

    assert payout.events.get(event=EventName.HELD).reason == "The card looks odd."


def test_a_payout_that_changed_since_it_was_seen_is_not_acted_on(as_group: Any) -> None:
    payout = recipes.awaiting_payout()
    seen = filled(payout)
    actions.hold(payout.pk, by=recipes.person.make(), reason="Wait.")

    answer = as_group("Approver").post(dialog(payout, "approve"), seen)

    assert "The payout has changed since you saw it." in answer.content.decode()
    assert not Approval.objects.filter(payout=payout).exists()


def test_without_a_version_nothing_is_done(as_group: Any) -> None:
    payout = recipes.awaiting_payout()

    answer = as_group("Approver").post(dialog(payout, "approve"), {"reason": "Checked."})

    assert "close it and open it again" in answer.content.decode()
    assert Payout.objects.get(pk=payout.pk).version == payout.version


def test_a_second_submit_of_the_same_dialog_changes_nothing(as_group: Any) -> None:
    payout = recipes.awaiting_payout(amount=recipes.TWO_APPROVALS)
    browser = as_group("Approver")

    browser.post(dialog(payout, "approve"), filled(payout))
    browser.post(dialog(payout, "approve"), filled(payout))

    assert Approval.objects.filter(payout=payout).count() == 1


@pytest.mark.parametrize("is_superuser", [False, True])
def test_the_maker_cannot_approve_their_own_payout(is_superuser: bool, in_group: Any) -> None:
    maker = in_group("Approver")
    maker.is_superuser = is_superuser
    maker.save()
    payout = recipes.awaiting_payout(maker=maker)
    browser = as_user(maker)

    seen = browser.get(page(payout)).content.decode()
    shown = browser.get(dialog(payout, "approve")).content.decode()
    done = browser.post(dialog(payout, "approve"), filled(payout)).content.decode()

    assert "so another person must decide on it" in seen
    assert dialog(payout, "approve") not in seen
    assert "so another person must decide on it" in shown
    assert "<textarea" not in shown
    assert "so another person must decide on it" in done
    assert Payout.objects.get(pk=payout.pk).approvals_given == 0


def test_who_approved_takes_it_back_and_nobody_else_is_offered_that(in_group: Any, as_group: Any) -> None:
    approver = in_group("Approver")
    payout = actions.approve(recipes.awaiting_payout(amount=recipes.TWO_APPROVALS).pk, by=approver)
    other = as_group("Approver")

    elsewhere = other.get(page(payout)).content.decode()
    refused = other.post(dialog(payout, "withdraw_approval"), filled(payout)).content.decode()
    seen = as_user(approver).get(page(payout)).content.decode()
    as_user(approver).post(dialog(payout, "withdraw_approval"), filled(payout, reason="The wrong row."))

    assert dialog(payout, "withdraw_approval") not in elsewhere
    assert "You have not approved this payout." in refused
    assert dialog(payout, "withdraw_approval") in seen
    payout.refresh_from_db()
    assert payout.approvals_given == 0
    assert payout.events.get(event=EventName.APPROVAL_WITHDRAWN).reason == "The wrong row."
    assert dialog(payout, "approve") in as_user(approver).get(page(payout)).content.decode()


def test_evidence_is_a_reference_and_a_note(as_group: Any) -> None:
    payout = recipes.unknown_payout()

    as_group("Approver").post(dialog(payout, "resolve"), filled(payout, note="Value date 14 January."))

    voice = Approval.objects.get(payout=payout)
    assert voice.evidence == "Line 7 of the statement.\nValue date 14 January."


def test_the_page_of_an_unknown_outcome_says_what_is_known_and_when_the_provider_is_asked(as_group: Any) -> None:
    payout = recipes.unknown_payout()
    attempt = payout.attempts.get()

    text = as_group("Operator").get(page(payout)).content.decode()

    for fact in ("What is known", str(attempt.reference), "timeout: No answer before the deadline.", "1 of 20 times"):
        assert fact in text
    assert f"Asked again</dt><dd>{format.exact_time(payout.due_at)}" in text
    assert "if the provider has no record of it" in text


def test_the_page_says_when_nobody_can_give_the_approvals_that_are_missing(in_group: Any) -> None:
    maker = in_group("Approver")
    payout = recipes.awaiting_payout(maker=maker)
    alone = as_user(maker).get(page(payout)).content.decode()

    in_group("Approver")

    assert "Blocked: 1 more approval is needed, and nobody can approve." in alone
    assert "Blocked:" not in as_user(maker).get(page(payout)).content.decode()


def test_the_page_leads_to_the_batch_that_the_payout_came_with(as_group: Any) -> None:
    recipes.submitted_batch(recipes.BATCH_ROW)
    payout = Payout.objects.latest("pk")

    text = as_group("Operator").get(page(payout)).content.decode()

    assert f'href="/admin/payouts/batch/{payout.batch_row.batch_id}/change/"' in text


def test_the_provider_s_answers_and_webhooks_stand_on_the_page(as_group: Any) -> None:
    payout = recipes.answered(recipes.unknown_payout(), recipes.REFUSED)
    reference = payout.attempts.get().reference
    actions.hear(message_id="msg_77", reference=reference, reported=Verdict.REFUSED)

    text = as_group("Operator").get(page(payout)).content.decode()

    assert "account_closed: The account is closed." in text
    assert "HTTP 422" in text
    assert "msg_77" in text


def test_a_payout_is_put_off_and_paid_as_soon_as_may_be(as_group: Any) -> None:
    payout = recipes.pending_payout()
    operator = as_group("Operator")

    operator.post(dialog(payout, "schedule"), filled(payout, scheduled_for="2099-01-15T10:30"))
    payout.refresh_from_db()
    later = payout.scheduled_for
    operator.post(dialog(payout, "schedule"), filled(payout, scheduled_for=""))

    payout.refresh_from_db()
    assert later == datetime(2099, 1, 15, 10, 30, tzinfo=UTC)
    assert payout.scheduled_for is None


def test_a_superuser_needs_a_second_person_as_well(db: None) -> None:
    payout = recipes.awaiting_payout(amount=recipes.TWO_APPROVALS)
    browser = as_user(recipes.superuser.make())

    browser.post(dialog(payout, "approve"), filled(payout))
    payout.refresh_from_db()
    answer = browser.post(dialog(payout, "approve"), filled(payout)).content.decode()

    assert "You have approved this payout already:" in answer
    assert Payout.objects.get(pk=payout.pk).approvals_given == 1


def test_two_people_resolve_an_unknown_outcome(as_group: Any) -> None:
    payout = recipes.unknown_payout()

    as_group("Approver").post(dialog(payout, "resolve"), filled(payout))
    payout.refresh_from_db()
    first_status = payout.status
    as_group("Approver").post(dialog(payout, "resolve"), filled(payout))

    assert first_status == Status.UNKNOWN
    assert Payout.objects.get(pk=payout.pk).status == Status.PROCESSED


def test_a_refusal_is_told_in_the_persons_language(as_group: Any) -> None:
    payout = recipes.processed_payout()

    answer = (
        as_group("Operator")
        .post(dialog(payout, "cancel"), filled(payout), headers={"accept-language": "ru"})
        .content.decode()
    )

    assert "Выплата на этапе «Выплачена», на нём это невозможно." in answer
    assert 'role="alert"' in answer


def test_a_dialog_that_has_become_impossible_has_no_button(as_group: Any) -> None:
    payout = recipes.processed_payout()

    answer = as_group("Operator").get(dialog(payout, "cancel"), headers={"HX-Request": "true"}).content.decode()

    assert "in which this is not possible" in answer
    assert 'type="submit"' not in answer


def test_a_payout_altered_by_sql_is_refused_with_a_sentence(as_group: Any) -> None:
    payout = recipes.awaiting_payout()
    Payout.objects.filter(pk=payout.pk).update(approvals_required=0)

    answer = as_group("Operator").post(dialog(payout, "hold"), filled(payout))

    assert "changed outside the product" in answer.content.decode()


def test_a_recipient_that_cannot_be_decrypted_is_told_so(as_group: Any) -> None:
    payout = recipes.awaiting_payout()
    Payout.objects.filter(pk=payout.pk).update(recipient="no such token")

    for name in ("reveal", "approve"):
        answer = as_group("Admin").post(dialog(payout, name), filled(payout))
        assert "cannot be decrypted" in answer.content.decode()


def test_reveal_shows_the_recipient_once_records_it_and_is_not_kept_by_the_browser(as_group: Any) -> None:
    payout = recipes.pending_payout()

    answer = as_group("Auditor").post(dialog(payout, "reveal"), filled(payout, reason="Complaint 12"))

    assert "4111 1111 1111 1111" in answer.content.decode()
    assert "no-store" in answer.headers["Cache-Control"]
    assert payout.events.get(event=EventName.REVEALED).reason == "Complaint 12"


def test_buttons_are_offered_in_the_states_that_allow_them(as_group: Any) -> None:
    browser = as_group("Admin")
    offered = {
        Stage.AWAITING_APPROVAL: {"approve", "reject", "hold", "cancel", "schedule", "reveal"},
        Stage.READY: {"reject", "hold", "cancel", "schedule", "settle", "reveal"},
        Stage.HELD: {"reject", "release", "cancel", "schedule", "reveal"},
        Stage.FAILED: {"retry", "reveal"},
        Stage.UNKNOWN: {"resolve", "ask_now", "reveal"},
        Stage.PROCESSED: {"record_return", "reveal"},
        Stage.PROCESSING: {"reveal"},  # it is being asked just now
    }
    makers = {
        Stage.AWAITING_APPROVAL: recipes.awaiting_payout,
        Stage.READY: recipes.pending_payout,
        Stage.HELD: recipes.held_payout,
        Stage.FAILED: recipes.failed_payout,
        Stage.UNKNOWN: recipes.unknown_payout,
        Stage.PROCESSED: recipes.processed_payout,
        Stage.PROCESSING: recipes.processing_payout,
    }
    for stage, make in makers.items():
        payout = make()
        text = browser.get(page(payout)).content.decode()
        assert {name for name in MAKE if f'"{dialog(payout, name)}"' in text} == offered[stage], stage


def test_every_action_of_every_admin_has_a_permission_and_a_dialog() -> None:
    from django.contrib import admin

    for model_admin in admin.site._registry.values():
        assert not model_admin.actions, f"{model_admin} has bulk actions"
        for kind in ("actions_list", "actions_row", "actions_detail", "actions_submit_line"):
            for name in model_admin._extract_action_names(getattr(model_admin, kind, ())):
                method = getattr(model_admin, name)
                assert list(method.allowed_permissions), f"{model_admin}.{name} is open to all staff"
                assert not any("." in permission for permission in method.allowed_permissions)
                assert method.dialog, f"{model_admin}.{name} would act on a GET"


def test_nobody_changes_or_deletes_a_payout_by_hand() -> None:
    payout = recipes.pending_payout()
    browser = as_user(recipes.superuser.make())
    path = page(payout)

    assert browser.post(path, {"status": "processed"}).status_code == 403
    assert browser.post(path.replace("change", "delete"), {"post": "yes"}).status_code == 403
    browser.post(LIST, {"action": "delete_selected", "_selected_action": payout.pk, "post": "yes"})
    assert Payout.objects.get(pk=payout.pk).version == 1


def test_every_declared_verb_has_a_button_and_is_tried_here() -> None:
    names = PayoutAdmin._extract_action_names(PayoutAdmin, PayoutAdmin.actions_detail)  # type: ignore[arg-type]

    assert set(VERBS) == {*MAKE, "withdraw_approval"}
    assert set(names) == {*VERBS, "let_go"}, "which is proposed, and is tried in test_velocity_limits.py"


def test_the_groups_may_do_what_the_verbs_permissions_say() -> None:
    by_permission = {
        group: {
            name for name, verb in VERBS.items() if name in MAKE and not {*verb.permissions}.isdisjoint(permissions)
        }
        for group, permissions in GROUPS.items()
    }

    assert by_permission == PERMITTED


def test_a_stranger_is_sent_to_log_in() -> None:
    payout = recipes.pending_payout()

    for path in (page(payout), dialog(payout, "approve"), "/admin/payouts/payout/"):
        assert Client().get(path).headers["Location"].startswith("/admin/login/")
    assert Event.objects.filter(payout=payout).count() == 1


def test_an_unknown_payout_that_was_given_up_can_be_looked_up_again_from_its_page(as_group, settings):
    settings.MAX_ATTEMPT_CALLS = 1
    payout = recipes.answered(recipes.pending_payout(), Answer(Verdict.UNKNOWN, code="timeout"))
    address = f"/admin/payouts/payout/{payout.pk}/"
    operator = as_group("Operator")

    page = operator.get(f"{address}change/").content.decode()
    operator.post(f"{address}release/", {"version": payout.version, "reason": "the provider is back"})

    assert payout.attention == "too_many_calls"
    assert f"{address}release" in page
    payout.refresh_from_db()
    assert (payout.status, payout.attention) == ("unknown", "")
    assert payout.due_at is not None


def contradicted(payout: Payout) -> Payout:
    """The provider's report says that the attempt which it refused was paid after all."""
    attempt = payout.attempts.earliest("number")
    actions.reconcile(
        attempt.reference,
        actions.Reported(Verdict.SUCCEEDED, payout.amount),
        by=recipes.person.make(),
        source="march.csv, line 2",
    )
    return Payout.objects.get(pk=payout.pk)


def offered(payout: Payout, text: str) -> set[str]:
    return {name for name in MAKE if f'"{dialog(payout, name)}"' in text}


def test_a_flag_is_cleared_wherever_it_is_and_a_flagged_payout_is_not_retried(as_group: Any) -> None:
    browser = as_group("Admin")
    wanted = {
        flagged_payout(): {"clear_flag", "record_return", "reveal"},
        contradicted(recipes.failed_payout()): {"resolve", "reveal"},
        contradicted(recipes.retried_payout()): {"resolve", "hold", "schedule", "reveal"},
    }

    for payout, names in wanted.items():
        assert offered(payout, browser.get(page(payout)).content.decode()) == names


def test_a_failed_payout_can_be_retried_when_two_people_have_said_that_it_was_not_paid(as_group: Any) -> None:
    payout = contradicted(recipes.failed_payout())
    said = {"decision": "not_paid", "evidence": "The provider confirms that no money left."}

    as_group("Approver").post(dialog(payout, "resolve"), filled(payout, **said))
    between = as_group("Operator").get(page(payout)).content.decode()
    payout.refresh_from_db()
    as_group("Approver").post(dialog(payout, "resolve"), filled(payout, **said))

    assert "A second person must agree" in between
    assert offered(payout, as_group("Operator").get(page(payout)).content.decode()) == {"retry"}


def test_nothing_is_offered_for_a_payout_that_was_altered(as_group: Any) -> None:
    payout = recipes.processed_payout()
    Payout.objects.filter(pk=payout.pk).update(attention="altered")
    browser = as_group("Admin")

    unchanged = browser.get(page(payout)).content.decode()
    Payout.objects.filter(pk=payout.pk).update(comment="x")
    text = browser.get(page(payout)).content.decode()

    assert offered(payout, unchanged) == {"confirm_unchanged"}
    assert offered(payout, text) == set()
    assert "until an audit has shown what was changed" in text
    assert "changed outside the product" in browser.get(dialog(payout, "clear_flag")).content.decode()


def test_a_return_takes_evidence_and_another_person_than_the_maker(in_group: Any) -> None:
    maker = in_group("Approver")
    payout = recipes.processed_payout(maker=maker)

    refused = as_user(maker).post(dialog(payout, "record_return"), filled(payout)).content.decode()
    empty = as_user(in_group("Approver")).post(dialog(payout, "record_return"), filled(payout, evidence=" "))
    as_user(in_group("Approver")).post(dialog(payout, "record_return"), filled(payout))

    assert "so another person must decide on it" in refused
    assert "This field is required." in empty.content.decode()
    payout.refresh_from_db()
    assert payout.status == Status.RETURNED
    assert payout.events.latest("seq").reason == "Line 7 of the statement."


@pytest.mark.parametrize("language", ["en", "ru"])
def test_every_flag_in_every_state_says_what_to_do_next(language: str, as_group: Any) -> None:
    from django.utils import translation

    from payouts.admin.payouts.next_step import next_step
    from payouts.models import Attention

    who = Standing(at=timezone.now())
    said = set()
    with translation.override(language):
        for make in (
            recipes.pending_payout,
            recipes.retried_payout,
            recipes.unknown_payout,
            recipes.failed_payout,
            recipes.processed_payout,
            recipes.returned_payout,
        ):
            payout = make()
            attempts = list(payout.attempts.all())
            for attention in filter(None, Attention):
                payout.attention = attention
                step = next_step(payout, who=who, attempts=attempts, approvals=[], may_approve=True, is_silent=False)
                said.add(step.then)
                assert step.is_alarm
                assert str(attention.label) in step.why
                assert step.then

    assert len(said) > 8


def test_the_timeline_tells_of_returns_reports_and_news(as_group: Any) -> None:
    payout = recipes.unknown_payout()
    attempt = payout.attempts.get()
    by = recipes.person.make()
    for status in (Verdict.SUCCEEDED, Verdict.RETURNED):
        actions.reconcile(attempt.reference, actions.Reported(status, payout.amount), by=by, source="march.csv:7")

    text = as_group("Auditor").get(page(payout)).content.decode()

    assert text.count("march.csv, line 7") == 2
    assert "march.csv:7" not in text
    assert text.count("Provider asked ahead of time") == 2


def test_news_that_lifts_a_flag_is_told_as_the_providers(as_group: Any, settings: Any) -> None:
    settings.MAX_ATTEMPT_CALLS = 1
    payout = recipes.unknown_payout()
    actions.hear(message_id="m", reference=payout.attempts.get().reference, reported=Verdict.SUCCEEDED)

    text = as_group("Auditor").get(page(payout)).content.decode()

    assert payout.attention == "too_many_calls"
    assert "Provider http" in text
    assert "it has news of the payment" in text


def test_while_the_provider_is_silent_a_ready_payout_says_what_it_waits_for(as_group: Any) -> None:
    from payouts.models import Breaker

    payout = recipes.pending_payout()
    Breaker.objects.create(provider="http", failures=10, open_until=timezone.now())

    assert "The payout waits until it does" in as_group("Auditor").get(page(payout)).content.decode()


def test_a_refusal_whose_reason_is_known_says_what_to_do_next(as_group: Any) -> None:
    advice = "The recipient's bank is not available. Retry later."
    refusal = Answer(Verdict.REFUSED, code="issuer_unavailable", message=advice)
    payout = recipes.answered(recipes.pending_payout(), refusal)

    text = as_group("Operator").get(page(payout)).content.decode()

    assert "The provider definitely refused it (issuer_unavailable). No money has left." in text
    assert escape(advice) in text
    assert "Fix the cause, then retry." not in text
