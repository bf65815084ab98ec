"""peak_of of benchmarks/peaks.py: what a call allocates, whatever was there before it."""

import gc
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from peaks import peak_of

KIB = 256  # float32 numbers


class Cycle:
    """Holds a tensor and itself, so that only the collector frees it."""

    def __init__(self, size):
        self.tensor, self.itself = torch.empty(size), self


def test_the_peak_is_the_most_that_is_held_at_once():
    def call():
        first, second = torch.empty(3 * KIB), torch.empty(2 * KIB)
        del first
        del second
        torch.empty(4 * KIB)

    assert peak_of(call) == 5 * 1024


def test_what_an_earlier_call_left_does_not_count_when_it_is_freed():
    left = []

    def first():
        left.append(torch.empty(100 * KIB))
        Cycle(100 * KIB)

    def second():
        left.clear()
        gc.collect()
        torch.empty(KIB)

    assert peak_of(first) == 200 * 1024
    assert peak_of(second) == 1024


def test_cycles_of_the_call_itself_are_held_to_its_end():
    def call():
        for _ in range(3 * gc.get_threshold()[0]):
            Cycle(KIB)

    assert peak_of(call) == 3 * gc.get_threshold()[0] * 1024
    assert gc.isenabled()
