"""Threads for compiled loops that release the interpreter lock."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache

import torch


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="snnrl-kernel")


os.register_at_fork(after_in_child=_pool.cache_clear)  # threads do not live on in a forked process


def share_range(work: Callable[[int, int], None], size: int, grain: int) -> None:
    """Call ``work(low, high)`` for parts that cover ``0 .. size``, on as many threads as torch uses.

    Args:
        work: compiled and free of the interpreter lock; parts must not write to the same place.
        size: length of the whole range.
        grain: parts begin at multiples of it, and one that is not longer than this has a thread to itself.
    """
    grains = -(-size // grain)
    parts = max(1, min(torch.get_num_threads(), grains))
    if parts == 1:
        work(0, size)
        return
    edges = [min(size, grain * (grains * part // parts)) for part in range(parts + 1)]
    others = [_pool().submit(work, *edges[part : part + 2]) for part in range(1, parts)]
    try:
        work(*edges[:2])
    finally:
        wait(others)  # nobody writes on after this call has raised
    for other in others:
        other.result()
