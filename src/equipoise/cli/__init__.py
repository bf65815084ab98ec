"""The command line: ``equipoise demo | doctor | compare | probe | tune | init | report | judge | methods | losses``.

It needs the core only; a command of the workbench says how to install the rest.
"""

import io
import sys
from collections.abc import Callable, Mapping, Sequence

from equipoise import __version__
from equipoise.cli.compare import compare
from equipoise.cli.demo import demo
from equipoise.cli.doctor import doctor
from equipoise.cli.init import init
from equipoise.cli.judge import judge
from equipoise.cli.losses import losses
from equipoise.cli.methods import methods
from equipoise.cli.parser import fail
from equipoise.cli.probe import probe
from equipoise.cli.report import report
from equipoise.cli.tune import tune
from equipoise.interrupt import STOPPED
from equipoise.names import nearest

START = """\
Equipoise balances many task losses in one network and compares methods with
statistics.

  equipoise demo              compare methods on real reviews, in minutes
  equipoise compare reviews   compare your methods over seeds, with a verdict
  equipoise probe reviews     gradient diagnostics before training
  equipoise tune reviews      search task weights, learning rate and more
  equipoise doctor -- CMD     look at the losses of a script as it trains
  equipoise init data.csv     write a study.yaml for your table
  equipoise report FOLDER     write a study's report, or compare two studies
  equipoise judge FILE        the verdict on results from elsewhere
  equipoise methods [NAME]    list all methods, or show one
  equipoise losses [NAME]     list all losses, or show one, or those that fit

Help on a command: equipoise compare --help"""


COMMANDS: Mapping[str, Callable[[Sequence[str]], int]] = {
    "demo": demo,
    "doctor": doctor,
    "compare": compare,
    "probe": probe,
    "tune": tune,
    "init": init,
    "report": report,
    "judge": judge,
    "methods": methods,
    "losses": losses,
}

RESUMABLE = ("demo", "compare", "tune")  # commands that, repeated after Ctrl-C, train only what is missing


def main(words: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        words: The command and its arguments; None: those of the process.

    Returns:
        The exit status; 130 after Ctrl-C.

    Raises:
        SystemExit: With status 2, after one line on stderr, where the words are wrong.
    """
    words = sys.argv[1:] if words is None else words
    if isinstance(sys.stdout, io.TextIOWrapper):  # a file or pipe of Windows, say, has no Greek letters
        sys.stdout.reconfigure(errors="replace")
    try:
        return _run(words)
    except KeyboardInterrupt as stopped:
        resumes = bool(words) and words[0] in RESUMABLE
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
        print(f"equipoise {__version__}")
        return 0
    if words[0] not in COMMANDS:
        kind, valid = ("option", ["--help", "--version"]) if words[0].startswith("-") else ("command", COMMANDS)
        fail(f"unknown {kind} {words[0]!r}; {nearest(words[0], valid)}")
    return COMMANDS[words[0]](words[1:])
