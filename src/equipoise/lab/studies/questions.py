"""The questions that a study can be about, and the methods that each needs."""

import difflib
from typing import get_args

from equipoise.lab.evaluation import FROZEN, REFERENCE, TUNED, Question, losses_of, source_of

QUESTIONS = {
    "sharing": "does one network for all tasks help, against one for each?",
    "tuned": "does any balancing beat tuned fixed weights?",
    "freeze": "does the schedule of a method's weights matter, or only where it ends?",
    "losses": "does another loss do better than the case's own?",
}


def find_question(name: str) -> Question:
    """The question of a name; "" for none.

    Raises:
        ValueError: If there is no such question; the message names the nearest.
    """
    for question in get_args(Question):
        if name == question:
            found: Question = question
            return found
    near = difflib.get_close_matches(name, QUESTIONS, n=1, cutoff=0.0)[0]
    raise ValueError(f"unknown question {name!r}; the nearest is {near!r}")


def methods_for(question: Question, methods: tuple[str, ...], tuned_trials: int) -> tuple[str, ...]:
    """The methods of a study: those asked for, with what the question and the search for fixed weights add.

    >>> methods_for("freeze", ("uw",), 0)
    ('sum', 'uw', 'frozen-uw')

    Raises:
        ValueError: If the question cannot be answered by these methods.
    """
    if tuned_trials < 0:
        raise ValueError(f"tuned_trials must be at least 0, got {tuned_trials}")
    if TUNED in methods:
        raise ValueError(f"{TUNED} is made by a search: leave it out of the methods, and give --tuned-trials")
    if question == "sharing" and set(methods) - {REFERENCE}:
        raise ValueError(f"question sharing trains {REFERENCE} only: leave out the other methods")
    if question == "tuned" and not tuned_trials:
        raise ValueError("question tuned needs --tuned-trials of at least 1")
    if question == "losses":
        if tuned_trials:
            raise ValueError("question losses compares losses with the plain sum only: leave out --tuned-trials")
        if others := [name for name in methods if name != REFERENCE and not losses_of(name)]:
            raise ValueError(
                f"question losses compares losses, such as mask=dice, and {others[0]} is none: leave it out"
            )
    if question and REFERENCE not in methods:
        methods = (REFERENCE, *methods)
    if question == "freeze":
        sources = [name for name in methods if name != REFERENCE and source_of(name) is None]
        if not sources:
            raise ValueError("question freeze needs a balancing, such as --methods uw")
        if plain := [name for name in sources if losses_of(name)]:
            raise ValueError(
                f"{plain[0]} is the plain sum with another loss: its weights are 1, so there is nothing to freeze"
            )
        methods = (REFERENCE, *(name for source in sources for name in (source, FROZEN + source)))
    return (*methods, *((TUNED,) if tuned_trials else ()))
