"""The folder of the examples, which is importable from here on."""

import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples" / "trainers"
sys.path.insert(0, str(EXAMPLES))
