"""Every command that a document, a recipe or a script shows can be given as it stands there."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import snnrl
from snnrl import compare, controls, convert, energy, export, picture_page, replay, sweep, tune, watch
from snnrl.config import RunConfig
from snnrl.evaluate import LearnerOptions, Options
from snnrl.integrations import nir
from snnrl.recipes import compose_run
from snnrl.settings import declarations
from snnrl.training.supervised_config import SupervisedConfig

ROOT = Path(snnrl.__file__).parents[1]
RECIPES = [*ROOT.glob("agents/*.yaml"), *ROOT.glob("envs/*.yaml"), *ROOT.glob("experiments/*.yaml")]
OWN_RECIPES = {"env=Mine", "agent=early"}
"""These need recipes that their pages show; test_readme.py composes them, test_extending.py runs those of its page."""
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8").replace("\\\n", "")
    for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("*/README.md"), *RECIPES])
    if path.name != "extending.md"
}
SCRIPTS = [path for path in sorted(ROOT.glob("benchmarks/**/*.py")) if path.is_file()]
OPTIONS = {
    "compare": (compare.Options,),
    "controls": (controls.Options,),
    "convert": (convert.Options,),
    "energy": (energy.Options,),
    "evaluate": (Options, LearnerOptions),
    "export": (export.Options,),
    "integrations.nir": (nir.Options,),
    "plot": (picture_page.Options,),
    "replay": (replay.Options,),
    "sweep": (sweep.Options,),
    "tune": (tune.Options,),
    "watch": (watch.Options,),
}


def words(shown: str) -> list[str]:
    """The words of a command, a placeholder such as ``<s>`` being a number."""
    return shlex.split(re.sub(r"<[\w' ]+>", "8", shown).partition(" #")[0])


def commands(name: str) -> list[list[str]]:
    """What stands behind ``python -m snnrl.<name>``, wherever it is shown."""
    start = rf"python -m snnrl\.{re.escape(name)}(?![\w.])([^`\n|)]*)"
    return [words(found) for text in PAGES.values() for found in re.findall(start, text)]


def short_commands() -> Iterator[list[str]]:
    """Tables leave out what all their commands begin with: ``env=CartPole seed=<s>``, ``mnist_reward``."""
    for name, text in PAGES.items():
        if name.endswith(".md") and name != "CHANGELOG.md":
            for found in re.findall(r"`((?:env|experiment)=\w[^`\n]*)`", text):
                yield words(found)
            for found in re.findall(r"`(mnist_\w+(?: \w+=[^`\n]*)?)`", text):
                yield words(f"experiment={found}")


def distinct(found: list[list[str]]) -> list[list[str]]:
    return [list(each) for each in dict.fromkeys(tuple(each) for each in found if each)]


TRAINING = distinct(
    [
        each
        for each in [*commands("train"), *short_commands()]
        if each and not each[0].startswith("resume=") and not {"--help", *OWN_RECIPES} & set(each)
    ]
)


def test_every_recipe_shows_its_command() -> None:
    for path in RECIPES:
        assert re.search(r"^# Command: python -m snnrl\.train \S", path.read_text(encoding="utf-8"), re.M), path.name


@pytest.mark.parametrize("given", TRAINING, ids=" ".join)
def test_every_training_command_is_composed_and_checked(given: list[str]) -> None:
    settings = compose_run([word for word in given if word != "watch=true" and not word.startswith("seeds=")])
    (SupervisedConfig if "learner" in settings else RunConfig).from_mapping(settings)


@pytest.mark.parametrize("command", OPTIONS)
def test_every_other_command_has_the_options_that_are_shown(command: str) -> None:
    known = {name for options in OPTIONS[command] for name in declarations(options)}
    shown = commands(command)
    assert shown
    if command in ("compare", "sweep", "tune"):  # all else is for snnrl.train
        shown = [[word for word in given if word.partition("=")[0] in known] for given in shown]
    assert {word.partition("=")[0] for given in shown for word in given} <= known


def test_every_script_that_is_shown_exists_with_its_options() -> None:
    texts = [*PAGES.values(), *(path.read_text(encoding="utf-8") for path in [*SCRIPTS, ROOT / "docs" / "figures.py"])]
    found = [match for text in texts for match in re.findall(r"((?:benchmarks|docs)/[\w/]+\.(?:py|sh))([^`\n]*)", text)]
    assert len(found) > 20
    for name, rest in found:
        script = ROOT / name
        assert script.is_file(), name
        texts_of_script = script.read_text(encoding="utf-8")
        for shared in ("interpreters.py", "peers/common.py", "peers/training.py", "peers/surrogate.py", "gpu/run.py"):
            texts_of_script += (ROOT / "benchmarks" / shared).read_text(encoding="utf-8")
        for option in re.findall(r"(?<!\S)(--[a-z-]+)", rest):
            assert f'"{option}"' in texts_of_script, f"{name} {option}"


def test_every_extra_that_is_to_be_installed_is_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = {extra for text in PAGES.values() for extra in re.findall(r'install (?:-e )?"[\w.]+\[(\w+)\]"', text)}
    assert {"box2d", "vision", "dev"} <= named <= set(project["optional-dependencies"])
    modules = {target.partition(":")[0].removeprefix("snnrl.") for target in project["scripts"].values()}
    assert {*OPTIONS} - {"integrations.nir"} <= modules


def test_every_file_that_a_page_names_is_there() -> None:
    for page, text in PAGES.items():
        for path in re.findall(r"\b((?:tests|benchmarks|docs|snnrl)/[\w/]+\.(?:py|sh|md))\b", text):
            assert page == "CHANGELOG.md" or (ROOT / path).is_file(), f"{page}: {path}"
