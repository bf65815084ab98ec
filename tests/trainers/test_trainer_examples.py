"""The examples as files: short, run from any folder, and what they train improves."""

import importlib
import runpy
import sys
from importlib.util import find_spec

import pytest
from examples_folder import EXAMPLES

import equipoise as eq

try:
    from accelerate.state import AcceleratorState
except ImportError:
    AcceleratorState = None

sys.path.insert(0, str(EXAMPLES.parents[1] / "docs"))

from written.trainer_table import imports

FILES = sorted(path for path in EXAMPLES.glob("*.py"))
TRAINERS = [path for path in FILES if path.stem not in ("problem", "tiny_gpt2", "ultralytics_gains")]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_is_forty_lines_at_most(path):
    assert len(path.read_text().splitlines()) <= 40


@pytest.mark.slow
@pytest.mark.parametrize("path", TRAINERS, ids=lambda path: path.stem)
def test_it_runs_and_its_losses_fall(path, tmp_path, monkeypatch, capsys):
    """What the balancer saw in its first steps against its last."""
    missing = [name for name in imports(path) if find_spec(name) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    if AcceleratorState is not None:  # one for a process, and another example may have made it
        AcceleratorState._reset_state(reset_partial_state=True)
    monkeypatch.chdir(tmp_path)
    totals, call = [], eq.Balancer.forward

    def watched(self, losses, **others):
        totals.append(float(sum(loss.detach() for loss in losses.values())))
        return call(self, losses, **others)

    monkeypatch.setattr(eq.Balancer, "forward", watched)
    for name in [path.stem for path in FILES]:  # another test may have changed what is imported
        importlib.sys.modules.pop(name, None)
    runpy.run_path(str(path), run_name="__main__")
    if path.stem != "trl_grpo":  # whose losses are no measure of progress
        assert sum(totals[-8:]) < 0.8 * sum(totals[:8])
