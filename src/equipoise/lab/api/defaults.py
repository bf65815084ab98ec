"""What a comparison does unless it is told otherwise; the command line has the same."""

import os
from pathlib import Path

METHODS = ("sum", "uw", "dwa", "pcgrad", "mgda", "nash-mtl")
SEEDS = 5
TUNED_TRIALS = 10
JOBS = min(os.cpu_count() or 1, 4)
RUNS = Path("equipoise-runs")  # the folder of studies
