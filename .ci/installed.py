"""What a user does first with an installed equipoise: ``installed.py [WORDS OF THE DEMO]``, in that environment.

The README's first example, the commands that need no extra with their seconds, and, where the extra ``lab`` is
installed, the demo; without it, the line that names it, in Python and at the command line.
"""

import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"
LINE = 'pip install "equipoise[lab]"'


def run(*command: str, status: int = 0) -> str:
    """Run a command in the current folder, print its seconds, and return what it printed."""
    start = time.perf_counter()
    ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", env=CLEAN)
    used = time.perf_counter() - start
    shown = " ".join([Path(command[0]).name, *(word if "\n" not in word else "..." for word in command[1:])])
    print(f"{used:6.1f} s  {shown}", flush=True)
    if ended.returncode != status:
        sys.exit(f"status {ended.returncode}, not {status}:\n{ended.stdout}")
    return ended.stdout


def main(words: list[str]) -> None:
    """Do it all in an empty folder."""
    os.chdir(tempfile.mkdtemp(prefix="installed-"))
    where, equipoise = [sys.executable, "-c"], str(Path(sysconfig.get_path("scripts")) / "equipoise")
    print(f"equipoise {version('equipoise')}, Python {sys.version.split()[0]}, torch {version('torch')}", flush=True)
    file = run(*where, "import equipoise; print(equipoise.__file__)").strip()
    if Path(file).is_relative_to(README.parent / "src"):
        sys.exit(f"{file} is the source and not what was installed")
    example = README.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    weights = run(*where, example)
    if not {"'rating'", "'department'"} <= {word.strip("{,:") for word in weights.split()}:
        sys.exit(f"the README's first example printed {weights!r}")
    for command, found in (("--help", "equipoise demo"), ("methods", "nash-mtl"), ("losses", "CrossEntropyLoss")):
        if found not in run(equipoise, command):
            sys.exit(f"equipoise {command} does not name {found}")
    if find_spec("torchmetrics") is not None:
        if "Report: " not in run(equipoise, "demo", *words):
            sys.exit("the demo wrote no report")
        return
    for asked in ("from equipoise.lab.metrics import metric", "from equipoise import lab; lab.compare"):
        if LINE not in run(*where, asked, status=1).splitlines()[-1]:
            sys.exit(f"{asked!r} does not say {LINE!r} in its last line")
    if (lines := run(equipoise, "demo", status=2).splitlines()) and (len(lines) != 1 or LINE not in lines[0]):
        sys.exit(f"equipoise demo does not say {LINE!r} in one line: {lines}")


CLEAN = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"PYTHONUTF8": "1"}

if __name__ == "__main__":
    main(sys.argv[1:])
