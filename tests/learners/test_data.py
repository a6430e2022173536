from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from snnrl.datafiles import data_folder
from snnrl.errors import ConfigError
from snnrl.learners.data import HELD_OUT, load_data

Write = Callable[..., None]


@pytest.fixture
def small(tmp_path: Path, write_dataset: Write) -> Path:
    """A ``data_dir`` with 40 training and 20 test images of 6 x 5 pixels; pixel (0, 0) is the image's number."""
    for prefix, count in (("train", 40), ("t10k", 20)):
        images = np.random.default_rng(count).integers(0, 256, (count, 6, 5), np.uint8)
        images[:, 0, 0] = np.arange(count)
        write_dataset(tmp_path / "MNIST" / "raw", prefix, images, (np.arange(count) % 10).astype(np.uint8))
    return tmp_path


def raw(folder: Path, name: str) -> Path:
    return folder / "MNIST" / "raw" / name


def test_images_and_labels_are_those_of_the_files(small: Path) -> None:
    data = load_data("MNIST", small)
    assert data.shape == (1, 6, 5)
    assert (data.classes, len(data.train), len(data.held)) == (10, 40, 20)
    assert (data.train.images.dtype, data.train.labels.dtype) == (torch.uint8, torch.int64)
    written = np.frombuffer(raw(small, "t10k-images-idx3-ubyte").read_bytes()[16:], np.uint8).reshape(20, 1, 6, 5)
    assert np.array_equal(data.held.images.numpy(), written)
    assert data.train.labels.tolist() == [number % 10 for number in range(40)]


def test_limits_take_the_first_ones(small: Path) -> None:
    data = load_data("MNIST", small, train_images=15, test_images=3)
    assert data.train.images[:, 0, 0, 0].tolist() == list(range(15))
    assert data.held.images[:, 0, 0, 0].tolist() == [0, 1, 2]


def test_validation_images_are_the_last_training_images_and_not_trained_on(
    tmp_path: Path, write_dataset: Write
) -> None:
    count = HELD_OUT + 30
    numbers = np.arange(count)
    images = np.zeros((count, 2, 2), np.uint8)
    images[:, 0, 0], images[:, 0, 1] = numbers % 256, numbers // 256
    write_dataset(tmp_path / "MNIST" / "raw", "train", images, (numbers % 10).astype(np.uint8))
    write_dataset(tmp_path / "MNIST" / "raw", "t10k", images[:10], numbers[:10].astype(np.uint8))
    data = load_data("MNIST", tmp_path, "validation")
    seen = [(part.images[:, 0, 0].int() @ torch.tensor([1, 256], dtype=torch.int32)).tolist() for part in data[:2]]
    assert seen == [list(range(30)), list(range(30, count))]
    assert len(load_data("MNIST", tmp_path, "test").train) == count


def test_the_letters_of_emnist_stand_upright(tmp_path: Path, write_dataset: Write) -> None:
    images = np.zeros((47, 4, 4), np.uint8)
    images[:, 0, :] = 9
    for part in ("train", "test"):
        write_dataset(tmp_path / "EMNIST" / "raw", f"emnist-balanced-{part}", images, np.arange(47, dtype=np.uint8))
    data = load_data("EMNIST", tmp_path)
    assert data.classes == 47
    assert (data.train.images[:, 0, :, 0] == 9).all()
    assert (data.train.images[:, 0, :, 1:] == 0).all()


def break_file(folder: Path, name: str, change: Callable[[bytes], bytes]) -> None:
    path = raw(folder, name)
    path.write_bytes(change(path.read_bytes()))


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (
            "train-images-idx3-ubyte",
            lambda old: old[:-7],
            r"train-images-idx3-ubyte: is truncated: 1209 bytes; must be 1216",
        ),
        ("t10k-labels-idx1-ubyte", lambda old: old + b"x", r"t10k-labels-idx1-ubyte: is too long"),
        ("train-labels-idx1-ubyte", lambda old: b"", r"train-labels-idx1-ubyte: must be an IDX file of bytes in 1"),
        ("t10k-images-idx3-ubyte", lambda old: b"\x1f\x8b" + old, r"t10k-images-idx3-ubyte: must be an IDX file"),
        ("train-images-idx3-ubyte", lambda old: old[:3] + b"\x02" + old[4:], r"must be an IDX file of bytes in 3"),
        (
            "train-labels-idx1-ubyte",
            lambda old: old[:4] + (39).to_bytes(4, "big") + old[8:-1],
            r"train-images-idx3-ubyte holds 40 images, \S*train-labels-idx1-ubyte 39 labels",
        ),
        ("train-labels-idx1-ubyte", lambda old: old[:-1] + b"\x0a", r"holds the label 10; must be 0 to 9"),
        (
            "t10k-images-idx3-ubyte",
            lambda old: old[:8] + (5).to_bytes(4, "big") + (6).to_bytes(4, "big") + old[16:],
            r"training images are \(6, 5\), test images \(5, 6\); must be alike",
        ),
    ],
)
def test_a_damaged_file_is_named_with_what_is_wrong(
    small: Path, name: str, change: Callable[[bytes], bytes], message: str
) -> None:
    break_file(small, name, change)
    with pytest.raises(ConfigError, match=message):
        load_data("MNIST", small)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dataset": "MNITS"}, r"dataset=MNITS: .*did you mean .*MNIST"),
        ({"train_images": 41}, r"train_images=41: must be at most 40, for MNIST split=test"),
        ({"test_images": 21}, r"test_images=21: must be at most 20"),
        ({"train_images": 9}, r"train_images=9: class 9 of MNIST is never seen among the 9 training images"),
        ({"split": "validation"}, r"split=validation: must be test, as MNIST here has 40 training images"),
    ],
)
def test_what_the_data_set_does_not_have_is_refused(small: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_data(**{"dataset": "MNIST", "data_dir": small, **settings})


def test_a_data_set_without_a_class_is_refused(small: Path) -> None:
    break_file(small, "train-labels-idx1-ubyte", lambda old: old[:8] + bytes(value % 9 for value in old[8:]))
    with pytest.raises(ConfigError, match=r"dataset=MNIST: class 9 of MNIST is never seen"):
        load_data("MNIST", small)


def test_without_files_and_network_the_error_says_what_to_put_where(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import urllib.request

    pytest.importorskip("torchvision")

    def refuse(*_: Any, **__: Any) -> None:
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    raw(small, "train-labels-idx1-ubyte").unlink()
    with pytest.raises(ConfigError) as raised:
        load_data("MNIST", small)
    said = str(raised.value)
    assert said.startswith(f"data_dir={small}: MNIST is not there and cannot be downloaded (")
    assert f"must hold, unpacked, in {small / 'MNIST' / 'raw'}: train-labels-idx1-ubyte; data_dir=" in said


def test_without_torchvision_the_error_says_how_to_install_it_and_that_files_will_do(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    assert len(load_data("MNIST", small).train) == 40
    raw(small, "t10k-images-idx3-ubyte").unlink()
    with pytest.raises(ConfigError, match=r"pip install 'snnrl\[vision\]'\); must hold, unpacked, in .*: t10k-images"):
        load_data("MNIST", small)


def test_the_folder_is_the_one_given_else_that_of_the_environment_else_a_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNNRL_DATA", "/somewhere")
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert data_folder(Path("mine")) == Path("mine")
    assert data_folder(None) == Path("/somewhere")
    monkeypatch.delenv("SNNRL_DATA")
    assert data_folder(None) == Path("/cache/snnrl")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert data_folder(None) == Path.home() / ".cache" / "snnrl"
