"""The one table of methods, by the names that papers and the command line use."""

import importlib.util
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from equipoise.aggregation import MGDA, Clip, NashMTL, PCGrad, RunningNorm, UnitNorm
from equipoise.method import Aggregator, CoordinateAggregator, Method, Sum, UserWeight, Weighting
from equipoise.tasks import nearest
from equipoise.weighting import DWA, UW, Fixed


@dataclass(frozen=True)
class Row:
    """One method of the shelf."""

    name: str
    cls: type[Method]
    paper: str
    needs: str = "losses"  # what the training loop has to give it

    @property
    def cost(self) -> str:
        """What a step costs beside the forward pass, with K tasks."""
        return "1 backward" if issubclass(self.cls, Weighting) else "K backwards"

    @property
    def user_weight(self) -> UserWeight:
        """What becomes of a user's weight: see ``Method``."""
        return self.cls.user_weight

    @property
    def arguments(self) -> dict[str, Any]:
        """The constructor's arguments with their defaults; ``inspect.Parameter.empty`` for a required one."""
        parameters = list(inspect.signature(self.cls.__init__).parameters.values())[1:]
        return {p.name: p.default for p in parameters if p.kind is not inspect.Parameter.VAR_KEYWORD}


_TABLE = [
    Row("sum", Sum, "the plain sum"),
    Row("fixed", Fixed, "Xin et al., NeurIPS 2022"),
    Row("uw", UW, "Kendall et al., CVPR 2018", "losses; its parameters in the optimiser"),
    Row("dwa", DWA, "Liu et al., CVPR 2019", "losses; end_epoch()"),
    Row("mgda", MGDA, "Sener & Koltun, NeurIPS 2018", "gramian"),
    Row("pcgrad", PCGrad, "Yu et al., NeurIPS 2020", "gramian"),
    Row("nash-mtl", NashMTL, "Navon et al., ICML 2022", "gramian"),
    Row("clip", Clip, "per-task clipping, for a Chain", "gramian"),
    Row("unit-norm", UnitNorm, "per-task normalisation, for a Chain", "gramian"),
    Row("running-norm", RunningNorm, "per-task running normalisation, for a Chain", "gramian"),
]


def methods() -> list[Row]:
    """Every method of the shelf: name, class, paper, cost, arguments, needs, use of a user's weight."""
    return list(_TABLE)


def method(name: str, **arguments: Any) -> Method:
    """A method by its name, or by ``path/to/file.py:Name``.

    Raises:
        ValueError: If there is no such method or file, or the arguments do not fit.

    >>> method("dwa", temperature=1.0)
    DWA(temperature=1.0)
    """
    make = _from_file(name) if ".py:" in name else _from_table(name)
    try:
        inspect.signature(make).bind(**arguments)
    except TypeError as error:
        raise ValueError(f"method {name!r}: {error}; it takes {inspect.signature(make)}") from None
    return make(**arguments)


def _from_table(name: str) -> Callable[..., Method]:
    for row in _TABLE:
        if row.name == name:
            return row.cls
    raise ValueError(f"no method {name!r}; {nearest(name, [row.name for row in _TABLE])}")


def _from_file(name: str) -> Callable[..., Method]:
    path, _, attribute = name.rpartition(":")
    if not Path(path).is_file():
        raise ValueError(f"no file {path!r} for method {name!r}")
    spec = importlib.util.spec_from_file_location(f"equipoise_file_{Path(path).stem}", path)
    if spec is None or spec.loader is None:
        raise ValueError(f"file {path!r} is no Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    made = getattr(module, attribute, None)
    kinds = (Weighting, Aggregator, CoordinateAggregator)
    if not (isinstance(made, type) and issubclass(made, kinds)):
        raise ValueError(f"{attribute!r} of {path!r} must be a Weighting, an Aggregator or a CoordinateAggregator")
    return made
