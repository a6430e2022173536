"""What the README shows works as it stands there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3.common.base_class import BaseAlgorithm

import snnrl
from snnrl.agents import Agent
from snnrl.agents.encoder_factory import encoder_settings
from snnrl.config import RunConfig
from snnrl.encoders import ENCODERS
from snnrl.recipes import compose_run

ROOT = Path(snnrl.__file__).parents[1]
README = (ROOT / "README.md").read_text() if (ROOT / "README.md").is_file() else ""
PAGES = [
    ROOT / "README.md",
    ROOT / "docs" / "integrations.md",
    *(ROOT / room / "README.md" for room in ("agents", "envs", "experiments")),
]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands() -> list[list[str]]:
    """The words after every ``python -m snnrl.<command>`` of the README and the recipe folders' pages."""
    text = "\n".join(page.read_text() for page in PAGES)
    return [
        shlex.split(found.replace("<s>", "0"), comments=True)
        for found in re.findall(r"python -m snnrl\.([^`\n|]*)", text)
    ]


@pytest.mark.parametrize("code", blocks("python"), ids=lambda code: code.splitlines()[-1][:40])
def test_python_runs(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), names)
    assert isinstance(names.get("agent"), Agent) or isinstance(names.get("model"), BaseAlgorithm)


def test_the_page_of_integrations_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nir = pytest.importorskip("nir")
    monkeypatch.chdir(tmp_path)
    page = ROOT / "docs" / "integrations.md"
    shown = re.findall(r"```python\n(?!# my_package)(.*?)```", page.read_text(), flags=re.DOTALL)
    assert len(shown) == 3
    neuron = nir.LIF(tau=np.full(3, 0.02), r=np.ones(3), v_leak=np.zeros(3), v_threshold=np.full(3, 0.5))
    nir.write("braille.nir", nir.NIRGraph.from_list(nir.Input(np.array([3])), neuron, nir.Output(np.array([3]))))
    names: dict[str, Any] = {"spikes": torch.ones(200, 1, 3), "more": torch.ones(200, 1, 3)}
    for code in shown:
        exec(compile(code.replace("2_000", "200"), "integrations.md", "exec"), names)
    assert names["outputs"]["output"].any()
    assert (tmp_path / "cartpole.zip").is_file()
    assert callable(names["policy_to_nir"])


def test_the_page_of_the_core_runs() -> None:
    page = ROOT / "docs" / "core.md"
    names: dict[str, Any] = {}
    for code in re.findall(r"```python\n(.*?)```", page.read_text(), flags=re.DOTALL):
        exec(compile(code, "core.md", "exec"), names)
    assert names["recording"]["excitatory"]["v"].shape == (250, 1, 100)
    assert names["recording"]["excitatory"]["spikes"].any()


def test_the_page_on_seeing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a few decisions, and from the trained agent of this repository."""
    (tmp_path / "trained").symlink_to(ROOT / "trained")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for code in re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "seeing.md").read_text(), flags=re.DOTALL):
        shorter = code.replace("steps=160", "steps=9").replace("slice(110, 150)", "slice(2, 8)")
        exec(compile(shorter, "seeing.md", "exec"), names)
    assert len(names["trace"]) == 9
    written = {path.name for path in tmp_path.glob("*.png")}
    assert written == {"game.png", "preferences.png", "network.png", "window.png", "rate.png"}


@pytest.fixture
def with_own_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder that holds the recipes which the pages show."""
    text = "\n".join(page.read_text() for page in PAGES)
    for shown, name in re.findall(r"```yaml\n(# (\w+/\w+\.yaml).*?)```", text, flags=re.DOTALL):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(shown)
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("with_own_recipe")
def test_training_commands_compose_with_the_recipes_that_the_pages_show() -> None:
    training = [words[1:] for words in commands() if words[0] == "train"]
    own = [words for words in training if {"env=Mine", "agent=early"} & set(words)]
    assert len(own) >= 2
    for words in own:
        RunConfig.from_mapping(compose_run(words))


@pytest.mark.usefixtures("with_own_recipe")
def test_the_recipe_shown_composes() -> None:
    read = RunConfig.from_mapping(compose_run(["env=Mine"]))
    assert (read.env.id, read.env_steps, read.env.reward.scale, read.num_envs) == ("CartPole-v1", 40_000, 0.01, 8)


def test_the_table_of_environments_has_the_lengths_of_their_recipes() -> None:
    page = (ROOT / "envs" / "README.md").read_text()
    rows = re.findall(r"^\| (`.*?`) \|[^|]*\| ([\d,]+) \|", page, flags=re.MULTILINE)
    told = {name: int(steps.replace(",", "")) for names, steps in rows for name in re.findall("`(.*?)`", names)}
    assert len(told) >= 10
    for name, steps in told.items():
        assert RunConfig.from_mapping(compose_run([f"env={name}"])).env_steps == steps, name


def test_every_picture_and_page_is_there() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", README):
        page, _, heading = target.partition("#")
        assert (ROOT / page).exists(), target
        if heading:
            titles = re.findall(r"^#+ (.*)$", (ROOT / page).read_text(), flags=re.MULTILINE)
            assert heading in {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles}, target


def test_the_table_of_encoders_names_all_of_them_with_their_settings() -> None:
    page = (ROOT / "agents" / "README.md").read_text()
    row = r"^\| ((?:`\w+`(?:, )?)+)[^|]*\| [^|]*\| (.*) \|$"
    rows = re.findall(row, page.partition("**Encoders.**")[2].partition("Yours is")[0], re.MULTILINE)
    told = {name: settings for names, settings in rows for name in re.findall(r"`(\w+)`", names)}
    assert set(told) == set(ENCODERS.names())
    for name, settings in told.items():
        known = set(encoder_settings(ENCODERS.find(name, "agent.encoder.name")))
        assert known <= set(re.findall(r"`(\w+)`", settings)), name


NUMBER = re.compile(r"(?<![\w.])[−-]?\d+(?:,\d{3})*(?:\.\d+)?")
SOURCES = [ROOT / "docs" / "results.md", ROOT / "experiments" / "README.md"]


def numbers(text: str) -> list[str]:
    return [found.replace(",", "").replace("−", "-") for found in NUMBER.findall(text)]


def measured(subject: str) -> set[float]:
    """Every number in lines about a subject where results are kept, and the means of those that stand in a row."""
    lines = [line for path in SOURCES for line in path.read_text().splitlines() if subject in line]
    found = {float(number) for line in lines for number in numbers(line)}
    for line in lines:
        for several in re.findall(rf"{NUMBER.pattern}(?:, {NUMBER.pattern})+", line):
            values = [float(each) for each in numbers(several.replace(", ", " ; "))]
            found.add(sum(values) / len(values))
    return found


def scores() -> list[tuple[str, str]]:
    """Subjects and scores of the README's tables of results, without the numbers of steps and seeds."""
    found = []
    for line in README.splitlines():
        first, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        task = re.match(r"(LunarLander|Pendulum|Acrobot|MountainCar|Breakout|Freeway|Pong)\b", first)
        if line.startswith("| ") and task and len(cells) > 4:
            found += [(task[1], re.sub(r"\([^)]*\d{3},\d{3}\)|\(PPO\)", "", cell)) for cell in cells[1:5]]
        if re.match(r"\| (\*\*R-STDP|same network|best constant action|random actions)", line) and len(cells) == 2:
            found += [
                ("Space Invaders", re.sub(r"; \d seeds", "", cells[0])),
                ("CartPole", re.sub(r"\(.*", "", cells[1])),
            ]
        if line.startswith("| `mnist") and len(cells) == 2:
            found.append((first.strip("`").partition("`")[0], cells[0]))
    return found


@pytest.mark.parametrize(("subject", "told"), [(each, told) for each, told in scores() if numbers(told)])
def test_scores_are_those_that_the_pages_of_results_have(subject: str, told: str) -> None:
    for number in numbers(told):
        near = 0.5 * 10 ** -len(number.partition(".")[2]) + 1e-9
        assert any(abs(value - float(number)) <= near for value in measured(subject)), f"{subject}: {number}"


def test_the_tables_of_results_are_found() -> None:
    assert len(scores()) > 40
