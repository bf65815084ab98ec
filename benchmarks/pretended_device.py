"""A device that is none: tensors of the host taken for those of a GPU, so that what would make one wait is counted.

Inside ``PretendedDevice()`` tensors made or moved to ``DEVICE``, and all that is computed from them, say that they are
there. What brings their numbers to the host is counted as a read, what brings numbers there as a write; an operation
that no GPU would do, on tensors of both, raises. The numbers themselves lie on the host all the while.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

DEVICE = torch.device("cuda:0")  # a name alone, for which PyTorch needs no GPU
_HOST = torch.device("cpu")
_DEVICE_OF, _IS_CPU, _IS_CUDA = (
    getattr(Tensor, name).__get__ for name in ("device", "is_cpu", "is_cuda")
)  # as a mode is told of them
_NUMBERS = {Tensor.tolist, Tensor.numpy, Tensor.__array__}
_SIZED_BY_NUMBERS = {  # the host waits to know how large their result is, or for a plain number
    "aten::_local_scalar_dense",
    "aten::_unique2",
    "aten::bincount",
    "aten::equal",
    "aten::masked_select",
    "aten::nonzero",
    "aten::unique_consecutive",
    "aten::unique_dim",
}
_TAKES_INDICES_OF_HOST = {"aten::index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_"}


class PretendedDevice:
    """Context in which tensors can be on ``DEVICE``; ``reads`` and ``writes`` name the operations counted."""

    def __init__(self) -> None:
        self.reads: list[str] = []
        self.writes: list[str] = []
        self._storages: dict[int, Any] = {}  # those on the device; held, so that no address comes twice
        self._left = ExitStack()

    def __enter__(self) -> "PretendedDevice":
        calls, run_backward = _Calls(self), torch.autograd._engine_run_backward

        def run(*args: Any, **kwargs: Any) -> Any:  # a mode is off in what it has called, and so in all hooks
            with calls:
                return run_backward(*args, **kwargs)

        self._left.enter_context(patch.object(torch.autograd, "_engine_run_backward", run))
        self._left.enter_context(patch.object(torch, "Generator", _Generator))
        self._left.enter_context(_Operations(self))
        self._left.enter_context(calls)
        return self

    def __exit__(self, *error: Any) -> None:
        self._left.close()

    def put(self, *modules: nn.Module) -> None:
        """Take all parameters and buffers of modules to be there."""
        for module in modules:
            self.mark([*module.parameters(), *module.buffers()])

    def mark(self, tensors: Iterable[Any]) -> None:
        """Take these tensors to be there."""
        with torch._C.DisableTorchFunction():
            for tensor in tensors:
                if isinstance(tensor, Tensor) and tensor.layout == torch.strided:
                    storage = tensor.untyped_storage()
                    self._storages[storage._cdata] = storage

    def holds(self, tensor: Any) -> bool:
        """Whether a tensor is there."""
        with torch._C.DisableTorchFunction():
            if not isinstance(tensor, Tensor):
                return False
            if tensor.layout != torch.strided:
                return any(map(self.holds, (tensor._indices(), tensor._values())))
            return tensor.untyped_storage()._cdata in self._storages

    def read(self, what: str) -> None:
        """Note that the host waits for numbers."""
        self.reads.append(what)

    def write(self, what: str) -> None:
        """Note that numbers go there."""
        self.writes.append(what)


class _Generator(torch.Generator):
    """On the host, wherever it shall be."""

    def __new__(cls, device: Any = _HOST) -> "_Generator":
        return super().__new__(cls)


class _Calls(TorchFunctionMode):
    """Calls in Python, where devices are named."""

    def __init__(self, device: PretendedDevice) -> None:
        super().__init__()
        self._device = device

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs, device = dict(kwargs or {}), self._device
        if func == _DEVICE_OF:
            return DEVICE if device.holds(args[0]) else func(*args)
        if func in (_IS_CPU, _IS_CUDA):
            return device.holds(args[0]) == (func == _IS_CUDA)
        if func in (Tensor.to, Tensor.cpu):
            return self._moved(func, args, kwargs)
        if func in _NUMBERS and device.holds(args[0]):
            if func is not Tensor.tolist:
                raise TypeError("can't convert a device tensor to numpy")
            device.read("tolist")
        if _is_device(kwargs.get("device")):
            made = func(*args, **{**kwargs, "device": _HOST})
            device.mark([made])
            if func in (torch.tensor, torch.as_tensor, Tensor.new_tensor):
                device.write(func.__name__)
            return made
        return func(*args, **kwargs)

    def _moved(self, func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Tensor:
        """``to`` and ``cpu``, with the device that they name."""
        tensor, *rest = args
        is_there = goes_there = self._device.holds(tensor)
        if func is Tensor.cpu:
            goes_there = False
        named = [x for x in (*rest, kwargs.get("device"), kwargs.get("other")) if isinstance(x, torch.device | str)]
        if named:
            goes_there = _is_device(named[0])
        like = [x for x in (*rest, kwargs.get("other")) if isinstance(x, Tensor)]
        if like:
            goes_there = self._device.holds(like[0])
        if is_there == goes_there:
            rest = [x for x in rest if not isinstance(x, torch.device | str)]
            kwargs.pop("device", None)
            return tensor if func is Tensor.cpu or not (rest or kwargs) else func(tensor, *rest, **kwargs)
        (self._device.read if is_there else self._device.write)("to")
        dtypes = [x for x in (*rest, kwargs.get("dtype")) if isinstance(x, torch.dtype)] + [x.dtype for x in like]
        moved: Tensor = _Copy.apply(tensor, self._device, goes_there)  # type: ignore[no-untyped-call]
        return moved.to(dtypes[0]) if dtypes else moved


class _Copy(torch.autograd.Function):
    """To the device, or from it."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, device: PretendedDevice, goes_there: bool) -> Tensor:
        ctx.device, ctx.comes_back = device, not goes_there
        return _copied(tensor, device, goes_there)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (ctx.device.write if ctx.comes_back else ctx.device.read)("gradient of to")
        return _copied(gradient, ctx.device, ctx.comes_back), None, None


def _copied(tensor: Tensor, device: PretendedDevice, goes_there: bool) -> Tensor:
    with torch._C.DisableTorchFunction(), torch._C._DisableTorchDispatch():
        copy = tensor.detach().clone()
    if goes_there:
        device.mark([copy])
    return copy


class _Operations(TorchDispatchMode):
    """Operations, wherever they are called from."""

    def __init__(self, device: PretendedDevice) -> None:
        super().__init__()
        self._device = device

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs, device, name = kwargs or {}, self._device, func._schema.name
        given = list(_tensors((args, kwargs)))
        there = [device.holds(tensor) for tensor in given]
        if any(there):
            self._look(name, args, given, there)
        result = func(*args, **kwargs)
        if any(there) and name != "aten::_local_scalar_dense" and not (name == "aten::copy_" and not there[0]):
            device.mark(_tensors(result))
        return result

    def _look(self, name: str, args: Sequence[Any], given: Sequence[Tensor], there: Sequence[bool]) -> None:
        """Count what makes the host wait; refuse what no device does."""
        device = self._device
        by_mask = name in _TAKES_INDICES_OF_HOST and any(
            index is not None and index.dtype in (torch.bool, torch.uint8) for index in args[1]
        )
        if name in _SIZED_BY_NUMBERS or by_mask:
            device.read(name)
        if all(there):
            return
        if name == "aten::copy_":
            (device.write if there[0] else device.read)(name)
        elif name in _TAKES_INDICES_OF_HOST and there[0]:
            device.write(name)
        elif any(tensor.dim() and not is_there for tensor, is_there in zip(given, there, strict=True)):
            raise RuntimeError(f"{name} of tensors on the device and on the host")


def _tensors(tree: Any) -> Iterator[Tensor]:
    return (leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor))


def _is_device(given: Any) -> bool:
    return given is not None and torch.device(given).type == DEVICE.type
