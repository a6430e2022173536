"""Settings of encoders after they are made: they count, or are refused."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Callable

import pytest
import torch
from torch import nn

from snnrl import encoders
from snnrl.encoders import BernoulliEncoder, Encoder, HostEncoder, Normaliser, PoissonEncoder, RateAdaptation
from snnrl.encoders.base import FixedPrecision
from snnrl.errors import ConfigError
from tests.encoders.test_every_encoder import ALL

MAKE: list[Callable[[], nn.Module]] = [*ALL.values(), lambda: Normaliser([-1.0], [1.0]), lambda: RateAdaptation(3)]
MADE = {type(made): made for made in (make() for make in MAKE)}
SETTINGS = [(kind, name) for kind in MADE for name in list(inspect.signature(kind.__init__).parameters)[1:]]
COUNT = ("dtype", "generator")


def test_the_table_has_every_encoder() -> None:
    kinds = {kind for kind in vars(encoders).values() if isinstance(kind, type) and issubclass(kind, FixedPrecision)}
    assert kinds - {Encoder, HostEncoder} == MADE.keys()


@pytest.mark.parametrize(("kind", "name"), SETTINGS, ids=[f"{kind.__name__}-{name}" for kind, name in SETTINGS])
def test_a_setting_counts_or_cannot_be_assigned(kind: type[nn.Module], name: str) -> None:
    encoder = copy.deepcopy(MADE[kind])
    if name in COUNT:
        setattr(encoder, name, None)
        return
    with pytest.raises(ConfigError, match=rf"^{name}=0.125: cannot be changed, make a new {kind.__name__}$"):
        setattr(encoder, name, 0.125)


def test_the_dtype_and_the_generator_of_random_spikes_may_change() -> None:
    encoder: BernoulliEncoder = pickle.loads(pickle.dumps(PoissonEncoder(3, sim_steps=4)))
    encoder.dtype, encoder.generator = torch.bool, torch.Generator().manual_seed(3)
    first, _ = encoder(torch.full((2, 3), 0.5), encoder.init_state(2))
    encoder.generator.manual_seed(3)
    again, _ = encoder(torch.full((2, 3), 0.5), encoder.init_state(2))
    assert first.dtype == torch.bool
    assert torch.equal(first, again)
    with pytest.raises(ConfigError, match=r"^rate_max=700\.0: cannot be changed"):
        encoder.rate_max = 700.0  # type: ignore[attr-defined]
