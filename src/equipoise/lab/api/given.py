"""What a user may give as a case, as the recipe that worker processes make it by."""

from operator import index
from typing import Any

from equipoise.lab.cases import Case
from equipoise.lab.cases.recipe import Recipe, find_recipe, given_case
from equipoise.lab.data.table import is_table


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
        raise ValueError(f"case must be a case's name, a Case, a recipe or a function, got {type(case).__name__}")
    recipe: Recipe = case
    return recipe


def seeds_of(seeds: Any) -> tuple[int, ...]:
    """The seeds that a user gave: how many, or which.

    >>> seeds_of(3), seeds_of([7, 8])
    ((0, 1, 2), (7, 8))

    Raises:
        ValueError: They are no whole numbers.
    """
    try:
        if isinstance(seeds, bool | str):
            raise TypeError
        if hasattr(seeds, "__index__") and not getattr(seeds, "ndim", 0):
            return tuple(range(index(seeds)))
        return tuple(map(index, seeds))
    except TypeError:
        raise ValueError(f"seeds must be a whole number or a list of whole numbers, got {seeds!r}") from None


def case_of(case: Any) -> Case:
    """The case that a user gave; arguments and errors as of ``recipe_of``."""
    return case if isinstance(case, Case) else recipe_of(case)()
