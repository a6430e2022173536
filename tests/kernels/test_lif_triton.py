"""The Triton kernels of the LIF, under its interpreter and through its compiler."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

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
