"""Whether a loss curve shows over-fitting or under-fitting, by a rule that can be stated."""

from collections.abc import Mapping
from typing import Literal

Fit = Literal["over-fitting", "under-fitting", "neither", "not judged"]

FEWEST_EPOCHS = 3
RISE, FALL = 0.1, 0.02  # shares of a curve's range, its largest value minus its least
RULE = (
    f"Over-fitting: since its least value the validation loss has risen by more than {RISE:.0%} of its range (largest "
    "minus least value), while the training loss has fallen. Under-fitting: the last epoch that was allowed has the "
    f"least validation loss and the least training loss, and the validation loss fell by more than {FALL:.0%} of its "
    f"range in it, so more epochs would have helped. Fewer than {FEWEST_EPOCHS} epochs are not judged."
)


def judge_fit(train: Mapping[int, float], validation: Mapping[int, float], epochs: int) -> Fit:
    """The verdict of ``RULE`` on one run and task.

    Args:
        train: Training loss by epoch, finite.
        validation: Validation loss by epoch, finite.
        epochs: How many the run was allowed.

    >>> judge_fit({1: 1.0, 2: 0.5, 3: 0.2, 4: 0.1}, {1: 1.0, 2: 0.8, 3: 0.9, 4: 1.1}, epochs=8)
    'over-fitting'
    >>> judge_fit({1: 1.0, 2: 0.8, 3: 0.6}, {1: 1.1, 2: 0.9, 3: 0.7}, epochs=3)
    'under-fitting'
    """
    both = sorted(set(train) & set(validation))
    if len(both) < FEWEST_EPOCHS:
        return "not judged"
    last = both[-1]
    best = min(both, key=lambda epoch: validation[epoch])
    values = [validation[epoch] for epoch in both]
    spread = max(values) - min(values)
    if validation[last] - validation[best] > RISE * spread and train[last] < train[best]:
        return "over-fitting"
    falling = validation[both[-2]] - validation[last] > FALL * spread
    if last == epochs and best == last and falling and train[last] == min(train[epoch] for epoch in both):
        return "under-fitting"
    return "neither"
