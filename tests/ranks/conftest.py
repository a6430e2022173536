"""Processes that torchrun, or a loop here, starts for one run."""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from snnrl import train
from snnrl.errors import __file__ as errors_file

ROOT = Path(errors_file).parents[1]
QUIET = ("logger=none", "progress=none", "eval.episodes=1")
CART_POLE = ("env=CartPole", "num_envs=4", "env_steps=240", "checkpoint.every=100", "eval.every=120", "eval.during=1")
PONG = (
    *("env=Pong", "num_envs=4", "env_steps=240", "checkpoint.every=160", "eval.every=0"),
    *("env.max_episode_steps=30", "agent.warmup_steps=80", "agent.update_every=4", "eval.deterministic=false"),
)
DIGITS = ("experiment=mnist_unsupervised", "n_neurons=30", "batch_growth=0.04", "plot=false", "checkpoint.every=600")
FEATURES = ("experiment=mnist_conv_unsupervised", "plot=false", "maps=8", "feature_images=100")

PROGRAM = """
import json, sys
from snnrl import train
for words in json.load(open(sys.argv[1])):
    assert train.main(words) == 0, words
"""
"""Trains one run after the other in the same processes, which then start but once."""


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **more}


@pytest.fixture(scope="session")
def patterns(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ``data_dir`` with ten noisy patterns as MNIST: 1,600 to train on, 100 to test on."""
    folder = tmp_path_factory.mktemp("patterns")
    draws = np.random.default_rng(0)
    blocks = np.kron(draws.random((10, 7, 7)) < 0.35, np.ones((4, 4)))
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part, count in (("train", 1600), ("t10k", 100)):
        labels = (np.arange(count) % 10).astype(np.uint8)
        images = (blocks[labels] * draws.integers(120, 255, (count, 28, 28))).astype(np.uint8)
        for name, array in ((f"{part}-images-idx3-ubyte", images), (f"{part}-labels-idx1-ubyte", labels)):
            head = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
            (raw / name).write_bytes(head + array.tobytes())
    return folder


@pytest.fixture(scope="session")
def runs(patterns: Path) -> dict[str, tuple[str, ...]]:
    """The words of short runs by name."""
    images = (f"data_dir={patterns}", "logger=none", "progress=none", "eval.every=0")
    return {
        "CartPole": (*CART_POLE, *QUIET),
        "Pong": (*PONG, *QUIET),
        "digits": (*DIGITS, *images),
        "features": (*FEATURES, *images),
    }


@pytest.fixture(scope="session")
def alone(tmp_path_factory: pytest.TempPathFactory, runs: dict[str, tuple[str, ...]]) -> Path:
    """The folder of what one process made of all runs."""
    import torch

    folder, threads = tmp_path_factory.mktemp("alone"), torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for name, words in runs.items():
            assert train.main([*words, f"run_dir={folder / name}"]) == 0
    finally:
        torch.set_num_threads(threads)
    return folder


@pytest.fixture(scope="session")
def together(tmp_path_factory: pytest.TempPathFactory, runs: dict[str, tuple[str, ...]]) -> Path:
    """The folder of what two processes of ``torchrun`` made of them."""
    folder = tmp_path_factory.mktemp("together")
    (folder / "program.py").write_text(PROGRAM)
    (folder / "runs.json").write_text(
        json.dumps([[*words, f"run_dir={folder / name}"] for name, words in runs.items()])
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    files = str(folder / "program.py"), str(folder / "runs.json")
    ended = subprocess.run(
        [*command, *files], env=environment(), cwd=folder, capture_output=True, text=True, timeout=900, check=False
    )
    assert ended.returncode == 0, ended.stderr[-4000:]
    return folder


@contextmanager
def two_processes(words: Sequence[str], folder: Path) -> Iterator[list[subprocess.Popen[str]]]:
    """``python -m snnrl.train`` in two processes that find each other as those of a launcher do; killed at the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    known = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "snnrl.train", *words],
            env=environment(RANK=str(rank), LOCAL_RANK=str(rank), **known),
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        yield started
    finally:
        for each in started:
            each.kill()
            each.communicate()


@pytest.fixture(scope="session")
def start_two() -> object:
    """:func:`two_processes`."""
    return two_processes
