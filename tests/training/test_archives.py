"""Files that are no checkpoints, or want to be more than they are: refused in one line, before they cost anything."""

from __future__ import annotations

import io
import os
import pickle
import resource
import zipfile
from collections import Counter, OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from snnrl.errors import ConfigError
from snnrl.training.archives import FREELY
from snnrl.training.checkpoints import load_checkpoint, save_checkpoint

WHOLE: dict[str, Any] = {"architecture": "mlp", "weights": torch.arange(6.0), "bytes": b"\x00\xff"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    save_checkpoint(tmp_path / "a.pt", WHOLE)
    return tmp_path / "a.pt"


def parts(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(path: Path, content: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in content.items():
            archive.writestr(name, data)


def with_pickle(path: Path, payload: Any) -> None:
    """Put the pickle of ``payload`` in the place of the checkpoint's."""
    write(path, parts(path) | {"archive/data.pkl": pickle.dumps(payload, 2)})


def refused(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load_checkpoint(path)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(str(ConfigError(f"checkpoint {path} ")))
    return line


@pytest.mark.parametrize("size", [FREELY + 2**24, 2**31])
def test_an_archive_that_unpacks_to_more_than_a_file_of_its_size_holds_is_not_unpacked(path: Path, size: int) -> None:
    """The larger one says 2 GiB in its directory and holds less: what it says is enough to refuse it."""
    write(path, parts(path) | {"archive/data/9": bytes(FREELY + 2**24)}, zipfile.ZIP_DEFLATED)
    content = path.read_bytes()
    said = (FREELY + 2**24).to_bytes(4, "little")
    assert content.count(said) == 2
    path.write_bytes(content.replace(said, size.to_bytes(4, "little")))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "it would unpack to" in refused(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 16 * 1024, "KiB"


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_compressed_checkpoint_is_one(path: Path, compression: int) -> None:
    write(path, parts(path), compression)
    assert torch.equal(load_checkpoint(path)["weights"], WHOLE["weights"])


@pytest.mark.parametrize(
    "name", ["../outside", "archive/../../outside", "/etc/outside", "archive\\..\\outside", "elsewhere/data/0", "plain"]
)
def test_parts_that_are_named_out_of_the_archive_are_refused(path: Path, name: str) -> None:
    write(path, parts(path) | {name: b"x"})
    assert "its parts are not those of a checkpoint" in refused(path)


@pytest.mark.parametrize("lacking", ["archive/data.pkl", "archive/data/0", "archive/version"])
def test_a_missing_part_is_damage(path: Path, lacking: str) -> None:
    content = parts(path)
    write(path, {name: data for name, data in content.items() if name != lacking})
    assert " is damaged (" in refused(path)


@pytest.mark.parametrize("emptied", ["archive/data.pkl", "archive/data/0", "archive/byteorder", "archive/version"])
def test_an_empty_part_is_damage(path: Path, emptied: str) -> None:
    write(path, parts(path) | {emptied: b""})
    assert " is damaged (" in refused(path)


def test_a_part_that_says_it_is_a_folder_is_damage(path: Path) -> None:
    """One bit of the archive's directory, for which torch gives memory that nobody has written."""
    content = parts(path)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0x10 if name == "archive/data/0" else 0
            archive.writestr(entry, data)
    assert " is damaged (" in refused(path)


@pytest.mark.parametrize("around", ["before", "after"])
def test_bytes_beside_the_archive_are_damage(path: Path, around: str) -> None:
    content = path.read_bytes()
    path.write_bytes(b"x" * 9 + content if around == "before" else content + b"x" * 9)
    assert " is damaged (" in refused(path)


class Calls:
    """Pickled as a call of a function."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize(
    "payload",
    [
        Calls(bytearray, 10**11),
        Calls(eval, "1"),
        Calls(getattr, 1, "real"),
        Counter("ab"),
        {1, 2},
        complex(1, 2),
        Path(),
    ],
    ids=["memory by a number", "eval", "getattr", "Counter", "set", "complex", "Path"],
)
@pytest.mark.parametrize("protocol", [2, 4])
def test_a_pickle_that_names_more_than_tensors_and_containers_is_refused(
    path: Path, payload: Any, protocol: int
) -> None:
    held = {"archive/data.pkl": pickle.dumps({**WHOLE, "extra": payload, "weights": 0}, protocol)}
    write(path, parts(path) | held)
    line = refused(path)
    assert " holds objects " in line or "pickle protocol 4" in line


def storage(numel: int, size: tuple[int, ...], stride: tuple[int, ...]) -> bytes:
    """The pickle of a tensor over the archive's first part, of any size that is claimed."""

    class Storage:
        pass

    class Pickler(pickle.Pickler):
        def persistent_id(self, value: Any) -> Any:
            return ("storage", torch.FloatStorage, "0", "cpu", numel) if isinstance(value, Storage) else None

    made = Calls(torch._utils._rebuild_tensor_v2, Storage(), 0, size, stride, False, OrderedDict())
    file = io.BytesIO()
    Pickler(file, 2).dump({"architecture": "mlp", "version": 1, "weights": made})
    return file.getvalue()


@pytest.mark.parametrize(
    ("numel", "size", "stride"),
    [(10**9, (6,), (1,)), (10**9, (10**9,), (1,)), (6, (10**9,), (1,)), (6, (10**9,), (0,)), (6, (-6,), (1,))],
    ids=["storage", "storage and tensor", "tensor", "one number again and again", "negative"],
)
def test_a_tensor_that_is_larger_than_its_part_is_damage(
    path: Path, numel: int, size: tuple[int, ...], stride: tuple[int, ...]
) -> None:
    write(path, parts(path) | {"archive/data.pkl": storage(6, (6,), (1,))})
    assert torch.equal(load_checkpoint(path)["weights"], WHOLE["weights"])
    write(path, parts(path) | {"archive/data.pkl": storage(numel, size, stride)})
    assert " is damaged (" in refused(path)


def test_containers_that_hold_themselves_or_one_another_a_thousandfold_cost_nothing(path: Path) -> None:
    held: list[Any] = []
    held.append(held)
    for _ in range(50):
        held = [held] * 50
    with_pickle(path, {"architecture": "mlp", "version": 1, "held": held})
    assert load_checkpoint(path)["architecture"] == "mlp"


def test_deep_nesting_is_damage(path: Path) -> None:
    deep = b"\x80\x02}(U\x0carchitectureU\x03mlpU\x07versionK\x01U\x04deep" + b"]" * 50_000 + b"a" * 49_999 + b"u."
    assert len(pickle.loads(deep)) == 3
    write(path, parts(path) | {"archive/data.pkl": deep})
    assert " is damaged (" in refused(path)


@pytest.mark.parametrize("kind", ["folder", "fifo", "long name", "no name"])
def test_what_is_no_file_is_no_checkpoint(tmp_path: Path, kind: str) -> None:
    path = {"long name": tmp_path / ("x" * 300), "no name": tmp_path / "a\0b"}.get(kind, tmp_path / "there")
    if kind == "folder":
        path.mkdir()
    if kind == "fifo":
        os.mkfifo(path)
    assert "does not exist" in refused(path)


def test_modules_and_optimisers_of_every_kind_are_taken_back(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 2).bfloat16())
    optimizers = [kind(model.parameters()) for kind in (torch.optim.Adam, torch.optim.RMSprop, torch.optim.SGD)]
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    for optimizer in optimizers:
        optimizer.step()
    states = [optimizer.state_dict() for optimizer in optimizers]
    kinds = [torch.zeros(3).to(kind) for kind in (torch.bool, torch.uint8, torch.int16, torch.complex64, torch.float16)]
    save_checkpoint(tmp_path / "a.pt", {"architecture": "x", "model": model.state_dict(), "o": states, "k": kinds})
    read = load_checkpoint(tmp_path / "a.pt")
    assert [value.dtype for value in read["k"]] == [value.dtype for value in kinds]
    assert len(read["o"]) == 3
