"""How to make a case, again in every process that trains on it."""

import hashlib
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from equipoise.lab.cases import CASES, Case, LossChoice, check_case, require_losses, with_architecture, with_losses
from equipoise.lab.data.table import require_case_name
from equipoise.own_file import content_hash, error_line, from_file, line_in


class Recipe(Protocol):
    """Makes a case; hashable, equal to its copies, and small to pickle."""

    def __hash__(self) -> int:
        """Workers keep the case they made."""

    @property
    def options(self) -> Mapping[str, Any]:
        """What makes two cases of one name and data different, as study.json holds it."""

    def __call__(self) -> Case:
        """The case; a ValueError says in one line why it cannot be made."""


@dataclass(frozen=True)
class ReadyCase:
    """A case by the name it has in ``CASES``."""

    name: str

    def __post_init__(self) -> None:
        require_case_name(self.name)

    @property
    def options(self) -> Mapping[str, Any]:
        """None."""
        return {}

    def __call__(self) -> Case:
        """The case."""
        return CASES[self.name]()


@dataclass(frozen=True)
class FileCase:
    """A case in a Python file: ``attribute`` is a ``Case``, or a function without arguments that makes one."""

    path: str
    attribute: str

    @property
    def options(self) -> Mapping[str, Any]:
        """The file's content."""
        return {"file": Path(self.path).name, "sha256": content_hash(self.path)}

    def __call__(self) -> Case:
        """Run the file and make the case.

        Raises:
            ValueError: If there is no such file or attribute, it fails, or what it makes is no case.
        """
        made = from_file(self.path, self.attribute)
        try:
            case = made if isinstance(made, Case) else made()
            check_case(case)
        except Exception as error:  # whatever a user's file does
            ours = isinstance(error, ValueError) and line_in(error, self.path) is None
            what = str(error) if ours else error_line(error, self.path)
            notes = "".join(f", {note}" for note in getattr(error, "__notes__", []))
            raise ValueError(f"{self.path}:{self.attribute}: {what}{notes}") from error
        return case


@dataclass(frozen=True)
class CaseWithModel:
    """A case with an architecture of ``with_architecture``."""

    recipe: Recipe
    model: str

    @property
    def options(self) -> Mapping[str, Any]:
        """The case's own, and the architecture."""
        return {**self.recipe.options, "model": self.model}

    def __call__(self) -> Case:
        """The case."""
        return with_architecture(self.recipe(), self.model)


@dataclass(frozen=True)
class CaseWithLosses:
    """A case with losses of ``with_losses``: (task, loss)."""

    recipe: Recipe
    losses: tuple[tuple[str, str], ...]

    @property
    def options(self) -> Mapping[str, Any]:
        """The case's own, the losses, and the content of the files that they are from."""
        choices = {task: LossChoice.parse(text) for task, text in self.losses}
        files = {Path(one.path).name: content_hash(one.path) for one in choices.values() if one.path is not None}
        losses = {task: str(choice.without_folder()) for task, choice in choices.items()}
        return {**self.recipe.options, "losses": losses, **({"loss_files": files} if files else {})}

    def __call__(self) -> Case:
        """The case.

        Raises:
            ValueError: If there is no such loss, or it cannot be trained with.
        """
        case, chosen = self.recipe(), dict(self.losses)
        require_losses(case, [chosen])
        return with_losses(case, chosen)


@dataclass(frozen=True)
class GivenCase:
    """A case that is there already, and goes to every worker whole; equal where the case pickles to the same bytes."""

    mark: str
    case: Case = field(compare=False, repr=False)

    @property
    def options(self) -> Mapping[str, Any]:
        """None."""
        return {}

    def __call__(self) -> Case:
        """The case."""
        return self.case


def given_case(case: Case) -> GivenCase:
    """The recipe of a case that is there.

    Raises:
        ValueError: It is no whole case, or cannot be handed to a worker process.
    """
    check_case(case)
    try:
        content = pickle.dumps(case)
    except Exception as error:  # whatever is in it
        raise ValueError(
            f"case {case.name} cannot be handed to a worker process ({' '.join(str(error).split())}): write the "
            "function that makes it into a file and give 'path/to/file.py:make_case'"
        ) from error
    return GivenCase(hashlib.sha256(content).hexdigest(), case)


def case_options(recipe: Recipe, case: Case) -> dict[str, Any]:
    """The options of a recipe and what follows from the data for the network, where that is not the plain one."""
    return {**recipe.options, **({"network": case.network} if case.network else {})}


def find_recipe(name: str) -> Recipe:
    """The recipe of a name in ``CASES``, or of ``path/to/file.py:name``.

    Raises:
        ValueError: If there is no such case; the message names the nearest.
    """
    path, _, attribute = name.rpartition(":")
    if path.endswith(".py"):
        return FileCase(path, attribute)
    return ReadyCase(name)


@cache
def made_once(recipe: Recipe) -> Case:
    """The case, made once in a process: one reading of the data for all that a worker trains."""
    return recipe()
