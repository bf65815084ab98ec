"""A small study of every case that is not tested elsewhere: one epoch of sum, uw and a network for each task."""

import csv
import sys
from pathlib import Path

import pytest

from equipoise.lab.cases import TableCase, Target
from equipoise.lab.studies import Event, Study, make_plan

CELLS = {
    "what was said": lambda i: f"words {i} and {'good' if i % 2 else 'bad'} ones",
    "age": lambda i: str(i),
    "colour": lambda i: "rgb"[i % 3],
    "price": lambda i: str(1000 + 3 * i),
    "size": lambda i: ("low", "mid", "high")[i % 3],
    "tags": lambda i: ("x;y", "y", ";")[i % 3],
}
INPUTS = 3  # the other columns are targets


def in_this_process(work, items, jobs):
    """``run_jobs`` without processes."""
    for item in items:
        yield Event("finished", item, (work(item, lambda *details: None),))


def run_study(name, folder, seeds):
    """The folder of a finished study of one of ``STUDIES``."""
    try:
        plan = make_plan(STUDIES[name](folder), ["sum", "uw"], seeds, epochs=1)
    except ValueError as error:
        if "no data for" not in str(error):
            raise
        pytest.skip(str(error))
    list(Study(plan, folder / "study").run(jobs=1, execute=in_this_process))
    return folder / "study"


EXAMPLES = Path(__file__).parents[3] / "examples" / "cases"
sys.path.append(str(EXAMPLES))


def made(module, call):
    """A case of a file, by a call of one of the examples' functions in it."""

    def case(folder):
        lines = ("import sys", f"sys.path.append({str(EXAMPLES)!r})", f"import {module}", f"def make(): return {call}")
        (folder / "case.py").write_text("\n".join(lines))
        return f"{folder / 'case.py'}:make"

    return case


def photographs(folder):
    from captioning.flickr8k import write_scenes
    from rendered import render_scenes

    write_scenes(render_scenes(120, seed=1), folder / "photographs")
    call = f"captions.flickr8k(captions.Path({str(folder / 'photographs')!r}), size=32, least=2)"
    return made("captions", call)(folder)


def table(folder):
    """Inputs of every kind, targets of three; every fifth row lacks its labels."""
    with (folder / "shop.csv").open("w", newline="") as file:
        rows = ([cell(i) if i % 5 or c < INPUTS else "" for c, cell in enumerate(CELLS.values())] for i in range(300))
        csv.writer(file).writerows([list(CELLS), *rows])
    targets = "price:regression", "size:ordinal:low,mid,high", "tags:multilabel"
    return TableCase(
        str(folder / "shop.csv"),
        tuple(map(Target.parse, targets)),
        text=("what was said",),
        number=("age",),
        category=("colour",),
    )


STUDIES = {
    "census": lambda folder: "census",
    "tox21": lambda folder: pytest.importorskip("rdkit") and "tox21",
    "goemotions": lambda folder: "goemotions",
    "goemotions-groups": lambda folder: "goemotions-groups",
    "captions": made("captions", "captions.make_case(240)"),
    "scenes": made("scenes", "scenes.make_case({'train': 64, 'validation': 24, 'test': 24})"),
    "flickr8k": photographs,
    "table": table,
}
