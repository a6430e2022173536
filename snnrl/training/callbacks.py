"""What a program of the user's is told while training runs, in the shape of stable-baselines3's callbacks.

A callback is a function ``callback(locals, globals) -> bool``, an object with the methods of SB3's ``BaseCallback``
(SB3's own do), or a list of these. ``False`` ends training, in order: what was learned until then stays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

from snnrl.errors import require, shown
from snnrl.types import Settings

Variables: TypeAlias = dict[str, Any]
"""Names and values of one step, as SB3's ``locals``."""


@runtime_checkable
class Callback(Protocol):
    """What an object offers that is told of training; SB3's ``BaseCallback`` does.

    ``on_step`` may read what :func:`update` has put into ``locals``, and ``model.num_timesteps``.
    """

    def init_callback(self, model: Any) -> None:
        """Told once which model learns."""

    def on_training_start(self, locals_: Variables, globals_: Variables) -> None:
        """Told before the first step."""

    def on_step(self) -> bool:
        """Told after each step of all environments, or each batch; ``False`` ends training."""

    def on_training_end(self) -> None:
        """Told after the last step."""


FunctionCallback: TypeAlias = Callable[[Variables, Variables], "bool | None"]
AnyCallback: TypeAlias = "Callback | FunctionCallback | Sequence[Callback | FunctionCallback] | None"


class CallbackList:
    """Several callbacks, told one after the other; none is left out when one of them ends training.

    Args:
        callbacks: objects and functions.
    """

    def __init__(self, callbacks: Sequence[Callback]) -> None:
        self.callbacks = list(callbacks)
        self.locals: Variables = {}

    def init_callback(self, model: object) -> None:
        for callback in self.callbacks:
            callback.init_callback(model)

    def on_training_start(self, locals_: Variables, globals_: Variables) -> None:
        self.locals = locals_
        for callback in self.callbacks:
            callback.on_training_start(locals_, globals_)

    def on_step(self) -> bool:
        answers = [callback.on_step() for callback in self.callbacks]
        return all(answers)

    def on_training_end(self) -> None:
        for callback in self.callbacks:
            callback.on_training_end()

    def update_locals(self, locals_: Variables) -> None:
        """Give the values of a new step to all."""
        self.locals.update(locals_)
        for callback in self.callbacks:
            update(callback, locals_)


class _Function:
    """A function, as an object that is told of training."""

    def __init__(self, function: FunctionCallback) -> None:
        self._function = function
        self.locals: Variables = {}
        self.globals: Variables = {}

    def init_callback(self, model: object) -> None:
        self.model = model

    def on_training_start(self, locals_: Variables, globals_: Variables) -> None:
        self.locals, self.globals = locals_, globals_

    def on_step(self) -> bool:
        return self._function(self.locals, self.globals) is not False

    def on_training_end(self) -> None:
        return


NO_CALLBACK = CallbackList(())
"""Nobody is told."""


def as_callback(given: AnyCallback) -> Callback:
    """One callback of whatever was given.

    Raises:
        ConfigError: something is neither a function nor has the methods of a callback.
    """
    if given is None:
        return NO_CALLBACK
    if isinstance(given, Sequence):
        return CallbackList([as_callback(one) for one in given])
    if isinstance(given, Callback):
        return given
    require(callable(given), "callback", shown(given), "a function (locals, globals) -> bool, a callback or a list")
    return _Function(given)


def update(callback: Callback, locals_: Settings) -> None:
    """Give a callback the values of a new step, which it has as ``callback.locals``."""
    if hasattr(callback, "update_locals"):
        callback.update_locals(locals_)
    elif hasattr(callback, "locals"):
        callback.locals.update(locals_)


def tell(callback: Callback, event: str) -> None:
    """Call a method that callbacks need not have, such as ``on_rollout_end``."""
    for one in callback.callbacks if isinstance(callback, CallbackList) else (callback,):
        if hasattr(one, event):
            getattr(one, event)()
