"""The package of docs/extending.md, written into an empty folder, is all that new parts need."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import gymnasium
import pytest

from snnrl import evaluate, train
from snnrl.errors import ConfigError
from snnrl.errors import __file__ as errors_file
from snnrl.loading import task_of
from snnrl.recipes import compose_run
from tests.learners.conftest import drawn_digits, write_part

TEXT = (Path(errors_file).parents[1] / "docs" / "extending.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"```(?:python|yaml)\n# (\S+)\n(.*?)```", TEXT, re.DOTALL))
QUICK = ("num_envs=2", "env_steps=40", "eval.every=0", "eval.episodes=1", "logger=none", "progress=none")


@pytest.fixture(autouse=True)
def my_snn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder with the package and its recipes, in which the commands are run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(gymnasium, "registry", dict(gymnasium.registry))
    monkeypatch.setattr("gymnasium.envs.registration.registry", gymnasium.registry)
    for name, text in FILES.items():
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(text, encoding="utf-8")
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "my_snn"]:
        del sys.modules[name]


def test_each_part_is_one_file_and_one_recipe() -> None:
    assert sorted(FILES) == [
        *("agents/biased.yaml", "agents/mine.yaml", "envs/Short.yaml", "experiments/my_digits.yaml", "my_snn/agent.py"),
        *("my_snn/connection.py", "my_snn/encoder.py", "my_snn/env.py", "my_snn/learner.py", "my_snn/neuron.py"),
        "my_snn/rule.py",
    ]


@pytest.mark.parametrize("words", [("env=Short", "agent=mine"), ("env=Short", "agent=biased")])
def test_agents_with_parts_of_ones_own_are_trained_and_evaluated(words: tuple[str, ...]) -> None:
    assert train.main([*words, *QUICK, "run_dir=run"]) == 0
    assert evaluate.main(["run=run", "episodes=1", "trust=true"]) == 0


def test_a_learner_of_ones_own_learns() -> None:
    for part, count in (("train", 100), ("t10k", 50)):
        write_part(Path("data/MNIST/raw"), part, *drawn_digits(count, seed=0))
    words = ["experiment=my_digits", "data_dir=data", "eval.every=0", "logger=none", "progress=none"]
    assert train.main([*words, "run_dir=run"]) == 0


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        (
            "encoder.intervall",
            2,
            "agent.encoder.intervall=2: my_snn.encoder:Sign has no such setting",
        ),
        (
            "network.hidden.0.neuron.threshold",
            "x",
            "neuron.threshold=x: must be a finite",
        ),
        (
            "network.hidden.0.rule.name",
            "my_snn.rule:X",
            "rule.name=my_snn.rule:X: cannot",
        ),
        (
            "network.hidden.0.connection",
            "shard",
            "connection=shard: there is no such con",
        ),
    ],
)
def test_what_is_wrong_with_a_part_is_said_under_its_name(key: str, value: object, said: str) -> None:
    settings = compose_run(["env=Short", "agent=mine"])
    *sections, name = key.split(".")
    place = settings["agent"]
    for section in sections:
        place = place[int(section) if section.isdecimal() else section]
    place[name] = value
    with pytest.raises(ConfigError) as caught:
        task_of(settings)
    assert str(caught.value).removeprefix("agent.network.hidden[0].").startswith(said)
