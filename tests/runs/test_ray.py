"""Runs on a Ray cluster of two nodes, one of which is lost."""

from __future__ import annotations

import importlib.util
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from snnrl.errors import ConfigError
from snnrl.runs.carry_out import carry_out
from snnrl.runs.executors import make_executor
from snnrl.runs.perform import perform
from snnrl.runs.work import Run, State
from tests.runs.short_runs import same, short_runs

if TYPE_CHECKING:
    from ray.cluster_utils import Cluster

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed"),
    pytest.mark.filterwarnings("ignore"),  # Ray's own
]


@pytest.fixture
def cluster() -> Iterator[tuple[Cluster, object]]:
    """A cluster of two nodes of one core each, and the node that may be lost."""
    from ray.cluster_utils import Cluster

    small = {"num_cpus": 1, "object_store_memory": 80_000_000}
    found = Cluster(initialize_head=True, head_node_args={**small, "include_dashboard": False})
    yield found, found.add_node(**small)
    found.shutdown()


@pytest.mark.campaign
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("count", "folders"), [(8, "auto"), (4, "fetched")])
def test_all_runs_end_with_their_weights_though_a_node_is_killed_under_them(
    count: int, folders: str, cluster: tuple[Cluster, object], tmp_path: Path
) -> None:
    import ray

    both, node = cluster
    runs = short_runs(tmp_path / "runs", count, "env_steps=1600")
    lost: list[int] = []

    def lose_a_node(under_way: Sequence[Run]) -> None:
        """Once runs on both nodes have begun to learn, or, as nothing is seen of that, after some have ended."""
        seen = sum(run.steps() > 0 and not run.finished() for run in runs) >= 2
        if not lost and (seen or (folders == "fetched" and sum(run.finished() for run in runs))):
            lost.append(sum(run.finished() for run in runs))
            both.remove_node(node, allow_graceful=False)

    with make_executor("ray", [f"ray.address='{both.address}'", f"ray.folders={folders}"], retries=3) as executor:
        assert len(ray.nodes()) == 2
        found = {outcome.run.name: outcome for outcome in carry_out(runs, executor, lose_a_node)}
        until = time.monotonic() + 60  # Ray takes some seconds to know
        while sum(each["Alive"] for each in ray.nodes()) > 1 and time.monotonic() < until:
            time.sleep(0.2)
        assert sum(each["Alive"] for each in ray.nodes()) == 1
    assert lost
    assert lost[0] < count
    assert {name: outcome.state for name, outcome in found.items()} == {run.name: State.FINISHED for run in runs}
    for alone in short_runs(tmp_path / "alone", count, "env_steps=1600"):
        assert perform(alone).state is State.FINISHED
        assert same(alone.folder, tmp_path / "runs" / alone.name)


@pytest.mark.campaign
def test_a_ray_of_this_machine_starts_carries_out_and_stops_with_what_is_saved(tmp_path: Path) -> None:
    import ray

    quick, long = short_runs(tmp_path, 2)
    long.settings["env_steps"] = 1_000_000
    with make_executor("ray", jobs=2) as executor:
        executor.submit(quick)
        (outcome,) = executor.ended(280)
        assert (outcome.run, outcome.state) == (quick, State.FINISHED)
        executor.submit(long)
        while long.steps() == 0:
            time.sleep(0.1)
    assert not ray.is_initialized()
    assert list(long.folder.glob("checkpoints/step_*.pt"))
    assert not long.finished()


def test_an_address_where_no_ray_is_is_told_in_one_line() -> None:
    answered = signal.getsignal(signal.SIGTERM)
    for address in ("127.0.0.1:1", "auto"):
        with pytest.raises(ConfigError, match=f"ray.address={address}: there is no Ray that can be joined"):
            make_executor("ray", [f"ray.address='{address}'"]).start()
        assert signal.getsignal(signal.SIGTERM) is answered, "Ray's own ends a process with nothing said"
