"""Memory that nothing holds goes back to the system."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

import pytest
import torch

from snnrl.training.memory import FreeMemory, release_free_memory

GLIBC = pytest.mark.skipif(
    not sys.platform.startswith("linux") or not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="glibc's malloc alone"
)


def resident_mebibytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@GLIBC
def test_holes_between_live_tensors_are_given_back() -> None:
    blocks = [torch.ones(15_000) for _ in range(4_000)]
    kept = blocks[::20]
    full = resident_mebibytes()
    del blocks
    assert release_free_memory()
    assert full - resident_mebibytes() > 100
    assert all(bool((block == 1).all()) for block in kept)


def test_memory_is_released_only_when_it_is_due() -> None:
    assert not FreeMemory(every=3600.0).release_when_due()


@GLIBC
def test_memory_that_is_due_is_released() -> None:
    blocks = [torch.ones(15_000) for _ in range(4_000)]
    kept, memory = blocks[::20], FreeMemory(every=0.0)
    del blocks
    assert memory.release_when_due()
    assert len(kept) == 200
