"""Memory that nothing holds goes back to the system."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

import pytest
import torch

from snnrl.training.memory import release_free_memory


def resident_mebibytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="glibc's malloc alone"
)
def test_holes_between_live_tensors_are_given_back() -> None:
    blocks = [torch.ones(15_000) for _ in range(4_000)]
    kept = blocks[::20]
    full = resident_mebibytes()
    del blocks
    assert release_free_memory()
    assert full - resident_mebibytes() > 100
    assert all(bool((block == 1).all()) for block in kept)
