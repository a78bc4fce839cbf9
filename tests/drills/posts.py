"""The same POST eight times at once: one payout."""

import threading
from collections import defaultdict

from tests.bench.stand import Stand
from tests.drills.calls import Reply
from tests.drills.ground import PATIENCE_SECONDS, Drill, Result, ground

AT_ONCE = 8


def same_post(stand: Stand, keys: int) -> Result:
    replies: dict[int, list[Reply]] = defaultdict(list)
    with ground(stand, "same-post") as here:
        _web, port = here.start_web()
        barrier = threading.Barrier(AT_ONCE, timeout=PATIENCE_SECONDS)

        def submit_all() -> None:
            caller = here.caller(port)
            for key in range(keys):
                barrier.wait()
                replies[key].append(caller.submit(key=f"drill-{key}", user_id=1 + key))

        threads = [threading.Thread(target=submit_all) for _ in range(AT_ONCE)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        payouts = here.count("payouts_payout")
        made_once = [each for each in replies.values() if _is_one_payout(each)]
        result = Result(f"{keys} keys, each POSTed {AT_ONCE} times at once: {payouts} payouts")
        result.expect(payouts == keys, f"{payouts} payouts")
        result.expect(len(made_once) == keys, f"{keys - len(made_once)} keys without one 201 and seven 200 alike")
        return here.judge(result)


def _is_one_payout(replies: list[Reply]) -> bool:
    statuses = sorted(reply.status for reply in replies)
    return statuses == [200] * (AT_ONCE - 1) + [201] and len({reply.json["id"] for reply in replies}) == 1


SAME_POST = Drill(same_post, full=500, small=30)
