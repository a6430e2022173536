"""The source itself: files of a size that one can read, no circles, types that say something, documents that fit."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.test_imports import MODULES, imports

ROOT = Path(__file__).parents[1]
SOURCES = sorted([*(ROOT / "snnrl").rglob("*.py"), *(ROOT / "tests").rglob("*.py")])
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("*/*.md")])

MOST_LINES = 400
WIDEST = 160
MOST_ANY = 50
"""Times that ``Any`` is written in ``snnrl``; to be lowered, never raised."""
MOST_CASTS = 11
"""Calls of ``typing.cast`` in ``snnrl``; to be lowered, never raised."""


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_a_file_can_be_read_at_one_sitting(path: Path) -> None:
    assert len(lines(path)) <= MOST_LINES


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_the_lines_of_a_document_fit_a_screen(path: Path) -> None:
    wide = [number for number, line in enumerate(lines(path), 1) if len(line) > WIDEST]
    assert not wide, f"lines of more than {WIDEST} characters"


def known_to(tree: ast.Module) -> Iterator[str]:
    """Modules that a module knows by its imports, also those for the type checker alone; not those in functions."""
    for node in tree.body:
        if not isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield from (imported for imported, _ in imports(node))


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Modules each of which knows the next, and the last the first; empty if there are none."""
    done: set[str] = set()

    def visit(module: str, path: list[str]) -> list[str]:
        if module in path:
            return [*path[path.index(module) :], module]
        if module not in done:
            for imported in sorted(graph.get(module, set())):
                found = visit(imported, [*path, module])
                if found:
                    return found
            done.add(module)
        return []

    return next(filter(None, (visit(module, []) for module in sorted(graph))), [])


def test_no_modules_know_each_other_in_a_circle() -> None:
    """Not even for the type checker alone."""
    graph = {module: set(known_to(tree)) - {module} for module, tree in MODULES.items()}
    assert circle(graph) == []


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        ({"a": {"b"}, "b": {"c"}, "c": {"a"}}, ["a", "b", "c", "a"]),
        ({"a": {"b"}, "b": {"c", "d"}, "c": {"d"}}, []),
        ({"a": {"b"}, "b": {"c"}, "c": {"b"}}, ["b", "c", "b"]),
    ],
)
def test_the_search_for_circles_finds_them(graph: dict[str, set[str]], expected: list[str]) -> None:
    assert circle(graph) == expected


def bodies(tree: ast.AST) -> Iterator[list[ast.stmt]]:
    """Every list of statements."""
    for node in ast.walk(tree):
        for part in ("body", "orelse", "finalbody"):
            found = getattr(node, part, None)
            if isinstance(found, list):
                yield found


def named_to_be_returned(tree: ast.AST) -> list[int]:
    """Lines of ``x: T = ...`` whose next statement is ``return x``: the type is wrong where it arises."""
    return [
        first.lineno
        for body in bodies(tree)
        for first, second in pairwise(body)
        if isinstance(first, ast.AnnAssign)
        and isinstance(second, ast.Return)
        and second.value is not None
        and ast.unparse(first.target) == ast.unparse(second.value)
    ]


@pytest.mark.parametrize("module", MODULES)
def test_no_value_is_named_only_to_tell_its_type(module: str) -> None:
    assert named_to_be_returned(MODULES[module]) == []


def test_the_search_for_names_that_only_tell_a_type_finds_them() -> None:
    found = ast.parse(
        "def f():\n    if a:\n        x: int = g()\n        return x\n    y: int = g()\n    return y + 1\n"
    )
    assert named_to_be_returned(found) == [3]


def test_any_and_cast_do_not_become_more() -> None:
    nodes = [node for tree in MODULES.values() for node in ast.walk(tree)]
    any_ = sum(isinstance(node, ast.Name) and node.id == "Any" for node in nodes)
    casts = sum(isinstance(node, ast.Call) and ast.unparse(node.func) in ("cast", "typing.cast") for node in nodes)
    assert any_ <= MOST_ANY
    assert casts <= MOST_CASTS
