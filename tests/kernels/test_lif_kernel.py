"""The compiled window of the LIF against the plain loop over its steps."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from snnrl.kernels import LIFWindow, lif_scan
from snnrl.neurons import IF, LIF, CurrentLIF, Neuron
from snnrl.neurons.lif import LIFState
from snnrl.surrogate import SURROGATES, ArcTan, Surrogate

SURROGATE_NAMES = tuple(SURROGATES)


@pytest.fixture(params=[1, 2], ids=["1 thread", "2 threads"])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def spread(size: int, low: float, high: float, seed: int) -> Tensor:
    return low + (high - low) * torch.rand(size, generator=torch.Generator().manual_seed(seed))


def per_neuron(size: int) -> dict[str, Any]:
    return {
        "tau_mem": spread(size, 2.0, 30.0, 1),
        "v_rest": spread(size, -0.5, 0.0, 2),
        "v_threshold": spread(size, 0.5, 1.5, 3),
        "v_reset": spread(size, -1.0, 0.25, 4),
    }


def window(**overrides: Any) -> LIFWindow:
    values: dict[str, Any] = {"decay": 0.875, "gain": 0.125, "v_rest": 0.0, "v_threshold": 1.0, "v_reset": 0.0}
    values["drop"] = 1.0
    return LIFWindow(**{**values, "soft": False, "refractory_steps": 0, **overrides})


def inside(neuron: LIF, batch: int, seed: int = 9) -> LIFState:
    """A state in the middle of things: potentials anywhere below threshold, some neurons refractory."""
    state = neuron.init_state(batch)
    v = state.v + normal(*state.v.shape, seed=seed).clamp(-1, 0.25)
    if not neuron.refractory_steps:
        return state._replace(v=v)
    waiting = torch.randint(neuron.refractory_steps + 1, v.shape, generator=torch.Generator().manual_seed(seed))
    return state._replace(v=v, refractory=waiting.float())


def check_equal(neuron: LIF, current: Tensor, state: LIFState) -> Tensor:
    """Bit for bit equality of kernel and loop; returns the spikes."""
    spikes, after = neuron.scan(current, state)
    expected, looped = Neuron.scan(neuron, current, state)
    assert torch.equal(spikes, expected)
    assert torch.equal(after.v, looped.v)
    assert torch.equal(after.refractory, looped.refractory)
    assert 0 < spikes.mean() < 0.9
    return spikes


@pytest.mark.parametrize("refractory", [0.0, 3.0])
@pytest.mark.parametrize("reset", ["hard", "soft"])
@pytest.mark.parametrize("own", [False, True], ids=["one setting for all", "settings of each neuron"])
@pytest.mark.parametrize(
    ("steps", "batch", "shape"), [(1, 2, (5,)), (40, 3, (2, 7)), (12, 3, (1000,)), (30, 1, (4097,))]
)
@pytest.mark.usefixtures("threads")
def test_a_window_is_the_loop_bit_for_bit(
    steps: int, batch: int, shape: tuple[int, ...], own: bool, reset: str, refractory: float
) -> None:
    size = torch.Size(shape).numel()
    values = {key: value.view(shape) for key, value in per_neuron(size).items()} if own else {"tau_mem": 5.0}
    neuron = LIF(shape, reset=reset, t_refractory=refractory, **values)
    current = normal(steps, batch, *shape) * 4 + 1
    if steps == 1:
        current[0, 0, 0] = 100.0
    check_equal(neuron, current, inside(neuron, batch)._replace(refractory=torch.zeros(batch, *shape)))
    if steps > 1:
        check_equal(neuron, current, inside(neuron, batch))


@given(
    steps=st.integers(1, 20),
    batch=st.integers(1, 3),
    size=st.integers(1, 9),
    tau=st.floats(1.0, 50.0),
    reset=st.sampled_from(["hard", "soft"]),
    refractory=st.integers(0, 4),
    decay_input=st.booleans(),
    seed=st.integers(0, 1000),
)
@settings(deadline=None, max_examples=60)
def test_so_it_is_for_any_setting(
    steps: int, batch: int, size: int, tau: float, reset: Any, refractory: int, decay_input: bool, seed: int
) -> None:
    neuron = LIF(size, tau_mem=tau, reset=reset, t_refractory=refractory, decay_input=decay_input)
    current, state = normal(steps, batch, size, seed=seed) * 3 + 1, inside(neuron, batch, seed)
    spikes, after = neuron.scan(current, state)
    expected, looped = Neuron.scan(neuron, current, state)
    assert torch.equal(spikes, expected)
    assert torch.equal(after.v, looped.v)
    assert torch.equal(after.refractory, looped.refractory)


def test_a_soft_reset_subtracts_the_same_distance_where_float32_does_not_hold_the_settings() -> None:
    neuron = LIF(50, tau_mem=5.0, v_rest=-0.1, v_reset=-0.1, v_threshold=0.8, reset="soft")
    check_equal(neuron, normal(40, 2, 50) * 4 + 1, neuron.init_state(2))


@pytest.mark.parametrize("reset", ["hard", "soft"])
def test_a_perfect_integrator_runs_through_the_kernel_too(reset: Any) -> None:
    neuron = IF(50, reset=reset, t_refractory=1.0)
    check_equal(neuron, normal(60, 2, 50) * 0.5 + 0.2, inside(neuron, 2))


def test_a_current_lif_fires_as_its_loop_does() -> None:
    """Its current is a product with a matrix, equal to rounding only."""
    neuron = CurrentLIF(50, tau_mem=5.0, tau_syn=3.0, t_refractory=1.0, tau_trace=8.0)
    current = normal(60, 2, 50) * 2 + 0.3
    spikes, state = neuron.scan(current, neuron.init_state(2))
    expected, looped = Neuron.scan(neuron, current, neuron.init_state(2))
    assert torch.equal(spikes, expected)
    assert 0 < spikes.mean() < 0.9
    for leaf, other in zip(state, looped, strict=True):
        torch.testing.assert_close(leaf, other, rtol=1e-5, atol=1e-5)


def test_the_window_leaves_its_arguments_alone() -> None:
    current, v, refractory = normal(10, 6) + 2, normal(6), torch.ones(6)
    kept = [tensor.clone() for tensor in (current, v, refractory)]
    assert lif_scan(current, v, refractory, window(refractory_steps=2)) is not None
    assert all(torch.equal(now, then) for now, then in zip((current, v, refractory), kept, strict=True))


@pytest.mark.parametrize("steps", [1, 127, 128, 129, 300])
def test_the_memory_of_the_current_takes_the_spikes_if_it_may(steps: int) -> None:
    current, v, refractory = normal(steps, 6) * 4 + 2, normal(6).clamp_max(0.5), torch.tensor([0.0, 2, 0, 1, 0, 0])
    plain, reused = (
        lif_scan(current.clone(), v, refractory, window(refractory_steps=2), reuse=reuse) for reuse in (False, True)
    )
    assert plain is not None
    assert reused is not None
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(reused, plain, strict=True))
    spikes, *_ = lif_scan(current, v, refractory, window(refractory_steps=2), reuse=True) or (None,)
    assert spikes is not None
    assert spikes.data_ptr() == current.data_ptr()
    assert torch.equal(current, plain[0])


def test_with_a_gradient_the_current_is_kept_all_the_same() -> None:
    current = (normal(20, 6) * 4 + 2).requires_grad_()
    kept = current.detach().clone()
    scanned = lif_scan(current, torch.zeros(6), torch.zeros(6), window(surrogate=0, slope=2.0), reuse=True)
    assert scanned is not None
    scanned[0].sum().backward()
    assert torch.equal(current.detach(), kept)
    assert current.grad is not None
    assert current.grad.any()


def test_a_current_may_lie_in_memory_in_any_order() -> None:
    neuron = LIF(6, tau_mem=3.0)
    current = (normal(6, 4, 30) * 3 + 1).permute(2, 1, 0)
    assert not current.is_contiguous()
    check_equal(neuron, current, neuron.init_state(4))


def gradients(
    scan: Any, neuron: LIF, current: Tensor, state: LIFState, to_spikes: Tensor, to_v: Tensor
) -> tuple[Tensor, Tensor]:
    current, v = current.clone().requires_grad_(), state.v.clone().requires_grad_()
    spikes, after = scan(current, state._replace(v=v))
    ((spikes * to_spikes).sum() + (after.v * to_v).sum()).backward()
    assert current.grad is not None
    assert v.grad is not None
    return current.grad, v.grad


@pytest.mark.parametrize("reset", ["hard", "soft"])
@pytest.mark.parametrize("surrogate", SURROGATE_NAMES)
@pytest.mark.parametrize("slope", [0.7, 5.0])
@pytest.mark.usefixtures("threads")
def test_the_backward_pass_is_that_of_the_loop(surrogate: str, slope: float, reset: str) -> None:
    size, steps, batch = 700, 25, 3
    neuron = LIF(size, surrogate=SURROGATES[surrogate](slope), reset=reset, **per_neuron(size))
    current, state = normal(steps, batch, size) * 4 + 1, inside(neuron, batch)
    above = normal(steps, batch, size, seed=5), normal(batch, size, seed=6)
    fast = gradients(neuron.scan, neuron, current, state, *above)
    plain = gradients(lambda *a: Neuron.scan(neuron, *a), neuron, current, state, *above)
    for ours, theirs in zip(fast, plain, strict=True):
        assert theirs.abs().max() > 0.1
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


class Shallow(ArcTan):
    """A shape of a user's own, written over one that the kernel knows."""

    def derivative(self, x: Tensor) -> Tensor:
        return super().derivative(x) / 2


class Box(Surrogate):
    """Another, with the two methods that the base class asks for."""

    def smooth(self, x: Tensor) -> Tensor:
        return (self.slope * x).clamp(-0.5, 0.5)

    def derivative(self, x: Tensor) -> Tensor:
        return self.slope * (self.slope * x.abs() < 0.5).to(x.dtype)


@pytest.mark.parametrize(
    "surrogate",
    [
        pytest.param(Shallow()),
        pytest.param(Box()),
    ],
    ids=["derived", "new"],
)
def test_a_surrogate_of_a_users_own_gives_the_gradients_of_the_loop(surrogate: Surrogate) -> None:
    neuron = LIF(9, surrogate=surrogate, tau_mem=5.0)
    current, state = normal(20, 2, 9) * 4 + 1, inside(neuron, 2)
    above = normal(20, 2, 9, seed=5), normal(2, 9, seed=6)
    fast = gradients(neuron.scan, neuron, current, state, *above)
    plain = gradients(lambda *a: Neuron.scan(neuron, *a), neuron, current, state, *above)
    for ours, theirs in zip(fast, plain, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("which", ["current", "v"])
def test_a_gradient_of_either_input_alone_is_enough(which: str) -> None:
    neuron = LIF(4, tau_mem=5.0, surrogate="atan")
    current, v = normal(10, 1, 4) * 3, normal(1, 4).clamp_max(0.5)
    {"current": current, "v": v}[which].requires_grad_()
    results = []
    for scan in (neuron.scan, lambda *a: Neuron.scan(neuron, *a)):
        spikes, _ = scan(current, neuron.init_state(1)._replace(v=v))
        (grad,) = torch.autograd.grad(spikes.sum(), {"current": current, "v": v}[which])
        results.append(grad)
    assert results[1].any()
    torch.testing.assert_close(*results, rtol=1e-5, atol=1e-5)


def test_gradients_reach_back_over_the_window_in_which_the_spike_fell() -> None:
    """Two windows with the state carried over give the gradient of one."""
    neuron = LIF(8, tau_mem=10.0, surrogate="sigmoid", reset="soft")
    grads = []
    for cut in (None, 7):
        current = (normal(20, 1, 8) * 3).requires_grad_()
        if cut is None:
            spikes, _ = neuron.scan(current, neuron.init_state(1))
        else:
            _, state = neuron.scan(current[:cut], neuron.init_state(1))
            spikes, _ = neuron.scan(current[cut:], state)
        spikes[-5:].sum().backward()
        assert current.grad is not None
        grads.append(current.grad)
    assert grads[0][:5].abs().max() > 1e-3
    torch.testing.assert_close(*grads, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("case", "values", "dtype", "gradient"),
    [
        ("float64", {}, torch.float64, False),
        ("bfloat16", {}, torch.bfloat16, False),
        ("a gradient without surrogate", {}, torch.float32, True),
        (
            "a gradient with refractory period",
            {"surrogate": 0, "slope": 2.0, "refractory_steps": 2},
            torch.float32,
            True,
        ),
    ],
)
def test_there_is_no_kernel_for(case: str, values: dict[str, Any], dtype: torch.dtype, gradient: bool) -> None:
    current = torch.ones(5, 3, dtype=dtype, requires_grad=gradient)
    v = torch.zeros(3, dtype=dtype)
    assert lif_scan(current, v, v.clone(), window(**values)) is None, case


def test_there_is_one_for_the_same_window_without_gradient() -> None:
    current = torch.ones(5, 3, requires_grad=True)
    with torch.no_grad():
        assert lif_scan(current, torch.zeros(3), torch.zeros(3), window(refractory_steps=2)) is not None
    assert lif_scan(current, torch.zeros(3), torch.zeros(3), window(surrogate=0, slope=2.0)) is not None


def test_there_is_none_for_a_window_without_steps_or_columns() -> None:
    assert lif_scan(torch.zeros(0, 3), torch.zeros(3), torch.zeros(3), window()) is None
    assert lif_scan(torch.zeros(3, 0), torch.zeros(0), torch.zeros(0), window()) is None


@pytest.mark.parametrize(
    "settings_",
    [{"t_refractory": 2.0}, {"learnable": ["tau_mem"]}, {"learnable": ["v_threshold"], "t_refractory": 1.0}],
    ids=["refractory", "learnable", "both"],
)
def test_where_there_is_no_kernel_the_neuron_still_gives_the_gradients_of_its_loop(settings_: dict[str, Any]) -> None:
    neuron = LIF(6, tau_mem=5.0, surrogate="sigmoid", **settings_)
    current, state = normal(20, 2, 6) * 3 + 1, neuron.init_state(2)
    above = normal(20, 2, 6, seed=5), normal(2, 6, seed=6)
    ours = gradients(neuron.scan, neuron, current, state, *above)
    own = [parameter.grad for parameter in neuron.parameters()]
    neuron.zero_grad()
    theirs = gradients(lambda *a: Neuron.scan(neuron, *a), neuron, current, state, *above)
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    assert ours[0].any()
    for parameter, grad in zip(neuron.parameters(), own, strict=True):
        assert grad is not None
        assert grad.item() != 0
        assert torch.equal(parameter.grad, grad)


def test_without_a_surrogate_the_gradient_of_the_potential_is_that_of_the_membrane_alone() -> None:
    neuron = LIF(1, tau_mem=5.0, v_threshold=100.0)
    current = torch.ones(4, 1, 1, requires_grad=True)
    spikes, state = neuron.scan(current, neuron.init_state(1))
    state.v.sum().backward()
    decay = torch.tensor(-1 / 5.0).exp()
    assert current.grad is not None
    torch.testing.assert_close(current.grad.flatten(), (1 - decay) * decay ** torch.tensor([3.0, 2.0, 1.0, 0.0]))
    assert not spikes.requires_grad


INTERPRETED = """
import torch
from snnrl.kernels import lif, lif_triton

def normal(*shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))

for steps, size in ((1, 5), (9, 300)):
    current, above = 4 * normal(steps, size, seed=0) + 1, normal(steps, size, seed=1)
    v, end = normal(size, seed=2).clamp_max(0.5), normal(size, seed=3)
    own = 0.5 + torch.rand(6, size, generator=torch.Generator().manual_seed(8)) / 4
    for soft in (False, True):
        for quiet in (0, 2):
            window = lif.LIFWindow(own[0], own[1], own[2] - 1, own[3], own[4] - 1, own[5], soft, quiet)
            waiting = torch.randint(3, (size,), generator=torch.Generator().manual_seed(9)).float() * (quiet > 0)
            for keep in (False, True):
                spikes, after, silent, potential = lif._forward(current, v, waiting, window, keep)
                ours = [torch.empty_like(t) for t in (spikes, potential)]
                state = [v.clone(), waiting.clone()]
                lif_triton.forward(current, window.columns(v), soft, quiet, *state, *ours)
                assert torch.equal(ours[0], spikes), "spikes"
                assert size < 100 or 0.1 < spikes.mean() < 0.9, "some fire"
                torch.testing.assert_close(state[0], after, rtol=1e-6, atol=1e-6)
                assert torch.equal(state[1], silent), "refractory"
                if keep:
                    torch.testing.assert_close(ours[1], potential, rtol=1e-6, atol=1e-6)
        for code in range(4):
            window = lif.LIFWindow(own[0], own[1], own[2] - 1, own[3], own[4] - 1, own[5], soft, 0, code, 1.5)
            leaves = [current.clone().requires_grad_(), v.clone().requires_grad_()]
            spikes, after, _ = lif._Scan.apply(*leaves, window)
            expected = torch.autograd.grad([spikes, after], leaves, [above, end])
            potential = lif._forward(current, v, torch.zeros(size), window, True)[3]
            decay, gain, _, threshold, _, _ = window.columns(v)
            carry, to_current = end.clone(), torch.empty_like(current)
            lif_triton.backward(above, potential, decay, gain, threshold, soft, code, 1.5, carry, to_current)
            torch.testing.assert_close(to_current, expected[0], rtol=1e-5, atol=1e-5)
            torch.testing.assert_close(carry, expected[1], rtol=1e-5, atol=1e-5)
print("equal")
"""


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="Triton is not installed")
def test_the_triton_kernels_agree_with_the_compiled_ones_under_tritons_interpreter() -> None:
    """In a process of its own: the interpreter is chosen when the kernels are defined."""
    root = Path(__file__).parents[2]
    path = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": path}
    ran = subprocess.run(
        [sys.executable, "-c", INTERPRETED], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    if ran.returncode and "triton" in ran.stderr and "interpreter" in ran.stderr and "AssertionError" not in ran.stderr:
        pytest.skip(f"Triton's interpreter does not work here: {ran.stderr.strip().splitlines()[-1]}")
    assert ran.stdout.strip() == "equal", ran.stderr


COMPILED = """
import json
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from snnrl.kernels import lif_triton

def compiles(kernel, **chosen):
    chosen["block"] = 256
    types = {"steps": "i32", "size": "i32", "slope": "fp32"}
    signature = {name: "constexpr" if name in chosen else types.get(name, "*fp32") for name in kernel.arg_names}
    constants = {(kernel.arg_names.index(name),): value for name, value in chosen.items()}
    try:
        source = ASTSource(kernel, signature, constants)
        made = triton.compile(source, target=GPUTarget("cuda", 80, 32), options=lif_triton.OPTIONS)
    except Exception as error:
        return str(error)
    return "rounds a product and its sum in one" if "fma.rn.f32" in made.asm["ptx"] else "compiles"

results = {}
for case, sizes in {"many steps": {}, "one step": {"steps": 1}, "one column": {"size": 1}}.items():
    results["forward, " + case] = [
        compiles(lif_triton._scan, soft=soft, silence=quiet, keep=quiet == 0, **sizes)
        for soft, quiet in ((True, 0), (False, 2))
    ]
    results["backward, " + case] = [
        compiles(lif_triton._scan_back, soft=shape > 1, shape=shape, **sizes) for shape in range(4)
    ]
print(json.dumps(results))
"""


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What Triton's compiler says to each kernel for an A100; it needs no GPU, and 1 is compiled in as Triton does."""
    pytest.importorskip("triton")
    root = Path(__file__).parents[2]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("TRITON_")}
    environment["TRITON_CACHE_DIR"] = str(tmp_path_factory.mktemp("triton"))
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
    ran = subprocess.run(
        [sys.executable, "-c", COMPILED], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


@pytest.mark.parametrize(
    "case",
    [
        "forward, many steps",
        "forward, one step",
        "forward, one column",
        "backward, many steps",
        "backward, one step",
        "backward, one column",
    ],
)
def test_the_triton_kernels_compile_for_a_gpu(case: str, compiled: dict[str, list[str]]) -> None:
    for answer in compiled[case]:
        assert answer == "compiles"
