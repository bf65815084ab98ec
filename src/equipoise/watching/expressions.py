"""Values of the numbers that losses are summed from, and how the script calls them: a graph holds neither."""

import ast
import linecache
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, wraps
from inspect import CO_OPTIMIZED
from itertools import islice
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, cast

import torch
from torch import Tensor

from equipoise.torch_private.compiling import let_scripts_call
from equipoise.torch_private.tensors import plain_tensors

_METHODS = (
    *("__add__", "__radd__", "__iadd__", "__sub__", "__rsub__", "__isub__", "__mul__", "__rmul__", "__imul__"),
    *("__truediv__", "__itruediv__", "__neg__", "sum", "mean", "add", "mul"),
)
_FUNCTIONS = ("stack", "cat", "add", "mul", "sum", "mean")
_PACKAGE, _TORCH = (str(folder) + os.sep for folder in (Path(__file__).parents[1], Path(torch.__file__).parent))
_MOST = 10_000  # numbers of a window that are noted
_SUMS = {"add", "sub", "stack", "cat"}
_PRODUCTS = {"mul", "truediv"}
_GRAD_SCALER = "grad_scaler.py"
_MANY = 1000  # items of a list or a dict that are looked through
_COMPREHENSIONS = {"<genexpr>", "<listcomp>", "<dictcomp>", "<setcomp>", "<lambda>"}
_REFERENCES = 3  # to the copy of a frame's variables: by the frame, the name, and the call that counts
_LONGEST = 32  # characters of an expression that is shown


@dataclass(frozen=True, eq=False)
class NamedNumber:
    """One number of the graph, seen when a sum, a product or a stack was made with it."""

    name: str
    value: Tensor | float  # [], a copy
    place: str = ""  # in the script's code


class Expressions:
    """While open, notes every single number that the script adds, scales or stacks; the results stay what they are.

    A mode of PyTorch's would see the same and may not stand open over lines of a script: whoever leaves a mode of his
    own inside would leave this one instead. So methods are replaced on the class. Functions stay replaced until the
    end, as compiled code would be compiled anew for each other one. Notes lie in the ``metadata`` of nodes and go with
    the graph: to hold its nodes would hold all that it saved.
    """

    def __init__(self) -> None:
        self.problems: list[str] = []  # at most one
        self._noted = 0
        self.is_open = False
        self._lock = threading.RLock()
        self._methods: list[tuple[Any, str, bool, Any]] = []
        self._functions: list[tuple[Any, str, bool, Any]] = []

    def open(self) -> None:
        """Begin to note."""
        with self._lock:
            if not self._functions:
                self._functions += [self._replaced(torch, name) for name in _FUNCTIONS]
            if not self.is_open:
                self.is_open, self._noted = True, 0
                self._methods += [self._replaced(Tensor, name) for name in _METHODS]

    def close(self) -> None:
        """Note no more."""
        with self._lock:
            self.is_open = False
            put_back(self._methods)

    def end(self) -> None:
        """Leave everything as it was."""
        with self._lock:
            self.close()
            put_back(self._functions)

    def of(self, node: Any, output: int = 0) -> NamedNumber | None:
        """What was noted of an output of a node."""
        return _notes(node).get((self, "number", output))

    def name_of(self, node: Any) -> str:
        """How the script calls the only output of a node; ``""`` if nobody knows."""
        number = self.of(node)
        return number.name if number else ""

    def constant_in(self, node: Any) -> NamedNumber | None:
        """What a sum's node adds that no parameter moves."""
        return _notes(node).get((self, "added"))

    def factor_in(self, node: Any) -> NamedNumber | None:
        """What a product's node multiplies with, or a quotient's divides by, that no parameter moves."""
        return _notes(node).get((self, "factor"))

    def scale_of(self, node: Any) -> float:
        """By what a GradScaler multiplied to get the only output of a node; 1 if none did."""
        return float(_notes(node).get((self, "scale"), 1.0))

    def _replaced(self, owner: Any, name: str) -> tuple[Any, str, bool, Any]:
        original, was_own = getattr(owner, name), name in vars(owner)

        @wraps(original)
        def noting(*args: Any, **kwargs: Any) -> Any:
            if torch.compiler.is_compiling() or not self.is_open:
                return original(*args, **kwargs)
            inner = sys._getframe(1)
            if inner.f_code.co_name == "__torch_function__":  # of a mode or subclass: its caller has been here
                return original(*args, **kwargs)
            frame = _outside(inner)
            constant = self._note(self._note_operands, name, args, frame)  # before: what is in place moves them
            constant = constant if frame is inner else None  # else a method's own, and no fault of the script
            result = original(*args, **kwargs)
            self._note(self._note_result, name, result, constant, args, frame)
            return result

        if owner is torch:
            let_scripts_call(noting, original)
        setattr(owner, name, noting)
        return owner, name, was_own, original

    def _note(self, what: Callable[..., Any], *args: Any) -> Any:
        try:
            with plain_tensors():  # to ask one of a class of the script's would run its code
                return what(*args)
        except Exception as error:  # the script's own objects are asked, and it is not ended by who looks on
            self.problems = [f"names of losses: {type(error).__name__}: {error}".partition("\n")[0]]
            return None

    def _note_operands(self, name: str, args: tuple[Any, ...], frame: FrameType) -> NamedNumber | None:
        """Those with a graph; the one without is given back."""
        if self._noted > _MOST or not torch.is_grad_enabled() or frame.f_code.co_filename.endswith(_GRAD_SCALER):
            return None
        operands = args[0] if args and isinstance(args[0], list | tuple) else args
        if name.startswith("__r"):
            operands = operands[::-1]  # in the order of the line
        single = [place for place, one in enumerate(operands) if isinstance(one, Tensor) and one.numel() == 1]
        in_graph = [place for place in single if operands[place].grad_fn is not None]
        for place in in_graph:
            notes, key = _notes(operands[place].grad_fn), (self, "number", operands[place].output_nr)
            if key not in notes:
                self._noted += 1
                notes[key] = _number(operands[place], frame, place)
        if not in_graph or _kind_of(name) is None:
            return None
        constants = [place for place, one in enumerate(operands) if place not in in_graph and _is_constant(one)]
        return _number(operands[constants[-1]], frame, constants[-1]) if constants else None

    def _note_result(
        self, name: str, result: Any, constant: NamedNumber | None, args: tuple[Any, ...], frame: FrameType
    ) -> None:
        node = result.grad_fn if isinstance(result, Tensor) else None
        if node is None:
            return
        if constant is not None:
            _notes(node)[self, _kind_of(name)] = constant
        if frame.f_code.co_filename.endswith(_GRAD_SCALER):
            scale = next((one for one in args if isinstance(one, Tensor) and one.grad_fn is None), None)
            if scale is not None:
                _notes(node)[self, "scale"] = scale.detach().clone()


def _outside(frame: FrameType) -> FrameType:
    """Of a frame of this package, which the script may train with, the one that called it; else the one given."""
    outer: FrameType | None = frame
    places = (_PACKAGE, _TORCH) if frame.f_code.co_filename.startswith(_PACKAGE) else ()
    while outer is not None and outer.f_code.co_filename.startswith(places):
        outer = outer.f_back
    return outer or frame


def _kind_of(operation: str) -> str | None:
    """What a constant is in an operation."""
    name = operation.strip("_").lstrip("ri")
    return "added" if name in _SUMS else "factor" if name in _PRODUCTS else None


def _notes(node: Any) -> dict[Any, Any]:
    return cast(dict[Any, Any], node.metadata)


def put_back(replaced: list[tuple[Any, str, bool, Any]]) -> None:
    """Undo replacements: owner, name, whether the owner itself had it, and what it had."""
    while replaced:
        owner, name, was_own, original = replaced.pop()
        if was_own:
            setattr(owner, name, original)
        else:
            delattr(owner, name)


def _number(operand: Tensor | float, frame: FrameType, place: int) -> NamedNumber:
    where = f"{frame.f_code.co_filename}:{frame.f_lineno}:{frame.f_lasti}"
    if not isinstance(operand, Tensor):
        return NamedNumber(_shortened(_operand(frame, place, ast.BinOp)), operand, where)
    return NamedNumber(name_of(operand, frame, place), operand.detach().clone().reshape(()), where)


def _is_constant(operand: Any) -> bool:
    if type(operand) in (int, float):
        return True
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
    return _shortened(_operand(frame, place))


def _shortened(expression: str) -> str:
    return expression if len(expression) <= _LONGEST else expression[: _LONGEST - 1] + "…"


def _kept(frame: FrameType) -> Iterator[tuple[str, Any]]:
    """Values with names: of mappings in this frame and, in a comprehension, around it; variables; items of lists."""
    frames = [frame]
    while frames[-1].f_code.co_name in _COMPREHENSIONS and frames[-1].f_back:
        frames.append(frames[-1].f_back)
    variables = [item for one in frames for item in _variables(one)]
    # by their types and the methods of these: to ask a proxy or a mapping of the script's own runs its code
    for _, value in variables:
        if issubclass(type(value), dict) and dict.__len__(value) < _MANY:
            yield from ((str(key), held) for key, held in dict.items(value) if isinstance(held, Tensor))
    yield from variables
    for name, value in variables:
        if type(value) in (list, tuple) and len(value) < _MANY:
            yield from ((f"{name}[{i}]", held) for i, held in enumerate(value))


def _variables(frame: FrameType) -> list[tuple[str, Any]]:
    held = frame.f_locals
    found = list(held.items())
    if type(held) is dict and frame.f_code.co_flags & CO_OPTIMIZED and sys.getrefcount(held) <= _REFERENCES:
        held.clear()  # before Python 3.13 a copy, which the frame would keep, and with it what the function deletes
    return found


def _operand(frame: FrameType, place: int, *kinds: type[ast.expr]) -> str:
    """The call or attribute that gave an operand without a name, by the place in the file of what the frame runs.

    Also an expression of these ``kinds``: of tensors a product's or a sum's operands were noted themselves.
    """
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
    if called is None or not isinstance(called, (ast.Attribute, ast.Name, ast.Subscript, *kinds)):
        return ""
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
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # a magic line, no Python, or nested too deeply
        return {}
    found = [node for node in ast.walk(tree) if isinstance(node, ast.BinOp | ast.AugAssign | ast.Call)]
    return {(n.lineno, n.end_lineno, n.col_offset, n.end_col_offset): n for n in found}
