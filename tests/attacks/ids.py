"""One client's ids in another's hands: every call on every payout of the victim's, with each of the attacker's keys.

All are not found, or the scope is missing; none says that the payout is there, and none changes it.
"""

import json
from collections.abc import Iterator

from tests.attacks.roles import USER_ID
from tests.attacks.tally import Tally
from tests.attacks.target import Target

JSON = {"Content_Type": "application/json"}
CANCEL, SETTLE = (json.dumps({"status": status}).encode() for status in ("cancelled", "processed"))
# The scopes that a call asks for, before anything is looked up.
CALLS: tuple[tuple[str, str, bytes | None, dict[str, str], str], ...] = (
    ("GET", "", None, {}, "payouts:read"),
    ("GET", "", None, {"If_None_Match": '"1"'}, "payouts:read"),
    ("GET", "events/", None, {}, "payouts:read"),
    ("PATCH", "", CANCEL, JSON, "payouts:write"),
    ("PATCH", "", SETTLE, JSON, "payouts:settle"),
    ("PATCH", "", json.dumps({"status": "pending"}).encode(), JSON, "payouts:write"),
    ("PATCH", "", CANCEL, JSON | {"If_Match": '"1"'}, "payouts:write"),
    ("DELETE", "", None, {}, "payouts:write"),
    ("DELETE", "", None, {"If_Match": "*"}, "payouts:write"),
)
STATE = """
SELECT p.id, p.status, p.version, p.withdrawn_at, (SELECT count(*) FROM payouts_event e WHERE e.payout_id = p.id)
FROM payouts_payout p WHERE p.id = ANY(%s) ORDER BY p.id
"""


def run(target: Target, *, is_small: bool) -> Tally:
    """In the small form with the key that may do everything, which is the one that could."""
    tally = Tally()
    ids = list(target.payouts.values())
    before = target.stand.query(STATE, [ids])
    keys = {"all scopes": target.keys["all scopes"]} if is_small else {**target.keys, **target.dead_keys}
    for name, key in keys.items():
        for method, rest, body, headers, scope in CALLS:
            expected = _expected(name, scope)
            absent = _said(target, method, f"/api/payouts/999999999/{rest}", body, headers, key)
            for state, payout in target.payouts.items():
                path = f"/api/payouts/{payout}/{rest}"
                heard = target.call(method, path, body, Authorization=f"Bearer {key}", **headers)
                said = _without_trace(heard.body)
                what = f"{method} {rest} on a payout that is {state[:20]} with {name}"
                is_right = heard.status == expected and said == absent
                tally.count(what, heard.status, hung=heard.hung, is_right=is_right, said=said[:200])
    for query in _queries(target):
        heard = target.call("GET", query, Authorization=f"Bearer {target.keys['all scopes']}")
        found = json.loads(heard.body).get("results") if heard.status == 200 else []
        tally.count(query, heard.status, hung=heard.hung, is_right=found == [], said=f"{found}"[:200])
    tally.expect(target.stand.query(STATE, [ids]) == before, "a payout of the victim was changed")
    return tally


def _expected(key: str, scope: str) -> int:
    if key in ("revoked", "expired"):
        return 401
    return 404 if key in ("all scopes", f"only {scope}") else 403


def _queries(target: Target) -> Iterator[str]:
    """Lists, which have the caller's own only."""
    for more in ("", "&status=pending", "&page_size=100", "&created_from=2000-01-01", "&client=1", "&client_id=1"):
        yield f"/api/payouts/?user_id={USER_ID}{more}"


def _said(target: Target, method: str, path: str, body: bytes | None, headers: dict[str, str], key: str) -> str:
    return _without_trace(target.call(method, path, body, Authorization=f"Bearer {key}", **headers).body)


def _without_trace(body: bytes) -> str:
    try:
        return json.dumps({name: text for name, text in json.loads(body).items() if name != "trace_id"})
    except ValueError:
        return body.decode(errors="replace")
