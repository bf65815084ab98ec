"""All laws at once, but those that a method breaks by its definition."""

from collections.abc import Mapping

from equipoise.method import Method
from equipoise.tasks import nearest
from equipoise.testing.laws import LAWS, Law, Make

EXCEPTIONS: Mapping[str, Mapping[str, str]] = {
    "Clip": {"is_homogeneous": "max_norm is a length: a gradient above it loses its scale, one below keeps it"},
    "Fixed": {"ignores_task_order": "its weights belong to the tasks by their places"},
    "PCGrad": {"ignores_task_order": "it meets the tasks in random order, so only its distribution ignores theirs"},
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
