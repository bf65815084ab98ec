"""Baselines of scikit-learn beside a study's networks: a linear model and gradient boosting of each task alone.

They learn from the same training rows and inputs, choose on validation and are scored on test by the case's metrics, so
that a reader sees whether the networks are good ones. No method is compared with them.
"""

import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from scipy.sparse import issparse
from scipy.special import logit
from torch import Tensor

from equipoise.lab.cases import Case, Metric
from equipoise.lab.evaluation.study import BaselineScore
from equipoise.lab.metrics.defaults import is_per_token, kind_of
from equipoise.lab.training.evaluate import labelled_pair, whole_split
from equipoise.missing import labelled
from equipoise.task import Task

NAMES = {"linear": "linear (scikit-learn)", "boosting": "boosting (scikit-learn)"}  # by family
MOST_TASKS, MOST_ROWS, MOST_COLUMNS = 20, 20_000, 500  # of all; to train on; of boosting, which takes dense rows
MOST_CLASSES = 60  # or labels, each of which is a model of its own
STRENGTHS = (0.1, 1.0, 10.0)  # inverse regularisation of the linear model, of which validation chooses
EXTRA = 'pip install "equipoise[baselines]"'

_SURE = 30.0  # logit of what is certain

Predict = Callable[[Any], np.ndarray]  # features [N, D] -> outputs as the task's loss takes them
Fit = Callable[[str, float, Any, np.ndarray, int], Predict]  # family, strength, features, labels, number of classes


def is_installed() -> bool:
    """Whether scikit-learn is there."""
    return find_spec("sklearn") is not None


def train_baselines(case: Case) -> Iterator[BaselineScore]:
    """Train and score the models of each task that they can learn, at most 20; a study of more tasks asks for none.

    The linear model is ridge or logistic regression; the strength of its penalty is chosen on validation. Gradient
    boosting has scikit-learn's settings, and is left out where there are more than 500 features. Of more than 20,000
    labelled training rows as many are drawn at random.

    Args:
        case: Without ``features`` or a test split there is nothing to do.
    """
    splits = ("train", "validation", "test")
    if case.features is None or not {*splits} <= {*case.splits}:
        return
    targets = {split: _targets(case, split) for split in splits}
    labels = {task.name: {split: of[str(task.target)] for split, of in targets.items()} for task in case.tasks}
    learned = {task.name: fit for task in case.tasks if (fit := _fit_of(task, labels[task.name]["train"])) is not None}
    inputs = {"linear": {split: _features(case, split) for split in splits if learned}}
    if learned and inputs["linear"]["train"].shape[1] <= MOST_COLUMNS:
        linear = inputs["linear"].items()
        inputs["boosting"] = {split: rows.toarray() if issparse(rows) else rows for split, rows in linear}
    for name in [*learned][:MOST_TASKS]:
        task, metric = case.tasks[name], case.made_metrics[name][0]
        places, _ = labelled_pair(task, torch.arange(len(labels[name]["train"])), labels[name]["train"])
        rows = _drawn(places.numpy())
        known, classes = labels[name]["train"].numpy()[rows], _classes_in(labels[name].values(), task.ignored_class)
        for family, features in inputs.items():
            found = _candidates(learned[name], family, features["train"][rows], known, classes)
            value = _score(task, metric, found, features, labels[name])
            yield BaselineScore(NAMES[family], name, metric.name, value, len(rows), len(places))


def _features(case: Case, split: str) -> Any:
    """The case's features of a split, checked: they may be of a user's own function."""
    found: Any = None if case.features is None else case.features(split)
    rows: Any = found if issparse(found) else np.asarray(found)
    samples = len(case.splits[split])  # type: ignore[arg-type]
    what, leave = f"features of the {split} split", "correct them, or leave the baselines out by --no-sklearn"
    if rows.ndim != 2 or rows.shape[0] != samples or rows.dtype.kind not in "fiub":
        raise ValueError(f"{what} must be numbers [{samples}, D], got {rows.shape} of {rows.dtype}: {leave}")
    if not np.isfinite(rows.data if issparse(rows) else rows).all():
        raise ValueError(f"{what} hold a number that is not finite: {leave}")
    return rows


def _targets(case: Case, split: str) -> dict[str, Tensor]:
    batches = [targets for _, targets in whole_split(case, split, torch.device("cpu"))]
    return {name: torch.cat([targets[name] for targets in batches]) for name in batches[0]}


def _drawn(places: np.ndarray) -> np.ndarray:
    """All of few; of many a sample that is always the same, in order."""
    return places if len(places) <= MOST_ROWS else np.sort(np.random.default_rng(0).permutation(places)[:MOST_ROWS])


def _candidates(fit: Fit, family: str, x: Any, y: np.ndarray, classes: int) -> Iterator[Predict]:
    for strength in STRENGTHS if family == "linear" else (1.0,):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # one that has not converged is judged on validation like any other
            predict = fit(family, strength, x, y, classes)
        yield predict


def _score(
    task: Task, metric: Metric, found: Iterator[Predict], features: Mapping[str, Any], labels: Mapping[str, Tensor]
) -> float:
    """The metric on test of the candidate that is best on validation, where thresholds are chosen, too."""

    def outputs(predict: Predict, split: str) -> tuple[Tensor, Tensor]:
        return labelled_pair(task, torch.from_numpy(predict(features[split])), labels[split])

    def quality(predict: Predict) -> float:
        value = metric.compute(*outputs(predict, "validation"))
        return -math.inf if math.isnan(value) else value if metric.higher_is_better else -value

    best = max(found, key=quality)
    chosen = metric if metric.calibrate is None else metric.calibrate(*outputs(best, "validation"))
    return chosen.compute(*outputs(best, "test"))


def _classes_in(labels: Iterable[Tensor], ignored: int | None) -> int:
    """Of integer labels one more than the largest that is there; 0 of others."""
    known = [label[labelled(label, ignored)] for label in labels if not label.is_floating_point()]
    return max((int(label.max()) + 1 for label in known if len(label)), default=0)


def _fit_of(task: Task, labels: Tensor) -> Fit | None:
    """How a task with such labels is learned; None where it is not."""
    kind = kind_of(task.loss) or ""
    kind = "multilabel" if kind == "binary" and labels.dim() == 2 else kind
    if kind not in _FITS or labels.dim() != (2 if kind == "multilabel" else 1) or is_per_token(task.loss):
        return None
    if kind in ("binary", "multilabel") and not torch.isin(labels[labelled(labels)], torch.tensor([0, 1])).all():
        return None  # shares of ones
    models = labels.shape[1] if labels.dim() == 2 else _classes_in([labels], task.ignored_class)
    return _FITS[kind] if models <= MOST_CLASSES else None


def _numbers(family: str, strength: float, x: Any, y: np.ndarray, classes: int) -> Predict:
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.linear_model import Ridge

    mean, scale = float(y.mean()), float(y.std()) or 1.0
    model = Ridge(1 / strength) if family == "linear" else HistGradientBoostingRegressor(random_state=0)
    fitted = model.fit(x, (y - mean) / scale)
    return lambda features: fitted.predict(features) * scale + mean


def _logits(family: str, strength: float, x: Any, y: np.ndarray) -> Predict:
    """Log-odds of 1 [N] from labels 0 and 1 [N]; those of a constant where one of them alone is there."""
    if len(np.unique(y)) < 2:
        certain = _SURE if len(y) and y[0] else -_SURE
        return lambda features: np.full(features.shape[0], certain)
    fitted = _classifier(family, strength).fit(x, y)
    return lambda features: fitted.decision_function(features)


def _binary(family: str, strength: float, x: Any, y: np.ndarray, classes: int) -> Predict:
    return _logits(family, strength, x, y)


def _labels(family: str, strength: float, x: Any, y: np.ndarray, classes: int) -> Predict:
    """A model for each label, of the rows that have it."""
    there = ~np.isnan(y)
    models = [_logits(family, strength, x[there[:, i]], y[there[:, i], i]) for i in range(y.shape[1])]
    return lambda features: np.stack([predict(features) for predict in models], axis=1)


def _shares(family: str, strength: float, x: Any, y: np.ndarray, classes: int) -> Predict:
    """Probabilities of the classes [N, C]; 0 for a class that no training row has."""
    present = np.unique(y)
    fitted = _classifier(family, strength).fit(x, y) if len(present) > 1 else None

    def predict(features: Any) -> np.ndarray:
        found = np.zeros((features.shape[0], classes))
        found[:, present] = 1.0 if fitted is None else fitted.predict_proba(features)
        return found

    return predict


def _classes(family: str, strength: float, x: Any, y: np.ndarray, classes: int) -> Predict:
    shares = _shares(family, strength, x, y, classes)
    return lambda features: np.log(np.clip(shares(features), math.exp(-_SURE), None))


def _levels(form: str) -> Fit:
    """Logits of P(level > k), or of P(level > k | level > k - 1), from the probabilities of the levels [N, K - 1]."""

    def make(family: str, strength: float, x: Any, y: np.ndarray, classes: int) -> Predict:
        shares = _shares(family, strength, x, y, classes)

        def predict(features: Any) -> np.ndarray:
            at_least = shares(features)[:, ::-1].cumsum(axis=1)[:, ::-1]  # P(level >= k)
            above, before = at_least[:, 1:], at_least[:, :-1]
            odds = above / np.maximum(before, math.exp(-_SURE)) if form == "conditional" else above
            return np.asarray(logit(np.clip(odds, 1e-12, 1 - 1e-12)))

        return predict

    return make


def _classifier(family: str, strength: float) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression

    if family == "linear":
        return LogisticRegression(C=strength, max_iter=300)
    return HistGradientBoostingClassifier(random_state=0)


_FITS: Mapping[str, Fit] = {
    "regression": _numbers,
    "absolute regression": _numbers,
    "binary": _binary,
    "multilabel": _labels,
    "multiclass": _classes,
    "cumulative levels": _levels("cumulative"),
    "conditional levels": _levels("conditional"),
}
