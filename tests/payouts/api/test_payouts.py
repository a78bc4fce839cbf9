"""The calls of the contract, one by one."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from payouts import actions
from payouts.actions import erasure
from payouts.api.schemas import PUBLIC_FIELDS
from payouts.models import ApiClient, Payout, RecipientKey
from tests.payouts.api.conftest import EXAMPLE
from tests.recipes import PAYOUTS, REFUSED, answered

pytestmark = pytest.mark.django_db


def test_post_stores_the_example_and_answers_with_all_of_it(api):
    response = api("POST", "/api/payouts/", EXAMPLE)

    assert response.status_code == 201
    answer = response.json()
    assert {name: answer[name] for name in EXAMPLE} == EXAMPLE
    assert answer["status"] == "pending"
    assert answer["processed_at"] is None
    assert answer["created_at"] == answer["updated_at"]
    assert answer["created_at"].endswith("Z")
    assert datetime.now(UTC) - datetime.fromisoformat(answer["created_at"]) < timedelta(minutes=1)
    assert UUID(answer["reference"])
    assert response["ETag"] == '"1"'
    assert response["Location"] == f"/api/payouts/{answer['id']}/"
    payout = Payout.objects.get()
    assert payout.amount == Decimal("100.50")
    assert payout.recipient_details == EXAMPLE["recipient_details"]
    assert payout.client.name == "shop"


def test_post_without_the_last_slash_works_alike(api):
    assert api("POST", "/api/payouts", EXAMPLE).status_code == 201


@pytest.mark.parametrize(
    ("currency", "sent", "answered"),
    [
        ("RUB", "100.5", "100.50"),
        ("RUB", '"100.50"', "100.50"),
        ("RUB", "1e2", "100.00"),
        ("RUB", "99999999999999.99", "99999999999999.99"),
        ("RUB", "12345678901234.56", "12345678901234.56"),
        ("KWD", "0.001", "0.001"),
        ("JPY", "7", "7"),
        ("JPY", "7.00", "7"),
    ],
)
def test_amounts_come_back_exact(api, currency, sent, answered):
    body = json.dumps({**EXAMPLE, "amount": 0, "currency": currency}).replace('"amount": 0', f'"amount": {sent}')

    response = api("POST", "/api/payouts/", body)

    assert response.status_code == 201, response.content
    assert f'"amount":{answered},'.encode() in response.content
    assert Payout.objects.get().amount == Decimal(answered)


@pytest.mark.parametrize(
    ("currency", "amount"),
    [
        ("RUB", "1.005"),
        ("JPY", "0.5"),
        ("KWD", "0.0001"),
        ("RUB", "0"),
        ("RUB", "-1"),
        ("RUB", "100000000000000"),
        ("RUB", "1.00000000000000000000000000000001"),
        ("RUB", "1e400"),
        ("RUB", '"1e2"'),
        ("RUB", '" 1"'),
        ("RUB", '"١"'),
        ("RUB", "true"),
        ("RUB", "null"),
        ("RUB", "[1]"),
    ],
)
def test_amounts_that_are_not_exact_are_refused(api, currency, amount):
    body = json.dumps({**EXAMPLE, "amount": 0, "currency": currency}).replace('"amount": 0', f'"amount": {amount}')

    response = api("POST", "/api/payouts/", body)

    assert response.status_code == 400, response.content
    assert list(response.json()["errors"]) == ["amount"]
    assert not Payout.objects.exists()


@pytest.mark.parametrize("currency", ["rub", "RU", "XAU", "XTS", "ZZZ", "", "РУБ", "RUB\n"])
def test_an_unknown_currency_is_refused(api, currency):
    response = api("POST", "/api/payouts/", {**EXAMPLE, "currency": currency})

    assert response.status_code == 400
    assert list(response.json()["errors"]) == ["currency"]


def test_every_error_of_a_body_is_told_at_once(api):
    response = api("POST", "/api/payouts/", {"user_id": "1", "amount": "x", "extra": 1})

    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert set(problem["errors"]) == {"user_id", "amount", "currency", "recipient_details", "extra"}
    assert problem["trace_id"] == response["X-Request-ID"]


def test_errors_speak_the_callers_language(api):
    response = api("POST", "/api/payouts/", {**EXAMPLE, "amount": 1.005}, Accept_Language="ru")

    assert response.status_code == 400
    assert response["Content-Language"] == "ru"


def test_the_same_key_and_body_give_the_same_payout(api):
    first = api("POST", "/api/payouts/", EXAMPLE, Idempotency_Key="bonus 2026/11")
    again = api("POST", "/api/payouts/", EXAMPLE, Idempotency_Key="bonus 2026/11")

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert again["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first
    assert Payout.objects.count() == 1


def test_the_same_key_with_the_same_meaning_in_another_spelling_is_the_same_request(api):
    first = api("POST", "/api/payouts/", EXAMPLE, Idempotency_Key="k")
    spelled = {**dict(reversed(EXAMPLE.items())), "amount": "100.50"}

    assert api("POST", "/api/payouts/", spelled, Idempotency_Key="k").json() == first.json()


@pytest.mark.parametrize(
    "change", [{"amount": 100.51}, {"user_id": 124}, {"comment": ""}, {"recipient_details": {"card": "1"}}]
)
def test_the_same_key_with_another_body_is_refused(api, change):
    api("POST", "/api/payouts/", EXAMPLE, Idempotency_Key="k")

    response = api("POST", "/api/payouts/", {**EXAMPLE, **change}, Idempotency_Key="k")

    assert response.status_code == 422
    assert Payout.objects.count() == 1


def test_two_clients_may_use_the_same_key(api, make_api):
    other = make_api("other")

    assert api("POST", "/api/payouts/", EXAMPLE, Idempotency_Key="k").status_code == 201
    assert other("POST", "/api/payouts/", EXAMPLE, Idempotency_Key="k").status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb", " a", "ключ"])
def test_an_idempotency_key_is_1_to_255_printable_characters(api, key):
    response = api("POST", "/api/payouts/", EXAMPLE, Idempotency_Key=key)

    assert response.status_code == 400
    assert not Payout.objects.exists()


def test_an_idempotency_key_of_255_characters_is_taken(api):
    assert api("POST", "/api/payouts/", EXAMPLE, Idempotency_Key="x" * 255).status_code == 201


def test_get_answers_with_the_public_payout_and_why_it_is_where_it_is(api):
    payout = api.submit()

    response = api("GET", f"/api/payouts/{payout['id']}/")

    assert response.status_code == 200
    public = [
        "id",
        "reference",
        "user_id",
        "amount",
        "currency",
        "status",
        "created_at",
        "updated_at",
        "processed_at",
    ]
    why = ["version", "approvals", "failure", "final", "status_detail"]
    assert response.json() == {name: payout[name] for name in [*public, *why]}
    assert response["ETag"] == '"1"'


def test_get_answers_304_to_the_present_version(api):
    payout = api.submit()

    response = api("GET", f"/api/payouts/{payout['id']}", If_None_Match='"1"')

    assert (response.status_code, response.content) == (304, b"")


def test_get_is_two_queries(api, django_assert_num_queries):
    payout = api.submit()
    api("GET", f"/api/payouts/{payout['id']}/")

    with django_assert_num_queries(2):
        api("GET", f"/api/payouts/{payout['id']}/")


def test_get_of_a_payout_that_a_flag_asked_to_approve_is_one_query_more(api, django_assert_num_queries):
    api.submit()
    payout = api.submit()
    api("GET", f"/api/payouts/{payout['id']}/")

    with django_assert_num_queries(3):
        api("GET", f"/api/payouts/{payout['id']}/")


@pytest.mark.parametrize("recipe", sorted(PAYOUTS.keys() - {"withdrawn"}))
def test_get_says_whether_the_status_can_still_change(api, recipe):
    payout = PAYOUTS[recipe](client=ApiClient.objects.get(name="shop"))

    answer = api("GET", f"/api/payouts/{payout.pk}/").json()

    assert answer["final"] == (answer["status"] in {"rejected", "cancelled", "returned"})


def test_get_of_a_failed_payout_says_what_it_failed_with(api):
    payout = answered(Payout.objects.get(pk=api.submit()["id"]), REFUSED)

    answer = api("GET", f"/api/payouts/{payout.pk}/").json()

    assert answer["status"] == "failed"
    assert answer["failure"] == {"code": "account_closed", "message": "The account is closed."}


def test_the_list_has_the_public_fields_alone(api):
    api.submit()

    (payout,) = api("GET", "/api/payouts/?user_id=123").json()["results"]

    assert set(payout) == set(PUBLIC_FIELDS)


def test_the_list_is_empty_without_a_user(api):
    api.submit()

    assert api("GET", "/api/payouts/").json() == {"count": 0, "next": None, "previous": None, "results": []}


def test_the_list_pages_newest_first(api):
    ids = [api.submit(amount=amount)["id"] for amount in range(1, 6)]
    api.submit(user_id=7)

    first = api("GET", "/api/payouts/?user_id=123&page_size=2").json()
    last = api("GET", "/api/payouts/?user_id=123&page_size=2&page=3").json()

    assert first["count"] == 5
    assert [item["id"] for item in first["results"]] == [ids[4], ids[3]]
    assert first["previous"] is None
    assert first["next"] == "http://testserver/api/payouts/?user_id=123&page_size=2&page=2"
    assert [item["id"] for item in last["results"]] == [ids[0]]
    assert last["next"] is None
    assert last["previous"].endswith("page=2")
    assert "recipient_details" not in first["results"][0]


def test_a_page_beyond_the_last_is_not_found(api):
    api.submit()

    assert api("GET", "/api/payouts/?user_id=123&page=2").status_code == 404


def test_the_list_filters_by_status_and_time(api):
    kept = api.submit()
    api("PATCH", f"/api/payouts/{api.submit()['id']}/", {"status": "cancelled"})
    before = (datetime.now(UTC) - timedelta(hours=1)).isoformat().replace("+00:00", "Z")

    pending = api("GET", "/api/payouts/?user_id=123&status=pending").json()
    since = api("GET", f"/api/payouts/?user_id=123&created_from={before}").json()
    until = api("GET", f"/api/payouts/?user_id=123&created_to={before}").json()

    assert [item["id"] for item in pending["results"]] == [kept["id"]]
    assert (since["count"], until["count"]) == (2, 0)


@pytest.mark.parametrize(
    "query",
    [
        "user_id=x", "user_id=0", "user_id=99999999999999999999", "user_id=1&page=0", "user_id=1&page=x",
        "user_id=1&page=99999999999999999999", "user_id=1&page_size=101", "user_id=1&page_size=0",
        "user_id=1&status=paid", "user_id=1&created_from=yesterday", "user_id=1&created_to=%00",
    ],
)  # fmt: skip
def test_a_bad_query_is_refused_by_the_field(api, query):
    response = api("GET", f"/api/payouts/?{query}")

    assert response.status_code == 400
    assert list(response.json()["errors"]) == [query.split("&")[-1].split("=")[0]]


UNSEEING = ("payouts:read", "payouts:write", "payouts:settle")


def test_patch_cancels_a_pending_payout(make_api):
    api = make_api(scopes=UNSEEING)
    payout = api.submit()

    response = api("PATCH", f"/api/payouts/{payout['id']}/", {"status": "cancelled"})

    assert response.status_code == 200
    assert response.json()["status"] == "cancelled"
    assert response["ETag"] == '"2"'


def test_patch_settles_a_pending_payout_by_hand(api):
    payout = api.submit()

    response = api("PATCH", f"/api/payouts/{payout['id']}/", {"status": "processed"})

    assert response.status_code == 200
    answer = response.json()
    assert answer["status"] == "processed"
    assert answer["processed_at"] <= answer["updated_at"]
    assert answer["recipient_details"] == EXAMPLE["recipient_details"]


def test_patch_settles_nothing_before_the_release_delay_is_over(api, settings):
    settings.RELEASE_DELAY_SECONDS = 60
    payout = api.submit(amount=250_000)
    actions.approve(payout["id"], by=User.objects.create(username="checker"))

    response = api("PATCH", f"/api/payouts/{payout['id']}/", {"status": "processed"})

    assert response.status_code == 409
    assert "can still be withdrawn" in response.json()["detail"]
    assert response.json()["current_status"] == "pending"


def test_an_event_tells_clients_no_more_than_its_actors_name(api):
    payout = api.submit(amount=250_000)
    actions.approve(payout["id"], by=User.objects.create(username="checker"))

    events = api("GET", f"/api/payouts/{payout['id']}/events/").json()["results"]

    assert [event["actor"] for event in events] == ["client:shop", "user:checker"]
    assert set(events[1]) == {"seq", "event", "from_status", "to_status", "at", "actor", "reason"}


def test_patch_with_the_present_status_changes_nothing(make_api):
    api = make_api(scopes=UNSEEING)
    payout = api.submit()
    for status in ("pending", "cancelled", "cancelled"):
        response = api("PATCH", f"/api/payouts/{payout['id']}/", {"status": status})
        assert (response.status_code, response.json()["status"]) == (200, status)

    assert Payout.objects.get().version == 2


@pytest.mark.parametrize("status", ["processing", "failed", "unknown", "rejected", "returned"])
def test_patch_to_a_status_that_is_not_the_clients_to_set_is_a_conflict(api, status):
    payout = api.submit()

    response = api("PATCH", f"/api/payouts/{payout['id']}/", {"status": status})

    assert response.status_code == 409
    problem = response.json()
    assert problem["current_status"] == "pending"
    assert problem["allowed_transitions"] == ["cancelled", "processed", "processing", "rejected"]
    assert Payout.objects.get().status == "pending"


def test_patch_of_a_cancelled_payout_is_a_conflict(api):
    payout = api.submit()
    api("PATCH", f"/api/payouts/{payout['id']}/", {"status": "cancelled"})

    response = api("PATCH", f"/api/payouts/{payout['id']}/", {"status": "processed"})

    assert response.status_code == 409
    assert response.json()["allowed_transitions"] == []


def test_settling_waits_for_approvals(api):
    payout = api.submit(amount=500_000)

    response = api("PATCH", f"/api/payouts/{payout['id']}/", {"status": "processed"})

    assert (payout["approvals"]["required"], payout["approvals"]["given"]) == (1, 0)
    assert response.status_code == 409
    assert Payout.objects.get().status == "pending"


@pytest.mark.parametrize(
    "body",
    [{"status": "cancelled", "amount": 1}, {"amount": 1}, {}, {"status": "paid"}, {"status": None}, [], "null"],
)
def test_patch_takes_a_status_alone(api, body):
    payout = api.submit()

    response = api("PATCH", f"/api/payouts/{payout['id']}/", body)

    assert response.status_code == 400
    assert Payout.objects.get().version == 1


def test_patch_and_delete_hold_for_the_version_that_was_seen(api):
    path = f"/api/payouts/{api.submit()['id']}/"

    assert api("PATCH", path, {"status": "cancelled"}, If_Match='"2"').status_code == 412
    assert api("PATCH", path, {"status": "pending"}, If_Match='"2"').status_code == 412
    assert api("PATCH", path, {"status": "cancelled"}, If_Match='W/"1"').status_code == 412
    assert api("DELETE", path, If_Match='"2"').status_code == 412
    assert Payout.objects.get().version == 1
    assert api("PATCH", path, {"status": "cancelled"}, If_Match='"1"').status_code == 200
    assert api("DELETE", path, If_Match="*").status_code == 204


def test_delete_withdraws_a_payout_from_the_api_and_keeps_it_in_the_back_office(api):
    path = f"/api/payouts/{api.submit()['id']}/"

    assert api("DELETE", path).status_code == 204

    assert api("GET", path).status_code == 404
    assert api("GET", f"{path}events/").status_code == 404
    assert api("PATCH", path, {"status": "cancelled"}).status_code == 404
    assert api("DELETE", path).status_code == 404
    assert api("GET", "/api/payouts/?user_id=123").json()["count"] == 0
    payout = Payout.objects.get()
    assert (payout.status, payout.due_at) == ("cancelled", None)


def test_delete_of_a_processed_payout_is_a_conflict(api):
    path = f"/api/payouts/{api.submit()['id']}/"
    api("PATCH", path, {"status": "processed"})

    response = api("DELETE", path)

    assert response.status_code == 409
    assert response.json()["current_status"] == "processed"


def test_the_key_of_a_withdrawn_payout_stays_used(api):
    path = f"/api/payouts/{api('POST', '/api/payouts/', EXAMPLE, Idempotency_Key='k').json()['id']}/"
    api("DELETE", path)

    assert api("POST", "/api/payouts/", EXAMPLE, Idempotency_Key="k").status_code == 409
    assert Payout.objects.count() == 1


def test_events_tell_the_history_in_order(make_api):
    api = make_api(scopes=UNSEEING)
    path = f"/api/payouts/{api.submit()['id']}/"
    api("PATCH", path, {"status": "cancelled"})

    events = api("GET", f"{path}events/").json()["results"]

    assert [(item["seq"], item["event"], item["from_status"], item["to_status"]) for item in events] == [
        (1, "submitted", None, "pending"),
        (2, "cancelled", "pending", "cancelled"),
    ]
    assert {item["actor"] for item in events} == {"client:shop"}
    assert set(events[0]) == {"seq", "event", "from_status", "to_status", "at", "actor", "reason"}


def test_a_client_without_reveal_sees_the_recipient_masked_after_a_patch(make_api):
    api = make_api(scopes=("payouts:read", "payouts:write"))
    payout = api.submit()

    response = api("PATCH", f"/api/payouts/{payout['id']}/", {"status": "cancelled"})

    assert payout["recipient_details"] == EXAMPLE["recipient_details"]
    assert response.json()["recipient_details"] == {"card": "0000 11•• •••• 3333"}


def test_a_patch_that_shows_the_recipient_is_an_event(api):
    """Shown before: a key read 102 recipients by the present status, and no history told of it."""
    payout = api.submit()
    path = f"/api/payouts/{payout['id']}/"

    response = api("PATCH", path, {"status": "pending"})

    assert response.json()["recipient_details"] == EXAMPLE["recipient_details"]
    events = api("GET", f"{path}events/").json()["results"]
    assert [(item["event"], item["actor"]) for item in events] == [
        ("submitted", "client:shop"),
        ("revealed", "client:shop"),
    ]
    assert response["ETag"] == api("GET", path)["ETag"] == '"2"'


def test_a_recipient_who_was_erased_is_a_day_in_the_answer_and_nobody_is_said_to_have_seen_it(api):
    payout = api.submit()
    path = f"/api/payouts/{payout['id']}/"
    api("PATCH", path, {"status": "cancelled"})
    key = Payout.objects.get(pk=payout["id"]).recipient_key
    erasure.erase(key, at=timezone.now(), proposed_by=None, confirmed_by=None, on_server="test", reason="Asked for.")
    seen = len(api("GET", f"{path}events/").json()["results"])

    response = api("PATCH", path, {"status": "cancelled"})

    assert response.status_code == 200
    assert response.json()["recipient_details"] == {"erased_on": timezone.localdate().isoformat()}
    assert len(api("GET", f"{path}events/").json()["results"]) == seen


def test_the_same_key_gives_the_same_payout_after_its_recipient_was_erased(api):
    first = api("POST", "/api/payouts/", EXAMPLE, Idempotency_Key="k-1").json()
    api("PATCH", f"/api/payouts/{first['id']}/", {"status": "cancelled"})
    key = Payout.objects.get(pk=first["id"]).recipient_key
    erasure.erase(key, at=timezone.now(), proposed_by=None, confirmed_by=None, on_server="test", reason="Asked for.")

    again = api("POST", "/api/payouts/", EXAMPLE, Idempotency_Key="k-1")

    assert (again.status_code, again.json()["id"]) == (200, first["id"])
    assert RecipientKey.objects.count() == 1


def test_a_key_that_has_seen_many_recipients_sees_no_more(api, settings):
    settings.REVEALS_A_MINUTE = 2
    paths = [f"/api/payouts/{api.submit(user_id=number)['id']}/" for number in (1, 2, 3)]

    answers = [api("PATCH", path, {"status": "pending"}) for path in paths]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2]["Retry-After"] == "60"
    assert "card" not in answers[2].json()
    changed = api("PATCH", paths[2], {"status": "cancelled"})
    assert (changed.status_code, changed.json()["status"]) == (200, "cancelled")
    assert changed.json()["recipient_details"] == {"card": "0000 11•• •••• 3333"}


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_another_clients_payouts_are_not_found(api, make_api, method):
    path = f"/api/payouts/{api.submit()['id']}/"
    other = make_api("other")
    body = {"status": "cancelled"} if method == "PATCH" else None

    assert other(method, path, body).status_code == 404
    assert other("GET", f"{path}events/").status_code == 404
    assert other("GET", "/api/payouts/?user_id=123").json()["count"] == 0
    assert Payout.objects.get().version == 1


@pytest.mark.parametrize("payout_id", ["0", "999999", str(2**63), "9" * 40])
@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_an_id_of_nobody_is_not_found(api, method, payout_id):
    body = {"status": "cancelled"} if method == "PATCH" else None

    assert api(method, f"/api/payouts/{payout_id}/", body).status_code == 404


def test_the_owner_of_a_client_is_the_maker_of_its_payouts(api):
    maker = User.objects.create_user("maker")
    owned = ApiClient.objects.get()
    owned.owner = maker
    owned.save()
    payout = api.submit(amount=500_000)

    with pytest.raises(actions.FourEyesError):
        actions.approve(payout["id"], by=maker)

    assert Payout.objects.get().maker == maker


def test_a_recipient_that_the_account_cannot_pay_is_a_422_in_the_callers_language(api, settings):
    settings.PROVIDER_URL = ""
    settings.PROVIDERS = {"main": "yookassa"}

    response = api("POST", "/api/payouts/", EXAMPLE)
    russian = api("POST", "/api/payouts/", EXAMPLE, accept_language="ru")

    problem = response.json()
    assert response.status_code == 422
    assert problem["title"] == "The account cannot pay this"
    assert problem["detail"].startswith(
        "The account main cannot pay such a recipient. It pays by: sbp (phone, bank_id)"
    )
    assert problem["errors"] == {"recipient_details": [problem["detail"]]}
    assert russian.status_code == 422
    assert not Payout.objects.exists()


def test_an_amount_beyond_the_accounts_limit_is_a_422_and_what_it_pays_is_taken(api, settings):
    settings.PROVIDER_URL = ""
    settings.PROVIDERS = {"main": "yookassa"}
    sbp = {"phone": "+79123456789", "bank_id": "100000000111"}

    beyond = api("POST", "/api/payouts/", {**EXAMPLE, "recipient_details": sbp, "amount": 500000.01})
    within = api("POST", "/api/payouts/", {**EXAMPLE, "recipient_details": sbp, "amount": 500000})

    assert (beyond.status_code, list(beyond.json()["errors"])) == (422, ["amount"])
    assert within.status_code == 201
    assert Payout.objects.get().provider == "main"
