"""Options that say how networks are trained, the same for every method."""

import argparse
from collections.abc import Callable, Sequence
from typing import Any

from equipoise.cli.parser import Parser, positive

SAMPLING = {"proportional": 1.0, "sqrt": 2.0, "uniform": float("inf")}  # as temperatures


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(","))


def _temperature(text: str) -> float:
    try:
        return SAMPLING[text] if text in SAMPLING else float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{', '.join(SAMPLING)} or a number, got {text!r}") from None


# option, type, placeholder, meaning
OPTIONS: Sequence[tuple[str, Callable[[str], Any], str, str]] = (
    ("batch-size", positive, "N", "samples per step"),
    ("learning-rate", float, "X", "of AdamW"),
    ("schedule", str, "NAME", "of the learning rate: constant, linear, cosine or step; default constant"),
    ("warmup", int, "STEPS", "in which the learning rate rises from 0"),
    ("weight-decay", float, "X", "of AdamW; follows the schedule of the learning rate"),
    ("weight-decay-end", float, "X", "where weight decay ends, along half a cosine"),
    ("l1", float, "X", "weight of sum |w| over the network's weights, without biases and normalisation; default 0"),
    ("l2", float, "X", "weight of sum w² / 2 over the same; in the gradient, unlike weight decay; default 0"),
    ("clip-norm", float, "X", "longest gradient, after balancing"),
    ("clip-value", float, "X", "largest number in the gradient, after balancing"),
    ("average", float, "BETA", "evaluate a moving average of the weights, such as 0.99"),
    ("micro-batches", positive, "N", "parts in which a step goes through the network, balanced as one"),
    ("precision", str, "NAME", "fp32 or bf16; default fp32"),
    ("patience", positive, "EPOCHS", "without a better one, then a run stops"),
    ("task-patience", positive, "EPOCHS", "without a better one of a task, then it contributes no more"),
    ("select", str, "WHAT", "makes an epoch the best: skill, TASK, TASK/METRIC or TASK/loss; default skill"),
    ("keep", _names, "A,B,…", "more of the same, whose best weights stay in the run's folder"),
    ("start", str, "NAME", "labels: begin with outputs that fit the labels' frequencies; default drawn"),
    ("temperature", _temperature, "T", "of sampling from sources: proportional, sqrt, uniform or a number"),
)


def add_training_options(parser: Parser) -> None:
    """One option for each of ``equipoise.lab.training.Settings`` but for the epochs, the architecture and losses."""
    group = parser.add_argument_group("training, the same for every method")
    add_case_options(group)
    for option, kind, metavar, what in OPTIONS:
        group.add_argument(f"--{option}", type=kind, metavar=metavar, help=what)


def add_case_options(parser: Any) -> None:
    """What replaces parts of a case: the architecture and losses."""
    parser.add_argument(
        "--model",
        metavar="NAME",
        help="on the case's encoder: cross-stitch, mmoe, cgc, ple or mtan; default the case's own, hard sharing",
    )
    parser.add_argument(
        "--loss",
        action="append",
        default=[],
        metavar="TASK=LOSS",
        help="in place of the case's own, again for each task; by name, or a class or function in a file, "
        "TASK=path/to/file.py:NAME; what it takes may follow: emotions=soft-f1:proportion=0.3",
    )


def training_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """The settings that the arguments name, by their names in ``Settings``."""
    names = [option.replace("-", "_") for option, *_ in OPTIONS]
    return {name: value for name in names if (value := getattr(arguments, name)) is not None}
