"""Settings of connections after they are made: they are checked and hold at once, or are refused."""

from __future__ import annotations

import copy
import inspect
import pickle
from typing import Any

import pytest
import torch

from snnrl import connections
from snnrl.connections import Conv2d, Dense, Lateral, Pool, Projection, Sparse
from snnrl.connections.weights import WeightSettings
from snnrl.errors import ConfigError
from tests.connections.test_weight_settings import coin, every_kind, made

CONSTRAINTS: dict[str, Any] = {"bounds": (0, 0.2), "norm": 0.5, "mask": (0, 1), "signs": (-1, 1)}
WRONG = {"bounds": (1, 0), "norm": -1.0, "mask": torch.full((1,), 2.0), "signs": torch.zeros(7)}
MADE: list[Projection] = [
    *(made(kind) for kind in ("dense", "lateral", "sparse", "convolution", "local", "one to one", "mean field")),
    Pool(2, 2),
]
FIXED = [
    (projection, name)
    for projection in MADE
    for name in sorted({*inspect.signature(type(projection).__init__).parameters, *WeightSettings.__annotations__})
    if name not in {*CONSTRAINTS, "self", "settings", "weight"}
    and (not isinstance(projection, Pool) or name in inspect.signature(Pool.__init__).parameters)
]


@every_kind
@pytest.mark.parametrize("name", CONSTRAINTS)
def test_a_constraint_that_is_assigned_holds_at_once(kind: str, name: str) -> None:
    value = coin(kind, 3, CONSTRAINTS[name]) if name in ("mask", "signs") else CONSTRAINTS[name]
    assigned = made(kind)
    setattr(assigned, name, value)
    given = made(kind, **{name: value})
    assert not torch.equal(assigned.weight, made(kind).weight)
    assert torch.equal(assigned.weight, given.weight)


@pytest.mark.parametrize("name", WRONG)
def test_a_constraint_that_does_not_fit_is_refused_and_leaves_all_as_it_was(name: str) -> None:
    dense = Dense(2, 3, weight=torch.full((3, 2), 0.5), bounds=(-1, 1), norm=1.0)
    before, kept = dense.weight.clone(), getattr(dense, name)
    with pytest.raises(ConfigError, match=rf"^{name}="):
        setattr(dense, name, WRONG[name])
    assert getattr(dense, name) is kept
    assert torch.equal(dense.weight, before)


@pytest.mark.parametrize(("projection", "name"), FIXED, ids=[f"{type(each).__name__}-{name}" for each, name in FIXED])
def test_what_would_change_nothing_cannot_be_assigned(projection: Projection, name: str) -> None:
    with pytest.raises(ConfigError, match=rf"^{name}=3: cannot be changed, make a new {type(projection).__name__}$"):
        setattr(projection, name, 3)


def test_every_kind_of_projection_is_in_the_table() -> None:
    kinds = {kind for kind in vars(connections).values() if isinstance(kind, type) and issubclass(kind, Projection)}
    families = {type(projection) for projection in MADE} | {Projection, connections.Connection}
    assert {kind.__name__.rstrip("123d") for kind in kinds} == {kind.__name__.rstrip("123d") for kind in families}


def test_a_mask_of_lateral_synapses_that_is_assigned_leaves_out_those_of_a_neuron_with_itself() -> None:
    lateral = Lateral(3, weight_mean=1.0)
    lateral.mask = torch.ones(3, 3)
    assert torch.equal(lateral.weight, 1 - torch.eye(3))
    lateral.mask = None
    lateral.apply_(torch.ones(3, 3))
    assert lateral.weight.diagonal().count_nonzero() == 0


def test_weights_in_bfloat16_that_are_bounded_later_lose_none_of_what_they_have_learned() -> None:
    narrow, wide = (Dense(1, 2, weight=torch.tensor([[0.5], [-0.5]]).to(dtype)) for dtype in (torch.bfloat16, None))
    for dense in (narrow, wide):
        dense.apply_(torch.full((2, 1), 0.001))
        dense.bounds = (0, 1)
        for _ in range(3):
            dense.apply_(torch.full((2, 1), 0.001))
    assert torch.equal(narrow.weight, wide.weight.to(torch.bfloat16))


def test_torch_goes_on_changing_a_connection_in_its_own_ways() -> None:
    dense = Dense(2, 3, weight_mean=0.5, norm=0.5, mask=torch.ones(3, 1))
    for other in (copy.deepcopy(dense), pickle.loads(pickle.dumps(dense))):
        other.load_state_dict(dense.state_dict())
        other.double().requires_grad_().to("cpu")
        other.register_buffer("extra", torch.ones(1))
        other.bounds = (0, 0.1)
        assert other.weight.requires_grad
        assert other.weight.max() <= 0.1


class Delayed(Dense):
    """A connection of somebody else's, with a setting of its own."""

    def __init__(self, pre: int, post: int, gain: float = 1.0) -> None:
        super().__init__(pre, post, weight_mean=1.0)
        self.bounds = (0, 0.5)
        self.pre, self.gain = pre, gain


def test_settings_of_a_derived_connection_are_its_own() -> None:
    delayed = Delayed(2, 3)
    delayed.gain = 2.0
    assert delayed.gain == 2.0
    assert delayed.weight.max() == 0.5


@pytest.mark.parametrize(
    "wrong",
    [
        {"norm": [1.0, 2.0, 3.0]},
        {"norm": "a"},
        {"weight_mean": None},
        {"weight_mean": "abc"},
        {"weight_std": -1.0},
        {"weight_std": [1.0]},
        {"trainable": "yes"},
        {"weight": "a"},
        {"mask": "a"},
        {"dtype": "float32"},
    ],
    ids=str,
)
def test_settings_of_weights_that_are_no_numbers_are_refused_in_one_line(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"^{next(iter(wrong))}="):
        Dense(2, 3, **wrong)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("pre", lambda: Dense(2.0, 3)),  # type: ignore[arg-type]
        ("post", lambda: Dense(2, None)),  # type: ignore[arg-type]
        ("size", lambda: Lateral(2.0)),  # type: ignore[arg-type]
        ("pre", lambda: connections.MeanField("2", 3)),  # type: ignore[arg-type]
        ("shape", lambda: connections.OneToOne((2.0, 3))),  # type: ignore[arg-type]
        ("post", lambda: Sparse.random(2, 3.0, 0.5)),  # type: ignore[arg-type]
        ("pre_channels", lambda: Conv2d(1.0, 2, 3)),  # type: ignore[arg-type]
        ("kernel_size", lambda: Conv2d(1, 2, 3.0)),  # type: ignore[arg-type]
        ("stride", lambda: Conv2d(1, 2, 3, stride=None)),  # type: ignore[arg-type]
        ("space", lambda: connections.Local1d(5.0, 1, 1, 2)),  # type: ignore[arg-type]
    ],
)
def test_sizes_that_are_no_integers_are_refused_in_one_line(name: str, make: Any) -> None:
    with pytest.raises(ConfigError, match=f"^{name}="):
        make()
