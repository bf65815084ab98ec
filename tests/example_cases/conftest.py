"""The cases of the examples and what lies beside them, importable as where ``path/to/file.py:make_case`` runs them."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "examples" / "cases"), str(ROOT / "examples"), str(ROOT / "tests" / "lab" / "cases")]
