"""Coroutines run to their end from tests."""

import asyncio
from concurrent.futures import ThreadPoolExecutor


def finish(coroutine):
    """Its result. A thread of its own: browser tests leave a loop running in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()
