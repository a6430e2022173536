"""Imports point one way, and nothing is learnt by backpropagation; read from the source, without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from snnrl.errors import __file__ as errors_file

PACKAGE = Path(errors_file).parent

LAYERS: tuple[tuple[str, ...], ...] = (
    ("types", "devices"),
    ("errors", "output", "legacy"),
    ("mesh", "rendezvous", "settings", "textfiles"),
    ("run_settings",),
    ("datafiles", "noise", "traces", "spikes", "state", "surrogate"),
    ("kernels", "spaces"),
    ("ranks",),
    ("neurons", "connections", "encoders", "decoders"),
    ("plasticity",),
    ("networks",),
    ("envs",),
    ("intervals", "trajectory"),
    ("plot",),
    ("agents",),
    ("recording",),
    ("words", "trust", "composition"),
    ("tuning",),
    ("learners",),
    ("config", "recipes", "training", "resuming"),
    ("integrations",),
    ("agent_files",),
    ("loading",),
    ("api",),
    ("watching",),
    ("model_card",),
    ("runs",),
    ("search",),
    (
        "cli",
        "train",
        "evaluate",
        "controls",
        "compare",
        "convert",
        "energy",
        "export",
        "picture_page",
        "watch",
        "replay",
        "sweep",
        "tune",
    ),
    ("completion",),
    ("__main__",),
)
"""A room may import from itself and from the rows above its own."""

NARROWER: dict[str, set[str]] = {
    "errors": set(),
    "output": set(),
    "legacy": set(),
    "devices": set(),
    "noise": {"devices"},
    "mesh": set(),
    "rendezvous": {"errors"},
    "ranks": {"errors", "kernels", "mesh", "rendezvous"},
    "settings": {"errors", "legacy"},
    "textfiles": {"errors"},
    "datafiles": {"errors", "textfiles"},
    "state": set(),
    "traces": {"errors"},
    "spikes": {"errors"},
    "kernels": {"errors", "devices", "surrogate", "traces"},
    "spaces": {"errors"},
    "neurons": {"errors", "noise", "traces", "spikes", "state", "surrogate", "kernels"},
    "connections": {"errors", "noise", "traces", "spikes", "kernels"},
    "encoders": {"errors", "devices", "noise", "ranks", "traces", "spaces", "spikes", "state", "kernels"},
    "decoders": {"errors", "noise", "traces", "spikes", "spaces"},
    "plasticity": {"errors", "noise", "traces", "spikes", "state", "surrogate", "kernels", "connections"},
    "envs": {"errors", "devices", "datafiles", "spaces", "run_settings"},
    "trajectory": {"errors", "spaces", "textfiles"},
    "words": {"errors", "textfiles"},
    "trust": {"errors"},
    "composition": set(),
    "tuning": {"errors", "legacy"},
    "run_settings": {"settings"},
    "recipes": {"errors", "settings", "legacy", "run_settings", "textfiles", "words", "composition", "tuning"},
    "cli": {"errors", "output", "settings", "words"},
}
"""Rooms that may import less than their row says, besides themselves, declared settings and the names of types."""

SAME_ROW: set[tuple[str, str]] = {
    ("config", "training"),
    ("training", "config"),
    ("resuming", "config"),
    ("train", "cli"),
    ("evaluate", "cli"),
    ("controls", "cli"),
    ("compare", "cli"),
    ("convert", "cli"),
    ("energy", "cli"),
    ("integrations", "cli"),
    ("export", "cli"),
    ("picture_page", "cli"),
    ("watch", "cli"),
    ("replay", "cli"),
    ("sweep", "cli"),
    ("tune", "cli"),
}
"""Pairs of one row of which the first may import the second."""


def modules() -> dict[str, ast.Module]:
    """Every module of the package by its dotted name below it, ``""`` being the package itself."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__")] = ast.parse(path.read_text(), str(path))
    return found


MODULES = modules()


def room(module: str) -> str:
    return module.split(".")[0]


def imports(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """The modules below ``snnrl`` that a piece of source imports, at any depth, with the line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute"
            names = [str(node.module)]
            if node.module is not None and node.module.split(".")[0] == "snnrl":
                deeper = [f"{node.module}.{alias.name}" for alias in node.names]
                names = [name for name in deeper if name.removeprefix("snnrl.") in MODULES] or names
        else:
            continue
        for name in names:
            if name.split(".")[0] == "snnrl":
                yield name.removeprefix("snnrl").removeprefix("."), node.lineno


def at_import(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """What is imported as soon as the module is: not inside functions, nor for the type checker alone."""
    for node in tree.body:
        typing_only = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        if not typing_only and not isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield from imports(node)


def row(name: str) -> int:
    (found,) = [number for number, layer in enumerate(LAYERS) if name in layer]
    return found


def test_every_room_has_its_place_in_the_table() -> None:
    placed = [name for layer in LAYERS for name in layer]
    assert len(placed) == len(set(placed))
    assert {room(module) for module in MODULES} - {""} == set(placed)


@pytest.mark.parametrize("module", [name for name in MODULES if name])
def test_imports_point_from_a_later_row_to_an_earlier_one(module: str) -> None:
    here = room(module)
    for imported, line in imports(MODULES[module]):
        there = room(imported)
        if there == here:
            continue
        where = f"{module}, line {line}, imports {imported}"
        assert there != "", f"{where}: the package itself holds only names for its users"
        assert row(there) < row(here) or (here, there) in SAME_ROW, where
        assert there in NARROWER.get(here, {there}) | {"settings", "types"}, where


KNOW_INTEGRATIONS = {"integrations", "loading", "compare", "convert", "energy"}
"""What finds the right one for a run, and the commands that are about them."""


def test_nothing_else_imports_the_integrations() -> None:
    for module, tree in MODULES.items():
        if room(module) not in KNOW_INTEGRATIONS:
            assert "integrations" not in {room(imported) for imported, _ in imports(tree)}, module


ENVIRONMENTS_KNOW = {"envs", "errors", "settings", "datafiles", "run_settings", "spaces", "types"}


def test_environments_know_nothing_of_spikes_nor_of_torch_unless_they_are_computed_in_it() -> None:
    for module, tree in MODULES.items():
        if room(module) == "envs":
            in_torch = module == "envs.classic_control"
            known = ENVIRONMENTS_KNOW | ({"devices"} if in_torch else set())
            assert {room(imported) for imported, _ in imports(tree)} <= known, module
            assert "torch" not in imported_packages(tree) or in_torch, module


def test_only_environments_agents_decoders_and_what_drives_them_know_gymnasium() -> None:
    knowing = {room(module) for module, tree in MODULES.items() if "gymnasium" in imported_packages(tree)}
    assert knowing <= {
        "spaces",
        "envs",
        "agents",
        "agent_files",
        "decoders",
        "training",
        "loading",
        "learners",
        "integrations",
        "watching",
    }


def test_the_compiler_is_known_to_the_kernels_alone() -> None:
    assert {room(module) for module, tree in MODULES.items() if "numba" in imported_packages(tree)} == {"kernels"}


def test_no_two_modules_import_each_other_while_being_imported() -> None:
    graph = {module: {imported for imported, _ in at_import(tree)} - {module} for module, tree in MODULES.items()}

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, f"a circle: {' -> '.join((*path, module))}"
        if module not in done:
            for imported in sorted(graph.get(module, set())):
                visit(imported, (*path, module))
            done.add(module)

    done: set[str] = set()
    for module in graph:
        visit(module, ())


def imported_packages(tree: ast.AST) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            found.add(node.module.split(".")[0])
    return found


def uses_of_autograd(tree: ast.AST) -> list[str]:
    """Where a piece of source differentiates, or makes it possible."""
    found = []
    for node in ast.walk(tree):
        text = ast.unparse(node) if isinstance(node, (ast.Attribute, ast.Import, ast.ImportFrom, ast.keyword)) else ""
        words = set(text.replace(".", " ").replace(",", " ").split())
        if (
            words & {"backward", "autograd", "requires_grad_", "vjp", "jvp", "functorch", "optim", "enable_grad"}
            or text == "requires_grad=True"
        ):
            found.append(f"line {getattr(node, 'lineno', '?')}: {text}")
    return found


GRADIENTS = {
    "surrogate",
    "kernels.lif",
    "kernels.counting",
    "kernels.spike_linear",
    "kernels.trains",
    "kernels.synapse_sum",
    "connections.descent",
    "learners.backprop",
    "learners.adam",
    "integrations.sb3.double_dqn",
    "integrations.sb3.optimisers",
    "integrations.sb3.proxy",
}
"""Modules that serve training by gradient; nothing that learns locally uses them for it."""


@pytest.mark.parametrize("module", [name for name in MODULES if name and name not in GRADIENTS])
def test_nothing_is_learnt_by_backpropagation(module: str) -> None:
    assert uses_of_autograd(MODULES[module]) == []


@pytest.mark.parametrize("words", ["env=CartPole", "experiment=hidden_tmaze"])
def test_a_spiking_agent_learns_where_no_gradient_can_be_taken(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from snnrl.agents import make_agent
    from snnrl.envs import EnvConfig, env_seeds, make_envs
    from snnrl.recipes import compose_run
    from snnrl.training.rollout import Rollout

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a gradient was asked for")

    monkeypatch.setattr(torch.autograd, "backward", refuse)
    monkeypatch.setattr(torch.autograd, "grad", refuse)
    settings = compose_run([words])
    env = EnvConfig.from_mapping(settings["env"])
    envs = make_envs(env, 2)
    agent = make_agent(settings["agent"], envs.single_observation_space, envs.single_action_space, env, seed=0)
    before = [parameter.clone() for parameter in agent.parameters()]
    with torch.inference_mode():
        rollout = Rollout(agent, envs, env, env_seeds(0, "train", 0, 2))
        for _ in range(200):
            rollout.step()
    envs.close()
    assert any(not torch.equal(old, new) for old, new in zip(before, agent.parameters(), strict=True))


@pytest.mark.parametrize(
    "source",
    [
        "loss.backward()",
        "torch.autograd.grad(loss, weights)",
        "from torch import autograd",
        "from torch.autograd import grad",
        "import torch.optim",
        "weight.requires_grad_()",
        "nn.Parameter(x, requires_grad=True)",
    ],
)
def test_the_search_for_backpropagation_finds_it(source: str) -> None:
    assert uses_of_autograd(ast.parse(source))


def test_every_parameter_of_the_agents_stands_outside_autograd() -> None:
    import snnrl

    for name in ("CartPole", "Pong"):
        assert not any(parameter.requires_grad for parameter in snnrl.make_agent(name).parameters())
