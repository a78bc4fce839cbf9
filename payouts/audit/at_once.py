"""Work over many payouts in several processes at once, because one computes on one core."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import django


def each[Found](
    job: Callable[..., Sequence[Found]], parts: Sequence[tuple[Any, ...]], processes: int
) -> Iterator[Found]:
    """What the job, a module's function, finds in each of these parts, in their order.

    The processes are begun anew, with the settings of the environment: what a fork shares, such as connections, they
    have not.
    """
    pool = ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=django.setup)
    try:
        for found in pool.map(job, *zip(*parts, strict=True)):
            yield from found
    finally:
        pool.shutdown(cancel_futures=True)
