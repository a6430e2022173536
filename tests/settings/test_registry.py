"""What recipes name is found by a file of snnrl, an installed package or ``module:Class``, when it is asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from snnrl.errors import ConfigError
from snnrl.settings import Registry, is_imported, register

CODE = """
from abc import abstractmethod

from snnrl.agents import Agent


class Mine(Agent): ...


class Stranger: ...
"""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module outside snnrl."""
    (tmp_path / "mine_agents.py").write_text(CODE)
    (tmp_path / "broken_agents.py").write_text("x = 1\ny = undefined\n")
    monkeypatch.syspath_prepend(tmp_path)
    return "mine_agents"


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry[object]:
    """A registry whose files lie in a folder of the test."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "one.py").write_text('raise ImportError\n\n\n@other\n@register("one")\nclass One: ...\n')
    (tmp_path / "models" / "two.py").write_text('@register("two")\n@register("zwei")\nclass Two(Base[int]): ...\n')
    monkeypatch.setattr("snnrl.settings.registry.__file__", str(tmp_path / "settings" / "registry.py"))
    return Registry("model", "snnrl.settings.constructor:KnownSettings", "models")


def test_a_file_of_the_folder_is_all_that_a_class_needs(models: Registry[object]) -> None:
    two = "snnrl.models.two:Two"
    assert models.ours == {"one": "snnrl.models.one:One", "two": two, "zwei": two}
    assert models.names() == ("one", "two", "zwei")
    assert "zwei" in models
    assert "three" not in models


def test_two_files_cannot_have_one_name(models: Registry[object], tmp_path: Path) -> None:
    (tmp_path / "models" / "three.py").write_text('@register("one")\nclass Three: ...\n')
    with pytest.raises(ValueError, match="two models are named one"):
        _ = models.ours


def test_a_class_knows_its_name() -> None:
    @register("it")
    class It: ...

    assert vars(It)["recipe_name"] == "it"


def test_an_installed_package_adds_names_by_entry_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "mine-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[snnrl.errors]\nmine = snnrl.errors:RunError\n")
    monkeypatch.syspath_prepend(tmp_path)
    errors: Registry[Exception] = Registry("error", "builtins:RuntimeError", "no_such_folder")
    assert errors.names() == ("mine",)
    assert errors.find("mine", "error.name").__name__ == "RunError"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("rstpd", r"agent\.name=rstpd: there is no such agent; did you mean rstdp\?"),
        (3, r"agent\.name=3: must be the name of an agent, or module:Class"),
        (
            "no_such_module:Mine",
            r"cannot be imported \(No module named 'no_such_module'\); must be module:Class of an A",
        ),
        ("mine_agents:Yours", r"cannot be imported .*no attribute 'Yours'"),
        ("mine_agents:", r"cannot be imported \(not module:Class\)"),
        ("os:system('x')", r"cannot be imported \(not module:Class\)"),
        (
            "broken_agents:X",
            r"cannot be imported \(NameError: name 'undefined' is not defined, broken_agents.py, line 2",
        ),
        ("mine_agents:Stranger", r"mine_agents:Stranger: must be a subclass of snnrl\.agents\.Agent"),
        ("mine_agents:Mine", r"mine_agents:Mine: lacks act, begin, predict of an Agent"),
    ],
)
def test_what_cannot_be_had_is_one_line(mine: str, name: object, said: str) -> None:
    agents: Registry[object] = Registry("agent", "snnrl.agents.base:Agent", "tests", config=True)
    agents.__dict__["ours"] = {"rstdp": "snnrl.agents.rstdp:RSTDP"}
    with pytest.raises(ConfigError, match=said) as caught:
        agents.find(name, "agent.name")
    assert "\n" not in str(caught.value)


def test_a_class_that_needs_settings_has_a_config() -> None:
    errors: Registry[Exception] = Registry("error", "builtins:RuntimeError", "no_such_folder", config=True)
    with pytest.raises(ConfigError, match=r"error\.name=snnrl\.errors:RunError: has no Config"):
        errors.find("snnrl.errors:RunError", "error.name")


def test_a_class_counts_as_imported_if_it_is_one_of_snnrls_kinds() -> None:
    assert is_imported("snnrl.errors:ConfigError")
    assert not is_imported("pathlib:Path")


def test_names_are_known_without_torch() -> None:
    ask = "import sys; from snnrl.settings import Registry; Registry('agent', '').names()"
    code = f"{ask}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
