"""What a training step with a method costs beside the plain sum, as ``benchmarks/method_costs.py`` measured it."""

import csv
from dataclasses import dataclass
from pathlib import Path

COMMAND = "python benchmarks/method_costs.py"
FILE = Path(__file__).with_name("costs.csv")  # written by COMMAND


@dataclass(frozen=True)
class StepCost:
    """One method's, as ratios to the plain sum."""

    three: float  # with three tasks
    ten: float
    machine: str


def read_costs() -> dict[str, StepCost]:
    """The costs by the method's name."""
    with FILE.open(encoding="utf-8", newline="") as file:
        return {
            row["method"]: StepCost(float(row["three"]), float(row["ten"]), row["machine"])
            for row in csv.DictReader(file)
        }
