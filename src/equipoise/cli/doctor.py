"""``equipoise doctor``."""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from equipoise.cli.lists import show_text
from equipoise.cli.parser import Parser, fail

NOT_FOUND = 127  # what a shell answers to a command that is not there


def doctor(words: Sequence[str]) -> int:
    """Run a command and say what its losses do; the exit status is the command's."""
    words = list(words)
    place = words.index("--") if "--" in words else len(words)
    parser = Parser(
        prog="equipoise doctor",
        description="Look at the losses of a training script without changing a line of it: which does the work, do "
        "they conflict, is one dead. The script runs as it would, with the same results.",
        usage="equipoise doctor [--at STEPS] -- python train.py --its --arguments",
    )
    parser.add_argument(
        "--at",
        type=_steps,
        default=[1, 10, 100, 1000],
        metavar="STEPS",
        help="which calls of backward are looked at, such as 1,10,100; default 1,10,100,1000",
    )
    arguments = parser.parse(words[:place])
    command = words[place + 1 :]
    if not command:
        fail("give the command that trains after --, such as equipoise doctor -- python train.py")
    from equipoise.watching.page import page_of
    from equipoise.watching.process import environment, read

    with tempfile.TemporaryDirectory() as folder:
        status = _run(command, environment(Path(folder), arguments.at, os.environ))
        seen = read(Path(folder))
    print(file=sys.stderr)
    show_text(page_of(seen))
    return status


def _run(command: Sequence[str], variables: dict[str, str]) -> int:
    """Its exit status; Ctrl-C is the command's, which gets it from the terminal, too."""
    try:
        process = subprocess.Popen(command, env=variables)
    except OSError as error:
        fail(f"{command[0]}: {error.strerror}")
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        status = process.wait()
    finally:
        signal.signal(signal.SIGINT, before)
    return status if status >= 0 else 128 - status


def _steps(text: str) -> list[int]:
    steps = [int(one) for one in text.split(",") if one.strip().isdigit()]
    if len(steps) != len(text.split(",")) or min(steps) < 1:
        raise argparse.ArgumentTypeError(f"steps from 1 on, such as 1,10,100; got {text!r}")
    return steps
