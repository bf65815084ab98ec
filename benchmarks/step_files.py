"""What one step runs through: the files of the package in the order in which it enters them, and its Python calls.

    python benchmarks/step_files.py                                        # MGDA, without monitor
    python benchmarks/step_files.py --methods sum uw mgda --monitor warn
    python benchmarks/step_files.py --torchjd                              # the same of TorchJD's MGDA

A step is the balancer's call and ``.backward()`` of what it returns; the forward pass of the network lies outside. It
is the third of a fresh balancer on a trunk of two layers with three heads of two, so that nothing is done for the first
time. A file is entered when one of its functions is called from another file, or by PyTorch; it is entered *upwards*
when the caller's file was first entered later than its own, so that a reader turns back. Counts are exact, whatever
else runs.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import torch
from torch import Tensor, nn

import equipoise as eq

_NAMES = ("left", "middle", "right")


@dataclass
class Trace:
    """What one step has entered of a package."""

    package: str = str(Path(eq.__file__).parent)
    order: list[str] = field(default_factory=list)  # files, by first entry
    entries: Counter[str] = field(default_factory=Counter)
    upwards: Counter[tuple[str, str]] = field(default_factory=Counter)  # (from, to)
    calls: int = 0  # of Python functions, in whatever package

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        if event != "call":
            return
        self.calls += 1
        file, caller = self._file(frame), self._caller(frame)
        if file == "" or file == caller:
            return
        if file not in self.entries:
            self.order.append(file)
        elif caller in self.entries and self.order.index(caller) > self.order.index(file):
            self.upwards[caller, file] += 1
        self.entries[file] += 1

    def _file(self, frame: FrameType) -> str:
        """A frame's file within the package; nothing for one of another package."""
        path = frame.f_code.co_filename
        return path[len(self.package) + 1 :] if path.startswith(self.package) else ""

    def _caller(self, frame: FrameType) -> str:
        """The file of the package that a call comes from, through frames of others; nothing if there is none."""
        outer = frame.f_back
        while outer is not None and not self._file(outer):
            outer = outer.f_back
        return "" if outer is None else self._file(outer)


def trace(name: str, monitor: Literal["warn", "off"]) -> Trace:
    """Trace the third step of a method."""
    trunk, heads, inputs = _network()
    balancer = eq.Balancer(eq.method(name), nn.ModuleList([trunk, heads]), tasks=_NAMES, monitor=monitor)

    def step(losses: dict[str, Tensor], _: Tensor) -> None:
        balancer(losses).backward()

    return _third(step, trunk, heads, inputs, Trace())


def trace_torchjd() -> Trace:
    """Trace the third step of TorchJD's MGDA."""
    import torchjd
    from torchjd.aggregation import MGDA
    from torchjd.autojac import jac_to_grad, mtl_backward

    (trunk, heads, inputs), aggregator = _network(), MGDA()

    def step(losses: dict[str, Tensor], hidden: Tensor) -> None:
        mtl_backward(list(losses.values()), features=hidden)
        jac_to_grad(trunk.parameters(), aggregator)

    return _third(step, trunk, heads, inputs, Trace(str(Path(torchjd.__file__).parent)))


def _network() -> tuple[nn.Module, nn.ModuleDict, Tensor]:
    torch.manual_seed(0)
    trunk = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU())
    return trunk, nn.ModuleDict({name: nn.Linear(16, 2) for name in _NAMES}), torch.randn(4, 8)


def _third(
    step: Callable[[dict[str, Tensor], Tensor], None],
    trunk: nn.Module,
    heads: nn.ModuleDict,
    inputs: Tensor,
    found: Trace,
) -> Trace:
    for number in range(3):
        hidden = trunk(inputs)
        losses = {name: heads[name](hidden).square().mean() for name in _NAMES}
        sys.setprofile(found if number == 2 else None)
        try:
            step(losses, hidden)
        finally:
            sys.setprofile(None)
    return found


def main() -> None:
    """Print the files and the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", default=["mgda"])
    parser.add_argument("--monitor", choices=["warn", "off"], default="off")
    parser.add_argument("--torchjd", action="store_true")
    arguments = parser.parse_args()
    for name in ["torchjd"] if arguments.torchjd else arguments.methods:
        found = trace_torchjd() if arguments.torchjd else trace(name, arguments.monitor)
        entered = sum(found.entries.values())
        print(
            f"{name}: {len(found.order)} files, {entered} entries, {sum(found.upwards.values())} of them upwards, "
            f"{found.calls} Python calls"
        )
        for number, file in enumerate(found.order, start=1):
            print(f"{number:4} {file} {found.entries[file]}")
        for (source, target), count in found.upwards.most_common():
            print(f"     up: {source} -> {target} {count}")


if __name__ == "__main__":
    main()
