"""The simulated GPU refuses what a real one refuses, and counts what is slow on it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from snnrl.traces import decay_trace
from tests.simulated_gpu import Cost, OnGPU, WrongDeviceError, simulated_gpu

REFUSED: dict[str, Callable[[Tensor], object]] = {
    "a sum with a tensor of the host": lambda here: here + torch.ones(3),
    "a product of matrices of two devices": lambda here: here[None] @ torch.ones(3, 1),
    "a 0-d tensor of the host where it is no number": lambda here: torch.stack([here[0], torch.tensor(1.0)]),
    "a change in place of a tensor of the host": lambda here: torch.ones(3).mul_(here),
    "indices of the host where they are no indexing": lambda here: here.index_add_(0, torch.tensor([0]), here[:1]),
    "indices on the GPU of a tensor of the host": lambda here: torch.ones(3)[here.long()],
    "a generator of the host": lambda here: torch.rand(3, device="cuda", generator=torch.Generator()),
}


@pytest.mark.parametrize("what", REFUSED)
def test_tensors_of_two_devices_are_not_mixed(what: str) -> None:
    with simulated_gpu(), pytest.raises(WrongDeviceError):
        REFUSED[what](torch.ones(3, device="cuda"))


def test_numpy_does_not_see_the_gpu() -> None:
    with simulated_gpu(), pytest.raises(TypeError, match="numpy"):
        torch.ones(3, device="cuda").numpy()


COUNTED: dict[str, tuple[Callable[[Tensor], object], tuple[int, int, int, int]]] = {
    "a sum": (lambda here: here + here, (1, 0, 0, 0)),
    "a sum with a number": (lambda here: here + 1, (1, 0, 0, 0)),
    "a sum with a 0-d tensor of the host": (lambda here: here + torch.tensor(1.0), (1, 0, 0, 0)),
    "a view": (lambda here: here.view(1, 3).t()[:2].unsqueeze(0), (0, 0, 0, 0)),
    "to where it is": (lambda here: here.to("cuda", torch.float32), (0, 0, 0, 0)),
    "another dtype": (lambda here: here.double(), (1, 0, 0, 0)),
    "a copy from the host": (lambda here: torch.ones(3).to("cuda"), (0, 1, 0, 1)),
    "a copy that the host does not wait for": (lambda here: torch.ones(3).to("cuda", non_blocking=True), (0, 1, 0, 0)),
    "numbers of the host": (lambda here: torch.tensor([1.0, 2.0], device="cuda"), (0, 1, 0, 1)),
    "a copy to the host": (lambda here: here.cpu(), (0, 0, 1, 1)),
    "a copy into a tensor of the host": (lambda here: torch.ones(3).copy_(here), (0, 0, 1, 1)),
    "a value": (lambda here: float(here[0]), (0, 0, 0, 1)),
    "a condition": (lambda here: bool((here > 0).all()), (2, 0, 0, 1)),
    "the places that are not 0": (lambda here: here.nonzero(), (1, 0, 0, 1)),
    "indexing by bools": (lambda here: here[here > 0], (2, 0, 0, 1)),
    "indexing from the host": (lambda here: here[torch.tensor([0, 1])], (1, 1, 0, 1)),
    "zeros": (lambda here: torch.zeros(3, device="cuda"), (1, 0, 0, 0)),
    "memory": (lambda here: torch.empty_like(here), (0, 0, 0, 0)),
}


@pytest.mark.parametrize("what", COUNTED)
def test_kernels_copies_and_waits_are_counted(what: str) -> None:
    work, expected = COUNTED[what]
    with simulated_gpu() as counts:
        here = torch.ones(3, device="cuda")
        counts.reset()
        work(here)
        assert counts.per(1) == expected, counts.where("")


def test_a_step_that_comes_to_more_fails_and_is_named() -> None:
    with simulated_gpu() as counts:
        here = torch.ones(3, device="cuda")
        counts.reset()
        decay_trace(here, here, 0.5)
        counts.check(Cost(launches=2))
        with pytest.raises(AssertionError, match=r"2\.0 launches a step, 1 are allowed:\n +2 launches traces.py:"):
            counts.check(Cost(launches=1))


def test_a_module_moves_learns_and_is_saved_as_on_the_cpu() -> None:
    torch.manual_seed(0)
    module, given = nn.Linear(3, 2), torch.randn(4, 3)
    weight = module.weight
    expected = torch.autograd.grad(module(given).square().sum(), weight)[0]
    values = weight.detach().clone()
    with simulated_gpu():
        module.to("cuda")
        assert isinstance(module.weight, OnGPU)
        assert module.weight.device == torch.device("cuda:0")
        module(given.to("cuda")).square().sum().backward()
        assert module.weight.grad is not None
        gradient, saved = module.weight.grad.cpu(), module.state_dict()["weight"].cpu()
        module.to("cpu")
    torch.testing.assert_close(gradient, expected)
    assert torch.equal(saved, values)
    assert torch.equal(module.weight, values)


def test_outside_all_is_as_it_was() -> None:
    available = torch.cuda.is_available()
    with simulated_gpu():
        assert torch.cuda.is_available()
    assert torch.cuda.is_available() == available
    assert type(torch.ones(2) + 1) is Tensor
