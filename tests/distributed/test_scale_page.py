"""The script of docs/scale.md trains two processes to the same network."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "scale.md"

THREADS = """
from pathlib import Path
print([name.read_text().strip() for name in Path("/proc/self/task").glob("*/comm")])
"""


@pytest.mark.slow
def test_the_script_runs_under_torchrun(tmp_path):
    code = re.search(r"<!-- file train -->\n```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[1]
    assert len([line for line in code.splitlines() if line]) <= 25
    script = tmp_path / "train.py"
    script.write_text(code + THREADS, encoding="utf-8")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    run = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=300)
    assert run.returncode == 0, run.stderr
    said = dict(re.findall(r"([01]) (-?[\d.]+ \{.*?\})", run.stdout))
    assert set(said) == {"0", "1"}
    assert said["0"] == said["1"]
    assert "gloo" not in run.stdout, "a thread of the process group is left, and may end the process at its exit"
