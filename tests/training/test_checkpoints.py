from __future__ import annotations

import os
import resource
import signal
import time
import traceback
import warnings
from collections import OrderedDict, namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from snnrl.errors import ConfigError
from snnrl.training.checkpoints import CHECKPOINT_VERSION, CheckpointStore, load_checkpoint, save_checkpoint

Pair = namedtuple("Pair", "left right")


def payload(value: float = 1.0) -> dict[str, Any]:
    return {"architecture": "mlp(4-8-2)", "weights": torch.full((3, 2), float(value)), "env_step": int(value)}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def fork(work: Callable[[], None]) -> int:
    """Run ``work`` in a process of its own, without the seconds that importing torch anew takes; return its id."""
    child = os.fork()
    if child == 0:
        try:
            torch.set_num_threads(1)
            work()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    return child


FORKS = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")


def test_round_trip_keeps_tensors_and_plain_containers(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.randn(4, 3)).sum().backward()
    optimizer.step()
    written = payload() | {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "torch_generator": torch.Generator().manual_seed(3).get_state(),
        "numpy_generator": np.random.default_rng(3).bit_generator.state,
        "nested": [None, True, 2**80, -0.5, "text", b"bytes", (1, [2]), {3: "three"}],
        "parameter": nn.Parameter(torch.ones(2, dtype=torch.bfloat16)),
    }
    save_checkpoint(tmp_path / "new" / "folder" / "a.pt", written)
    read = load_checkpoint(tmp_path / "new" / "folder" / "a.pt", architecture="mlp(4-8-2)")
    assert read.keys() == written.keys() | {"version"}
    assert read["version"] == CHECKPOINT_VERSION
    assert read["nested"] == written["nested"]
    assert read["numpy_generator"] == written["numpy_generator"]
    assert torch.equal(read["weights"], written["weights"])
    assert torch.equal(read["torch_generator"], written["torch_generator"])
    assert read["parameter"].dtype == torch.bfloat16
    fresh = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    fresh.load_state_dict(read["model"])
    assert all(torch.equal(a, b) for a, b in zip(fresh.state_dict().values(), model.state_dict().values(), strict=True))
    torch.optim.Adam(fresh.parameters()).load_state_dict(read["optimizer"])


def test_no_temporary_file_stays(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "a.pt", payload())
    assert [path.name for path in tmp_path.iterdir()] == ["a.pt"]


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ({"rng": [np.zeros(2)]}, r"payload\['agent'\]\['rng'\]\[0\] is a ndarray"),
        (Pair(1, 2), r"payload\['agent'\] is a Pair"),
        (np.float64(0.5), r"payload\['agent'\] is a float64"),
        ({Path("x"): 1}, r"the key .* of payload\['agent'\] is a "),
        (OrderedDict(path=Path("x")), r"payload\['agent'\]\['path'\] is a "),
    ],
)
def test_what_could_not_be_read_back_is_refused_at_save(tmp_path: Path, value: Any, where: str) -> None:
    save_checkpoint(tmp_path / "a.pt", payload(1))
    with pytest.raises(TypeError, match=where):
        save_checkpoint(tmp_path / "a.pt", payload(2) | {"agent": value})
    assert load_checkpoint(tmp_path / "a.pt")["env_step"] == 1


def test_architecture_is_needed_at_save(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="architecture"):
        save_checkpoint(tmp_path / "a.pt", {"weights": torch.ones(1)})


@FORKS
def test_failed_save_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    """A real failure in the middle of writing: the file size limit of the process, in the place of a full disk."""
    path = tmp_path / "a.pt"

    def saves() -> None:
        save_checkpoint(path, payload(1))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        with pytest.raises((OSError, RuntimeError)):
            save_checkpoint(path, payload(2) | {"more": torch.ones(1_000_000)})

    _, status = os.waitpid(fork(saves), 0)
    assert status == 0
    assert names(tmp_path) == ["a.pt"]
    assert load_checkpoint(path)["env_step"] == 1


def test_missing_file_names_those_that_are_there(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "step_000000000010.pt", payload())
    with pytest.raises(ConfigError, match=r"nothing\.pt does not exist: there are: step_000000000010\.pt$"):
        load_checkpoint(tmp_path / "nothing.pt")
    with pytest.raises(ConfigError, match="does not exist: its folder holds no other, start the run anew"):
        load_checkpoint(tmp_path / "nowhere" / "nothing.pt")


@pytest.mark.parametrize("damage", ["truncated", "cut to one byte", "empty", "text", "flipped bit"])
def test_damaged_file_names_the_earlier_ones(tmp_path: Path, damage: str) -> None:
    store = CheckpointStore(tmp_path)
    for step in (10, 20, 30):
        store.save(payload(step), step)
    path = tmp_path / "step_000000000030.pt"
    content = bytearray(path.read_bytes())
    at = content.index(torch.full((3, 2), 30.0).numpy().tobytes())
    flipped = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
    damaged = {
        "truncated": content[:-100],
        "cut to one byte": content[:1],
        "empty": b"",
        "text": b"not a checkpoint at all",
        "flipped bit": flipped,
    }
    path.write_bytes(damaged[damage])
    with pytest.raises(ConfigError) as caught:
        store.load()
    assert str(caught.value) == (
        f"checkpoint {path} is damaged (truncated or not a checkpoint): give checkpoint= an earlier one: "
        "step_000000000020.pt, step_000000000010.pt, or delete it"
    )


def test_newer_version_says_upgrade(tmp_path: Path) -> None:
    torch.save(payload() | {"version": CHECKPOINT_VERSION + 1}, tmp_path / "a.pt")
    expected = (
        rf"newer snnrl \(checkpoint version {CHECKPOINT_VERSION + 1}, this one reads up to {CHECKPOINT_VERSION}\)"
    )
    with pytest.raises(ConfigError, match=expected + ": upgrade snnrl"):
        load_checkpoint(tmp_path / "a.pt")


def test_other_architecture_says_both(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "a.pt", payload())
    with pytest.raises(ConfigError, match=r"a\.pt is of another architecture \(expected conv, found mlp\(4-8-2\)\)"):
        load_checkpoint(tmp_path / "a.pt", architecture="conv")


@pytest.mark.parametrize("content", [torch.ones(2), {"state_dict": {}}, {"version": 1}])
def test_other_programs_files_are_no_checkpoints(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(ConfigError, match=r"a\.pt was not written by snnrl"):
        load_checkpoint(tmp_path / "a.pt")


class Touch:
    """Unpickling this creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def test_objects_are_refused_and_never_run(tmp_path: Path) -> None:
    path, proof = tmp_path / "a.pt", tmp_path / "executed"
    torch.save(payload() | {"version": 1, "extra": Touch(proof)}, path)
    with pytest.raises(ConfigError, match=r"a\.pt holds objects .* refused"):
        load_checkpoint(path)
    assert not proof.exists()
    torch.load(path, weights_only=False)
    assert proof.exists(), "the file was not dangerous, so the test above proves nothing"


def test_loading_warns_of_nothing(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "a.pt", payload())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_checkpoint(tmp_path / "a.pt")


def test_store_keeps_the_newest_and_the_best(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path / "checkpoints", keep=2)
    assert store.latest() is None
    assert store.best() is None
    with pytest.raises(ConfigError, match="there is no checkpoint in"):
        store.load()
    best = store.save_best(payload(5))
    saved = [store.save(payload(step), step) for step in (5, 10, 1_000_000_000_000)]
    assert names(store.folder) == ["best.pt", "step_000000000010.pt", "step_1000000000000.pt"]
    assert store.latest() == saved[-1]
    assert store.best() == best
    assert store.load()["env_step"] == 1_000_000_000_000
    assert store.load(best, architecture="mlp(4-8-2)")["env_step"] == 5
    with pytest.raises(ConfigError, match="another architecture"):
        store.load(architecture="conv")


def test_resume_from_an_earlier_checkpoint_leaves_the_later_ones_behind(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path, keep=3)
    for step in (10, 20, 30):
        store.save(payload(step), step)
    store.save(payload(15), 15)
    assert names(tmp_path) == ["step_000000000010.pt", "step_000000000015.pt"]
    assert store.load()["env_step"] == 15


def test_keep_must_be_positive(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="keep=0"):
        CheckpointStore(tmp_path, keep=0)


def test_stray_and_foreign_files_are_no_checkpoints(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    strays = (".step_000000000099.pt.tmp", ".best.pt.tmp")
    foreign = ("step_99.pt", "step_000000000099.pt.bak", "notes.txt")
    for name in (*strays, *foreign):
        (tmp_path / name).write_bytes(b"x")
    assert store.latest() is None
    store.save(payload(7), 7)
    assert names(tmp_path) == sorted([*foreign, "step_000000000007.pt"])
    assert store.load()["env_step"] == 7


def save_forever(folder: Path, announce: int) -> None:
    store, step = CheckpointStore(folder, keep=1), 0
    while True:
        step += 1
        weights = torch.full((2_000_000,), float(step))
        store.save({"architecture": "x", "step": step, "weights": weights}, step)
        if step == 1:
            os.write(announce, b"saved")


@FORKS
@pytest.mark.parametrize("milliseconds", [3, 100, 211, 411])
def test_kill_while_saving_leaves_a_whole_checkpoint(tmp_path: Path, milliseconds: int) -> None:
    """Watched as it saves with ``keep=1``, then killed: at no instant is there none, and the last one loads."""
    store = CheckpointStore(tmp_path, keep=1)
    heard, announce = os.pipe()
    child = fork(lambda: save_forever(tmp_path, announce))
    try:
        assert os.read(heard, 5) == b"saved"
        end = time.monotonic() + milliseconds / 1000
        while time.monotonic() < end:
            assert store.latest() is not None
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(heard)
        os.close(announce)
    read = store.load()
    assert torch.equal(read["weights"], torch.full((2_000_000,), float(read["step"])))
    store.save(payload(10**6), 10**6)
    assert names(tmp_path) == ["step_000001000000.pt"]


@FORKS
@pytest.mark.parametrize(
    ("module", "call", "left"), [(os, "fsync", 1), (os, "replace", 1), (Path, "unlink", 2)], ids=str
)
def test_kill_at_each_stage_of_a_save(tmp_path: Path, module: Any, call: str, left: int) -> None:
    """The process kills itself where the second save reaches ``call``; the checkpoint then is the old or the new."""

    def saves() -> None:
        store = CheckpointStore(tmp_path, keep=1)
        store.save(payload(1), 1)
        setattr(module, call, lambda *args, **kwargs: os.kill(os.getpid(), signal.SIGKILL))
        store.save(payload(2), 2)

    _, status = os.waitpid(fork(saves), 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert CheckpointStore(tmp_path).load()["env_step"] == left


@pytest.mark.parametrize("make", [lambda path: path.touch(), lambda path: path.symlink_to("nowhere")])
def test_what_is_no_folder_of_checkpoints_is_said(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path / "checkpoints")
    with pytest.raises(ConfigError, match="checkpoints: is no folder, and checkpoints belong in one"):
        CheckpointStore(tmp_path / "checkpoints")


def test_steps_are_in_digits_of_ascii(tmp_path: Path) -> None:
    arabic = "\N{ARABIC-INDIC DIGIT THREE}"
    (tmp_path / f"step_{arabic * 12}.pt").touch()
    assert CheckpointStore(tmp_path).latest() is None
