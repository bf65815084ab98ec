"""The page's table of over- and under-fitting, by the stated rule."""

from collections import Counter
from collections.abc import Mapping
from html import escape

from equipoise.lab.evaluation import FIT_RULE, Fit, judge_fit
from equipoise.lab.evaluation.study import StudyResults
from equipoise.lab.reports.cells import name, row, table
from equipoise.lab.reports.palette import Look

MARKS: Mapping[Fit, str] = {"over-fitting": "▲ over-fitting", "under-fitting": "▼ under-fitting", "neither": "neither"}
CAPTION = "Over- and under-fitting"


def fit_table(study: StudyResults, look: Mapping[str, Look]) -> str:
    """In how many runs of each method the loss curves of each task show which."""
    head = ['<th class="left">Method</th>', *(f"<th>{escape(task)}</th>" for task in study.tasks)]
    body = [
        row(name(method, look[method]), *(f"<td>{_counts(study, method, task)}</td>" for task in study.tasks))
        for method in study.methods
    ]
    note = f"{FIT_RULE} The epoch that is kept is the best on validation, so over-fitting after it costs no accuracy."
    return f'<h3>{CAPTION}</h3><p class="note">{escape(note)}</p>{table(CAPTION, (row(*head),), body)}'


def _counts(study: StudyResults, method: str, task: str) -> str:
    train, validation = (study.curves.get((method, task, f"{split} loss"), {}) for split in ("train", "validation"))
    epochs = study.settings["settings"]["epochs"]
    found = Counter(judge_fit(train.get(seed, {}), curve, epochs) for seed, curve in validation.items())
    judged = sum(found[fit] for fit in MARKS)
    lines = [f"{words} in {found[fit]} of {judged}" for fit, words in MARKS.items() if found[fit]]
    return "<br>".join(lines) if lines else "not judged"
