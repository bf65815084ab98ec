"""``equipoise doctor``."""

import argparse
import contextlib
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from equipoise.cli.lists import show_text
from equipoise.cli.parser import Parser, fail
from equipoise.cli.workbench import need_the_lab

_NO_PYTHON = (
    "Nothing was watched: the command started no Python, or one that does not read PYTHONPATH (python -I, -E or -S)."
)


def doctor(words: Sequence[str]) -> int:
    """Run a command and say what its losses do; the exit status is the command's."""
    words = list(words)
    place = words.index("--") if "--" in words else len(words)
    parser = Parser(
        prog="equipoise doctor",
        description="Look at the losses of a training script without changing a line of it: which does the work, do "
        "they conflict, is one dead. The script runs as it would, with the same results.",
        usage="equipoise doctor [options] -- python train.py --its --arguments",
    )
    parser.add_argument(
        "--at",
        type=_steps,
        default=[1, 10, 100, 1000],
        metavar="STEPS",
        help="which calls of backward are looked at, such as 1,10,100; default 1,10,100,1000",
    )
    parser.add_argument(
        "--name",
        type=_renaming,
        action="append",
        default=[],
        metavar="OLD=NEW",
        help="another name for a loss, such as losses[0]=pde; may be given several times",
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="write what was seen as a page, with figures, too")
    if (start := _start_of_command(words)) is not None:
        python = ["python"] * words[start].endswith(".py")
        fail(f"write {shlex.join(['equipoise', 'doctor', *words[:start], '--', *python, *words[start:]])}")
    arguments = parser.parse(words[:place])
    command = words[place + 1 :]
    if not command:
        fail("give the command that trains after --, such as equipoise doctor -- python train.py")
    html: Path | None = arguments.html
    if html is not None:
        need_the_lab()
        if html.is_dir() or not html.parent.is_dir():
            fail(f"{html} cannot be written: choose a file in a folder that is there by --html")
    from equipoise.watching.page import page_of
    from equipoise.watching.process import environment, has_started, read

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        status = _run(command, environment(Path(folder), arguments.at, os.environ))
        try:
            seen = [one.renamed(dict(arguments.name)) for one in read(Path(folder))]
            page = page_of(seen) if has_started(Path(folder)) else _NO_PYTHON
            if html is not None:
                from equipoise.lab.reports.script import write_script_page

                page += f"\n\nPage: {write_script_page(seen, html)}"
        except Exception as error:  # the command's work is done, and its status stands
            page = f"The page of what was seen failed: {type(error).__name__}: {error}"
    with contextlib.suppress(OSError):  # who reads it may be gone
        print(file=sys.stderr)
    show_text(page)
    return status


def _start_of_command(words: Sequence[str]) -> int | None:
    """Where a command begins that stands there without ``--``: at what is neither an option nor an option's value."""
    if "--" in words:
        return None
    is_value = [False, *(word.startswith("-") and "=" not in word for word in words)]
    return next((i for i, word in enumerate(words) if not word.startswith("-") and not is_value[i]), None)


def _run(command: Sequence[str], variables: dict[str, str]) -> int:
    """Its exit status; Ctrl-C is the command's, which gets it from the terminal, too, and an end is passed on."""
    try:
        process = subprocess.Popen(command, env=variables)
    except OSError as error:
        fail(f"{command[0]}: {error.strerror}")
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    before_end = signal.signal(signal.SIGTERM, lambda number, _: process.send_signal(number))
    try:
        status = process.wait()
    finally:
        signal.signal(signal.SIGINT, before)
        signal.signal(signal.SIGTERM, before_end)
    return status if status >= 0 else 128 - status


def _steps(text: str) -> list[int]:
    steps = [int(one) for one in text.split(",") if one.strip().isdigit()]
    if len(steps) != len(text.split(",")) or min(steps) < 1:
        raise argparse.ArgumentTypeError(f"steps from 1 on, such as 1,10,100; got {text!r}")
    return steps


def _renaming(text: str) -> tuple[str, str]:
    old, sign, new = text.partition("=")
    if not (old and sign and new):
        raise argparse.ArgumentTypeError(f"a name as shown, an equals sign and the new name; got {text!r}")
    return old, new
