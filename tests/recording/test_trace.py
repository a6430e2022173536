"""Recordings as one object, in memory that is bounded, and in a file."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import snnrl
import tests.envs.odd_environments
from snnrl.errors import ConfigError
from snnrl.recording import Moments, Trace
from snnrl.types import Array

assert tests.envs.odd_environments.LENGTH  # which registers them


def same(one: Trace, other: Trace) -> bool:
    """Whether two traces hold the same."""
    first, second = (dict(arrays(trace)) for trace in (one, other))
    equal = all(np.array_equal(first[name], second[name], equal_nan=first[name].dtype.kind == "f") for name in first)
    return first.keys() == second.keys() and equal and one.meta == other.meta


def arrays(trace: Trace) -> dict[str, Array]:
    found = {name: value for name, value in vars(trace).items() if isinstance(value, np.ndarray)}
    for name in ("spikes", "potentials", "weights_before", "weights_after"):
        found |= {f"{name} {key}": value for key, value in getattr(trace, name).items()}
    for name in ("observation_parts", "action_parts"):
        found |= {f"{name} {place}": value for place, value in enumerate(getattr(trace, name))}
    return found


def test_a_recording_is_its_moments() -> None:
    agent = snnrl.make_agent("CartPole")
    env = agent.made_for().env
    trace = agent.record(steps=12, potentials=True, deterministic=False)
    seen = list(Moments(agent, env, steps=12, potentials=True, deterministic=False))
    assert isinstance(trace, snnrl.Trace)
    assert len(trace) == 12
    assert np.array_equal(trace.frames, [moment.frame for moment in seen])
    assert np.array_equal(trace.observations, [moment.observation for moment in seen])
    assert np.array_equal(trace.actions, [moment.action for moment in seen])
    assert np.array_equal(trace.td_errors, [moment.td_error for moment in seen])
    for name in ("input", "actor", "critic"):
        assert np.array_equal(trace.spikes[name], [moment.spikes[name] for moment in seen])
        assert np.array_equal(trace.spikes.part(name, 3, 5), [moment.spikes[name] for moment in seen[3:5]])
    assert np.array_equal(trace.potentials["critic"], [moment.potentials["critic"] for moment in seen])


def test_a_recorded_episode_has_the_score_of_its_evaluation() -> None:
    agent = snnrl.make_agent("CartPole")
    trace = agent.record(episodes=2, seed=5, deterministic=False, frames=False)
    found = snnrl.evaluate(agent, episodes=2, seed=5, deterministic=False, num_envs=1)
    assert trace.rewards.sum() == found.returns.sum()
    assert trace.episode_starts.sum() == 2
    assert "2 episodes" not in repr(trace)
    assert repr(trace).startswith("Trace(CartPole-v1, rstdp, ")


@pytest.mark.parametrize("env", ["CartPole", "odd/SeesNested-v0", "odd/SeesPictureAndNumbers-v0"])
def test_a_file_holds_the_whole_recording(env: str, tmp_path: Path) -> None:
    agent = snnrl.make_agent(env)
    trace = agent.record(steps=5, potentials=True)
    path = trace.save(tmp_path / "one")
    assert path == tmp_path / "one.npz"
    assert same(trace, snnrl.Trace.load(path))
    with np.load(path, allow_pickle=False) as saved:
        assert all(saved[name].dtype != object for name in saved)


def test_an_agent_that_learned_keeps_its_weights_before_and_after(tmp_path: Path) -> None:
    agent = snnrl.make_agent("CartPole")
    first = {name: weight.numpy().copy() for name, weight in agent.named_parameters()}
    trace = agent.record(steps=40, learn=True, frames=False)
    assert all(np.array_equal(first[name], trace.weights_before[name]) for name in first)
    assert not all(np.array_equal(first[name], trace.weights_after[name]) for name in first)
    assert same(trace, Trace.load(trace.save(tmp_path / "learned.npz")))
    assert agent.record(steps=1, frames=False).weights_before == {}


def test_an_agent_that_first_looks_around_has_silent_neurons_then() -> None:
    agent = snnrl.make_agent("odd/SeesPicture-v0", warmup_steps=4)
    trace = agent.record(steps=7, learn=True)
    fired = trace.spikes["actor"].any((1, 2))
    assert not fired[:3].any()
    assert np.isnan(trace.values[0])


def test_a_recording_ends_where_its_memory_is_full() -> None:
    agent = snnrl.make_agent("CartPole")
    with pytest.warns(UserWarning, match=r"^the recording is cut after 10 decisions, which fill max_bytes=9,999$"):
        trace = agent.record(episodes=3, frames=False, max_bytes=9_999)
    assert trace.cut
    assert len(trace) == 10


def test_memory_that_cannot_hold_what_is_asked_for_is_said_at_once() -> None:
    agent = snnrl.make_agent("CartPole")
    with pytest.raises(ConfigError, match=r"^max_bytes=9999: must be at least [\d,]+, \d+ for each decision; f"):
        agent.record(steps=1_000_000, max_bytes=9_999, frames=False)


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^path=.*none.npz: there is no such file"):
        Trace.load(tmp_path / "none.npz")
    other = tmp_path / "other.npz"
    header, objects = np.array("{}"), np.array([{}])
    for content in (b"none", _archive(header=header), _archive(x=np.zeros(3)), _archive(header=objects)):
        other.write_bytes(content)
        with pytest.raises(ConfigError, match="must be a file that"):
            Trace.load(other)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Array]:
    path = snnrl.make_agent("CartPole").record(steps=6).save(tmp_path_factory.mktemp("kept") / "a")
    with np.load(path) as saved:
        return {name: saved[name] for name in saved}


def _header(kept: dict[str, Array], **changes: object) -> Array:
    return np.array(json.dumps({**json.loads(str(kept["header"])), **changes}))


CHANGES: dict[str, Callable[[dict[str, Array]], dict[str, Array]]] = {
    "about is a list": lambda kept: {"header": _header(kept, about=[1])},
    "about has wrong types": lambda kept: {"header": _header(kept, about={"choices": 7})},
    "no numbers of neurons": lambda kept: {"header": _header(kept, neurons=None)},
    "more neurons than bits": lambda kept: {"header": _header(kept, neurons={"input": 10**12})},
    "fewer than none": lambda kept: {"header": _header(kept, neurons={"actor": -5})},
    "fewer rewards": lambda _: {"rewards": np.zeros(3)},
    "one reward": lambda _: {"rewards": np.array(3.0)},
    "values in words": lambda _: {"values": np.array(["x"] * 6)},
    "flat frames": lambda _: {"frames": np.zeros((6, 4), np.uint8)},
    "spikes of another type": lambda _: {"spikes.actor": np.zeros((6, 20, 4))},
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_recording_whose_parts_do_not_go_together_is_refused(
    case: str, kept: dict[str, Array], tmp_path: Path
) -> None:
    (tmp_path / "a.npz").write_bytes(_archive(**{**kept, **CHANGES[case](kept)}))
    with pytest.raises(ConfigError, match=r"must be a file that Trace\.save wrote"):
        Trace.load(tmp_path / "a.npz")


def test_a_recording_that_is_larger_than_memory_is_refused(kept: dict[str, Array], tmp_path: Path) -> None:
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<f8", "fortran_order": False, "shape": (10**13,)})
    (tmp_path / "a.npz").write_bytes(_archive(**{name: kept[name] for name in kept if name != "rewards"}))
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive:
        archive.writestr("rewards.npy", head.getvalue())
    with pytest.raises(ConfigError, match="does not fit into memory"):
        Trace.load(tmp_path / "a.npz")


def _archive(**parts: Array) -> bytes:
    file = io.BytesIO()
    np.savez(file, **parts)
    return file.getvalue()
