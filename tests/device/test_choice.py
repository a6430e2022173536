"""What ``device=auto`` takes where there is a GPU, and what it says of it."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest
import torch

from snnrl import train
from snnrl.loading import task_of
from snnrl.recipes import compose_run
from snnrl.training.device import choose_device
from snnrl.training.supervised_config import SupervisedConfig
from snnrl.training.supervised_task import SupervisedTask
from tests.simulated_gpu import simulated_gpu
from tests.training.test_resume import QUIET

CASES = {
    "few environments": (["env=CartPole", "num_envs=255"], "cpu"),
    "many environments": (["env=CartPole", "num_envs=256", "env.backend=torch"], "cuda"),
    "few environments, and a GPU asked for": (["env=CartPole", "device=cuda"], "cuda"),
    "an algorithm that nobody has measured": (["env=CartPole", "agent=dqn"], "cuda"),
}


@pytest.mark.parametrize("name", CASES)
def test_auto_takes_a_gpu_where_it_gains_and_says_so(name: str) -> None:
    words, expected = CASES[name]
    with simulated_gpu():
        task = task_of(compose_run([*words, *QUIET]))
        line, device = task.device_line, task.device
        task.close()
    assert device.type == expected
    if "device=cuda" in words:
        assert line == ""
    elif expected == "cpu":
        assert line == (
            "device=auto: on cpu, as a GPU gains with 256 environments or more (num_envs=255); "
            "device=cuda takes the GPU"
        )
    else:
        assert line == "device=auto: on cuda"


@pytest.mark.parametrize(("size", "gains"), [(128, False), (129, True)])
def test_auto_goes_by_the_batches_of_a_learner(size: int, gains: bool) -> None:
    config = SupervisedConfig.from_mapping(compose_run(["experiment=mnist_surrogate", f"batch_size={size}"]))
    with simulated_gpu():
        device = choose_device("auto", SupervisedTask.cpu_because(config))
    assert (device.type == "cuda") == gains


@pytest.mark.parametrize("there", [True, False])
def test_a_run_says_what_auto_took_where_there_was_a_choice(
    there: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["env=CartPole", "num_envs=2", "env_steps=4", "eval.episodes=1", "env.max_episode_steps=5", *QUIET]
    words = [*words, "eval.every=0", f"run_dir={tmp_path / 'run'}"]
    with simulated_gpu() if there else nullcontext():
        assert train.main(words) == 0
    choice = there or torch.cuda.is_available()
    assert ("device=auto: on cpu, as a GPU gains" in capsys.readouterr().err) == choice
