"""The page's tables of costs and settings."""

from collections.abc import Mapping
from html import escape
from statistics import fmean, median

from equipoise.lab.evaluation.study import StudyResults
from equipoise.lab.reports.cells import cell, name, row, table
from equipoise.lab.reports.palette import Look

FILES = ("study.json", "runs.csv", "history.csv", "costs.csv")
COST_WORDS = (
    "Seconds per step",
    "Backward passes per step",
    "Peak memory in MB",
    "Best epoch, mean",
    "Steps skipped (not finite)",
    "Steps the solver left unsolved",
)


def cost_table(study: StudyResults, look: Mapping[str, Look]) -> str:
    """What the methods took, and what went wrong on the way."""
    head = ['<th class="left">Method</th>', *(f"<th>{words}</th>" for words in COST_WORDS)]
    body = []
    for method in study.methods:
        seeds = study.costs_of(method)
        rows = [cost for group in seeds.values() for cost in group]
        if not rows:
            continue
        cells = [
            cell(median(sum(c.seconds_per_step for c in group) for group in seeds.values()), ".3g"),
            cell(median(sum(c.backwards_per_step for c in group) for group in seeds.values()), ".3g"),
            cell(median(max(c.peak_memory_mb for c in group) for group in seeds.values()), ".4g"),
            cell(fmean(c.best_epoch for c in rows), ".3g", f" of {max(c.epochs for c in rows)}"),
            cell(sum(c.skipped_steps for c in rows), "d"),
            cell(sum(c.unsolved_steps for c in rows), "d"),
        ]
        body.append(row(name(method, look[method]), *cells))
    return table("Costs", (row(*head),), body)


def settings_section(study: StudyResults) -> str:
    """What it takes to run the study again."""
    given = study.settings
    tasks = [
        row(
            f'<th scope="row">{escape(task)}</th>',
            f"<td>{escape(str(asked['loss']))}</td>",
            f"<td>{escape(str(asked['weight']))}</td>",
            f"<td>{escape(', '.join(metric['name'] for metric in given['metrics'][task]))}</td>",
        )
        for task, asked in given["tasks"].items()
    ]
    facts = {
        "Case": given["case"],
        "Data (sha256)": given["data_hash"],
        "Methods": ", ".join(given["methods"]),
        **{f"Losses of {method}": "; ".join(losses.values()) for method, losses in given.get("losses", {}).items()},
        "Seeds": ", ".join(map(str, given["seeds"])),
        **{_words(key): value for key, value in given["settings"].items()},
        **({"Model": given["options"]["model"]} if "model" in given.get("options", {}) else {}),
        **{f"Samples, {split}": size for split, size in given["split_sizes"].items()},
        "Reads of the test split": given["test_reads"],
        "Equipoise": given["equipoise"],
        **given["versions"],
    }
    rows = [
        row(
            f'<th scope="row">{escape(fact)}</th>',
            f"<td>{escape('none' if value is None else str(value))}</td>",
        )
        for fact, value in facts.items()
    ]
    heads = [f'<th class="left">{word}</th>' for word in ("Task", "Loss", "User weight", "Metrics")]
    links = ", ".join(f'<a href="{file}">{file}</a>' for file in FILES)
    return (
        '<section id="settings"><h2>Settings and versions</h2>'
        "<p>Every method had the same settings and the same seeds; the epoch was chosen on validation. "
        f"The full record lies beside this page: {links}.</p>"
        f"{table('Tasks', (row(*heads),), tasks, 'plain')}{table('Settings', (), rows, 'plain')}</section>"
    )


def _words(key: str) -> str:
    return key.replace("_", " ").capitalize()
