"""What to do next, as a value, and the sentence of at most 25 words that says it to a reader."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isnan
from typing import Literal

from equipoise.lab.evaluation.fit import RunFits
from equipoise.lab.evaluation.headline import tally
from equipoise.lab.evaluation.metric import REFERENCE, TUNED, Baselines, TaskMetric
from equipoise.lab.evaluation.numbers import counted, fitting, listing, of_seeds
from equipoise.lab.evaluation.precision import nearest, seeds_needed
from equipoise.lab.evaluation.statistics import FEWEST, LEVEL
from equipoise.lab.evaluation.table import ComparisonTable

ENOUGH = 5  # seeds to begin with

Action = Literal[
    "use",
    "choose",
    "inspect",
    "train longer",
    "train seeds",
    "train the same seeds",
    "train methods",
    "train losses",
    "keep to planned looks",
    "take as equal",
    "stop",
]
Reason = Literal[
    "",
    "single-task is better",
    "tune learning rate first",
    "tune weights first",
    "equal weights were best",
    "beats tuned weights",
    "tuned weights do as well",
    "runs are missing",
    "runs are odd",
    "seeds do not vary",
]
Voice = Literal["python", "command line", "page"]
Runs = Literal["case", "loop", "given"]  # where results come from: a study of a case, a user's loop, elsewhere

_SPELLED: dict[Voice, dict[str, str]] = {
    "python": {
        "epochs": "epochs={}, another folder",  # a study has one number of epochs
        "seeds": "seeds={}",
        "methods": "methods=['sum', 'uw']",
        "question": "question='losses'",
    },
    "command line": {
        **{"epochs": "--epochs {}, another --out", "seeds": "--seeds {}", "methods": "--methods sum,uw"},
        "question": "--question losses",
    },
    "page": {},  # whose readers may have neither at hand
}


@dataclass(frozen=True)
class Advice:
    """What to do next. ``str`` says it in Python's words, ``text`` in those of another reader.

    Args:
        action: What to do.
        method: What to use, for good or until it is done; empty where that is not the point.
        reason: What is to be known beside the action.
        candidate: The method that the action is about, where it is not ``method``.
        tasks: Where the candidate is better (``choose``), or single-task networks are, or what a difference is on.
        worse_on: Where the candidate is worse.
        seeds: To train in all; None where it is about none.
        present: Seeds that there are.
        inspect: Seeds whose runs to look at.
        epochs: To allow; None where it is about none.
        cost: Seconds per step of the method, in units of the reference; None where not known.
        question: Whether the study asks one question, whose two sides need the seeds.
        reference: What the others are compared with.
        runs: Where the results come from: to those that were given further ones are added, and a loop is Python.
    """

    action: Action
    method: str = ""
    reason: Reason = ""
    candidate: str = ""
    tasks: tuple[str, ...] = ()
    worse_on: tuple[str, ...] = ()
    seeds: int | None = None
    present: int = 0
    inspect: tuple[int, ...] = ()
    epochs: int | None = None
    cost: float | None = None
    question: bool = False
    reference: str = REFERENCE
    runs: Runs = "case"

    def __str__(self) -> str:
        return self.text("python")

    def text(self, voice: Voice) -> str:
        """One sentence of at most 25 words, with the arguments as the reader would write them."""
        spelled: Voice = "python" if self.runs == "loop" and voice == "command line" else voice
        return fitting(*_sentences(self, spelled))


def advise(
    table: ComparisonTable, metrics: Sequence[TaskMetric], *, runs: Runs = "case", fits: RunFits | None = None
) -> Advice:
    """What to do after a table.

    Fewer than 3 pairs of runs are too few to choose by, whatever they show: the spread of two is hardly known.

    Args:
        table: Of the study.
        metrics: The primary one of each task.
        runs: Where the results come from.
        fits: Whether the runs were trained long enough; where most of a method's were not, that comes first.
    """
    if fits and fits.mostly("under-fitting"):
        return Advice(
            "train longer", table.baselines.reference, epochs=2 * fits.epochs, reference=table.baselines.reference
        )
    advice = _on_question(table) if table.question else _on_methods(table, len(metrics), runs)
    return replace(advice, reference=table.baselines.reference, question=bool(table.question), runs=runs)


def _on_methods(table: ComparisonTable, tasks: int, runs: Runs) -> Advice:
    compared, reference = table.compared, table.baselines.reference
    if not compared:
        return _to_compare(table, tasks, runs)
    wins, losses = tally(compared, "better"), tally(compared, "worse")
    clean = sorted((m for m in wins if m not in losses), key=lambda m: (-len(wins[m]), table.cost_ratio(m)))
    whole = [method for method in clean if table.is_whole(method)]
    present = max(one.interval.n for _, _, one in compared)
    if present < FEWEST:
        return Advice("train seeds", reference, candidate=clean[0] if clean else "", seeds=ENOUGH, present=present)
    if all(isnan(one.interval.low) for _, _, one in compared):
        return Advice("inspect", reason="seeds do not vary")
    if whole:
        return _on_best(table, whole[0], tasks)
    if clean:
        return Advice("inspect", reference, "runs are missing", next(method for method in wins if method in clean))
    if wins:
        method = next(iter(wins))
        return Advice("choose", reference, "", method, tuple(wins[method]), tuple(losses[method]))
    row = table.row(reference)
    scores = {} if row is None or tasks == 1 else row.scores
    alone = [task for task, score in scores.items() if score.to_single_task and score.to_single_task.verdict == "worse"]
    return Advice("use", reference, "single-task is better" if alone else "", tasks=tuple(alone))


def _to_compare(table: ComparisonTable, tasks: int, runs: Runs) -> Advice:
    """Nothing is compared with the reference yet."""
    reference = table.baselines.reference
    if tasks == 1 and runs == "case":
        return Advice("train losses")
    finished = {row.method for row in table.rows if any(score.seeds for score in row.scores.values())}
    if reference in finished and finished - {reference, table.baselines.single_task}:
        return Advice("train the same seeds")
    return Advice("train methods")


def _on_best(table: ComparisonTable, best: str, tasks: int) -> Advice:
    """To use a method that is better than the reference and nowhere worse, and what to do before."""
    reference = table.baselines.reference
    found = [one for method, _, one in table.compared if method == best and one.verdict == "better"]
    fewest = min(one.interval.n for one in found)
    if fewest < FEWEST:
        return Advice("train seeds", reference, candidate=best, seeds=ENOUGH, present=fewest)
    if odd := sorted({seed for one in found if one.check for seed in one.check.seeds}):
        return Advice("inspect", reference, "runs are odd", best, inspect=tuple(odd))
    use = Advice("use", best, cost=table.cost_ratio(best) if table.cost_ratio(best) < float("inf") else None)
    if best == TUNED:
        return use
    if tasks == 1:
        return replace(use, reason="tune learning rate first")
    if table.tuned_is_sum:
        return replace(use, reason="equal weights were best")
    if table.row(TUNED) is None:
        return replace(use, reason="tune weights first")
    verdicts = {one.verdict for method, _, one in table.compared_with(TUNED) if method == best}
    if {"better", "worse"} <= verdicts:
        return Advice("choose", TUNED, candidate=best)
    if "better" in verdicts:
        return replace(use, reason="beats tuned weights")
    return Advice("use", TUNED, "tuned weights do as well", best)


def _on_question(table: ComparisonTable) -> Advice:
    present = max((one.interval.n for _, _, one in table.compared), default=0)
    if present < 2:
        return Advice("train seeds", seeds=ENOUGH, present=present)
    if table.level != LEVEL:
        return Advice("keep to planned looks")
    near = nearest(table)
    if present < FEWEST or (near and near[2].interval.n < FEWEST):
        return Advice("train seeds", seeds=ENOUGH, present=present)
    if near is None:
        return Advice("stop")
    method, task, comparison = near
    needed = seeds_needed(comparison, table)
    if needed is None:
        return Advice("take as equal", candidate=method, tasks=(task,))
    return Advice("train seeds", candidate=method, tasks=(task,), seeds=needed, present=comparison.interval.n)


def _sentences(advice: Advice, voice: Voice) -> tuple[str, ...]:
    """The sentence, then shorter ones; the last one holds no names."""
    plain, best = Baselines(advice.reference).brief, advice.candidate
    until = f"until then use {plain}."
    match advice.action:
        case "use":
            return _use(advice, plain)
        case "train longer":
            return (f"Train twice as long{_hint(voice, 'epochs', advice.epochs)} before choosing; {until}",)
        case "train seeds":
            return _seeds(advice, voice, until)
        case "choose" if advice.method == TUNED:
            told = "or tuned fixed weights, each better on one task: choose by the task that matters."
            return f"Use {best} {told}", f"Use the best method {told}"
        case "choose":
            trade = f"{best} gains on {listing(advice.tasks)} and loses on {listing(advice.worse_on)}"
            every = "every method that gains on one loses on another"
            return tuple(f"Choose by the task that matters: {told}; otherwise use {plain}." for told in (trade, every))
        case "inspect" if advice.reason == "seeds do not vary":
            return ("No difference varies over the seeds: check that each seed is a run of its own.",)
        case "inspect" if advice.reason == "runs are odd":
            inspect = f"inspect {of_seeds(advice.inspect)}: its verdict rests on an outlier or a collapsed run; {until}"
            return (
                f"Before relying on {best}, {inspect}",
                f"Before relying on the better method, inspect its outliers and collapsed runs; {until}",
            )
        case "inspect":
            wait = f"find out why it lacks a result where {plain} has one; {until}"
            return f"Before relying on {best}, {wait}", f"Before relying on the better method, {wait}"
        case "train losses":
            return (f"Train another loss, too{_hint(voice, 'question')}, to learn which to use.",)
        case "train methods" if advice.runs == "given":
            return ("Add results of at least one other method to learn which to use.",)
        case "train methods":
            return (f"Train {plain} and at least one method{_hint(voice, 'methods')} to learn which to use.",)
        case "train the same seeds" if advice.runs == "given":
            return (f"Add results with the same seeds for {plain} and the methods: differences are paired by seed.",)
        case "train the same seeds":
            return (f"Train {plain} and the methods with the same seeds: differences are paired by seed.",)
        case "keep to planned looks":
            return ("Keep to the planned looks: the number of seeds is decided.",)
        case "take as equal":
            return ("Treat them as equal unless you can train many more seeds.",)
        case "stop":
            return ("Every comparison is decided or without spread: no more seeds are needed.",)


def _use(advice: Advice, plain: str) -> tuple[str, ...]:
    best = advice.method
    if best == advice.reference:
        if not advice.tasks:
            return (f"Use {plain}: nothing here is significantly better.",)
        told = f"Use {plain} where one network must do: single-task networks are significantly better on"
        return f"{told} {listing(advice.tasks)}.", f"{told} {counted(len(advice.tasks), 'task')}."
    if advice.reason == "tuned weights do as well":
        told = "does not beat tuned fixed weights: prefer those, which are simpler, unless it is cheaper to use."
        return f"{advice.candidate} {told}", f"The best method {told}"
    if best == TUNED:
        return (f"Use tuned fixed weights, at {plain}'s cost; others, tuned as much, may do as well.",)
    before = {
        "tune learning rate first": "but first tune the learning rate of both with the same effort.",
        "tune weights first": f"but first tune {plain}'s weights with the same effort.",
        "equal weights were best": "as the search for fixed weights found none better than equal ones.",
        "beats tuned weights": "which beats tuned fixed weights, too.",
    }[advice.reason]
    price = "" if advice.cost is None else f" at {advice.cost:.2f} times {plain}'s time per step,"
    return f"Use {best},{price} {before}", f"Use {best}, {before}", f"Use the best, {before}"


def _seeds(advice: Advice, voice: Voice, until: str) -> tuple[str, ...]:
    needed, more = advice.seeds or 0, (advice.seeds or 0) - advice.present
    hint = _hint(voice, "seeds", needed)
    if advice.present >= FEWEST and advice.question:
        told = f"About {counted(more, 'more seed')}{hint} would show"
        as_large = f"a difference as large as that of {advice.candidate} on {listing(advice.tasks)}"
        return f"{told} {as_large}, if it is real.", f"{told} the largest open difference, if it is real."
    if advice.runs == "given":
        train = f"Add results of at least {counted(FEWEST - advice.present, 'more seed')}, better {more},"
    elif advice.question:
        return (f"Train at least {FEWEST} seeds of both sides, better {needed}{hint}.",)
    else:
        train = f"Train at least {FEWEST} seeds, better {needed}{hint},"
    if not advice.candidate:
        return (f"{train} before choosing; {until}",)
    return tuple(f"{train} before relying on {name}; {until}" for name in (advice.candidate, "the better method"))


def _hint(voice: Voice, argument: str, value: object = "") -> str:
    spelled = _SPELLED[voice].get(argument, "")
    return f" ({spelled.format(value)})" if spelled else ""
