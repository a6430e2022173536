"""Files that were made to do harm: none runs code, takes memory that it does not fill, or ends in a traceback."""

from __future__ import annotations

import builtins
import os
import pickle
import random
import resource
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from snnrl.errors import ConfigError
from snnrl.training.checkpoints import load_checkpoint, save_checkpoint

ROUNDS = (100, 5000)
RUNS_CODE = (
    "os.system",
    "os.exec",
    "os.fork",
    "subprocess.Popen",
    "os.mkdir",
    "os.remove",
    "socket.connect",
    "compile",
)
HARMFUL = (os.system, os.mkdir, os.remove, subprocess.Popen, builtins.eval, builtins.exec, builtins.__import__)
GREEDY = (builtins.bytearray, builtins.range, builtins.list, torch.zeros, torch.UntypedStorage, torch.nn.Linear)
_watching: list[str] | None = None


def _watch(event: str, arguments: Any) -> None:
    if _watching is not None and event in RUNS_CODE:
        _watching.append(f"{event} {arguments}")


@pytest.fixture(scope="module", autouse=True)
def watched() -> None:
    sys.addaudithook(_watch)


class Calls:
    """Pickled as a call."""

    def __init__(self, function: Any, arguments: tuple[Any, ...]) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def harm(chance: random.Random, folder: Path) -> Any:
    """Something that unpickling would run, or fill memory with."""
    if chance.random() < 0.5:
        return Calls(chance.choice(HARMFUL), (chance.choice([str(folder / "proof"), f"open({folder}/proof, 'w')"]),))
    return Calls(chance.choice(GREEDY), (chance.choice([10**9, 10**11, 2**62]),))


def hostile(chance: random.Random, parts: dict[str, bytes], bomb: bytes, path: Path) -> str:
    """Write a hostile file to ``path``; says of what kind."""
    parts = dict(parts)
    kind = chance.choice(["pickle", "opcodes", "name", "bomb", "sizes", "swap"])
    compression = chance.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    if kind == "pickle":
        held = {"architecture": "x", "version": 1, chance.choice(["a", "weights"]): [harm(chance, path.parent)]}
        parts["archive/data.pkl"] = pickle.dumps(held, chance.choice([0, 1, 2, 3, 4, 5]))
    elif kind == "opcodes":
        pickled = bytearray(parts["archive/data.pkl"])
        for _ in range(chance.randrange(1, 12)):
            pickled[chance.randrange(len(pickled))] = chance.randrange(256)
        parts["archive/data.pkl"] = bytes(pickled)
    elif kind == "name":
        parts[chance.choice(["../", "/", "archive/../../", "C:\\", "archive/data/../"]) + "proof"] = b"x"
    elif kind == "bomb":
        path.write_bytes(bomb)
        return kind
    elif kind == "swap":
        one, two = chance.sample(sorted(parts), 2)
        parts[one], parts[two] = parts[two], parts[one]
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    if kind == "sizes":
        content = bytearray(path.read_bytes())
        entry = chance.choice([at for at in range(len(content)) if content[at : at + 4] == b"PK\x01\x02"])
        field = chance.choice([16, 20, 24, 42])  # checksum, compressed and whole size, place
        content[entry + field : entry + field + 4] = struct.pack("<I", chance.choice([0, 2**31, 2**32 - 1]))
        path.write_bytes(content)
    return kind


@pytest.mark.timeout(3600)
def test_hostile_files_are_refused_or_are_only_data(rounds: int, chance: random.Random, tmp_path: Path) -> None:
    global _watching
    path = tmp_path / "a.pt"
    save_checkpoint(path, {"architecture": "x", "weights": torch.arange(100.0), "recent": [[1.0, 2]] * 9})
    load_checkpoint(path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in (parts | {"archive/data/0": bytes(2**27)}).items():
            archive.writestr(name, data)
    bomb, before, loaded = path.read_bytes(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 0
    for _ in range(rounds):
        kind = hostile(chance, parts, bomb, path)
        _watching, said = [], None
        try:
            load_checkpoint(path)
        except ConfigError as error:
            said = str(error)
        finally:
            ran, _watching = _watching, None
        assert len(said.splitlines()) == 1 if said else kind not in ("pickle", "name", "bomb"), kind
        loaded += said is None
        assert ran == [], kind
        assert [found.name for found in tmp_path.iterdir()] == ["a.pt"], kind
    print(f"{rounds - loaded} of {rounds} refused, the others were only data")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < 64, f"{grown:.0f} MiB"
