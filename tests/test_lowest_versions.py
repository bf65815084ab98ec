"""constraints-lowest.txt holds the lower bounds of pyproject.toml: a run with it is a run of what is promised."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def release(version: str) -> tuple[int, ...]:
    """Without zeros at the end: 3.1 is 3.1.0."""
    numbers = [int(number) for number in version.split(".")]
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)


def lower_bounds():
    """Name -> the highest of its lower bounds, over the dependencies and all extras."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8").partition("[project.scripts]")[0]
    bounds = {}
    for name, version in re.findall(r'"([\w-]+)(?:\[[\w,]+\])?>=([\d.]+)"', text):
        bounds[normal(name)] = max(bounds.get(normal(name), ()), release(version))
    return bounds


def test_the_constraints_are_the_lower_bounds():
    lines = (ROOT / "constraints-lowest.txt").read_text(encoding="utf-8").splitlines()
    pinned = {normal(name): version for name, _, version in (line.partition("==") for line in lines if line[0] != "#")}
    bounds = lower_bounds()
    assert {"torch", "numpy", "optuna", "pytest"} <= bounds.keys()
    assert {name: release(pinned[name]) for name in bounds} == bounds
