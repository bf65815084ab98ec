import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[3] / "examples" / "planted_weights.py"


@pytest.mark.slow
def test_searches_find_the_planted_weights_and_uncertainty_too_but_gradient_norms_do_not():
    """At UW's optimum w = 1 / (2 loss), and a task's loss ends near σ². GradNorm speeds up the noisiest."""
    text = subprocess.run([sys.executable, str(EXAMPLE)], capture_output=True, text=True, check=True).stdout
    excess = {
        name.split(" search")[0]: float(value)
        for name, value in re.findall(r"^(\S.*?) {2,}a .*excess (\S+) %$", text, re.M)
    }
    assert excess["planted"] == 0.0
    for name, most in (("grid", 5), ("random", 10), ("tpe", 5), ("front", 5), ("uw", 5)):
        assert 0 <= excess[name] < most
    assert excess["sum"] == pytest.approx(206.25, abs=0.1)
    assert excess["gradnorm"] > excess["sum"]
