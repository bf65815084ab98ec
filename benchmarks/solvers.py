"""From a gramian [K, K] to weights [K]: our solvers beside TorchJD's, one thread, called in turn.

    pip install -e '.[parity]'
    python benchmarks/solvers.py
    python benchmarks/solvers.py --methods UPGrad CAGrad --tasks 3 40 --columns 400
    python benchmarks/solvers.py --methods NashMTL --tasks 2 3 10 40 --repeats 5

The gradients are random rows with 400 columns, or with K columns (``--columns 0``), where many are in conflict. A time
is the median over the repetitions, the ratio the median of the ratios within one repetition. A whole call is timed,
checks included; TorchJD's MGDA and FairGrad stop at fewer digits than ours. What needs a package that is not installed
is left out.
"""

import argparse
import random
import statistics
import time
import warnings
from collections.abc import Callable
from functools import cache

import torch
import torchjd.aggregation as theirs
from torch import Tensor

import equipoise as eq

Weigh = Callable[[Tensor], Tensor]  # a gramian -> weights; for TorchJD's Nash-MTL the rows -> weights

THEIRS: dict[str, Callable[[], Weigh]] = {
    "NashMTL": lambda: lambda rows: _nash(len(rows))(rows),
    "MGDA": theirs.MGDAWeighting,
    "UPGrad": theirs.UPGradWeighting,
    "DualProj": theirs.DualProjWeighting,
    "CAGrad": lambda: theirs.CAGradWeighting(c=0.5),
    "PCGrad": theirs.PCGradWeighting,
    "GradVac": theirs.GradVacWeighting,
    "FairGrad": lambda: theirs.FairGradWeighting(alpha=2.0),
    "AlignedMTL": theirs.AlignedMTLWeighting,
    "IMTLG": theirs.IMTLGWeighting,
}
OURS: dict[str, Callable[[], eq.Aggregator]] = {
    "NashMTL": eq.NashMTL,
    "MGDA": eq.MGDA,
    "UPGrad": eq.UPGrad,
    "DualProj": eq.DualProj,
    "CAGrad": eq.CAGrad,
    "PCGrad": eq.PCGrad,
    "GradVac": eq.GradVac,
    "FairGrad": eq.FairGrad,
    "AlignedMTL": eq.AlignedMTL,
    "IMTLG": eq.IMTLG,
}


@cache
def _nash(num_tasks: int) -> Weigh:
    return theirs.NashMTL(num_tasks, max_norm=0.0).weighting


def measure(name: str, num_tasks: int, columns: int, repeats: int) -> tuple[float, float, float]:
    """Milliseconds of ours and theirs, and theirs over ours."""
    method = OURS[name]()
    method.bind(num_tasks)
    losses = torch.ones(num_tasks, dtype=torch.float64)
    contenders: dict[str, Weigh] = {"ours": lambda gramian: method(gramian, losses), "theirs": THEIRS[name]()}
    draw = torch.Generator().manual_seed(0)
    order = random.Random(0)
    times: dict[str, list[float]] = {contender: [] for contender in contenders}
    for repeat in range(repeats + 2):
        rows = torch.randn(num_tasks, columns or num_tasks, generator=draw, dtype=torch.float64)
        gramian = rows @ rows.T
        for contender in order.sample(list(contenders), 2):
            start = time.perf_counter()
            contenders[contender](rows if (contender, name) == ("theirs", "NashMTL") else gramian)
            if repeat >= 2:
                times[contender].append(time.perf_counter() - start)
    ratio = statistics.median(b / a for a, b in zip(times["ours"], times["theirs"], strict=True))
    return 1000 * statistics.median(times["ours"]), 1000 * statistics.median(times["theirs"]), ratio


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", choices=OURS, default=list(OURS), metavar="NAME")
    parser.add_argument("--tasks", nargs="+", type=int, default=[2, 3, 10, 40, 128], metavar="K")
    parser.add_argument("--columns", nargs="+", type=int, default=[400, 0])
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")  # of the other library
    print("method      columns    K   ours ms  theirs ms  theirs / ours")
    for name in options.methods:
        for columns in options.columns:
            for num_tasks in options.tasks:
                try:
                    ours, other, ratio = measure(name, num_tasks, columns, options.repeats)
                except ImportError as error:
                    print(f"{name:11} {columns or num_tasks:7} {num_tasks:4}   {error}")
                    continue
                print(f"{name:11} {columns or num_tasks:7} {num_tasks:4}  {ours:8.3f}  {other:9.3f}  {ratio:13.1f}")


if __name__ == "__main__":
    main()
