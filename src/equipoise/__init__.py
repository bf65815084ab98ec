"""Equipoise: many task losses train one network well.

>>> import torch, equipoise as eq
>>> tasks = eq.Tasks([eq.Task("size", torch.nn.MSELoss()), eq.Task("kind", torch.nn.CrossEntropyLoss())])
>>> trunk, heads = torch.nn.Linear(4, 8), torch.nn.ModuleDict(
...     {"size": torch.nn.Linear(8, 1), "kind": torch.nn.Linear(8, 3)})
>>> model = torch.nn.ModuleList([trunk, heads])
>>> balancer = eq.Balancer(eq.NashMTL(), model, tasks=tasks)
>>> features = torch.relu(trunk(torch.randn(5, 4)))
>>> outputs = {name: head(features) for name, head in heads.items()}
>>> targets = {"size": torch.randn(5, 1), "kind": torch.tensor([0, 1, 2, 0, 1])}
>>> loss = balancer(tasks.losses(outputs, targets))
>>> loss.backward()
>>> sorted(balancer.record.weights)
['kind', 'size']
"""

import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, Any

from equipoise import interrupt  # noqa: F401  # before torch, whose import takes a while

if TYPE_CHECKING:
    from equipoise.public import *  # noqa: F403

__version__ = "0.2.0rc1"


class _Package(ModuleType):
    """Public names are imported with the first that is asked for: the command line often needs none, nor torch."""

    def __getattr__(self, name: str) -> Any:
        if name.isidentifier() and name not in ("doctor", "method") and find_spec(f"{__name__}.{name}") is not None:
            return import_module(f"{__name__}.{name}")  # ``from equipoise import aggregation``, in a module of public's
        public = import_module("equipoise.public")  # a from-import would ask here for the module itself
        for one in ("__all__", *public.__all__):
            vars(self).setdefault(one, getattr(public, one))  # what is there already may be a test's own
        if name not in vars(self):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}", name=name, obj=self)
        return vars(self)[name]

    def __setattr__(self, name: str, value: Any) -> None:
        """The import system would put the modules ``method`` and ``doctor`` where the functions of that name are."""
        if name not in ("doctor", "method") or not isinstance(value, ModuleType):
            super().__setattr__(name, value)

    def __reduce__(self) -> Any:
        """By name, as cloudpickle hands on a module of the plain type: patches of this process stay in it."""
        return import_module, (self.__name__,)

    def __dir__(self) -> list[str]:
        return sorted({*vars(self), *self.__all__})


sys.modules[__name__].__class__ = _Package
