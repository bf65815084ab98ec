"""What is measured of each method, in minutes for all: a new one is measured alone, and the other rows stay."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from equipoise.registry import methods, read_costs
from equipoise.registry.row import FILE as COSTS

ROOT = Path(__file__).parents[2]
CONVERGENCE = ROOT / "tests" / "convergence"
COMMANDS = {COSTS: ROOT / "benchmarks" / "method_costs.py", ROOT / "docs" / "convergence.md": CONVERGENCE / "page.py"}


def without_cost() -> list[str] | None:
    """The methods that registry/costs.csv lacks; None where its rows are those of the registry, in its order."""
    names, known = [row.name for row in methods()], [*read_costs()]
    return None if known == names else [name for name in names if name not in known]


def without_limit() -> list[str] | None:
    """The same of docs/convergence.md, which lacks those, too, of which the registry states another limit."""
    sys.path.insert(0, str(CONVERGENCE))
    import page

    found: list[str] | None = page.stale()
    return found


STALE: dict[Path, Callable[[], list[str] | None]] = dict(zip(COMMANDS, (without_cost, without_limit), strict=True))


def measure(path: Path) -> bool:
    """Measure what a file lacks, by the file's own command; whether it lacked anything."""
    if (names := STALE[path]()) is None:
        return False
    subprocess.run([sys.executable, str(COMMANDS[path]), "--methods", *names], check=True, cwd=ROOT)
    return True
