"""Who is next, once a request has ended."""

import asyncio
from threading import Event

from backoffice.door.threads import Threads
from backoffice.door.turns import Turns


def _no_application(_environ, _start_response):
    raise AssertionError("nobody asks it here")


def test_all_whose_turn_it_is_now_begin_while_there_are_threads() -> None:
    """One waits for its key, one for its network, and both had been taken by the same request."""

    async def ended() -> list[str]:
        threads = Threads(_no_application, 3)
        threads.start(asyncio.get_running_loop())
        keys, networks = Turns(1), Turns(1)
        first_ends, second_ends = Event(), Event()
        try:
            first = asyncio.ensure_future(threads.run(first_ends.wait, [(keys, "a"), (networks, "1")]))
            second = asyncio.ensure_future(threads.run(second_ends.wait, [(keys, "a"), (networks, "2")]))
            third = asyncio.ensure_future(threads.run(lambda: "third", [(keys, "b"), (networks, "1")]))
            await asyncio.sleep(0)
            first_ends.set()
            order = [await third, f"the second is under way: {not second.done()}"]
            second_ends.set()
            await asyncio.gather(first, second)
            return order
        finally:
            first_ends.set()
            second_ends.set()
            threads.stop()

    assert asyncio.run(ended()) == ["third", "the second is under way: True"]


def test_who_waits_for_a_thread_is_told_and_who_waits_for_their_turn_is_not() -> None:
    async def told() -> list[tuple[int, int]]:
        threads = Threads(_no_application, 2)
        threads.start(asyncio.get_running_loop())
        keys, ends, seen = Turns(1), Event(), []
        try:
            under_way = []
            for key in ("a", "a", "b", "c"):
                under_way.append(asyncio.ensure_future(threads.run(ends.wait, [(keys, key)])))
                await asyncio.sleep(0)
                seen.append((threads.busy, threads.waiting))
            ends.set()
            await asyncio.gather(*under_way)
            return [*seen, (threads.busy, threads.waiting)]
        finally:
            ends.set()
            threads.stop()

    assert asyncio.run(told()) == [(1, 0), (1, 0), (2, 1), (2, 2), (0, 0)]
