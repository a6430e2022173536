from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from snnrl.connections import Dense, Pool
from snnrl.errors import ConfigError
from snnrl.networks import Network
from snnrl.neurons import LIF, EscapeNoise
from snnrl.plasticity import MSTDP, MSTDPET, STDP, Rmax
from tests.networks.nets import (
    RULE,
    feedforward,
    small,
    spikes,
    weights,
)


def run(**settings: Any) -> Callable[[], object]:
    return lambda: small(rule=settings.pop("rule", None)).run(
        {"input": torch.zeros(4, 2, 3)} | settings.pop("inputs", {}), **settings
    )


BOOL = torch.zeros(1, dtype=torch.bool)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Network(dt=0.0), r"^dt=0.0: must be a positive number of ms$"),
        (lambda: Network(dt=math.inf), r"^dt=inf: must be a positive number of ms$"),
        (lambda: small().add("input", 3), r"^name=input: must be new, and without a dot$"),
        (lambda: small().add("a.b", 3), r"^name=a.b: must be new, and without a dot$"),
        (lambda: small().add("", 3), r"^name=: must be new, and without a dot$"),
        (lambda: small().add("more", LIF(2, dt=0.5)), r"^more.dt=0.5: must be the network's 1.0$"),
        (lambda: small().add("more", 0), r"^more.shape=\(0,\): must be positive sizes$"),
        (lambda: small().add("more", ()), r"^more.shape=\(\): must be positive sizes$"),
        (lambda: small().add("more", 2.5), r"^more=2.5: must be neurons, or the shape of an input in whole numbers$"),
        (lambda: small().add("more", LIF), r"^more=<class .*>: must be neurons, or the shape of an input in whole"),
        (lambda: Network(td=1.0), r"^td=1.0: Network has no such setting; there are: dt$"),
        (
            lambda: small().connect("input", "output", torch.nn.Linear(3, 2)),
            r"^connection=Linear: must be a Projection, as Dense is one$",
        ),
        (lambda: small(rule=STDP), r"^rule=STDP: must be a Rule, as STDP\(\) is one, or None$"),
        (lambda: small(rule=torch.nn.Identity()), r"^rule=Identity: must be a Rule, as STDP\(\) is one, or None$"),
        (run(window=2.5), r"^window=2.5: must be at least 1 step$"),
        (lambda: small().connect("inptu", "output", Dense(3, 2)), r"^pre=inptu: did you mean input\?$"),
        (lambda: small().connect("input", "ouptut", Dense(3, 2)), r"^post=ouptut: did you mean output\?$"),
        (lambda: small().connect("x", "output", Dense(3, 2)), r"^pre=x: there are: input, output$"),
        (lambda: small().connect("output", "input", Dense(2, 3)), r"^post=input: must be a population of neurons"),
        (
            lambda: small().connect("input", "output", Dense(4, 2)),
            r"^input to output 2=Dense: must take spikes of the shape \[3\]$",
        ),
        (
            lambda: small().connect("input", "output", Dense(3, 4)),
            r"^input to output 2=\[4\]: must be of as many neurons as \[2\]$",
        ),
        (
            lambda: small().connect("input", "output", Pool(1, 1), rule=STDP()),
            r"^rule=STDP: must be None, a Pool has no weights$",
        ),
        (
            lambda: small(rule=Rmax()),
            r"^rule=Rmax: must be one that does without the score of stochastic neurons in output$",
        ),
        (lambda: small(delay=-1.0), r"^delay=-1.0: must be at least 0 ms$"),
        (lambda: small(delay=math.nan), r"^delay=nan: must be at least 0 ms$"),
        (lambda: small(delay=torch.zeros(2)), r"^delay=\[2\]: must be a number or of shape \[3\]$"),
        (lambda: small().init_state(0), r"^batch=0: must be at least 1$"),
        (lambda: small().run({}), r"^inputs=\{\}: must be a tensor \[time, batch, \*shape\] for each input$"),
        (
            lambda: small().run({"output": torch.zeros(1, 1, 2)}),
            r"^inputs=\['output'\]: must be complete: input is missing$",
        ),
        (run(inputs={"ouput": torch.zeros(4, 2, 2)}), r"^inputs=ouput: did you mean output"),
        (run(inputs={"input": torch.zeros(3)}), r"^inputs=\[3\]: must be of shape \[time, batch, \*shape\]$"),
        (run(inputs={"input": torch.zeros(0, 2, 3)}), r"^inputs=\[0, 2, 3\]: must be of shape \[time, batch"),
        (run(inputs={"input": torch.zeros(4, 2, 5)}), r"^inputs.input=\[4, 2, 5\]: must be of shape \[4, 2, 3\]$"),
        (run(inputs={"output": torch.zeros(4, 1, 2)}), r"^inputs.output=\[4, 1, 2\]: must be of shape \[4, 2, 2\]$"),
        (run(inputs={"input": torch.full((4, 2, 3), math.nan)}), r"^inputs.input=nan or inf: must be finite in every"),
        (run(inputs={"input": torch.full((4, 2, 3), math.inf)}), r"^inputs.input=nan or inf: must be finite in every"),
        (run(window=0), r"^window=0: must be at least 1 step$"),
        (run(modulator=torch.zeros(3)), r"^modulator=\[3\]: must be of shape \[2\] or \[4, 2\]$"),
        (run(modulator=torch.zeros(2, 4)), r"^modulator=\[2, 4\]: must be of shape \[2\] or \[4, 2\]$"),
        (run(modulator=torch.tensor([0.0, math.nan])), r"^modulator=nan or inf: must be finite in every entry$"),
        (run(rule=MSTDP()), r"^modulator=None: must be given, input to output learns by MSTDP$"),
        (run(clamp={"outputs": BOOL}), r"^clamp=outputs: did you mean output\?$"),
        (run(clamp={"input": BOOL}), r"^clamp=input: there are: output$"),
        (run(clamp={"output": torch.zeros(2)}), r"^clamp.output=torch.float32: must be a bool tensor$"),
        (run(unclamp={"output": BOOL.expand(3)}), r"^unclamp.output=\[3\]: must broadcast to \[4, 2, 2\]$"),
        (run(inject={"outptu": torch.zeros(2)}), r"^inject=outptu: did you mean output\?$"),
        (run(inject={"output": torch.zeros(5)}), r"^inject.output=\[5\]: must broadcast to \[4, 2, 2\]$"),
        (run(inject={"output": torch.full((2,), math.nan)}), r"^inject.output=nan or inf: must be finite in every"),
    ],
)
def test_what_is_wrong_is_named_with_what_would_be_right(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()


def test_a_connection_that_was_refused_leaves_the_network_as_it_was() -> None:
    network = small()
    table = network.summary()
    for refused in (
        {"connection": Dense(9, 2)},
        {"connection": Dense(3, 2), "delay": -1.0},
        {"connection": Pool(1, 1), "rule": STDP()},
    ):
        with pytest.raises(ConfigError):
            network.connect("input", "output", **refused)
    assert network.summary() == table
    network.run({"input": torch.zeros(1, 1, 3)})


@pytest.mark.parametrize("batch", [1, 3])
def test_a_state_of_another_batch_is_refused(batch: int) -> None:
    network = small()
    with pytest.raises(ConfigError, match=r"^state"):
        network.run({"input": torch.zeros(4, 2, 3)}, network.init_state(batch))


def test_stochastic_neurons_with_another_step_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"^more.dt=0.5: must be the network's 1.0$"):
        small().add("more", EscapeNoise(2, dt=0.5))


def test_a_rule_with_another_step_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"dt=0.5: must be the network's 1.0$"):
        small(rule=STDP(dt=0.5))


@pytest.mark.parametrize("name", ["values", "keys", "type", "train"])
def test_a_name_that_torch_keeps_for_itself_is_refused(name: str) -> None:
    network = Network()
    with pytest.raises(ConfigError, match=rf"^name={name}: must be another word"):
        network.add(name, LIF(2))


@pytest.mark.parametrize("dtype", [torch.float64, torch.int64])
def test_a_modulator_of_another_dtype_is_taken(dtype: torch.dtype) -> None:
    network, same = small(rule=MSTDPET()), small(rule=MSTDPET())
    network.run({"input": torch.ones(4, 2, 3)}, modulator=torch.ones(2, dtype=dtype))
    same.run({"input": torch.ones(4, 2, 3)}, modulator=torch.ones(2))
    assert torch.equal(weights(network)[0], weights(same)[0])


def test_a_dense_connection_does_not_take_the_lines_of_an_image_for_rows() -> None:
    network = Network()
    network.add("input", (2, 3))
    network.add("output", LIF(8))
    with pytest.raises(ConfigError, match=r"^input to output=Dense: must take spikes of the shape \[2, 3\]$"):
        network.connect("input", "output", Dense(3, 4), rule=STDP())


@pytest.mark.parametrize("what", ["inputs.input", "clamp.output", "unclamp.output", "inject.output", "modulator"])
def test_a_tensor_left_on_another_device_than_the_network_is_named(what: str) -> None:
    network = feedforward(rule=MSTDP(**RULE))
    given: dict[str, Any] = {"inputs": {"input": spikes(4, 2, 6)}, "modulator": torch.ones(2)}
    name, _, population = what.partition(".")
    value = given["inputs"]["input"] if name == "inputs" else torch.ones(2)
    value = value.to("meta") if name in ("inputs", "inject", "modulator") else value.to("meta", torch.bool)
    given[name] = {population: value} if population else value
    with pytest.raises(ConfigError, match=rf"^{what}.device=meta: must be cpu, where the network is$"):
        network.run(**given)
