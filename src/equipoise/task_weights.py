"""Weights by task name."""

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn


class NamedWeights(dict[str, float]):
    """{task: weight}, read-only: a change in place would have no effect on what has read it."""

    def __setitem__(self, name: str, weight: float) -> NoReturn:
        raise AttributeError(f"weights cannot be changed in place: call balancer.set_weights({{{name!r}: {weight!r}}})")

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise AttributeError("weights cannot be changed in place: call balancer.set_weights({name: weight})")

    __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[type["NamedWeights"], tuple[dict[str, float]]]:
        return NamedWeights, (dict(self),)


def in_order(weights: Mapping[str, float], names: Sequence[str] | None) -> list[float]:
    """The weights in the order of all tasks' names.

    Raises:
        ValueError: If the names are not known, or are not those of the weights.
    """
    if names is None:
        raise ValueError(
            f"weights are given by name, and no names of tasks are known: give {weights!r} to a Balancer, or one "
            "number per task, in the tasks' order"
        )
    wrong = [f"{name!r} is missing" for name in names if name not in weights]
    wrong += [f"there is no task {name!r}" for name in weights if name not in names]
    if wrong:
        raise ValueError(f"weights must name every task ({', '.join(map(repr, names))}), and {', '.join(wrong)}")
    return [weights[name] for name in names]
