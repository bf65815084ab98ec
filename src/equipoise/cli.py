"""The command line: ``equipoise demo | compare | report | methods | losses``.

It needs the core only; a command of the workbench says how to install the rest.
"""

import argparse
import difflib
import io
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

from equipoise import shelf
from equipoise.losses.catalog import CONDITIONS, KINDS, ROWS
from equipoise.losses.catalog.page import markdown

START = """\
Equipoise makes many task losses train one network well, and says whether it
helped.

  equipoise demo              a fair comparison on real reviews, in minutes
  equipoise compare reviews   the same with your methods, seeds and epochs
  equipoise report FOLDER     the table and the page of a study once more
  equipoise methods           all balancings, with their papers and costs
  equipoise losses            all losses of a task, and which fits yours

Every command explains itself: equipoise compare --help"""

METHODS = ("sum", "uw", "dwa", "pcgrad", "mgda", "nash-mtl")
RUNS = Path("equipoise-runs")
JOBS = min(os.cpu_count() or 1, 4)
FAILED, WRONG_USE, STOPPED = 1, 2, 130


def main(words: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status, or leaves with 2 after one line on wrong use."""
    words = sys.argv[1:] if words is None else words
    if not words or words[0] in ("-h", "--help"):
        print(START)
        return 0
    if words[0] == "--version":
        print(f"equipoise {version('equipoise')}")
        return 0
    if words[0] not in COMMANDS:
        kind, valid = ("option", ["--help", "--version"]) if words[0].startswith("-") else ("command", COMMANDS)
        fail(f"unknown {kind} {words[0]!r}; the nearest is {nearest(words[0], valid)!r}")
    return COMMANDS[words[0]](words[1:])


def demo(words: Sequence[str]) -> int:
    """Compare all first methods on the reviews with a small budget."""
    parser = Parser(
        prog="equipoise demo",
        description="A fair comparison on real clothing reviews, in minutes: three tasks on one network "
        "under several balancings, against one network per task. Repeat the command to go on after an "
        "interruption.",
    )
    _add_study_options(parser, seeds=5, epochs=5, out=RUNS / "demo")
    return _study("reviews", parser.parse(words))


def compare(words: Sequence[str]) -> int:
    """Compare methods on a case."""
    parser = Parser(
        prog="equipoise compare",
        description="Train a case under several balancings and against one network per task, with the same "
        "seeds and budget; end in a table with intervals, a verdict and a report. Repeat the command to go "
        "on after an interruption; with more methods or seeds only what is missing runs.",
    )
    parser.add_argument("case", metavar="CASE", help="what to train, for example: reviews")
    _add_study_options(parser, seeds=5, epochs=None, out=RUNS / "CASE")
    arguments = parser.parse(words)
    return _study(arguments.case, arguments)


def report(words: Sequence[str]) -> int:
    """Show the table of a study again and write its report anew."""
    parser = Parser(prog="equipoise report", description="Show a study's table again and write its report anew.")
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="the folder of a study")
    folder = parser.parse(words).folder
    if not (folder / "study.json").is_file():
        studies = [str(path.parent) for root in (RUNS, folder.parent) for path in root.glob("*/study.json")]
        hint = f"; the nearest is {nearest(str(folder), studies)!r}" if studies else "; equipoise demo makes one"
        fail(f"{str(folder)!r} is not the folder of a study{hint}")
    _need_the_lab()
    from rich.console import Console

    try:
        return _show(Console(highlight=False), folder, renew=True)
    except (ValueError, KeyError, OSError) as error:
        fail(f"{folder} cannot be shown: {error}")


def methods(words: Sequence[str]) -> int:
    """List the balancings."""
    parser = Parser(prog="equipoise methods", description="List all balancings.")
    parser.add_argument("--markdown", action="store_true", help="the list as the page docs/methods.md")
    if parser.parse(words).markdown:
        return _show_text(shelf.methods_page())
    return _show_text(shelf.methods(_width()))


def losses(words: Sequence[str]) -> int:
    """List the losses, all or those that fit."""
    parser = Parser(
        prog="equipoise losses",
        description="List all losses of a task, torch's own included: formula, for what, pitfalls, paper. With a kind "
        "of task or what holds of it: those that fit, the likeliest first, why, and the code to paste.",
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="one loss, in full")
    parser.add_argument("--task", type=_kind, metavar="KIND", help=f"the kind of task: {', '.join(KINDS)}")
    for condition, words_for_it in CONDITIONS.items():
        parser.add_argument(f"--{condition.replace(' ', '-')}", action="store_true", help=words_for_it)
    parser.add_argument("--markdown", action="store_true", help="the whole list as the page docs/losses.md")
    arguments = parser.parse(words)
    conditions = [condition for condition in CONDITIONS if getattr(arguments, condition.replace(" ", "_"))]
    if arguments.name:
        if arguments.markdown or arguments.task or conditions:
            fail("a NAME shows one loss: leave out the options")
        if arguments.name in KINDS:
            fail(f"{arguments.name!r} is a kind of task: equipoise losses --task {arguments.name}")
        if arguments.name not in {row.name for row in ROWS}:
            fail(f"no loss {arguments.name!r}; the nearest is {nearest(arguments.name, [row.name for row in ROWS])!r}")
        text = shelf.loss(arguments.name, _width())
    elif arguments.markdown:
        if arguments.task or conditions:
            fail("--markdown writes the whole list: leave out the other options")
        text = markdown()
    elif arguments.task or conditions:
        text = shelf.narrowed_losses(arguments.task, conditions, _width())
    else:
        text = shelf.losses(_width())
    return _show_text(text)


COMMANDS: Mapping[str, Callable[[Sequence[str]], int]] = {
    "demo": demo,
    "compare": compare,
    "report": report,
    "methods": methods,
    "losses": losses,
}


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=_Help, **arguments)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and leave."""
        fail(f"{message} (see {self.prog} --help)")

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """The arguments; an unknown option names the nearest one."""
        known = [option for action in self._actions for option in action.option_strings]
        for option in (word.split("=")[0] for word in words if word.startswith("-")):
            if option not in known and not option[1:2].isdigit():
                fail(f"unknown option {option!r}; the nearest is {nearest(option, known)!r}")
        return self.parse_args(words)


class _Help(argparse.HelpFormatter):
    """Help that fits 80 columns, whatever the terminal."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=26, width=min(shutil.get_terminal_size().columns, 80) - 2)


def fail(message: str) -> NoReturn:
    """Write one line to stderr and leave with status 2."""
    print(f"equipoise: {' '.join(message.split())}", file=sys.stderr)
    raise SystemExit(WRONG_USE)


def nearest(word: str, valid: Iterable[str]) -> str:
    """The valid word that is most like the given one.

    >>> nearest("comapre", ["demo", "compare"])
    'compare'
    """
    return difflib.get_close_matches(word, list(valid), n=1, cutoff=0.0)[0]


def _add_study_options(parser: Parser, *, seeds: int, epochs: int | None, out: Path) -> None:
    parser.add_argument(
        "--methods",
        type=_names,
        default=METHODS,
        metavar="A,B,…",
        help=f"balancings by name or as path/to/file.py:Name; default {','.join(METHODS)}",
    )
    parser.add_argument(
        "--seeds",
        type=_seeds,
        default=tuple(range(seeds)),
        metavar="N|A,B,…",
        help=f"how many seeds, or which; default {seeds}",
    )
    parser.add_argument(
        "--epochs",
        type=_positive,
        default=epochs,
        metavar="N",
        help=f"most epochs of a run; default {'that of the case' if epochs is None else epochs}",
    )
    parser.add_argument(
        "--jobs", type=_positive, default=JOBS, metavar="N", help=f"runs at the same time; default {JOBS}"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help=f"the study's folder; default {out}")
    parser.set_defaults(default_out=out)


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise argparse.ArgumentTypeError(f"names with commas between them, like sum,uw; got {text!r}")
    return names


def _kind(text: str) -> str:
    if text not in KINDS:
        raise argparse.ArgumentTypeError(f"no kind of task {text!r}; the nearest is {nearest(text, KINDS)!r}")
    return text


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a whole number of at least 1, got {text!r}")
    return int(text)


def _seeds(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.removesuffix(",").split(",")]
    if not all(part.isdecimal() for part in parts) or text == "0":
        raise argparse.ArgumentTypeError(f"a number of at least 1, or a list like 0,3,7; got {text!r}")
    return tuple(map(int, parts)) if "," in text else tuple(range(int(text)))


def _width() -> int:
    """The terminal's width, as far as lines of prose are read well."""
    return min(shutil.get_terminal_size().columns, 100)


def _show_text(text: str) -> int:
    """Print a list, also where the terminal has no Greek letters, or is a pager that is closed early."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter flushes once more
    return 0


def _need_the_lab() -> None:
    try:
        import equipoise.lab.reports
        import equipoise.lab.studies  # noqa: F401
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("equipoise"):
            raise
        fail(f'{error.name} is missing; this command needs the workbench: pip install "equipoise[lab]"')


def _study(case: str, arguments: argparse.Namespace) -> int:
    """Run what is missing of a study and show it all."""
    _need_the_lab()
    from rich.console import Console

    from equipoise.lab.studies import Study, Watch, make_plan

    try:
        plan = make_plan(case, arguments.methods, arguments.seeds, epochs=arguments.epochs)
        folder = arguments.out or arguments.default_out.with_name(arguments.default_out.name.replace("CASE", case))
        study = Study(plan, folder)
        running = study.run(arguments.jobs)
    except ValueError as error:
        fail(str(error))
    console = Console(highlight=False)
    try:
        console.print(f"{_state(study)} in {folder}", markup=False, soft_wrap=True)
        if study.left_out:
            console.print(
                f"This table leaves out what the folder also holds: {', '.join(study.left_out)}. To leave out methods "
                "or seeds after looking at them changes what the verdicts mean.",
                markup=False,
                soft_wrap=True,
            )
        with closing(running) as events, Watch(console, study) as watch:
            for event in events:
                watch.show(event)
        status = _show(console, folder, renew=False) if study.results else 0
    except KeyboardInterrupt:
        console.print(
            f"Stopped: {len(study.results)} of {len(study.plan.runs)} runs are finished and kept in {folder}; "
            "the same command goes on.",
            markup=False,
            soft_wrap=True,
        )
        return STOPPED
    for run, reason in study.failures.items():
        print(f"equipoise: {run} failed: {reason}", file=sys.stderr)
    return FAILED if study.failures else status


def _state(study: Any) -> str:
    done, total = len(study.results), len(study.plan.runs)
    if done == total:
        return f"Complete: all {total} runs are finished"
    return f"Going on: {done} of {total} runs are finished" if done else f"Starting: {total} runs"


def _show(console: Any, folder: Path, *, renew: bool) -> int:
    """Print a study's table and write its report, or only name a report that is newer than the study."""
    from equipoise.lab.evaluation import Summary
    from equipoise.lab.reports import write_report
    from equipoise.lab.studies import print_summary, write_scores

    page = folder / "report.html"
    summary = Summary.from_folder(folder)
    print_summary(console, summary)
    write_scores(folder, summary)
    sources = [path for path in folder.iterdir() if path.suffix in (".csv", ".json")]
    if renew or not page.is_file() or page.stat().st_mtime_ns < max(path.stat().st_mtime_ns for path in sources):
        page = write_report(folder)
    console.print(f"\nReport: {page}", markup=False, soft_wrap=True)
    return 0
