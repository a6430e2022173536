"""A GPU that is simulated on the CPU, so that what runs on a GPU is tested where there is none.

Inside :func:`simulated_gpu` tensors can be put on ``cuda``. Their values lie in memory of the CPU, where each operation
is computed after the rules of a real GPU were applied to it: tensors of two devices are not mixed (but for 0-d ones of
the CPU in pointwise operations, and indices), NumPy does not see them, and random draws need a generator of their own
device. What a GPU is slow at is counted: kernels, copies, and the host's waits for a value. The Triton kernels are
replaced by the CPU's compiled loops, each one launch.

What it does not know: how long anything takes, the order of atomic additions, rounding of the device's own
libraries, and streams. Of operations that launch several kernels it counts one.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

import snnrl
from snnrl import traces
from snnrl.kernels import competition, competition_triton, lif, lif_triton
from snnrl.training import checkpoints

GPU = torch.device("cuda:0")
MEMORY = 80 * 10**9
_PACKAGE = str(Path(snnrl.__file__).parent)

_WITHOUT_KERNEL = {
    *("_local_scalar_dense", "_reshape_alias", "_unsafe_view", "alias", "as_strided", "chunk", "detach", "diagonal"),
    *("empty", "empty_like", "empty_strided", "expand", "is_same_size", "lift", "lift_fresh", "movedim", "narrow"),
    *("new_empty", "new_empty_strided", "permute", "resize_", "select", "set_", "slice", "split", "split_with_sizes"),
    *("squeeze", "t", "transpose", "unbind", "unfold", "unsafe_split", "unsqueeze", "view", "view_as_real"),
}
_WAITS = {"_local_scalar_dense", "_unique2", "bincount", "equal", "masked_select", "nonzero", "unique_dim"}
"""Operations that give the host a value, or a tensor of a size that depends on values."""
_TAKES_INDICES = {"index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index"}
_TAKES_SCALARS = {"fill_", "masked_fill", "masked_fill_", "where", *_TAKES_INDICES}
"""Operations besides pointwise ones that take 0-d tensors of the CPU."""


class WrongDeviceError(RuntimeError):
    """Tensors, or a generator, of two devices in one operation."""


class Cost(NamedTuple):
    """What a step on a GPU comes to; see :class:`Counts`."""

    launches: float
    to_gpu: float = 0
    to_host: float = 0
    waits: float = 0


@dataclass
class Counts:
    """What has happened since the last :meth:`reset`, and by which lines of snnrl."""

    launches: int = 0
    """Kernels."""
    to_gpu: int = 0
    """Copies from the host."""
    to_host: int = 0
    """Copies to the host."""
    waits: int = 0
    """How often the host waited: for a copy, or for a value."""
    places: Counter[str] = field(default_factory=Counter)
    """``<what> <file>:<line>`` for each of them."""

    def reset(self) -> None:
        self.launches = self.to_gpu = self.to_host = self.waits = 0
        self.places.clear()

    def note(self, what: str, waits: bool = False) -> None:
        place = _place()
        for kind in (what, *(["waits"] if waits and what != "waits" else [])):
            setattr(self, kind, getattr(self, kind) + 1)
            self.places[f"{kind} {place}"] += 1

    def per(self, steps: int) -> Cost:
        """What one of so many steps came to."""
        return Cost(*(count / steps for count in (self.launches, self.to_gpu, self.to_host, self.waits)))

    def check(self, most: Cost, steps: int = 1) -> None:
        """Fail where a step comes to more than ``most``, and say where."""
        for name, found, allowed in zip(Cost._fields, self.per(steps), most, strict=True):
            assert found <= allowed, f"{found:.1f} {name} a step, {allowed} are allowed:\n{self.where(name)}"

    def where(self, *kinds: str) -> str:
        """The places of some kinds, most frequent first."""
        chosen = [(place, count) for place, count in self.places.most_common() if place.startswith(kinds)]
        return "\n".join(f"{count:6d} {place}" for place, count in chosen)


_now = Counts()


def _place() -> str:
    """The innermost line of snnrl that is being run."""
    frame = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(_PACKAGE) and not file.endswith("devices.py"):
            return f"{file[len(_PACKAGE) + 1 :]}:{frame.f_lineno}"
        frame = frame.f_back  # type: ignore[assignment]
    return "outside"


class OnGPU(Tensor):
    """A tensor on the simulated GPU; ``values`` is where its numbers are."""

    values: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, values: Tensor) -> OnGPU:
        made = torch.Tensor._make_wrapper_subclass(
            cls,
            values.size(),
            strides=values.stride(),
            storage_offset=values.storage_offset(),
            dtype=values.dtype,
            layout=values.layout,
            device="meta",
        )
        made.values = values
        return made

    def __init__(self, values: Tensor) -> None:
        pass

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})

    @property
    def device(self) -> torch.device:
        return GPU

    @property
    def is_cuda(self) -> bool:
        return True

    @property
    def is_meta(self) -> bool:
        return False

    def __repr__(self, **_: Any) -> str:
        return f"{self.values!r} on the simulated GPU"

    def __deepcopy__(self, memo: dict[int, Any]) -> OnGPU:
        copied = OnGPU(self.values.detach().clone()).requires_grad_(self.requires_grad)
        if isinstance(self, torch.nn.Parameter):
            copied._is_param = True
        return copied

    def __reduce_ex__(self, protocol: Any) -> Any:
        _now.note("to_host", waits=True)
        return self.values.detach().clone().__reduce_ex__(protocol)

    def to(self, *args: Any, **kwargs: Any) -> Tensor:
        device, dtype, *_ = torch._C._nn._parse_to(
            *args, **{name: kwargs[name] for name in kwargs if name not in ("copy", "memory_format")}
        )
        stays = device is None or torch.device(device).type == "cuda"
        if stays and dtype in (None, self.dtype) and not kwargs.get("copy"):
            return self
        return super().to(*args, **kwargs)

    def data_ptr(self) -> int:
        return self.values.data_ptr()

    def new_tensor(self, data: Any, *, dtype: torch.dtype | None = None, **_: Any) -> OnGPU:
        _now.note("to_gpu", waits=True)
        return OnGPU(torch.tensor(data, dtype=dtype or self.dtype))

    def tolist(self) -> Any:
        _now.note("to_host", waits=True)
        return self.values.detach().tolist()

    def numpy(self, *_: Any, **__: Any) -> Any:
        raise TypeError(f"can't convert a cuda tensor to numpy; copy it to the host first [{_place()}]")

    def __array__(self, *_: Any, **__: Any) -> Any:
        return self.numpy()


def values_of(found: Any) -> Any:
    return found.values if isinstance(found, OnGPU) else found


def _put(found: Any) -> Any:
    return OnGPU(found) if isinstance(found, Tensor) and not isinstance(found, OnGPU) else found


def _run(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """One operation of torch, by the rules of devices."""
    name = func._schema.name.split("::")[1]
    tensors = [leaf for leaf in tree_flatten((args, kwargs))[0] if isinstance(leaf, Tensor)]
    here = [tensor for tensor in tensors if isinstance(tensor, OnGPU)]
    asked = kwargs.get("device")
    to_gpu = asked is not None and torch.device(asked).type in ("cuda", "meta")
    to_host = asked is not None and torch.device(asked).type == "cpu"
    if name == "_to_copy":
        return _converted(func, args, kwargs, to_gpu=to_gpu, to_host=to_host)
    if name == "copy_":
        return _copied(func, args, kwargs)
    if not here and not to_gpu:
        return func(*args, **kwargs)
    _check(func, name, args, kwargs, tensors)
    if to_host:
        return func(*tree_map(values_of, args), **tree_map(values_of, kwargs))
    if name in _WAITS or (name == "repeat_interleave" and kwargs.get("output_size") is None):
        _now.note("waits")
    if name not in _WITHOUT_KERNEL:
        _now.note("launches")
    given = {**kwargs, "device": torch.device("cpu")} if to_gpu else kwargs
    out = func(*tree_map(values_of, args), **tree_map(values_of, given))
    if func._schema.is_mutable:  # the same tensor, not another one with its values
        known = {id(values_of(tensor)): tensor for tensor in tensors}
        return tree_map(lambda leaf: known.get(id(leaf), _put(leaf)) if isinstance(leaf, Tensor) else leaf, out)
    return tree_map(_put, out)


def _converted(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], *, to_gpu: bool, to_host: bool) -> Tensor:
    """What ``to`` makes of a tensor."""
    source = args[0]
    rest = {key: value for key, value in kwargs.items() if key != "device"}
    waits = not kwargs.get("non_blocking")
    out: Tensor = func(values_of(source), *args[1:], **rest)
    if isinstance(source, OnGPU):
        if to_host:
            _now.note("to_host", waits=waits)
            return out
        if out.dtype != source.dtype or not to_gpu:  # else a GPU hands back what it was given
            _now.note("launches")
        return OnGPU(out)
    if not to_gpu:
        return out
    _now.note("to_gpu", waits=waits)
    return OnGPU(out)


def _copied(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """``copy_``, the one operation that takes tensors of two devices as they are."""
    to, source = args[:2]
    waits = not (kwargs.get("non_blocking") or (len(args) > 2 and args[2]))
    if isinstance(to, OnGPU) != isinstance(source, OnGPU):
        _now.note("to_gpu" if isinstance(to, OnGPU) else "to_host", waits=waits)
    elif isinstance(to, OnGPU):
        _now.note("launches")
    func(values_of(to), values_of(source), *args[2:], **kwargs)
    return to


def _check(func: Any, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], tensors: Sequence[Tensor]) -> None:
    """Raise WrongDeviceError where a real GPU would raise an error."""
    generator = kwargs.get("generator")
    if generator is not None and generator.device.type == "cpu":
        raise WrongDeviceError(f"{name}: expected a cuda generator, found one of the cpu [{_place()}]")
    if name in _TAKES_INDICES:
        _check_index(name, args)
        tensors = [leaf for leaf in tree_flatten((args[:1], args[2:]))[0] if isinstance(leaf, Tensor)]
    foreign = [tensor for tensor in tensors if not isinstance(tensor, OnGPU)]
    if not foreign or len(foreign) == len(tensors):
        return
    scalars = torch.Tag.pointwise in func.tags or name in _TAKES_SCALARS
    if any(tensor.dim() > 0 for tensor in foreign) or not scalars:
        shapes = ", ".join(f"{tensor.device.type} {list(tensor.shape)}" for tensor in tensors)
        raise WrongDeviceError(f"{name}: expected all tensors on one device, found {shapes} [{_place()}]")
    if name.endswith("_") and not isinstance(args[0], OnGPU):
        raise WrongDeviceError(f"{name}: in place on a tensor of the cpu, with one of cuda [{_place()}]")


def _check_index(name: str, args: tuple[Any, ...]) -> None:
    """Indices may lie on the host, from where they are copied; those of a tensor on the host must."""
    indices = [index for index in args[1] if index is not None]
    if not isinstance(args[0], OnGPU):
        raise WrongDeviceError(f"{name}: indices on cuda, of a tensor on the cpu [{_place()}]")
    for index in indices:
        if not isinstance(index, OnGPU):
            _now.note("to_gpu", waits=True)
        if index.dtype in (torch.bool, torch.uint8):
            _now.note("waits")


class _Mode(TorchDispatchMode):
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


def _arrays(*tensors: Tensor) -> list[Any]:
    """Tensors on the simulated GPU as arrays that a compiled loop may write to."""
    assert all(isinstance(tensor, OnGPU) for tensor in tensors), "a kernel was given a tensor of the host"
    assert all(tensor.is_contiguous() for tensor in tensors), "a kernel was given a tensor with gaps"
    return [values_of(tensor).detach().numpy() for tensor in tensors]


def _lif_forward(
    current: Tensor,
    columns: tuple[Tensor, ...],
    soft: bool,
    refractory_steps: int,
    v: Tensor,
    refractory: Tensor,
    spikes: Tensor,
    potential: Tensor,
) -> None:
    _now.note("launches")
    loop = lif._compile_scan(soft, refractory_steps, potential.shape == current.shape)
    loop(*_arrays(current, *columns, v, refractory, spikes, potential), 0, current.shape[1])


def _lif_backward(
    to_spikes: Tensor,
    potential: Tensor,
    decay: Tensor,
    gain: Tensor,
    threshold: Tensor,
    soft: bool,
    surrogate: int,
    slope: float,
    carry: Tensor,
    to_current: Tensor,
) -> None:
    _now.note("launches")
    loop: Callable[..., None] = lif._scan_back
    arrays = _arrays(to_spikes, potential, decay, gain, threshold, carry, to_current)
    loop(*arrays, soft, surrogate, np.float32(slope), 0, potential.shape[1])


def _compete(current: Tensor, threshold: Tensor, winners: Tensor, *rules: float) -> None:
    _now.note("launches")
    _arrays(current, threshold, winners)
    setting = competition.WinnerTakeAll(len(winners), *rules)
    found = partial(competition.compete_stepwise, competition=setting)
    values_of(winners).copy_(found(values_of(current), values_of(threshold)))


def _check_plain(payload: Any, *rest: Any, check: Callable[..., None] = checkpoints.check_plain) -> None:
    """Tensors of a real GPU are plain tensors."""
    check(tree_map(values_of, payload), *rest)


@contextmanager
def simulated_gpu() -> Iterator[Counts]:
    """Everything inside may put tensors on ``cuda``; gives what is counted."""
    torch._C._ensureCUDADeviceGuardSet()
    swaps = torch.__future__.get_swap_module_params_on_conversion()
    deterministic = torch.backends.cudnn.deterministic
    with ExitStack() as stack:
        there = {
            "_lazy_init": lambda: None,
            "is_available": lambda: True,
            "device_count": lambda: 1,
            "is_current_stream_capturing": lambda: False,
            "mem_get_info": lambda device=None: (MEMORY, MEMORY),
            "synchronize": lambda device=None: None,
        }
        stack.enter_context(mock.patch.multiple(torch.cuda, **there))
        kernels = {"available": lambda: True, "forward": _lif_forward, "backward": _lif_backward}
        stack.enter_context(mock.patch.multiple(lif_triton, **kernels))
        competing = {"available": lambda neurons: True, "compete": _compete}
        stack.enter_context(mock.patch.multiple(competition_triton, **competing))
        stack.enter_context(mock.patch.object(checkpoints, "check_plain", _check_plain))
        torch._C._set_only_lift_cpu_tensors(True)
        torch.__future__.set_swap_module_params_on_conversion(True)
        stack.callback(torch._C._set_only_lift_cpu_tensors, False)
        stack.callback(torch.__future__.set_swap_module_params_on_conversion, swaps)
        stack.callback(setattr, torch.backends.cudnn, "deterministic", deterministic)
        stack.callback(traces._decays.cache_clear)  # which would hand its tensors on to a real GPU
        _now.reset()
        stack.enter_context(_Mode())
        yield _now
