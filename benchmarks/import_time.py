"""What ``import equipoise`` adds to ``import torch``, in fresh processes: at most 0.2 s.

    python benchmarks/import_time.py

Both modules are imported in the same process, one after the other, so the difference needs no second run. The first
process warms the file cache and is not counted.
"""

import argparse
import statistics
import subprocess
import sys

_CHILD = """
import time
start = time.perf_counter()
import torch
middle = time.perf_counter()
import equipoise
equipoise.Balancer  # all of it comes with the first name
print(middle - start, time.perf_counter() - middle)
import sys
lab = sorted(name for name in sys.modules if name.startswith("equipoise.lab"))
assert not lab, f"import equipoise also imports {lab}"
"""
_LIMIT = 0.2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=11)
    options = parser.parse_args()
    times = []
    for _ in range(options.repeats + 1):
        child = subprocess.run([sys.executable, "-c", _CHILD], capture_output=True, text=True, check=True)
        times.append([float(seconds) for seconds in child.stdout.split()])
    torch_times, our_times = zip(*times[1:], strict=True)
    added = statistics.median(our_times)
    print(f"import torch      {statistics.median(torch_times):.3f} s")
    print(f"import equipoise  {added:.3f} s more, from {min(our_times):.3f} to {max(our_times):.3f}")
    print("met" if added <= _LIMIT else "MISSED", f"at most {_LIMIT} s, median of {options.repeats} processes")


if __name__ == "__main__":
    main()
