"""The one table of methods, by the names that papers and the command line use; one file per kind."""

import inspect
import re
from collections.abc import Callable
from typing import Any

from equipoise.arguments import short_repr
from equipoise.method import Method
from equipoise.names import key_of, nearest
from equipoise.own_file import from_file
from equipoise.registry.aggregators import BY_GRAMIAN
from equipoise.registry.aliases import ALIASES
from equipoise.registry.coordinates import BY_COORDINATES, BY_GROUPS
from equipoise.registry.method_names import MethodName
from equipoise.registry.results import BY_RESULTS
from equipoise.registry.row import MethodRow, read_costs
from equipoise.registry.weightings import BY_LOSSES
from equipoise.registry.wrappers import AROUND

__all__ = [
    "ALIASES",
    "AROUND",
    "BY_COORDINATES",
    "BY_GRAMIAN",
    "BY_GROUPS",
    "BY_LOSSES",
    "BY_RESULTS",
    "MethodName",
    "MethodRow",
    "find_methods",
    "method",
    "method_name",
    "methods",
    "read_costs",
]

_TABLE = (*BY_LOSSES, *BY_RESULTS, *BY_GRAMIAN, *BY_GROUPS, *BY_COORDINATES)
_BY_NAME = {row.name: row for row in (*_TABLE, *AROUND)}
_BY_KEY = {
    **{key_of(name): (row,) for row in _BY_NAME.values() for name in (row.name, row.cls.__name__)},
    **{alias: tuple(_BY_NAME[name] for name in names) for alias, names in ALIASES.items()},
}


def methods() -> list[MethodRow]:
    """Every available method: name, class, paper, cost, arguments, needs, use of a user's weight."""
    return list(_TABLE)


def find_methods(name: str) -> tuple[MethodRow, ...]:
    """The rows that a name means, those that go around another method included: in any spelling, or as people say.

    Raises:
        ValueError: If there is no such method; the message names the nearest.

    >>> [row.name for row in find_methods("NashMTL")], [row.name for row in find_methods("uncertainty")]
    (['nash-mtl'], ['uw'])
    """
    found = _BY_KEY.get(key_of(name.strip().removeprefix("eq.").removeprefix("equipoise.").partition("(")[0]), ())
    if not found:
        raise ValueError(f"no method {name!r}; {nearest(name, _BY_NAME, 'equipoise methods')}")
    return found


def method_name(name: str) -> str:
    """The name of the one row that ``method`` makes of this name.

    Raises:
        ValueError: If there is none, are several, it goes around another method, or has arguments in brackets.
    """
    rows = find_methods(name)
    if re.search(r"\(.*[^)\s]", name, re.DOTALL):
        raise ValueError(
            f"{name!r} has arguments, and a name has none: give them as eq.method({rows[0].name!r}, ...) or an object "
            f"eq.{name.partition('(')[0].strip().removeprefix('eq.')}(...)"
        )
    if len(rows) > 1:
        raise ValueError(f"{name!r} is several methods: name one of {', '.join(repr(row.name) for row in rows)}")
    if rows[0] not in _TABLE:
        raise ValueError(f"{name!r} goes around another method: write {rows[0].example}")
    return rows[0].name


def method(name: MethodName | str, **arguments: Any) -> Method:
    """A method by any of its names, as ``find_methods`` finds it, or by ``path/to/file.py:Name``.

    Raises:
        ValueError: If there is no such method or file, or the arguments do not fit.

    >>> method("dwa", temperature=1.0)
    DWA(temperature=1.0)
    """
    if not isinstance(name, str):
        raise ValueError(f"name must be a method's name, such as 'mgda', got {short_repr(name)}")
    make = _from_file(name) if ".py:" in name else _from_table(name)
    try:
        inspect.signature(make).bind(**arguments)
    except TypeError as error:
        raise ValueError(f"method {name!r}: {error}; it takes {inspect.signature(make)}") from None
    made = make(**arguments)
    if not isinstance(made, Method):
        raise ValueError(f"{name!r} must make a method, such as eq.Every(10, eq.MGDA()), got {short_repr(made)}")
    return made


def _from_table(name: str) -> Callable[..., Method]:
    return _BY_NAME[method_name(name)].cls


def _from_file(name: str) -> Callable[..., Method]:
    """A class of a method, or a function that makes one, such as ``Every(10, MGDA())``."""
    path, _, attribute = name.rpartition(":")
    make = from_file(path, attribute)
    if (inspect.isclass(make) and issubclass(make, Method)) or inspect.isfunction(make):
        return make
    raise ValueError(
        f"{attribute!r} of {path!r} must be a class of a method or a function that makes one, got {short_repr(make)}"
    )
