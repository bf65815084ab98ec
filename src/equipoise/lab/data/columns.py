"""What is predicted and from what: columns by name, or many by a pattern."""

import csv
import io
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from equipoise.names import key_of, nearest

TARGET_KINDS = ("regression", "binary", "multiclass", "ordinal", "multilabel")
INPUT_OPTIONS = ("text", "number", "category", "smiles", "image", "audio")
ALL_BUT = "all-but:"


@dataclass(frozen=True)
class Target:
    """Which column is to be predicted, and as what.

    Args:
        column: The column's name, and the task's.
        kind: One of ``TARGET_KINDS``.
        order: For an ordinal target whose levels are no numbers: their names, the lowest first.

    Raises:
        ValueError: If there is no such kind, it has no order, or the levels in ``order`` are not different names.
    """

    column: str
    kind: str
    order: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in TARGET_KINDS:
            raise ValueError(f"no kind {self.kind!r} of target {self.column!r}; {nearest(self.kind, TARGET_KINDS)}")
        if self.order and self.kind != "ordinal":
            raise ValueError(f"target {self.column!r} is {self.kind}, which has no order: {','.join(self.order)}")
        if not all(self.order) or len(set(self.order)) < len(self.order):
            raise ValueError(f"levels of target {self.column!r} must be different names, got {','.join(self.order)!r}")

    @classmethod
    def parse(cls, text: str) -> "Target":
        """From ``column:kind``, or ``column:ordinal:low,middle,high``.

        Raises:
            ValueError: If the text is not so.

        >>> Target.parse("price: net:regression")
        Target(column='price: net', kind='regression', order=())
        """
        head, colon, order = text.rpartition(":")
        if any(f":{kind}," in head for kind in TARGET_KINDS):
            again = " ".join(f"--target {one.strip()}" for one in text.split(","))
            raise ValueError(f"one target each time: write {again}, got {text!r}")
        if colon and head.endswith(":ordinal"):
            return cls(head.removesuffix(":ordinal"), "ordinal", tuple(name.strip() for name in order.split(",")))
        if not colon or not head:
            raise ValueError(f"a target is COLUMN:KIND, got {text!r}; kinds are {', '.join(TARGET_KINDS)}")
        return cls(head, _kind(head, order.strip()))

    def __str__(self) -> str:
        return ":".join([self.column, self.kind, *([",".join(self.order)] if self.order else [])])


def _kind(column: str, name: str) -> str:
    """One of ``TARGET_KINDS`` by any name of it; another word as it is, for ``Target`` to refuse."""
    if key_of(name) in ("classification", "classes", "categorical"):
        raise ValueError(f"{name!r} of target {column!r} is 'binary' or 'multiclass': choose one")
    if name in TARGET_KINDS:
        return name
    from equipoise.losses.catalog import find_kind  # and torch, which other names alone need

    try:
        found = find_kind(name)
    except ValueError:
        return name
    return found if found in TARGET_KINDS else name


def split_columns(text: str) -> list[str]:
    """Names between commas; one that holds a comma stands in double quotes.

    >>> split_columns('title,"price, net"')
    ['title', 'price, net']
    """
    return [name.strip() for name in next(csv.reader([text], skipinitialspace=True), [])]


def join_columns(names: Iterable[str]) -> str:
    """What ``split_columns`` gives these names for."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(names)
    return text.getvalue()


def is_pattern(name: str) -> bool:
    """Whether a name may mean many columns: with * (any letters) or ? (any letter), or ``all-but:`` names, patterns.

    >>> [is_pattern(name) for name in ("fp*", "all-but:id,name", "price [EUR]")]
    [True, True, False]
    """
    return name.startswith(ALL_BUT) or "*" in name or "?" in name


def expand_targets(targets: Iterable[Target], columns: Sequence[str], file: str) -> tuple[Target, ...]:
    """The targets, one whose column is a pattern in place of it for each column that it matches.

    Raises:
        ValueError: If a target matches no column of the file.
    """
    return tuple(
        replace(target, column=column) for target in targets for column in matching(target.column, columns, file)
    )


def expand_inputs(
    inputs: Mapping[str, Sequence[str]], columns: Sequence[str], file: str, others: Iterable[str]
) -> dict[str, tuple[str, ...]]:
    """The columns of each kind of input; a pattern leaves out ``others`` and what stands anywhere by its full name.

    >>> expand_inputs({"text": ["note"], "number": ["all-but:id"]}, ["id", "note", "x1", "x2", "y"], "a.csv", ["y"])
    {'text': ('note',), 'number': ('x1', 'x2')}

    Raises:
        ValueError: If a name or a pattern matches no column of the file, or only columns that are used otherwise.
    """
    named = {name for names in inputs.values() for name in names if name in columns} | set(others)

    def found(name: str) -> list[str]:
        meant = matching(name, columns, file)
        if name in columns:
            return meant
        if not (free := [column for column in meant if column not in named]):
            raise ValueError(f"{name!r} matches only columns that are targets or named elsewhere: leave it out")
        return free

    return {kind: tuple(one for name in names for one in found(name)) for kind, names in inputs.items()}


def matching(name: str, columns: Collection[str], file: str) -> list[str]:
    """The columns that a name or a pattern means, in the file's order.

    Raises:
        ValueError: If there are none; the message names the nearest.
    """
    if name in columns:
        return [name]
    if name.startswith(ALL_BUT):
        exceptions = {one for part in split_columns(name[len(ALL_BUT) :]) for one in matching(part, columns, file)}
        return [column for column in columns if column not in exceptions]
    pattern = name.replace("[", "[[]")  # which many names of columns hold, around a unit
    if is_pattern(name) and (found := [column for column in columns if fnmatchcase(column, pattern)]):
        return found
    raise ValueError(f"{file} has no column {name!r}; {nearest(name, columns)}")
