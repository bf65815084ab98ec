"""What balancing would cost on many GPUs, calculated from the formulas that ``distributed.py`` compares with counts.

    python benchmarks/extrapolate.py
    python benchmarks/extrapolate.py --parameters 1e9 --tasks 10 --bandwidth 25e9 --representation 4e6

Nothing is measured here. Traffic is what one rank sends in one step in float32 by ring algorithms, seconds are this
over the bandwidth that one GPU has in collectives, latency left out and nothing overlapped with computing. Memory is
what a way keeps beyond the plain sum between steps.
"""

import argparse

from traffic import WAYS, cost

_SHOWN = [way for way in WAYS if way != "none"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ranks", nargs="+", type=int, default=[2, 8, 64, 1024], metavar="N")
    parser.add_argument("--tasks", type=int, default=10, metavar="K")
    parser.add_argument("--parameters", type=float, default=1e8, metavar="P", help="numbers of the shared parameters")
    parser.add_argument("--heads", type=float, default=1e6, help="numbers of all heads together")
    parser.add_argument("--last-layer", type=float, default=1e6, help="numbers of the parameters of gramian_from")
    parser.add_argument("--representation", type=float, default=1e6, help="numbers of a rank's share of it")
    parser.add_argument("--factors", type=float, default=1e7, help="numbers of the factors of a rank's layers")
    parser.add_argument("--bandwidth", type=float, default=25e9, help="bytes per second of one GPU in collectives")
    options = parser.parse_args()
    at = {"chosen": options.last_layer, "representation": options.representation, "factors": options.factors}
    print(f"calculated: P = {options.parameters:.0e}, K = {options.tasks}, {options.bandwidth:.0e} bytes/s per GPU\n")
    print(f"| way | passes |{''.join(f' N = {n:,}: GB, s, GB kept |' for n in options.ranks)}")
    print("|---|---|" + "---|" * len(options.ranks))
    for way in _SHOWN:
        cells = []
        for ranks in options.ranks:
            found = cost(way, options.tasks, options.parameters, options.heads, at.get(way, 0), ranks)
            sent = 4 * found.sent
            cells.append(f" {sent / 1e9:.2f}, {sent / options.bandwidth:.3f}, {4 * found.kept / 1e9:.2f} |")
        print(f"| {way} | {found.passes:g} |{''.join(cells)}")


if __name__ == "__main__":
    main()
