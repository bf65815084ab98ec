"""What a study compares, as types: parsed from text once, where text comes in; ``str`` gives the same text back.

That text is the method's name in runs.csv, study.json, folders and on the command line.
"""

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import equipoise as eq
from equipoise.own_file import error_line
from equipoise.registry import MethodName, method_name

_WITH = r"(?::\w+=[\w.-]+)*"
_LOSS = re.compile(  # of a file, the task has no slash: the file of a method may be in a folder with =
    rf"(?:(?P<task_of_file>[^/\\=+]+)=(?P<file>[^=+]+\.py:\w+{_WITH})"
    rf"|(?P<task>.+?)=(?P<loss>[A-Za-z0-9_-]+{_WITH}))(?:\+|$)"
)
_FILE = re.compile(r"(?P<path>.+\.py):\w+")


@dataclass(frozen=True)
class StudyArm:
    """One of the things that a study compares, each of which has a row of the table."""

    @property
    def source(self) -> "StudyArm | None":
        """The arm whose run with the same seed has to end first."""
        return None

    @property
    def losses(self) -> Mapping[str, str]:
        """By task, the losses in place of the case's own."""
        return {}

    @property
    def files(self) -> tuple[str, ...]:
        """Python files of the user's that it is made from."""
        return ()

    @property
    def has_fixed_weights(self) -> bool:
        """Whether its weights are one for each task, known before it trains: a step is then one backward pass."""
        return True


@dataclass(frozen=True)
class MethodArm(StudyArm):
    """A balancing method.

    Args:
        name: Of the table of methods, ``path/to/file.py:Name``, or the ``repr`` of ``given``.
        given: A method with arguments of its own, which no name has; None: made by name.
    """

    name: str
    given: eq.Method | None = field(default=None, compare=False, repr=False)

    @property
    def files(self) -> tuple[str, ...]:
        """The file it is from."""
        found = _FILE.match(self.name)
        return () if found is None else (found["path"],)

    @property
    def has_fixed_weights(self) -> bool:
        """Of the plain sum alone."""
        return self == SUM

    def make(self) -> eq.Method:
        """A new method, which nothing has used.

        Raises:
            ValueError: There is no such method or file.
        """
        return eq.method(self.name) if self.given is None else copy.deepcopy(self.given)

    def require_trainable(self) -> None:
        """Raise a ValueError if it cannot be made, or not be trained in a study."""
        if "=" in self.name and not self.files and self.given is None:
            raise ValueError(
                f"{self.name!r} is no method; another loss is TASK=LOSS, such as mask=dice or mask=focal:gamma=1.5, as "
                "a method of compare or by --loss"
            )
        try:
            made = self.make()
        except ValueError:
            raise
        except Exception as error:  # whatever a user's file does
            raise ValueError(f"method {self.name!r} cannot be made: {error_line(error)}") from error
        if any(getattr(part, "returns_update", False) for part in made.modules()):
            raise ValueError(
                f"method {self.name!r} returns an update, for SGD, and a study trains with AdamW, which would scale it "
                "again: compare it in a loop of your own"
            )

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class LossArm(StudyArm):
    """The plain sum with other losses than the case's own: (task, loss), each as ``with_losses`` takes it."""

    pairs: tuple[tuple[str, str], ...]

    @property
    def losses(self) -> Mapping[str, str]:
        """By task."""
        return dict(self.pairs)

    @property
    def files(self) -> tuple[str, ...]:
        """Those of losses that are from one."""
        return tuple(found["path"] for _, loss in self.pairs if (found := _FILE.match(loss)))

    def __str__(self) -> str:
        return "+".join(f"{task}={loss}" for task, loss in self.pairs)


@dataclass(frozen=True)
class FrozenArm(StudyArm):
    """Fixed weights from the first step on: those with which the run of ``of`` with the same seed ended."""

    PREFIX: ClassVar[str] = "frozen-"
    of: StudyArm

    @property
    def source(self) -> StudyArm:
        """Whose weights these are."""
        return self.of

    def __str__(self) -> str:
        return f"{self.PREFIX}{self.of}"


@dataclass(frozen=True)
class TunedArm(StudyArm):
    """Fixed weights that the study's own search finds on validation."""

    def __str__(self) -> str:
        return "tuned"


@dataclass(frozen=True)
class SingleTaskArm(StudyArm):
    """The baseline: one network for each task, trained on that task alone."""

    def __str__(self) -> str:
        return "single-task"


GivenMethod = MethodName | str | eq.Method | StudyArm
SUM = MethodArm("sum")  # the plain sum, which every other arm is compared with
TUNED = TunedArm()
SINGLE_TASK = SingleTaskArm()


def parse_arm(text: str) -> StudyArm:
    """The arm that ``str`` gives this text for; whether there is such a method or loss is not looked at.

    >>> parse_arm("frozen-uw"), parse_arm("mask=dice+stress=focal:gamma=1.5").losses
    (FrozenArm(of=MethodArm(name='uw')), {'mask': 'dice', 'stress': 'focal:gamma=1.5'})
    >>> parse_arm("frozen-food=huber"), parse_arm("runs/lr=1/own.py:Method")
    (LossArm(pairs=(('frozen-food', 'huber'),)), MethodArm(name='runs/lr=1/own.py:Method'))
    """
    for arm in (TUNED, SINGLE_TASK):
        if text == str(arm):
            return arm
    if pairs := parse_losses(text):
        return LossArm(pairs)
    if text.startswith(FrozenArm.PREFIX):
        return FrozenArm(parse_arm(text.removeprefix(FrozenArm.PREFIX)))
    return MethodArm(text)


def parse_losses(text: str) -> tuple[tuple[str, str], ...]:
    """(task, loss) of each ``task=loss`` between +; empty if the text is none of these.

    >>> parse_losses("mask=mine/own.py:Loss:gamma=2"), parse_losses("uw")
    ((('mask', 'mine/own.py:Loss:gamma=2'),), ())
    """
    found = list(_LOSS.finditer(text))
    if text.endswith("+") or "".join(match[0] for match in found) != text:
        return ()
    return tuple((match["task"] or match["task_of_file"], match["loss"] or match["file"]) for match in found)


def name_of(method: str | eq.Method) -> str:
    """The name of a method in results: that of the table where its arguments are the defaults, else its ``repr``.

    >>> name_of(eq.DWA()), name_of(eq.DWA(temperature=1.0)), name_of("NashMTL")
    ('dwa', 'DWA(temperature=1.0)', 'nash-mtl')

    Raises:
        ValueError: There is no such method, or the name means several.
    """
    if isinstance(method, str):
        return str(_in_full(parse_arm(method)))
    if not isinstance(method, eq.Method):
        raise ValueError(f"a method is a name or an object such as eq.UW(), got {type(method).__name__}")
    names = [row.name for row in eq.methods() if row.cls is type(method)]
    return names[0] if names and repr(method) == f"{type(method).__name__}()" else repr(method)


def make_arm(given: GivenMethod) -> StudyArm:
    """The arm of what a user compares; a method by any of its names has the one of the table.

    >>> make_arm("NashMTL"), make_arm(eq.DWA()), str(make_arm(eq.DWA(temperature=1.0)))
    (MethodArm(name='nash-mtl'), MethodArm(name='dwa'), 'DWA(temperature=1.0)')

    Raises:
        ValueError: There is no such method, the name means several, or it is an object of a class of the user's own.
    """
    if isinstance(given, StudyArm):
        return given
    if isinstance(given, str):
        return _in_full(parse_arm(given))
    name = name_of(given)
    parts = [part for part in given.modules() if isinstance(part, eq.Method)]
    if not all(type(part).__module__.startswith("equipoise.") for part in parts):
        raise ValueError(
            f"{given} has a class of your own, whose file is part of what is compared: give 'path/to/file.py:Name', a "
            "class whose arguments have defaults"
        )
    return MethodArm(name, None if name != repr(given) else given)


def _in_full(arm: StudyArm) -> StudyArm:
    if isinstance(arm, FrozenArm):
        return FrozenArm(_in_full(arm.of))
    if isinstance(arm, MethodArm) and not arm.files and "=" not in arm.name:
        return MethodArm(method_name(arm.name))
    return arm
