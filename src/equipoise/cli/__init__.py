"""The command line: ``equipoise demo | compare | probe | tune | init | report | judge | methods | losses``.

It needs the core only; a command of the workbench says how to install the rest.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version

from equipoise.cli.compare import compare
from equipoise.cli.demo import demo
from equipoise.cli.init import init
from equipoise.cli.judge import judge
from equipoise.cli.losses import losses
from equipoise.cli.methods import methods
from equipoise.cli.parser import fail, hint
from equipoise.cli.probe import probe
from equipoise.cli.report import report
from equipoise.cli.tune import tune
from equipoise.interrupt import STOPPED

START = """\
Equipoise makes many task losses train one network well, and says whether it
helped.

  equipoise demo              a fair comparison on real reviews, in minutes
  equipoise compare reviews   the same with your methods, seeds and epochs
  equipoise probe reviews     the tasks' gradients, before any choice
  equipoise tune reviews      search the tasks' weights, learning rate and more
  equipoise init data.csv     looks at your table; compare then trains on it
  equipoise report FOLDER     a study's page once more; of two, what differs
  equipoise judge FILE        the verdict on a table of results from elsewhere
  equipoise methods [NAME]    all methods, with papers and costs, or one in full
  equipoise losses [NAME]     all losses of a task, or one; which fits yours

Every command explains itself: equipoise compare --help"""


COMMANDS: Mapping[str, Callable[[Sequence[str]], int]] = {
    "demo": demo,
    "compare": compare,
    "probe": probe,
    "tune": tune,
    "init": init,
    "report": report,
    "judge": judge,
    "methods": methods,
    "losses": losses,
}

RESUMED = ("demo", "compare", "tune")  # commands that keep what they have done


def main(words: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status, 130 after Ctrl-C, or leaves with 2 after one line on wrong use."""
    words = sys.argv[1:] if words is None else words
    try:
        return _run(words)
    except KeyboardInterrupt as stopped:
        resumes = bool(words) and words[0] in RESUMED
        line = "Stopped. The same command resumes what it began." if resumes else "Stopped."
        print(str(stopped) or line, file=sys.stderr)
        return STOPPED


def _run(words: Sequence[str]) -> int:
    words = list(words)
    if words[:1] == ["help"] and len(words) > 1:
        words = [*words[1:], "--help"]
    if not words or words[0] in ("-h", "--help", "help"):
        print(START)
        return 0
    if words[0] in ("--version", "-V", "version"):
        print(f"equipoise {version('equipoise')}")
        return 0
    if words[0] not in COMMANDS:
        kind, valid = ("option", ["--help", "--version"]) if words[0].startswith("-") else ("command", COMMANDS)
        fail(f"unknown {kind} {words[0]!r}; {hint(words[0], valid)}")
    return COMMANDS[words[0]](words[1:])
