"""What one step runs through: the files of the package in the order in which it enters them, and its Python calls.

    python benchmarks/step_files.py                                        # MGDA, without monitor
    python benchmarks/step_files.py --methods sum uw mgda --monitor warn

A step is the balancer's call and ``.backward()`` of what it returns; the forward pass of the network lies outside. It
is the third of a fresh balancer on a trunk of two layers with three heads of two, so that nothing is done for the first
time. A file is entered when one of its functions is called from another file, or by PyTorch; it is entered *upwards*
when the caller's file was first entered later than its own, so that a reader turns back. Counts are exact, whatever
else runs.
"""

import argparse
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import torch
from torch import Tensor, nn

import equipoise as eq

_PACKAGE = str(Path(eq.__file__).parent)
_NAMES = ("left", "middle", "right")


@dataclass
class Trace:
    """What one step has entered."""

    order: list[str] = field(default_factory=list)  # files, by first entry
    entries: Counter[str] = field(default_factory=Counter)
    upwards: Counter[tuple[str, str]] = field(default_factory=Counter)  # (from, to)
    calls: int = 0  # of Python functions, in whatever package

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        if event != "call":
            return
        self.calls += 1
        file, caller = _file(frame), _caller(frame)
        if file == "" or file == caller:
            return
        if file not in self.entries:
            self.order.append(file)
        elif caller in self.entries and self.order.index(caller) > self.order.index(file):
            self.upwards[caller, file] += 1
        self.entries[file] += 1


def _file(frame: FrameType) -> str:
    """A frame's file within the package; nothing for one of another package."""
    path = frame.f_code.co_filename
    return path[len(_PACKAGE) + 1 :] if path.startswith(_PACKAGE) else ""


def _caller(frame: FrameType) -> str:
    """The file of the package that a call comes from, through frames of others; nothing if there is none."""
    outer = frame.f_back
    while outer is not None and not _file(outer):
        outer = outer.f_back
    return "" if outer is None else _file(outer)


def trace(name: str, monitor: Literal["warn", "off"]) -> Trace:
    """Trace the third step of a method."""
    torch.manual_seed(0)
    trunk = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU())
    heads = nn.ModuleDict({name: nn.Linear(16, 2) for name in _NAMES})
    balancer = eq.Balancer(eq.method(name), nn.ModuleList([trunk, heads]), tasks=_NAMES, monitor=monitor)
    inputs, found = torch.randn(4, 8), Trace()
    for step in range(3):
        hidden = trunk(inputs)
        losses: dict[str, Tensor] = {name: heads[name](hidden).square().mean() for name in _NAMES}
        sys.setprofile(found if step == 2 else None)
        try:
            balancer(losses).backward()
        finally:
            sys.setprofile(None)
    return found


def main() -> None:
    """Print the files and the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", default=["mgda"])
    parser.add_argument("--monitor", choices=["warn", "off"], default="off")
    arguments = parser.parse_args()
    for name in arguments.methods:
        found = trace(name, arguments.monitor)
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
