"""Values of the numbers that losses are summed from, and how the script calls them: a graph holds neither."""

import ast
import linecache
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, wraps
from itertools import islice
from types import CodeType, FrameType
from typing import Any

import torch
from torch import Tensor

_METHODS = (
    *("__add__", "__radd__", "__iadd__", "__sub__", "__rsub__", "__isub__", "__mul__", "__rmul__", "__imul__"),
    *("__truediv__", "__itruediv__", "__neg__", "sum", "mean", "add", "mul"),
)
_FUNCTIONS = ("stack", "cat", "add", "mul", "sum", "mean")
_MOST = 10_000  # numbers of a step that are noted
_SUMS = {"add", "sub", "stack", "cat"}
_GRAD_SCALER = "grad_scaler.py"
_MANY = 1000  # items of a list that are looked through
_COMPREHENSIONS = {"<genexpr>", "<listcomp>", "<dictcomp>", "<setcomp>", "<lambda>"}
_LONGEST = 32  # characters of an expression that is shown


@dataclass(frozen=True, eq=False)
class Number:
    """One number of the graph, seen when a sum, a product or a stack was made with it."""

    name: str
    value: Tensor  # [], a copy
    node: Any  # held, so that no other gets its ``id``


@dataclass(frozen=True)
class Constant:
    """A number without a graph that was added to one that has one."""

    name: str
    value: Tensor  # []
    result: Any  # the node of the sum


class Expressions:
    """While open, notes every single number that the script adds, scales or stacks; the results stay what they are.

    A mode of PyTorch's would see the same and may not stand open over lines of a script: whoever leaves a mode of his
    own inside would leave this one instead. So methods are replaced on the class.
    """

    def __init__(self) -> None:
        self._numbers: dict[int, Number] = {}
        self._constants: dict[int, Constant] = {}
        self._scales: dict[int, tuple[Tensor, Any]] = {}
        self._replaced: list[tuple[Any, str, bool, Any]] = []

    def open(self) -> None:
        """Begin to note."""
        if not self._replaced:
            for owner, names in ((torch.Tensor, _METHODS), (torch, _FUNCTIONS)):
                for name in names:
                    self._replace(owner, name)

    def close(self) -> None:
        """Note no more."""
        while self._replaced:
            owner, name, was_own, original = self._replaced.pop()
            if was_own:
                setattr(owner, name, original)
            else:
                delattr(owner, name)

    def forget(self) -> None:
        """Let go of all graphs."""
        self._numbers.clear()
        self._constants.clear()
        self._scales.clear()

    def of(self, node: Any) -> Number | None:
        """What was noted of a node's only output."""
        return self._numbers.get(id(node))

    def constant_in(self, node: Any) -> Constant | None:
        """What a sum's node holds that no parameter moves."""
        return self._constants.get(id(node))

    def scale_of(self, node: Any) -> float:
        """By what a GradScaler multiplied to get the only output of a node; 1 if none did."""
        scale = self._scales.get(id(node))
        return 1.0 if scale is None else float(scale[0])

    def _replace(self, owner: Any, name: str) -> None:
        original = getattr(owner, name)

        @wraps(original)
        def noting(*args: Any, **kwargs: Any) -> Any:
            result = original(*args, **kwargs)
            if not torch.compiler.is_compiling():
                self._note(name, args, result, sys._getframe(1))
            return result

        self._replaced.append((owner, name, name in vars(owner), original))
        setattr(owner, name, noting)

    def _note(self, name: str, args: tuple[Any, ...], result: Any, frame: FrameType) -> None:
        if not isinstance(result, Tensor) or result.grad_fn is None or len(self._numbers) > _MOST:
            return
        operands = args[0] if args and isinstance(args[0], list | tuple) else args
        if name.startswith("__r"):
            operands = operands[::-1]  # in the order of the line
        if frame.f_code.co_filename.endswith(_GRAD_SCALER):
            scale = next((one for one in operands if isinstance(one, Tensor) and one.grad_fn is None), None)
            if scale is not None:
                self._scales[id(result.grad_fn)] = scale.detach().clone(), result.grad_fn
            return
        for place, operand in enumerate(operands):
            if name.strip("_").lstrip("ri") in _SUMS and _is_constant(operand):
                constant = Constant(name_of(operand, frame, place), operand.detach().clone(), result.grad_fn)
                self._constants[id(result.grad_fn)] = constant
            if isinstance(operand, Tensor) and operand.grad_fn is not None and operand.numel() == 1:
                node = operand.grad_fn
                if id(node) not in self._numbers:
                    value = operand.detach().clone().reshape(())
                    self._numbers[id(node)] = Number(name_of(operand, frame, place), value, node)


def _is_constant(operand: Any) -> bool:
    is_number = isinstance(operand, Tensor) and operand.numel() == 1 and operand.is_floating_point()
    return is_number and not operand.requires_grad


def name_of(tensor: Tensor, frame: FrameType, place: int = 0) -> str:
    """How the lines of a frame call a tensor: a key under which it is kept, a variable, or the expression it is in.

    Args:
        tensor: An operand of what the frame computes.
        frame: Of the script.
        place: Which of the operands.

    Returns:
        ``""`` if nothing there is it.
    """
    for name, value in _kept(frame):
        if value is tensor:
            return name
    expression = _operand(frame, place)
    return expression if len(expression) <= _LONGEST else expression[: _LONGEST - 1] + "…"


def _kept(frame: FrameType) -> Iterator[tuple[str, Any]]:
    """Values with names: of mappings in this frame and, in a comprehension, around it; variables; items of lists."""
    frames = [frame]
    while frames[-1].f_code.co_name in _COMPREHENSIONS and frames[-1].f_back:
        frames.append(frames[-1].f_back)
    variables = [item for one in frames for item in list(one.f_locals.items())]
    for _, value in variables:
        if isinstance(value, Mapping):
            yield from ((str(key), held) for key, held in value.items())
    yield from variables
    for name, value in variables:
        if isinstance(value, list | tuple) and len(value) < _MANY:
            yield from ((f"{name}[{i}]", held) for i, held in enumerate(value))


def _operand(frame: FrameType, place: int) -> str:
    """The call or attribute that gave an operand without a name, by the place in the file of what the frame runs."""
    here = _expression_at(frame.f_code, frame.f_lasti)
    sides: Sequence[ast.expr] = ()
    if isinstance(here, ast.BinOp):
        sides = here.left, here.right
    elif isinstance(here, ast.AugAssign):
        sides = here.target, here.value
    elif isinstance(here, ast.Call) and here.args and isinstance(here.args[0], ast.List | ast.Tuple):
        sides = here.args[0].elts
    side = sides[place] if place < len(sides) else None
    called = side.func if isinstance(side, ast.Call) else side
    if not isinstance(called, ast.Attribute | ast.Name | ast.Subscript):
        return ""  # also a product or a sum, whose operands were noted themselves
    return ast.unparse(called).removeprefix("self.").removeprefix("F.").removeprefix("nn.functional.")


def _expression_at(code: CodeType, instruction: int) -> ast.AST | None:
    """The expression that an instruction belongs to; before Python 3.11 nobody knows it."""
    positions: Callable[[], Iterator[Any]] | None = getattr(code, "co_positions", None)
    if positions is None:
        return None
    place = next(islice(positions(), instruction // 2, None), None)
    return None if place is None else _expressions(code.co_filename).get(place)


@cache
def _expressions(file: str) -> dict[tuple[int | None, ...], ast.AST]:
    """Those of a file, by first and last line and column."""
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except SyntaxError:  # a cell with a magic line, or no Python
        return {}
    found = [node for node in ast.walk(tree) if isinstance(node, ast.BinOp | ast.AugAssign | ast.Call)]
    return {(n.lineno, n.end_lineno, n.col_offset, n.end_col_offset): n for n in found}
