from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import numba
import pytest

from snnrl.kernels import __file__ as kernels_file
from snnrl.kernels import compiling

SOURCE = """
from snnrl.kernels.compiling import compiled


@compiled()
def double(number):
    return 2 * number
"""


@pytest.fixture(autouse=True)
def said_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    compiling._say_that_nothing_is_kept.cache_clear()
    compiling._stamp.cache_clear()
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "source.py" / "nowhere"))
    monkeypatch.setattr("sys.dont_write_bytecode", True)


def load(folder: Path) -> Any:
    """The function of a module in ``folder``, which its process has not seen before."""
    (folder / "source.py").write_text(SOURCE)
    spec = importlib.util.spec_from_file_location("source", folder / "source.py")
    assert spec is not None
    assert spec.loader is not None
    module: Any = ModuleType("source")
    module.__file__, module.__spec__ = str(folder / "source.py"), spec
    spec.loader.exec_module(module)
    return module.double


def test_compiled_code_is_kept_for_the_next_process(tmp_path: Path) -> None:
    assert load(tmp_path)(21) == 42
    again = load(tmp_path)
    assert again(21) == 42
    assert sum(again.stats.cache_hits.values()) == 1


def test_loops_are_compiled_anew_where_another_file_of_their_folder_has_changed(tmp_path: Path) -> None:
    """They may call loops of it, whose code is in theirs."""
    assert load(tmp_path)(21) == 42
    (tmp_path / "other.py").write_text("")
    compiling._stamp.cache_clear()
    again = load(tmp_path)
    assert again(21) == 42
    assert not again.stats.cache_hits


def test_where_no_folder_can_be_written_to_loops_are_compiled_without_a_cache(tmp_path: Path) -> None:
    (tmp_path / "__pycache__").touch()
    with pytest.warns(RuntimeWarning, match="set NUMBA_CACHE_DIR to a folder"):
        double = load(tmp_path)
    assert double(21) == 42
    assert load(tmp_path)(21) == 42, "said once"


def test_trouble_with_the_disk_while_compiling_ends_no_run(tmp_path: Path) -> None:
    """The folder of the cache becomes a file behind numba's back, as unwritable to root as to anybody."""
    double = load(tmp_path)
    (cache,) = tmp_path.glob("__pycache__")
    cache.rmdir()
    cache.touch()
    with pytest.warns(RuntimeWarning, match="cannot be kept"):
        assert double(21) == 42


def test_the_name_of_a_file_is_that_of_the_arguments_its_code_is_for(tmp_path: Path) -> None:
    """If it went by who comes first, two processes that compile at once could put code for others in its place."""
    found = []
    for number, order in enumerate([(21, 2.5), (2.5, 21)]):
        folder = tmp_path / str(number)
        folder.mkdir()
        double = load(folder)
        for argument in order:
            assert double(argument) == 2 * argument
        found.append({path.name for path in (folder / "__pycache__").iterdir()})
    assert found[0] == found[1]
    assert len(found[0]) == 2


def test_code_of_sources_that_are_no_more_is_removed(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / "other.py").write_text(f"{number}")
        compiling._stamp.cache_clear()
        assert load(tmp_path)(21) == 42
    assert len(list((tmp_path / "__pycache__").iterdir())) == 1


@pytest.mark.parametrize("length", [0, 10, -5])
def test_a_damaged_cache_is_compiled_anew(tmp_path: Path, length: int) -> None:
    assert load(tmp_path)(21) == 42
    for path in (tmp_path / "__pycache__").iterdir():
        path.write_bytes(path.read_bytes()[:length])
    assert load(tmp_path)(21) == 42


def test_every_loop_is_compiled_by_the_same_decorator() -> None:
    for path in Path(kernels_file).parent.glob("*.py"):
        assert not re.search(r"cache\s*=\s*True", path.read_text()), path


def test_a_division_by_zero_is_infinite_and_no_branch() -> None:
    @compiling.compiled()
    def divide(above: float, below: float) -> float:
        return above / below

    assert divide(1.0, 0.0) == float("inf")
