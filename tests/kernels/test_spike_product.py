"""Event-driven products against the dense one and against sums written out by hand."""

from __future__ import annotations

import multiprocessing
import threading
import time
import warnings
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from snnrl.kernels.spike_product import (
    SMALLEST,
    SPARSE_BELOW,
    collect_events,
    dense_product,
    event_product,
    spike_product,
)
from snnrl.kernels.threads import share_range

PRE, POST = 1024, 300
"""Large enough for the event-driven way, and no whole number of blocks of 64."""


class on_threads:  # noqa: N801
    def __init__(self, count: int) -> None:
        self.count, self.before = count, torch.get_num_threads()

    def __enter__(self) -> None:
        torch.set_num_threads(self.count)

    def __exit__(self, *error: object) -> None:
        torch.set_num_threads(self.before)


@pytest.fixture
def events_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test fail that comes to the dense product."""

    def refuse(*arguments: Any) -> Tensor:
        raise AssertionError("multiplied densely")

    monkeypatch.setitem(spike_product.__globals__, "dense_product", refuse)


@pytest.fixture
def dense_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test fail that goes through events."""

    def refuse(*arguments: Any) -> Tensor:
        raise AssertionError("gone through by events")

    monkeypatch.setitem(spike_product.__globals__, "event_product", refuse)


def weights(post: int = POST, pre: int = PRE, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    """``[post, pre]``, laid out by presynaptic neuron."""
    return torch.randn(pre, post, generator=torch.Generator().manual_seed(seed)).to(dtype).t()


def spikes(rows: int, pre: int = PRE, share: float = 0.05, seed: int = 1, graded: bool = False) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    active = (torch.rand(rows, pre, generator=generator) < share).float()
    return active * torch.randn(rows, pre, generator=generator) if graded else active


def as_events(dense: Tensor) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
    row, index = dense.numpy().nonzero()
    offsets = np.searchsorted(row, np.arange(len(dense) + 1)).astype(np.int64)
    return index.astype(np.int64), dense.numpy()[row, index], offsets


def ordered_sum(dense: Tensor, weight: Tensor) -> Tensor:
    """Row by row, one event after the other, each step rounded to float32."""
    by_pre = weight.float().t().contiguous().numpy()
    out = np.zeros((len(dense), weight.shape[0]), np.float32)
    for row, line in enumerate(dense.numpy()):
        for neuron in line.nonzero()[0]:
            out[row] = out[row] + line[neuron] * by_pre[neuron]
    assert out.dtype == np.float32
    return torch.from_numpy(out)


@pytest.mark.usefixtures("threads", "events_only")
@pytest.mark.parametrize("graded", [False, True], ids=["spikes", "graded"])
@pytest.mark.parametrize("rows", [1, 7, 200])
def test_the_product_by_events_is_the_dense_one_to_rounding(rows: int, graded: bool) -> None:
    weight, dense = weights(), spikes(rows, graded=graded)
    product = spike_product(dense, weight)
    expected = (dense.double() @ weight.double().t()).float()
    scale = (dense.double().abs() @ weight.double().abs().t()).max().item()
    torch.testing.assert_close(product, expected, rtol=1e-5, atol=1e-6 * scale)
    assert product.abs().max() > 1
    assert product.shape == (rows, POST)
    assert product.dtype == torch.float32


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("graded", [False, True], ids=["spikes", "graded"])
@pytest.mark.parametrize("post", [1, 63, 64, 65, 128, 300])
@pytest.mark.parametrize(("rows", "read_often"), [(3, False), (120, True)], ids=["streaming", "blocked"])
def test_both_ways_add_up_in_the_order_of_the_events(
    rows: int, read_often: bool, post: int, graded: bool, dtype: torch.dtype
) -> None:
    """Bit for bit: a matrix that is read four times and more goes through by blocks, another by streams."""
    pre = 96
    dense, weight = spikes(rows, pre, share=0.06, graded=graded), weights(post, pre, dtype=dtype)
    index, value, offsets = as_events(dense)
    assert (len(index) >= 4 * pre) == read_often
    assert torch.equal(event_product(index, value, offsets, weight), ordered_sum(dense, weight))


@given(
    counts=st.lists(st.integers(0, 11), min_size=1, max_size=6),
    post=st.integers(1, 140),
    repeats=st.sampled_from([1, 30]),
    seed=st.integers(0, 1000),
)
@settings(deadline=None, max_examples=40)
def test_rows_may_have_any_number_of_events(counts: list[int], post: int, repeats: int, seed: int) -> None:
    """0 to 11: whole fours, what is left over, and rows without any."""
    pre, generator = 12, torch.Generator().manual_seed(seed)
    dense = torch.zeros(len(counts) * repeats, pre)
    for row in range(len(dense)):
        at = torch.randperm(pre, generator=generator)[: counts[row % len(counts)]]
        dense[row, at] = torch.randn(len(at), generator=generator)
    weight = weights(post, pre, seed)
    assert torch.equal(event_product(*as_events(dense), weight), ordered_sum(dense, weight))


@pytest.mark.usefixtures("events_only")
def test_threads_change_no_bit() -> None:
    weight = weights(1000)
    for rows in (5, 150):
        products = []
        for count in (1, 2):
            with on_threads(count):
                products.append(spike_product(spikes(rows, graded=True), weight))
        assert torch.equal(*products)


@pytest.mark.usefixtures("threads", "events_only")
@pytest.mark.parametrize("rows", [4, 150])
def test_weights_in_bfloat16_give_the_product_of_the_rounded_weights_in_float32(
    rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(spike_product.__globals__, "_multiplies_bfloat16", lambda: False)
    narrow, dense = weights(dtype=torch.bfloat16), spikes(rows, graded=True)
    assert not torch.equal(narrow.float(), weights())
    product = spike_product(dense, narrow)
    assert product.dtype == torch.float32
    assert torch.equal(product, spike_product(dense, narrow.t().float().contiguous().t()))


@pytest.mark.parametrize(("rows", "way"), [(31, "event"), (32, "dense")])
def test_a_cpu_that_multiplies_bfloat16_does_so_for_many_rows(
    rows: int, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []
    monkeypatch.setitem(spike_product.__globals__, "_multiplies_bfloat16", lambda: True)
    for name in ("dense", "event"):
        monkeypatch.setitem(spike_product.__globals__, f"{name}_product", lambda *a, name=name: taken.append(name))
    spike_product(spikes(rows), weights(dtype=torch.bfloat16))
    spike_product(spikes(rows), weights())
    assert taken == [way, "event"], "float32 goes by events all the same"


@pytest.mark.parametrize("share", [0.05, 0.5])
def test_spikes_may_be_bool(share: float) -> None:
    dense, weight = spikes(9, share=share), weights()
    product = spike_product(dense.bool(), weight)
    assert product.dtype == torch.float32
    assert torch.equal(product, spike_product(dense, weight))


def test_events_are_listed_row_by_row_with_their_amplitudes() -> None:
    dense = np.array([[0, 2, 0, -1], [0, 0, 0, 0], [0.5, 0, 0, 0]], np.float32)
    found = collect_events(dense)
    assert found is not None
    index, value, offsets = (part.tolist() for part in found)
    assert (index, value, offsets) == ([1, 3, 0], [2.0, -1.0, 0.5], [0, 2, 2, 3])
    assert collect_events(dense, most=3 / 12) is None
    assert collect_events(dense, most=3.1 / 12) is not None


@pytest.mark.usefixtures("threads", "events_only")
@pytest.mark.parametrize("rows", [1, 3, 100])
def test_a_row_without_spikes_gives_zeros(rows: int) -> None:
    dense, weight = spikes(rows), weights()
    dense[:: max(1, rows // 2)] = 0
    product = spike_product(dense, weight)
    assert not product[:: max(1, rows // 2)].any()
    assert torch.equal(product, ordered_sum(dense, weight))


@pytest.mark.usefixtures("events_only")
@pytest.mark.parametrize("rows", [1, 40])
def test_silence_gives_zeros_though_a_weight_is_not_a_number(rows: int) -> None:
    weight = weights()
    weight[3, 5] = torch.nan
    assert torch.equal(spike_product(torch.zeros(rows, PRE), weight), torch.zeros(rows, POST))


@pytest.mark.usefixtures("events_only")
def test_spikes_may_lie_in_memory_in_any_order_and_are_left_alone() -> None:
    dense = spikes(20, graded=True)
    kept, turned = dense.clone(), dense.t().contiguous().t()
    assert not turned.is_contiguous()
    assert torch.equal(spike_product(turned, weights()), spike_product(dense, weights()))
    assert torch.equal(dense, kept)


@pytest.mark.usefixtures("dense_only")
@pytest.mark.parametrize(
    ("case", "dense", "weight"),
    [
        ("float64", spikes(4).double(), weights().double()),
        ("spikes in bfloat16", spikes(4).bfloat16(), weights(dtype=torch.bfloat16)),
        ("few weights", spikes(4, 64), weights(64, 64)),
        ("one synapse too few", spikes(4, 511), weights(513, 511)),
        ("many spikes", spikes(4, share=0.2), weights()),
        ("all spikes", torch.ones(4, PRE), weights()),
        ("laid out by postsynaptic neuron", spikes(4), weights().contiguous()),
        ("a gradient of the spikes", spikes(4).requires_grad_(), weights()),
        ("a gradient of the weights", spikes(4), weights().requires_grad_()),
        ("no rows", spikes(0), weights()),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_product_is_dense_for(case: str, dense: Tensor, weight: Tensor) -> None:
    product = spike_product(dense, weight)
    assert torch.equal(product, dense_product(dense, weight)), case
    assert product.dtype == dense.dtype
    assert product.requires_grad == (dense.requires_grad or weight.requires_grad)


def test_gradients_of_the_dense_way_are_those_of_a_linear_layer() -> None:
    dense, weight = spikes(4).requires_grad_(), weights().requires_grad_()
    above = torch.randn(4, POST, generator=torch.Generator().manual_seed(3))
    (spike_product(dense, weight) * above).sum().backward()
    torch.testing.assert_close(dense.grad, above @ weight.detach())
    torch.testing.assert_close(weight.grad, above.t() @ dense.detach())


@pytest.mark.usefixtures("events_only")
def test_without_recording_weights_that_learn_are_gone_through_by_events() -> None:
    dense, weight = spikes(4), weights().requires_grad_()
    with torch.no_grad():
        product = spike_product(dense, weight)
    assert torch.equal(product, ordered_sum(dense, weight.detach()))


@pytest.mark.parametrize(("extra", "way"), [(-1, "events"), (0, "dense")])
def test_the_share_of_active_entries_decides(extra: int, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    for name in ("dense", "event"):
        monkeypatch.setitem(spike_product.__globals__, f"{name}_product", lambda *a, name=name: taken.append(name))
    rows, pre = 25, 1024
    active = int(np.ceil(SPARSE_BELOW * rows * pre)) + extra
    dense = torch.zeros(rows * pre)
    dense[:active] = 1
    spike_product(dense.view(rows, pre), weights(SMALLEST // pre, pre))
    assert taken == [way.removesuffix("s")]


def recorded(size: int, grain: int, count: int) -> list[tuple[int, int]]:
    parts: list[tuple[int, int]] = []
    with on_threads(count):
        share_range(lambda low, high: parts.append((low, high)), size, grain)
    return sorted(parts)


@given(size=st.integers(0, 5000), grain=st.integers(1, 700), count=st.integers(1, 8))
@settings(deadline=None, max_examples=100)
def test_stretches_cover_the_range_exactly_once_and_begin_at_grains(size: int, grain: int, count: int) -> None:
    parts = recorded(size, grain, count)
    assert parts[0][0] == 0
    assert parts[-1][1] == size
    assert all(before[1] == after[0] for before, after in pairwise(parts))
    assert all(low % grain == 0 for low, _ in parts)
    assert len(parts) == max(1, min(count, -(-size // grain)))
    if size:
        lengths = [-(-(high - low) // grain) for low, high in parts]
        assert max(lengths) - min(lengths) <= 1, "as even as grains allow"


@pytest.mark.parametrize(
    ("size", "grain", "count", "expected"),
    [
        (10, 5, 1, [(0, 10)]),
        (10, 5, 2, [(0, 5), (5, 10)]),
        (10, 5, 4, [(0, 5), (5, 10)]),
        (11, 5, 2, [(0, 5), (5, 11)]),
        (4, 5, 4, [(0, 4)]),
        (130, 64, 2, [(0, 64), (64, 130)]),
        (0, 64, 2, [(0, 0)]),
    ],
)
def test_a_range_is_cut_as(size: int, grain: int, count: int, expected: list[tuple[int, int]]) -> None:
    assert recorded(size, grain, count) == expected


def test_stretches_run_at_the_same_time() -> None:
    meeting, met = threading.Barrier(2, timeout=20), []

    def work(low: int, high: int) -> None:
        meeting.wait()  # raises if the other part does not come
        met.append(low)

    with on_threads(2):
        share_range(work, 2, 1)
    assert sorted(met) == [0, 1]


@pytest.mark.parametrize("failing", [0, 1])
def test_an_error_of_any_stretch_is_raised(failing: int) -> None:
    def work(low: int, high: int) -> None:
        if low == failing:
            raise ArithmeticError(f"part {low}")

    with on_threads(2), pytest.raises(ArithmeticError, match=f"^part {failing}$"):
        share_range(work, 2, 1)


def test_no_stretch_is_still_at_work_when_an_error_comes_back() -> None:
    done = []

    def work(low: int, high: int) -> None:
        if low == 0:
            raise ArithmeticError
        time.sleep(0.05)
        done.append(low)

    with on_threads(2), pytest.raises(ArithmeticError):
        share_range(work, 2, 1)
    assert done == [1], "it writes to memory that may be given back by then"


def in_a_forked_process(work: Callable[[Any], None]) -> Any:
    """What ``work`` puts into its queue in a child that has the parent's memory and none of its threads."""
    context: Any = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=work, args=(queue,))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks of processes with threads, from Python 3.12 on
        child.start()
    try:
        return queue.get(timeout=30)
    finally:
        child.join(timeout=10)
        if child.is_alive():
            child.kill()


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork on this system")
def test_a_forked_process_has_threads_of_its_own() -> None:
    """The parent's pool is there before the fork; its threads do not live on in the child."""
    dense, weight = spikes(5, graded=True), weights()
    expected = recorded(10, 2, 2)
    index, value, offsets = as_events(dense)

    def work(queue: Any) -> None:
        torch.set_num_threads(2)
        with on_threads(2):
            product = event_product(index, value, offsets, weight)
        queue.put((recorded(10, 2, 2), product.numpy()))

    parts, product = in_a_forked_process(work)
    assert parts == expected == [(0, 4), (4, 10)]
    assert torch.equal(torch.from_numpy(product), ordered_sum(dense, weight))
