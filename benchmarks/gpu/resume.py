"""Runs on the card that are killed and go on, and that are run twice: are their checkpoints the same bit for bit?

Each case is trained twice from start to end, and once killed by SIGKILL after its first checkpoint and resumed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from images import has_mnist
from steps import card, is_dry, row, tensors, worst

from snnrl.training.checkpoints import CheckpointStore, load_checkpoint

QUIET = ["logger=none", "progress=none", "eval.every=0"]
FEW = [*QUIET, "eval.episodes=1"]
STUDY = [*QUIET, "train_images=4000", "test_images=500", "checkpoint.every=1000"]
CASES = {
    "R-STDP, CartPole": ["env=CartPole", "env_steps=6000", "num_envs=4", "checkpoint.every=1500", *FEW],
    "R-STDP, SpaceInvaders": [
        *("env=SpaceInvaders", "env_steps=2400", "num_envs=4", "checkpoint.every=600", *FEW),
        "env.max_episode_steps=60",
    ],
    "PPO, CartPole": [
        *("env=CartPole", "agent=ppo", "env_steps=3000", "num_envs=4", "checkpoint.every=600", *FEW),
        *("agent.n_steps=64", "agent.n_epochs=2"),
    ],
    "DQN with its memory, CartPole": [
        *("env=CartPole", "agent=dqn", "env_steps=2000", "num_envs=1", "checkpoint.every=500", *FEW),
        *("agent.learning_starts=200", "agent.save_replay=true"),
    ],
    "PPO, Pong": [
        *("env=Pong", "agent=ppo", "env_steps=768", "num_envs=2", "checkpoint.every=256", *FEW),
        *("agent.n_steps=64", "agent.n_epochs=2", "env.max_episode_steps=60"),
    ],
    "MNIST by surrogate gradient, convolutions": ["experiment=mnist_surrogate_conv", "passes=1", *STUDY],
    "MNIST without labels, Poisson": ["experiment=mnist_unsupervised", "encoding=poisson", *STUDY],
    "MNIST without labels": ["experiment=mnist_unsupervised", *STUDY],
    "MNIST by surrogate gradient": ["experiment=mnist_surrogate", *STUDY],
}


def start(words: list[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("w") as output:
        return subprocess.Popen([sys.executable, "-m", "snnrl.train", *words], stdout=output, stderr=output)


def finish(words: list[str], log: Path) -> None:
    if start(words, log).wait():
        raise RuntimeError((log.read_text().strip().splitlines() or ["no output"])[-1][:200])


def killed_and_resumed(words: list[str], folder: Path, log: Path) -> int:
    """Returns the step of the checkpoint that the resumed run went on from."""
    running = start([*words, f"run_dir={folder}"], log)
    store = CheckpointStore(folder / "checkpoints")
    while store.latest() is None and running.poll() is None:
        time.sleep(0.002)
    running.send_signal(signal.SIGKILL)
    if running.wait() != -signal.SIGKILL:
        raise RuntimeError(f"ended before it was killed: {log.read_text().strip().splitlines()[-1][:160]}")
    latest = store.latest()
    assert latest is not None
    finish([f"resume={folder}"], log)
    return int(latest.stem.removeprefix("step_"))


def compare(words: list[str], device: str) -> Mapping[str, Any]:
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(3) as pool:
        place = Path(scratch)
        asked = [*words, f"device={device}"]
        straight = [
            pool.submit(finish, [*asked, f"run_dir={place / name}"], place / f"{name}.log") for name in ("one", "two")
        ]
        went_on = pool.submit(killed_and_resumed, asked, place / "killed", place / "killed.log").result()
        for run in straight:
            run.result()
        last = [CheckpointStore(place / name / "checkpoints").latest() for name in ("one", "two", "killed")]
        states = [tensors(load_checkpoint(path)) for path in last if path is not None]
        repeated, resumed = worst(states[1], states[0]), worst(states[2], states[0])
        return {
            "steps": int(last[0].stem.removeprefix("step_")) if last[0] else None,
            "went_on_at": went_on,
            "repeats": repeated[1] == "",
            "repeat_off": repeated[0],
            "repeat_in": repeated[1],
            "resumes": resumed[1] == "",
            "resume_off": resumed[0],
            "resume_in": resumed[1],
        }


def main() -> None:
    dry = is_dry(__doc__)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    cases = {name: words for name, words in CASES.items() if "experiment" not in words[0] or has_mnist()}
    if dry:
        cases = {name: words for name, words in cases.items() if name == "R-STDP, CartPole"}
    with ThreadPoolExecutor(1 if dry else 4) as pool:
        for name, words in cases.items():
            pool.submit(row, name, lambda w=words: compare(w, card(dry)))


if __name__ == "__main__":
    main()
