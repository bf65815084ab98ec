"""Compare the seconds of each folder of tests with tests/budget.txt: ``budget.py JUNIT_XML``.

Sums what pytest measured for each test, set-up included, over the folder that its file is in, and names the folders
that took longer than their budget. A machine with other work slows all folders down alike, so that each is judged by
the budgets times what all took over what all may take. Ends with 1 where a folder is slower than that, where all take
twice their seconds, and where a folder has no budget.
"""

import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

BUDGET = Path(__file__).parents[1] / "tests" / "budget.txt"
BUSY = 2  # times the sum of the budgets that all folders may take on a machine which has other work
UNEVEN = (
    1.5,
    8,
)  # times its budget, and seconds more, that a folder may take on a machine as slow as this one is for all


def read_budgets() -> dict[str, float]:
    """Seconds for each folder: a line for each, and comments after ``#``."""
    lines = [line.partition("#")[0].split() for line in BUDGET.read_text(encoding="utf-8").splitlines()]
    return {folder: float(seconds) for seconds, folder in filter(None, lines)}


def seconds_by_folder(xml: Path) -> Counter[str]:
    """Seconds of all tests of a JUnit file of the family ``xunit1``, which names their files."""
    seconds: Counter[str] = Counter()
    for test in ElementTree.parse(xml).iter("testcase"):
        seconds[str(Path(test.attrib["file"]).parent)] += float(test.attrib["time"])
    return seconds


def budget_of(folder: str, budgets: dict[str, float]) -> str | None:
    """The innermost folder with a budget that holds this one."""
    return next((str(path) for path in (Path(folder), *Path(folder).parents) if str(path) in budgets), None)


def main(xml: str) -> int:
    """Print a line for each folder, and what is over its budget."""
    budgets = read_budgets()
    spent: Counter[str] = Counter()
    without = []
    for folder, seconds in seconds_by_folder(Path(xml)).items():
        name = budget_of(folder, budgets)
        if name is None:
            without.append(f"{folder} has no budget: give it one in {BUDGET.name}")
        else:
            spent[name] += seconds
    factor, more = UNEVEN
    slowness = max(1, spent.total() / sum(budgets.values()))
    over = [
        f"{name} took {spent[name]:.0f} s, its budget is {budgets[name]:g} s: see pytest --durations=20 {name}; "
        "make the slowest cheaper or mark it slow"
        for name in budgets
        if spent[name] > budgets[name]
    ]
    for name, seconds in spent.most_common():
        print(f"{seconds:7.1f} s of {budgets[name]:4g} s  {name}")
    print(f"{spent.total():7.1f} s of {sum(budgets.values()):4g} s  in all, start and collection left out")
    print(*without, *over, sep="\n")
    too_slow = [name for name in budgets if spent[name] > factor * slowness * budgets[name] + more]
    return bool(without or too_slow) or slowness > BUSY


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
