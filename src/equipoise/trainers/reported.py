"""Validation results by task, among the metrics that a trainer reports."""

from collections.abc import Iterable, Mapping
from typing import Any

from equipoise.arguments import short_repr
from equipoise.balancer import Balancer
from equipoise.step import indices, negated


class Reported:
    """Which metric is which task's result, and of which of them less is better.

    Args:
        balancer: Hears them.
        keys: {task: the metric's key}, of all tasks or of some.
        lower_is_better: Tasks whose metric is an error or a loss.

    Raises:
        ValueError: If a task is unknown, or a key is no string.
    """

    def __init__(self, balancer: Balancer, keys: Mapping[str, str], lower_is_better: Iterable[str]) -> None:
        if not isinstance(keys, Mapping) or not all(isinstance(key, str) for key in keys.values()):
            raise ValueError(f"observe must be {{task: key of a metric}}, got {short_repr(keys)}")
        indices(balancer.names, keys)
        self.balancer, self.keys = balancer, dict(keys)
        self.lower_is_better = negated(balancer.names, lower_is_better)

    def are_in(self, metrics: Mapping[str, Any]) -> bool:
        """Whether all keys are there."""
        return all(key in metrics for key in self.keys.values())

    def tell(self, metrics: Mapping[str, Any]) -> None:
        """Let the balancer observe them.

        Raises:
            ValueError: If a key is not there.
        """
        for task, key in self.keys.items():
            if key not in metrics:
                raise ValueError(
                    f"observe names the metric {key!r} for task {task!r}, which the evaluation does not report; there "
                    f"are {', '.join(map(repr, sorted(metrics))) or 'none'}"
                )
        results = {task: float(metrics[key]) for task, key in self.keys.items()}
        self.balancer.observe(results, lower_is_better=self.lower_is_better)
