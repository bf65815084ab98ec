"""What a reader has to know before any comparison, each in a sentence of at most 25 words."""

from collections.abc import Mapping, Sequence
from statistics import fmean, stdev

from equipoise.lab.evaluation.fit import Fit, RunFits
from equipoise.lab.evaluation.metric import TaskMetric, Values
from equipoise.lab.evaluation.numbers import counted, fitting, listing, show
from equipoise.lab.evaluation.statistics import reach_of

BaselineScores = Mapping[str, Mapping[str, float]]  # [model of scikit-learn][task], the primary test metric
WORSE = 0.01  # of the way from a constant to a perfect prediction: what networks may lose to a baseline

_WORDS: Mapping[Fit, tuple[str, str]] = {
    "under-fitting": ("still improving at the last epoch", "a comparison then measures speed of training."),
    "over-fitting": (
        "best after the first epoch and over-fitted from there",
        "lower the learning rate or regularise more.",
    ),
}


def fit_cautions(fits: RunFits) -> tuple[str, ...]:
    """That most runs of some methods were trained too short or too long, or none long enough to tell; or nothing."""
    found = tuple(_of(fits, fit, *words) for fit, words in _WORDS.items() if fits.mostly(fit))
    if found or not fits.is_short:
        return found
    return (
        f"With {counted(fits.epochs, 'epoch')} at most, no run shows whether more would help: a comparison then "
        "measures speed of training; train longer.",
    )


def _of(fits: RunFits, fit: Fit, what: str, then: str) -> str:
    found = fits.mostly(fit)
    head = f"{sum(found.values())} of {counted(fits.judged, 'run')} were {what}"
    return fitting(f"{head} ({listing(list(found))}): {then}", f"{head} ({counted(len(found), 'method')}): {then}")


def baseline_cautions(baselines: BaselineScores, values: Values, metrics: Sequence[TaskMetric]) -> tuple[str, ...]:
    """On how many tasks every method is worse than a model of scikit-learn, and by how much on the worst, if so.

    A method is worse if its mean over at least two seeds is by more than half its 95 % interval, and by more than 1 %
    of the way from a constant to a perfect prediction.
    """
    lost = [one for metric in metrics if (one := _loss_to(baselines, values, metric)) is not None]
    if not lost:
        return ()
    _, metric, name, score, best = max(lost, key=lambda one: one[0])
    more = f" (and {counted(len(lost) - 1, 'more task')} like it)" if len(lost) > 1 else ""
    then = "improve the network before comparing methods."
    return (
        fitting(
            f"{name} reaches {metric.name} {show(score)} on {metric.task}, the best network {show(best)}{more}: {then}",
            f"{name} is better than every network on {counted(len(lost), 'task')}: {then}",
        ),
    )


def _loss_to(
    baselines: BaselineScores, values: Values, metric: TaskMetric
) -> tuple[float, TaskMetric, str, float, float] | None:
    """How much worse the best method is, in skill: with metric, baseline, its value and the method's; None if not."""
    sign, way = 1.0 if metric.higher_is_better else -1.0, abs(metric.perfect - metric.trivial)
    scores = {name: sign * of[metric.task] for name, of in baselines.items() if metric.task in of}
    found = [[sign * value for value in of[metric.task].values()] for of in values.values() if metric.task in of]
    seen = [(fmean(of), reach_of(len(of)) * stdev(of)) for of in found if len(of) > 1]
    if not scores or not seen or not way:
        return None
    name = max(scores, key=lambda one: scores[one])
    if any(mean + max(reach, WORSE * way) >= scores[name] for mean, reach in seen):
        return None
    best = max(mean for mean, _ in seen)
    return (scores[name] - best) / way, metric, name, sign * scores[name], sign * best
