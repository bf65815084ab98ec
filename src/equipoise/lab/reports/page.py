"""The pages of a study, of values alone and of one training: what their templates show."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from math import isnan
from typing import Any

from equipoise.lab.evaluation import (
    FIT_RULE,
    FORMULA,
    RATIO_FORMULA,
    RUN_RULE,
    TUNED,
    Fit,
    Row,
    StudyResults,
    Summary,
    all_of,
    counted,
    fit_of,
    run_fits,
)
from equipoise.lab.evaluation.costs import MethodCost, method_costs
from equipoise.lab.reports.chart import Chart
from equipoise.lab.reports.diagnostics import StudyDiagnostics
from equipoise.lab.reports.html import render_with_figures
from equipoise.lab.reports.palette import Look
from equipoise.lab.reports.terminal_tables import OF_TASKS
from equipoise.lab.settings import a_few

FITS: Mapping[Fit, str] = {"over-fitting": "▲ over-fitting", "under-fitting": "▼ under-fitting", "neither": "neither"}


def render_study(
    study: StudyResults,
    summary: Summary,
    charts: Sequence[Chart],
    look: Mapping[str, Look],
    diagnostics: StudyDiagnostics | None,
    root: str | None = "",
) -> str:
    """The whole page as text; ``root`` leads from it to the study's folder, None: no link leads there."""
    links = [*_links(charts), ("diagnostics", "Predictions")]
    return render_with_figures(
        "study.html",
        charts,
        look,
        links=[*links, ("settings", "Settings and versions"), ("reading", "How to read this")],
        small=[*_small(summary), *(f"{run} failed: {line}" for run, line in study.settings["failed"].items())],
        diagnostics=diagnostics,
        root=root,
        formula=FORMULA,
        asked=_asked(study.settings),
        facts=_facts(study.settings),
        **_of_training(study),
        **_of_summary(summary),
    )


def render_values(summary: Summary, charts: Sequence[Chart], look: Mapping[str, Look]) -> str:
    """The page of results without a study's folder."""
    return render_with_figures(
        "study.html",
        charts,
        look,
        study=None,
        version=version("equipoise"),
        links=_links(charts),
        small=_small(summary),
        root=None,
        **_of_summary(summary),
    )


def render_training(
    study: StudyResults,
    title: str,
    headline: str,
    charts: Sequence[Chart],
    look: Mapping[str, Look],
    diagnostics: StudyDiagnostics | None,
) -> str:
    """The page of one training without a study's folder."""
    links = [(chart.name, chart.title) for chart in charts]
    return render_with_figures(
        "training.html",
        charts,
        look,
        title=title,
        headline=headline,
        about=[counted(len(study.tasks), "task"), counted(study.settings["settings"]["epochs"], "epoch")],
        links=[*links, *([("diagnostics", "Predictions")] if diagnostics else [])],
        diagnostics=diagnostics,
        root=None,
        **_of_training(study),
    )


def _of_training(study: StudyResults) -> dict[str, Any]:
    runs = run_fits(study).runs
    return {
        "study": study,
        "version": study.settings["equipoise"],
        "costs": _costs(study),
        "fitted": a_few(study.tasks),
        "fits": {
            method: [
                *(_fits(study, method, task) for task in a_few(study.tasks)),
                *([_counts(Counter(run.fit for run in runs if run.method == method))] if runs else []),
            ]
            for method in study.methods
        },
        "fit_rule": FIT_RULE,
        "run_rule": RUN_RULE if runs else "",
    }


def _small(summary: Summary) -> list[str]:
    """What stands below the table."""
    return [*summary.details, *summary.notes]


def _links(charts: Sequence[Chart]) -> list[tuple[str, str]]:
    return [("results", "Results"), ("tables", "Tables"), *((chart.name, chart.title) for chart in charts)]


def _of_summary(summary: Summary) -> dict[str, Any]:
    has_sum = any(score.to_sum for row in summary.rows for score in row.primary.values())
    has_single = any(row.delta_m for row in summary.rows)
    others: Mapping[str, Callable[[Row], str]] = {
        "to_single_task": lambda row: summary.baselines.single_task,
        "to_tuned": lambda row: TUNED,
        "to_source": lambda row: str(row.arm.source),
    }
    return {
        "title": f"{summary.title}: Equipoise report",
        "summary": summary,
        "about": _about(summary),
        "has_sum": has_sum,
        "has_single": has_single,
        "reference": summary.baselines.reference,
        "with_alone": sum(map(summary.baselines.has, summary.tasks)),
        "of_tasks": OF_TASKS,
        "reading": _reading(summary, has_sum=has_sum, has_single=has_single),
        "ratio_formula": RATIO_FORMULA,
        **{
            name: {
                row.method: other(row)
                for row in summary.rows
                if any(other(row) in score.to for score in row.primary.values())
            }
            for name, other in others.items()
        },
    }


def _about(summary: Summary) -> list[str]:
    losses = sum(bool(row.arm.losses) for row in summary.rows)
    return [
        *([f"Case {summary.case}"] if summary.case else []),
        counted(len(summary.tasks), "task"),
        counted(len(summary.methods) - losses, "method"),
        *([f"{losses} other loss{'es' * (losses != 1)}"] if losses else []),
        counted(len(summary.seeds), "seed"),
        *([] if summary.row(summary.baselines.single_task) is None else ["single-task baseline"]),
    ]


def _reading(summary: Summary, *, has_sum: bool, has_single: bool) -> list[str]:
    """How to read the table."""
    reference, tested = summary.baselines.reference, summary.tested
    if summary.question:
        where = f"are the differences to {reference}" if has_sum else "stand below"
        asked = f"The study asks one question: its {counted(tested, 'comparison')}"
        differences = f"{asked}, paired by seed and Holm-corrected together, {where}."
    elif has_sum:
        verdicts = f"verdicts are Holm-corrected for {all_of(tested, 'comparison')} of the study together"
        verdicts = verdicts if tested else "none could be tested"
        differences = f"Differences are method minus {reference}, paired by seed, with their 95 % interval; {verdicts}."
    else:
        differences = f"No differences to {reference}: no other method shares a finished seed with a run of it."
    changes = "No Δm: it needs a finished seed of a method with all single-task networks, none of them at zero."
    if has_single:
        changes = f"Δm compares with single-task networks, below zero is better: {FORMULA}."
    return ["Means over the seeds.", differences, changes]


def _costs(study: StudyResults) -> dict[str, MethodCost]:
    found = method_costs(study.costs, len(study.alone))
    return {name: found[name] for name in study.methods if name in found and not isnan(found[name].seconds)}


def _fits(study: StudyResults, method: str, task: str) -> list[str]:
    """In how many runs the loss curves show over- and under-fitting."""
    seeds = study.curves.get((method, task, "validation loss"), {})
    return _counts(Counter(fit_of(study, method, task, seed) for seed in seeds))


def _counts(found: Mapping[Fit, int]) -> list[str]:
    judged = sum(found[fit] for fit in FITS)
    return [f"{words} in {found[fit]} of {judged}" for fit, words in FITS.items() if found[fit]] or ["not judged"]


def _asked(given: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """Each task with its loss, the user's weight and its metrics."""
    return [
        (task, str(asked["loss"]), str(asked["weight"]), ", ".join(m["name"] for m in given["metrics"][task]))
        for task, asked in given["tasks"].items()
    ]


def _facts(given: Mapping[str, Any]) -> dict[str, str]:
    """What it takes to run the study again."""
    facts = {
        "Case": given["case"],
        "Data (sha256)": given["data_hash"],
        "Methods": ", ".join(given["methods"]),
        **{f"Losses of {method}": "; ".join(losses.values()) for method, losses in given.get("losses", {}).items()},
        "Seeds": ", ".join(map(str, given["seeds"])),
        **{key.replace("_", " ").capitalize(): value for key, value in given["settings"].items()},
        **({"Model": given["options"]["model"]} if "model" in given.get("options", {}) else {}),
        **{f"Samples, {split}": size for split, size in given["split_sizes"].items()},
        "Reads of the test split": given["test_reads"],
        "Equipoise": given["equipoise"],
        **given["versions"],
    }
    return {fact: "none" if value is None else str(value) for fact, value in facts.items()}
