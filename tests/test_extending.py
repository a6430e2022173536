"""What docs/extending.md shows works as it stands there: a part of your own is one Python file and one recipe."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import gymnasium
import pytest
import torch
import yaml

import snnrl
from snnrl.errors import UntrustedCodeError
from snnrl.neurons import NEURONS
from snnrl.train import main as train
from snnrl.training.checkpoints import load_checkpoint
from snnrl.trust import names_code
from tests.learners.conftest import drawn_digits, write_part

ROOT = Path(snnrl.__file__).parents[1]
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^`([\w./]+)`:\n\n```\w+\n(.*?)^```", re.MULTILINE | re.DOTALL)
FILES = dict(BLOCK.findall(PAGE))
COMMANDS = [shlex.split(line)[3:] for line in re.findall(r"^python -m snnrl\.train (?!resume).*$", PAGE, re.MULTILINE)]
REFUSED = re.findall(r"^\| `(.+?)` \| `(agent\..+?)` \|$", PAGE, re.MULTILINE)

QUICK = ["eval.every=0", "logger=none", "progress=none", "run_dir=run"]
ACTING = ["env_steps=48", "num_envs=2", "checkpoint.every=24", "eval.episodes=1"]
CHOSEN: Mapping[str, tuple[str, str, list[str]]] = {
    "quadratic": ("QuadraticIF", "network.connections.hidden_1 to actor.weight", ACTING),
    "bcm": ("BCM", "network.connections.input to hidden_1.weight", ACTING),
    "sparse_hidden": ("FixedInDegree", "network.connections.hidden_1 to actor.weight", ACTING),
    "log_scale": ("LogEncoder", "network.connections.input to actor.weight", ACTING),
    "ranges": ("RangeEncoder", "network.connections.input to actor.weight", [*ACTING, "agent.warmup_steps=8"]),
    "tile_coding": ("TileCoding", "weight", ACTING),
    "nearest_centroid": ("NearestCentroid", "answers", ["data_dir=data", "checkpoint.every=128"]),
    "Thermostat": ("Thermostat", "network.connections.input to actor.weight", ACTING),
    "cautious_ppo": (
        "CautiousPPO",
        "policy.action_net.weight",
        [*ACTING, "agent.n_steps=12", "agent.batch_size=12", "agent.net_arch=[8]"],
    ),
}
"""By recipe: the class that it names, weights that learn, and settings by which a run is short."""


def forget() -> None:
    """As in a process that has imported nothing of the package."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "my_package"]:
        del sys.modules[name]
    gymnasium.registry.pop("Thermostat-v0", None)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder with everything that the page shows."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for part, count in (("train", 256), ("t10k", 64)):
        write_part(tmp_path / "data" / "MNIST" / "raw", part, *drawn_digits(count, seed=0))
    forget()
    yield tmp_path
    forget()


def recipe(words: list[str]) -> str:
    """The recipe of its own that a command names."""
    return next(name for word in words if (name := word.rpartition("=")[2]) in CHOSEN)


def own_classes(trained: Any) -> set[str]:
    """Names of the package's classes that something trained is made of."""
    found = {type(part).__name__ for part in trained.modules() if type(part).__module__.startswith("my_package.")}
    spec = gymnasium.registry.get("Thermostat-v0")
    return found | ({spec.entry_point.__name__} if spec is not None else set())  # type: ignore[union-attr]


def saved(path: Path) -> Mapping[str, torch.Tensor]:
    payload = load_checkpoint(path)
    kept = payload["learner"] if "learner" in payload else payload["agent"]
    return {name: value for name, value in kept.items() if isinstance(value, torch.Tensor)}


def test_each_kind_is_one_python_file_one_recipe_and_one_command() -> None:
    python = [name for name in FILES if name.endswith(".py")]
    recipes = [name for name in FILES if name.endswith(".yaml")]
    assert len(python) == len(recipes) == len(COMMANDS) == len(CHOSEN)
    assert {recipe(words) for words in COMMANDS} == {Path(name).stem for name in recipes} == set(CHOSEN)
    for name in recipes:
        assert re.search(r"my_package\.\w+:", FILES[name]), name


@pytest.mark.parametrize("words", COMMANDS, ids=recipe)
def test_what_the_page_shows_is_trained_and_goes_on(words: list[str], folder: Path) -> None:
    kind, learned, short = CHOSEN[recipe(words)]
    assert train([*words, *QUICK, *short]) == 0
    first, *_, last = sorted((folder / "run" / "checkpoints").glob("step_*"))
    before, after = saved(first), saved(last)
    assert not torch.equal(before[learned], after[learned])

    forget()
    with pytest.raises(UntrustedCodeError, match="my_package"):
        snnrl.load("run")
    assert train(["resume=run", "progress=none"]) == 2
    assert train(["resume=run", f"checkpoint={first.name}", "trust=true", "progress=none"]) == 0
    again = saved(last)
    assert all(torch.equal(again[name], after[name]) for name in after)
    assert own_classes(snnrl.load("run", trust=True)) == {kind}


def test_the_command_runs_in_a_process_of_its_own(folder: Path) -> None:
    command = [sys.executable, "-m", "snnrl.train", *COMMANDS[0], *QUICK, *ACTING]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "written to run" in done.stdout


def test_an_installed_package_gives_its_parts_short_names_that_need_no_trust(folder: Path) -> None:
    points = re.search(r"^\[project\.entry-points\.\"(.+)\"\]\n((?:.+\n)+)", FILES["pyproject.toml"], re.MULTILINE)
    assert points is not None
    info = folder / "my_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{points[1]}]\n{points[2]}".replace('"', ""))
    known = NEURONS.__dict__.pop("installed", None)
    try:
        network = {"hidden": [{"size": 5, "neuron": "quadratic_if"}]}
        assert "quadratic_if" in NEURONS.names()
        assert own_classes(snnrl.make_agent("CartPole", network=network)) == {"QuadraticIF"}
        assert not names_code({"agent": {"network": network}})
    finally:
        NEURONS.__dict__.pop("installed", None)
        if known is not None:
            NEURONS.__dict__["installed"] = known


@pytest.mark.parametrize(("layer", "said"), REFUSED, ids=[layer for layer, _ in REFUSED])
def test_what_does_not_fit_is_one_line_that_names_the_setting(
    layer: str, said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = {"defaults": ["rstdp"], "network": {"hidden": [yaml.safe_load(layer)]}}
    (folder / "agents" / "wrong.yaml").write_text(yaml.safe_dump(written))
    assert train(["env=CartPole", "agent=wrong", *QUICK]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    beginning = said.removesuffix("...")
    assert line.startswith(f"error: {beginning}") if beginning != said else line == f"error: {said}"
    assert not (folder / "run").exists()


def test_all_that_the_table_of_errors_shows_is_read() -> None:
    assert len(REFUSED) == 9
