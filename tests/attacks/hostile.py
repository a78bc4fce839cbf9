"""Sends the corpus: each request over a connection of its own, some at once, and then asks whether all is well."""

from concurrent.futures import ThreadPoolExecutor

from tests.attacks.corpus import Attack
from tests.attacks.tally import Tally
from tests.attacks.target import Target, an_address
from tests.attacks.wire import Heard, exchange

AT_ONCE = 12


def run(target: Target, attacks: list[Attack]) -> Tally:
    tally = Tally()
    before = _payouts(target)

    def send(attack: Attack) -> Heard:
        raw = attack.raw.replace(b"@HOST@", target.host.encode())
        raw = raw.replace(b"@KEY@", target.keys["all scopes"].encode())
        raw = raw.replace(b"@ADDRESS@", an_address().encode())
        return exchange(target.port, raw, then_ends=attack.then_ends)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for attack, heard in zip(attacks, pool.map(send, attacks), strict=True):
            said = heard.body[:160].decode(errors="replace")
            is_right = heard.status in attack.answers
            tally.count(attack.name, heard.status, hung=heard.hung, is_right=is_right, said=said)
    target.still_answers(tally, "the attacks")
    tally.expect(_payouts(target) == before, "payouts of the victim were changed")
    smuggled = target.stand.query("SELECT count(*) FROM payouts_payout WHERE idempotency_key = 'smuggled'")
    tally.expect(smuggled == [(0,)], "a request within another was carried out")
    return tally


def _payouts(target: Target) -> list[tuple[object, ...]]:
    return target.stand.query(
        "SELECT id, status, version, amount FROM payouts_payout WHERE id = ANY(%s) ORDER BY id",
        [list(target.payouts.values())],
    )
