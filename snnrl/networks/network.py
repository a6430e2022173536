"""Networks: populations and connections composed, and run over time."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from numbers import Integral

from torch import Tensor

from snnrl.errors import require
from snnrl.networks.inputs import NetworkInput, Spikes, read_inputs, read_modulator
from snnrl.networks.recording import Recorder, Recording
from snnrl.networks.structure import NetworkState, Structure
from snnrl.networks.window_run import Seen, WindowRun
from snnrl.plasticity import EligibilityState, ThirdFactor
from snnrl.state import compact, copied, leaves


class Network(Structure):
    """Populations and connections.

    ::

        network = Network()
        network.add("input", 784)
        network.add("excitatory", DiehlCook(400))
        network.connect("input", "excitatory", Dense(784, 400, weight_std=0.1, bounds=(0, 1)), rule=STDP())
        network.connect("excitatory", "excitatory", Lateral(400, weight_mean=-10.0))
        recording, state = network.run({"input": spikes})

    Spikes arrive in the step in which they are fired, after the ``delay`` of their connection; a connection that is
    part of a loop takes at least one step. What is not part of a loop is run over a whole window at once, one product
    for all steps and one scan of the neurons; loops go step by step.

    Args:
        dt: simulation step in ms, that of every neuron.

    Raises:
        ConfigError: a step that is not positive.
    """

    def run(
        self,
        inputs: Mapping[str, Spikes],
        state: NetworkState | None = None,
        *,
        time: int | None = None,
        modulator: Tensor | None = None,
        window: int = 1,
        record: Mapping[str, Sequence[str]] | None = None,
        record_every: int = 1,
        record_limit: int = 1 << 30,
        clamp: Mapping[str, Tensor] | None = None,
        unclamp: Mapping[str, Tensor] | None = None,
        inject: Mapping[str, Tensor] | None = None,
    ) -> tuple[Recording, NetworkState]:
        """Run over time. Rules change weights in training mode (``network.train()``), not in evaluation mode.

        Args:
            inputs: spikes ``[time, batch, *shape]`` for each input; for a population of neurons, a current. Sparse
                spikes have rows ``(steps, batch)``: those of a row are fired together at the beginning of a step, which
                lasts ``time / steps`` simulation steps, and their traces end with it, unless it lasts but one.
            state: from :meth:`init_state` or the last run; ``None`` is rest.
            time: simulation steps; needed where all inputs are sparse and their steps last longer than one.
            modulator: the third factor, ``[batch]`` or ``[time, batch]``; with sparse spikes ``[steps, batch]``.
            window: simulation steps during which weights stand still, after which rules change them. A long window is
                faster; without learning the whole run is one.
            record: names of state variables for each population, ``"spikes"`` among them; the spikes of all neurons
                unless given. Other variables make their population go step by step. Of a connection ``"weight"``:
                ``{"input to output": ("weight",)}`` keeps the weights with which each step is run.
            record_every: keep every so many steps.
            record_limit: bytes that the recording may take.
            clamp: neurons that fire, a bool tensor that broadcasts to ``[time, batch, *shape]``. It replaces what
                others see of a neuron; the neuron itself is neither reset nor made refractory by it.
            unclamp: neurons that do not fire, likewise.
            inject: potential that is added to ``v`` before each step, likewise.

        Numbers may have any real dtype; they are cast to that of the neurons.

        Returns:
            The recording, by population and variable ``[time, batch, *shape]``, by connection and ``"weight"``
            ``[time, *weight_shape]``; and the state after the run.

        Raises:
            ConfigError: an unknown name, a shape that does not fit, input that is not finite or on another device than
                the network, a recording that is too large.
        """
        require(isinstance(window, Integral) and window >= 1, "window", window, "at least 1 step")
        given = read_inputs(self, inputs, time, clamp or {}, unclamp or {}, inject or {})
        third = read_modulator(modulator, given, self.device())
        state = self.init_state(given.batch) if state is None else state
        for leaf in self._by_row(state):
            require(len(leaf) == given.batch, "state", f"{len(leaf)} rows", f"of {given.batch} rows, as the inputs are")
        wanted = dict.fromkeys(self.neurons, ("spikes",)) if record is None else record
        recorder = Recorder(wanted, record_every, record_limit)
        self._check(recorder, given, state)
        given = given.cast({name: own[0].dtype for name, own in zip(self.neurons, state.neurons, strict=True)})
        learning = self.training and len(self.rules) > 0
        if learning:
            state = state._replace(rules=copied(state.rules))  # rules work in place, on what is theirs
            whole = window % given.length == 0 or window >= given.time
            require(whole, "window", window, f"a multiple of {given.length}, the steps between sparse spikes")
        stride = window if learning else given.time
        for first in range(0, given.time, stride):
            last = min(first + stride, given.time)
            part = WindowRun(self, given.between(first, last), state, recorder, learning=learning)
            recorder.take_weights(last - first)
            part.run(self.loops)
            if learning:
                steps = slice(first // given.length, last // given.length)
                part.learn(ThirdFactor(None if third is None else third[steps]))
            state = part.state()
        return recorder.stacked(), compact(state)

    def _by_row(self, state: NetworkState) -> Iterator[Tensor]:
        """The tensors of a state that have a row for each of the batch."""
        yield from leaves((state.neurons, state.arriving))
        for edge, own in zip(self.plastic(), state.rules, strict=True):
            if not self.rule(edge).shares_state:
                yield from leaves(own[:2] if isinstance(own, EligibilityState) else own)  # the rest is a list of events

    def _check(self, recorder: Recorder, given: NetworkInput, state: NetworkState) -> None:
        weights = {edge.key: self.connection(edge).weight for edge in self.edges if self.has_weights(edge)}
        recorder.check(self.shapes, list(self.neurons), state.neurons, weights, given.time, given.batch)

    def observe(
        self, given: NetworkInput, state: NetworkState
    ) -> tuple[dict[str, Tensor], dict[str, Seen], NetworkState]:
        """Run one window without learning yet: rules are told of it later, by :func:`rule_changes`.

        Args:
            given: what comes in, as it is; nothing is checked.
            state: before the window; that of rules is left alone.

        Returns:
            The spikes of all populations of neurons ``[time, batch, *shape]``; what every plastic connection saw, in
            training mode; and the state after the window.
        """
        recorder = Recorder({}, 1, 0)
        window = WindowRun(self, given, state, recorder, learning=self.training)
        window.run(self.loops)
        return window.spikes, window.seen() if self.training else {}, window.state()

    def recorded(self, given: NetworkInput, state: NetworkState, wanted: Mapping[str, Sequence[str]]) -> Recording:
        """What chosen variables were in one window, in which nothing is learned; arguments as for :meth:`observe`.

        Args:
            given: what comes in.
            state: before the window.
            wanted: names of variables for each population, as for :meth:`run`.
        """
        recorder = Recorder(wanted, 1, sys.maxsize)
        self._check(recorder, given, state)
        WindowRun(self, given, state, recorder, learning=False).run(self.loops)
        return recorder.stacked()

    def compile(self, *args: object, **kwargs: object) -> None:
        """Compile the step of every population by ``torch.compile``, whose arguments these are.

        It pays where populations go step by step. On a GPU, ``mode="reduce-overhead"`` replays CUDA graphs.
        """
        for neuron in self.neurons.values():
            neuron.compile(*args, **kwargs)
