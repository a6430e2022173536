"""Free memory back to the system."""

from __future__ import annotations

import ctypes


def release_free_memory() -> bool:
    """Give back the free pages between live allocations; returns whether any were.

    Decisions allocate tensors of many sizes, and glibc keeps the holes between those that live on: without this, a
    million env steps of LunarLander grew from 0.65 to 5.2 GiB. It takes milliseconds. Elsewhere than on glibc nothing
    is done.
    """
    try:
        return bool(ctypes.CDLL(None).malloc_trim(0))
    except (AttributeError, OSError, TypeError):
        return False
