"""Parameters that no optimiser holds; steps without a gradient; weight decay of learned weights; scaled updates."""

import weakref
from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_pre_hook
from torch.utils.hooks import RemovableHandle

from equipoise.monitor.warning import warn
from equipoise.names import listed
from equipoise.torch_private.tensors import version

_ADAPTIVE = (torch.optim.Adadelta, torch.optim.Adafactor, torch.optim.Adagrad, torch.optim.RMSprop, torch.optim.Rprop)
_WINDOW = 50  # steps during which optimisers are watched: time for each of several, and for accumulation
_PERIOD = 1000  # steps from one window to the next: what is unfrozen later may be forgotten, too
_WINDOWS = 4  # in a row without an optimiser that holds anything of ours, after which it is taken to be none of torch's


class Optimisers:
    """Listens, through torch's own hook, to optimisers that step within a window of steps.

    The hook is there for all optimisers of the process; it reads and changes nothing, and goes with the window.
    """

    def __init__(self, method: nn.Module) -> None:
        self._method = method
        self._watched: dict[str, tuple[Tensor, int]] = {}  # by name, with its version at the window's start
        self._held: dict[int, float] = {}  # id of a watched parameter -> weight decay
        self._is_open = self._has_looked = self._has_gradient = False
        self._handle: RemovableHandle | None = None
        self._windows = 0
        self._updates = next((part for part in method.modules() if getattr(part, "returns_update", False)), None)
        self._updated: dict[int, str] = {}  # id of a shared parameter -> its name, until a warning

    def __reduce__(self) -> tuple[type["Optimisers"], tuple[nn.Module]]:
        return Optimisers, (self._method,)  # a copy of a balancer has no hook yet

    def is_due(self, step: int) -> bool:
        """Whether a window begins or ends with this step."""
        if step % _WINDOW != 1:
            return False
        return self._is_open or not self._has_looked or step % _PERIOD == 1

    def look(self, given: Mapping[str, Tensor], reached: Collection[Tensor], shared: Collection[Tensor]) -> None:
        """End a window if one is open, else begin one for the parameters that this step's losses reach."""
        learned = {f"{name} of {self._method}": p for name, p in self._method.named_parameters()}
        every = {**given, **learned}
        if not self._is_open:
            watched = {name: p for name, p in every.items() if p in reached and p.requires_grad}
            self._watched = {name: (p, version(p)) for name, p in watched.items()}
            self._held, self._windows, self._has_gradient = {}, 0, False
            if self._updates is not None and not self._has_looked:
                self._updated = {id(p): name for name, p in watched.items() if p in shared}
            self._is_open = self._has_looked = True
            self._register_hook()
            return
        self._windows += 1
        if not self._held and self._windows < _WINDOWS:
            return
        self._close()
        if self._held:
            still = {name: pair for name, pair in self._watched.items() if every.get(name) is pair[0]}
            self._warn_of_missing([n for n, (p, v) in still.items() if self._is_missing(p, v)])
            if not self._has_gradient and all(version(p) == before for p, before in self._watched.values()):
                warn(
                    "the optimiser steps without a gradient, so nothing trains: call zero_grad() before backward() or "
                    "after step(), not between them"
                )
            self._warn_of_decay({n: self._held.get(id(p), 0.0) for n, p in learned.items()})
        self._watched = {}

    def _is_missing(self, parameter: Tensor, before: int) -> bool:
        """Whether nothing moves it: no optimiser, and no other code."""
        return parameter.requires_grad and id(parameter) not in self._held and version(parameter) == before

    def _warn_of_missing(self, missing: list[str]) -> None:
        if missing:
            warn(
                f"{listed(missing)}: no optimiser that stepped holds this, though the losses have a gradient there: "
                "add the parameters of the model, of the tasks' losses and of the balancer to the optimiser, or freeze "
                "what shall not move (requires_grad_(False))",
            )

    def _warn_of_decay(self, decays: Mapping[str, float]) -> None:
        decayed = {name: decay for name, decay in decays.items() if decay}
        if decayed:
            warn(
                f"weight decay of {max(decayed.values()):g} pulls {listed(list(decayed))} to 0, whatever the losses "
                'say: give balancer.parameters() a group of their own, {"params": balancer.parameters(), '
                '"weight_decay": 0.0}',
            )

    def _register_hook(self) -> None:
        me = weakref.ref(self)

        def on_step(optimizer: Optimizer, *_: Any) -> None:
            if (watch := me()) is not None:
                watch._on_step(optimizer)

        self._handle = register_optimizer_step_pre_hook(on_step)
        weakref.finalize(self, self._handle.remove)

    def _on_step(self, optimizer: Optimizer) -> None:
        ours = {id(parameter) for parameter, _ in self._watched.values()}
        for group in optimizer.param_groups:
            decay = group.get("weight_decay", 0.0)
            held = [p for p in group["params"] if id(p) in ours]
            self._held.update({id(p): float(decay) for p in held})
            self._has_gradient |= any(p.grad is not None for p in held)
        self._warn_of_updates(optimizer)

    def _warn_of_updates(self, optimizer: Optimizer) -> None:
        for group in optimizer.param_groups:
            names = [self._updated[id(p)] for p in group["params"] if id(p) in self._updated]
            if names and (scaler := _scaling(optimizer, group)):
                self._updated = {}
                warn(
                    f"{self._updates} returns updates, and {scaler} scales those of {listed(names)} again: give what "
                    "tasks share to torch.optim.SGD without momentum, and heads to an optimiser of their own",
                )

    def _close(self) -> None:
        self._is_open = False
        if self._handle is not None:
            self._handle.remove()
            self._handle = None


def _scaling(optimizer: Optimizer, group: Mapping[str, Any]) -> str:
    """An optimiser that does more to a gradient than to multiply it by a learning rate, in words; else nothing."""
    if group.get("momentum"):
        return f"{type(optimizer).__name__} with momentum {group['momentum']:g}"
    adapts = "betas" in group or isinstance(optimizer, _ADAPTIVE)
    return type(optimizer).__name__ if adapts else ""
