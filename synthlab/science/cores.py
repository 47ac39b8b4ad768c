"""Work on all processors at once, with threads: numpy lets go of the lock while it reckons."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from threadpoolctl import threadpool_limits


def cores() -> int:
    """How many processors this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def in_parallel(work: Callable[..., None], jobs: Iterable[tuple[int, ...]]) -> None:
    """Do each job on one core: threads of BLAS wait more than they work where cores are busy."""
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(cores()) as pool:
        for _ in pool.map(lambda job: work(*job), jobs):
            pass
