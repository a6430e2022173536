"""Checkpoints with flipped bytes, of any length, or without some of their parts."""

from __future__ import annotations

import random
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch

from snnrl.errors import ConfigError
from snnrl.training.checkpoints import load_checkpoint, save_checkpoint

ROUNDS = (60, 3000)


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("whole") / "a.pt"
    moments = {name: {"step": torch.tensor(3.0), "exp_avg": torch.randn(9, 40)} for name in range(2)}
    held = {"model": OrderedDict(weight=torch.randn(9, 40), bias=torch.zeros(9)), "optimizer": {"state": moments}}
    save_checkpoint(path, {"architecture": "linear", **held, "steps": 7, "recent": [[1.5, 3], [0.0, 2]]})
    return path.read_bytes()


def plain(value: Any) -> Any:
    """Compared by ``==``, to the last bit."""
    if isinstance(value, torch.Tensor):
        return str(value.dtype), list(value.shape), value.numpy().tobytes()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


def check(path: Path, whole: Any, what: str) -> bool:
    """Whether the file was refused; raises where it was loaded as anything but what was saved."""
    said = ""
    try:
        read = load_checkpoint(path)
    except ConfigError as error:
        said = str(error)
    if said:
        assert len(said.splitlines()) == 1, what
        return True
    assert plain(read) == whole, f"loaded wrong without a word: {what}"
    return False


@pytest.mark.timeout(3600)
def test_damage_is_never_loaded(rounds: int, chance: random.Random, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    path.write_bytes(content)
    whole = plain(load_checkpoint(path))
    refused = 0
    for _ in range(rounds):
        damaged = bytearray(content)
        kind = chance.choice(["flip", "flip", "directory", "overwrite", "cut", "insert"])
        at = chance.randrange(len(content))
        if kind in ("flip", "directory"):
            at = at if kind == "flip" else len(content) - 1 - chance.randrange(len(content) // 20)
            damaged[at] ^= 1 << chance.randrange(8)
        elif kind == "overwrite":
            length = min(chance.randrange(1, 4096), len(content) - at)
            damaged[at : at + length] = chance.choice([bytes(length), chance.randbytes(length)])
        elif kind == "cut":
            del damaged[at:]
        else:
            damaged[at:at] = chance.randbytes(chance.randrange(1, 64))
        path.write_bytes(damaged)
        refused += check(path, whole, f"{kind} at {at} of {len(content)}")
    print(f"{refused} of {rounds} refused, the others loaded as they were saved")
    assert refused > rounds // 2


@pytest.mark.timeout(3600)
def test_no_bit_of_the_directory_changes_what_is_loaded(
    rounds: int, chance: random.Random, content: bytes, tmp_path: Path
) -> None:
    """What the directory says of a part is protected by no checksum, and torch reads more of it than others do."""
    path = tmp_path / "a.pt"
    path.write_bytes(content)
    whole = plain(load_checkpoint(path))
    begin = content.index(b"PK\x01\x02")
    bits = [(at, bit) for at in range(begin, len(content)) for bit in range(8)]
    for at, bit in chance.sample(bits, min(3 * rounds, len(bits))):
        damaged = bytearray(content)
        damaged[at] ^= 1 << bit
        path.write_bytes(damaged)
        check(path, whole, f"bit {bit} of byte {at} of {len(content)}, the directory begins at {begin}")


def test_an_archive_without_one_of_its_parts_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    path.write_bytes(content)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    whole = plain(load_checkpoint(path))
    for lacking in parts:
        for emptied in (False, True):
            with zipfile.ZipFile(path, "w") as archive:
                for name, data in parts.items():
                    if name != lacking or emptied:
                        archive.writestr(name, b"" if name == lacking else data)
            check(path, whole, f"{lacking}{' empty' if emptied else ' missing'}")
