"""Read what a user may give: a case, as a recipe by which worker processes make it; seeds; keyword arguments."""

import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields
from functools import wraps
from operator import index
from typing import Any, TypeVar, get_type_hints

from torch import nn

from equipoise.lab.case_names import CaseName
from equipoise.lab.cases import Case
from equipoise.lab.cases.recipe import Recipe, find_recipe, given_case
from equipoise.lab.data.table import is_table
from equipoise.lab.settings import Settings, TrainingOptions
from equipoise.names import nearest

GivenCase = CaseName | str | Case | Recipe
Function = TypeVar("Function", bound=Callable[..., Any])


def recipe_of(case: Any) -> Recipe:
    """The recipe of a case by name, as ``path/to/file.py:make_case``, as a ``Case``, or as a recipe.

    Raises:
        ValueError: There is no such case, it cannot be made, or it is none of these.
    """
    if isinstance(case, str) and is_table(case):
        raise ValueError(
            f"{case} is a table: say what to predict and from what, such as equipoise.lab.cases.TableCase({case!r}, "
            "(Target.parse('rating:regression'),), text=('title',))"
        )
    if isinstance(case, str):
        return find_recipe(case)
    if isinstance(case, Case):
        return given_case(case)
    if not hasattr(case, "options"):
        remedy = ": call it, or give path/to/file.py:NAME" if callable(case) else ""
        remedy = ": put it in an equipoise.lab.cases.Case" if isinstance(case, nn.Module) else remedy
        if hasattr(case, "to_csv"):
            remedy = ": write it to a file, case.to_csv('data.csv', index=False), and give a TableCase of that"
        raise ValueError(f"case must be a case's name, a Case or a recipe, got {type(case).__name__}{remedy}")
    recipe: Recipe = case
    return recipe


def seeds_of(seeds: Any) -> tuple[int, ...]:
    """The seeds that a user gave: how many, or which.

    Raises:
        ValueError: They are no whole numbers, or there are none.

    >>> seeds_of(3), seeds_of([7, 8])
    ((0, 1, 2), (7, 8))
    """
    try:
        if isinstance(seeds, bool | str):
            raise TypeError
        if hasattr(seeds, "__index__") and not getattr(seeds, "ndim", 0):
            found = tuple(range(index(seeds)))
        else:
            found = tuple(map(index, seeds))
    except TypeError:
        raise ValueError(f"seeds must be a whole number or a list of whole numbers, got {seeds!r}") from None
    if not found:
        raise ValueError(f"seeds must be at least 1, or a list such as [0, 3, 7]; got {seeds!r}")
    return found


def case_of(case: Any) -> Case:
    """The case that a user gave; arguments and errors as of ``recipe_of``."""
    return case if isinstance(case, Case) else recipe_of(case)()


def takes_settings(function: Function) -> Function:
    """``rejects_unknown_options`` for a function that takes the fields of ``Settings`` as ``**settings``.

    Its signature names each of them, so that notebooks complete them.
    """
    signature = inspect.signature(function)
    own = [parameter for parameter in signature.parameters.values() if parameter.kind is not parameter.VAR_KEYWORD]
    settings = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None if field.default is MISSING else field.default,
            annotation=get_type_hints(TrainingOptions)[field.name],
        )
        for field in fields(Settings)
        if field.name not in signature.parameters
    ]
    return rejects_unknown_options(function, signature.replace(parameters=[*own, *settings]))


def rejects_unknown_options(function: Function, signature: inspect.Signature | None = None) -> Function:
    """A function that raises a ``TypeError`` for an unknown keyword argument, with the name of the closest one.

    Args:
        function: What it calls.
        signature: The one that it shows and checks by; None: the function's own.
    """
    signature = signature or inspect.signature(function)
    called = function.__qualname__.removesuffix(".__init__")

    @wraps(function)
    def checked(*arguments: Any, **options: Any) -> Any:
        if unknown := [name for name in options if name not in signature.parameters]:
            likely = nearest(unknown[0], signature.parameters)
            raise TypeError(f"{called}() has no option {unknown[0]!r}; {likely}")
        return function(*arguments, **options)

    checked.__signature__ = signature  # type: ignore[attr-defined]
    return checked  # type: ignore[return-value]
