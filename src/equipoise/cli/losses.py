"""``equipoise losses``."""

import argparse
from collections.abc import Sequence

from equipoise.cli.lists import show_text, width
from equipoise.cli.parser import Parser, fail


def losses(words: Sequence[str]) -> int:
    """List the losses, all or those that fit."""
    from equipoise import loss_listings
    from equipoise.losses.catalog import CONDITIONS, TASK_KINDS
    from equipoise.losses.catalog.losses_page import markdown

    parser = Parser(
        prog="equipoise losses",
        description="List all losses of a task, torch's own included: formula, for what, pitfalls, paper. With a kind "
        "of task or what holds of it: those that fit, the likeliest first, why, and the code to paste.",
    )
    parser.add_argument(
        "name", nargs="?", metavar="NAME", help="one loss in full, by any of its names: mse, f1, nn.L1Loss"
    )
    parser.add_argument(
        "--task",
        type=_kind,
        metavar="KIND",
        help=f"kind of task: {', '.join(TASK_KINDS)}; other names of these too",
    )
    for condition, words_for_it in CONDITIONS.items():
        parser.add_argument(f"--{condition.replace(' ', '-')}", action="store_true", help=words_for_it)
    parser.add_argument("--markdown", action="store_true", help="the whole list as the page docs/losses.md")
    arguments = parser.parse(words)
    conditions = [condition for condition in CONDITIONS if getattr(arguments, condition.replace(" ", "_"))]
    if arguments.name:
        if arguments.markdown or arguments.task or conditions:
            fail("a NAME shows one loss: leave out the options")
        text = _named(arguments.name)
    elif arguments.markdown:
        if arguments.task or conditions:
            fail("--markdown writes the whole list: leave out the other options")
        text = markdown()
    elif arguments.task or conditions:
        text = loss_listings.narrowed_losses(arguments.task, conditions, width())
    else:
        text = loss_listings.losses(width())
    return show_text(text)


def _named(name: str) -> str:
    from equipoise import loss_listings
    from equipoise.losses.catalog import find_kind

    try:
        return loss_listings.loss(name, width())
    except ValueError as error:
        try:
            kind = find_kind(name)
        except ValueError:
            fail(str(error))
        fail(f"{name!r} is a kind of task: equipoise losses --task {kind}")


def _kind(text: str) -> str:
    from equipoise.losses.catalog import find_kind

    try:
        return find_kind(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
