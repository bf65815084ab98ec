"""All laws at once, but those that a method breaks by its definition."""

from collections.abc import Mapping

from equipoise.method import Method
from equipoise.names import nearest
from equipoise.testing.laws import LAWS, Law, Make

EXCEPTIONS: Mapping[str, Mapping[str, str]] = {
    "Bounded": {
        "delivers_sum": "its bounds cut weights, which need not be those of the sum",
        "is_homogeneous": "bounds are weights: a method that follows the scale of losses meets them at some scale",
    },
    "Clip": {
        "delivers_sum": "a gradient longer than max_norm is cut",
        "is_homogeneous": "max_norm is a norm: a gradient above it loses its scale, one below keeps it",
    },
    "DCGD": {
        "ignores_task_order": "its two groups are the first tasks and the rest",
    },
    "FAMO": {
        "chains": "it compares losses before and after a step, so in a Chain it comes first",
    },
    "FairGrad": {
        "is_homogeneous": "all losses times s give the gradient times s^((1 - alpha) / (1 + alpha))",
    },
    "Fixed": {
        "delivers_sum": "it delivers the sum of the losses times its weights",
        "ignores_task_order": "its weights belong to the tasks by their places",
    },
    "GO4Align": {
        "is_homogeneous": "rate is one over a loss",
    },
    "GradCosine": {
        "delivers_sum": "where its main task is absent it delivers nothing",
        "ignores_task_order": "its main task is named by its place",
    },
    "GradVac": {
        "ignores_task_order": "it meets the tasks in random order, so only its distribution ignores theirs",
    },
    "GroupDRO": {
        "is_homogeneous": "rate is one over a loss",
    },
    "HardPriority": {
        "ignores_task_order": "the primary task is known by its place",
    },
    "LRAnnealing": {
        "ignores_task_order": "its residual is named by its place",
    },
    "Lagrangian": {
        "ignores_task_order": "its limits belong to the tasks by their places",
        "is_homogeneous": "limits are losses",
    },
    "LossNorm": {
        "is_homogeneous": "rows get the norm 1 / loss: of degree -1",
    },
    "MetaBalance": {
        "ignores_task_order": "its main task is known by its place",
    },
    "PCD": {
        "ignores_task_order": "the primary task is known by its place",
    },
    "PCGrad": {
        "ignores_task_order": "it meets the tasks in random order, so only its distribution ignores theirs",
    },
    "PIVRG": {
        "is_homogeneous": "losses times c give the gradient times c^(-1/3)",
    },
    "RLW": {
        "ignores_task_order": "it draws a weight for every place, so only its distribution ignores the order",
    },
    "STCH": {
        "is_homogeneous": "mu is in the unit of a loss",
    },
    "Scheduled": {
        "delivers_sum": "it delivers the sum of the losses times its weights",
        "ignores_task_order": "its weights belong to the tasks by their places",
    },
    "SoftAdapt": {
        "is_homogeneous": "beta is one over a loss; with normalised slopes it keeps the law",
    },
    "UWSO": {
        "is_homogeneous": "temperature is one over a loss",
    },
    "VQGAN": {
        "delivers_sum": "where its reconstruction is absent its adversarial task delivers nothing",
        "ignores_task_order": "its two tasks are named by their places",
    },
    "Warmup": {
        "is_homogeneous": "the sum is of degree 1, and a method may be of degree 0",
    },
}


def check_method(make: Make, *, except_for: Mapping[str, str] | None = None) -> None:
    """Raise unless the method keeps every law.

    Args:
        make: Gives a new, unbound method at each call: its class, or a function without arguments. A
            method whose arguments name the tasks one by one must be made for ``NUM_TASKS`` tasks.
        except_for: {law: why} for laws that the method breaks by its definition. Assert in a test of
            your own what it does instead.

    Raises:
        AssertionError: If a law is broken; the message names the law and the method.
        ValueError: If ``make`` gives no new method, or ``except_for`` an unknown law or no reason.
    """
    for law in laws_of(make, except_for=except_for):
        law(make)


def laws_of(make: Make, *, except_for: Mapping[str, str] | None = None) -> tuple[Law, ...]:
    """The laws that ``check_method`` applies, to be tested one by one."""
    broken = {**exceptions_of(make), **_checked(except_for or {})}
    return tuple(law for law in LAWS if _name(law) not in broken)


def exceptions_of(make: Make) -> dict[str, str]:
    """{law: why} of ``EXCEPTIONS`` for the method, or for a chain's steps."""
    method = make()
    if not isinstance(method, Method) or method is make():
        raise ValueError(f"make must give a new method at each call, got {method!r}; hand over the class or a function")
    parts = {type(part).__name__ for part in method.modules()}
    return {law: why for name in sorted(parts & set(EXCEPTIONS)) for law, why in EXCEPTIONS[name].items()}


def _checked(except_for: Mapping[str, str]) -> Mapping[str, str]:
    names = [_name(law) for law in LAWS]
    for law, why in except_for.items():
        if law not in names:
            raise ValueError(f"except_for names no law by {law!r}; {nearest(law, names)}")
        if not why:
            raise ValueError(f"except_for must say why the method breaks {law!r}, got {why!r}")
    return except_for


def _name(law: Law) -> str:
    return law.__name__
