"""Looks at some backward passes of a script that knows nothing of it."""

import sys
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import cache, update_wrapper, wraps
from operator import getitem
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from equipoise.torch_private.autograd import backward_number, is_pass_of, passes_of
from equipoise.torch_private.compiling import uncompiled
from equipoise.watching import look
from equipoise.watching.expressions import Expressions, put_back
from equipoise.watching.grouping import few_addends
from equipoise.watching.page import page_of
from equipoise.watching.seen import PassSeen, ScriptSeen

AT = (1, 10, 100, 1000)
_INSTALLED = ("site-packages", "dist-packages", str(Path(__file__).parents[1]))
_FIRST = 10  # calls, of all lines, after which it is known which lines there are
_MODULE_HOOKS = ("register_full_backward_hook", "register_full_backward_pre_hook", "register_backward_hook")


class ScriptWatch:
    """While it is on, every call of ``backward`` is counted, and before some the losses are looked at.

    ``with ScriptWatch() as watch: train()``; then ``watch.seen``. Gradients, parameters and random numbers stay what
    they would be without it.

    Args:
        at: Which calls of one line are looked at, from 1 on.
        after_look: Is given all that was seen so far.
    """

    def __init__(self, at: Iterable[int] = AT, after_look: Callable[[ScriptSeen], None] | None = None) -> None:
        self.at = frozenset(at)
        if not self.at or min(self.at) < 1:
            raise ValueError(f"at must hold numbers of steps from 1 on, got {sorted(self.at)}")
        self.seen = ScriptSeen()
        self._after_look = after_look
        self._expressions = Expressions()
        self._replaced: list[tuple[Any, str, bool, Any]] = []
        self._retaining: list[weakref.ref[Tensor]] = []
        self._last: dict[str, tuple[int, int]] = {}  # site -> number of its last call, calls since the one before
        self._waiting: set[str] = set()  # sites whose next call is looked at
        self._sites: dict[tuple[int, int], tuple[Any, str]] = {}  # with the code, whose id is its own while it is held
        self._calls = 0

    def __enter__(self) -> "ScriptWatch":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Put itself before ``torch.autograd.backward``, to which ``Tensor.backward`` leads, and before hooks."""
        if self._replaced:
            raise RuntimeError("this watch has started: stop it first")
        self._replace(torch.autograd, "backward", self._watched)
        for owner, names in ((Tensor, ("register_hook",)), (nn.Module, _MODULE_HOOKS)):
            for name in names:
                self._replace(owner, name, self._with_silence)
        self._replace(Tensor, "retain_grad", self._noted)
        self._expressions.open()

    def stop(self) -> None:
        """Leave everything as it was."""
        self._expressions.end()
        put_back(self._replaced)

    def _replace(self, owner: Any, name: str, by: Callable[[Any], Any]) -> None:
        original = getattr(owner, name)
        self._replaced.append((owner, name, name in vars(owner), original))
        setattr(owner, name, wraps(original)(by(original)))

    def _watched(self, original: Any) -> Any:
        def backward(tensors: Any, *args: Any, **kwargs: Any) -> None:
            if backward_number() >= 0:  # a checkpoint, inside of one that is counted
                original(tensors, *args, **kwargs)
                return
            site = self._site_of(sys._getframe(1))
            step = self.seen.calls[site] = self.seen.calls.get(site, 0) + 1
            self._calls += 1
            self._last[site] = self._calls, self._calls - self._last.get(site, (0, 0))[0]
            (self._waiting.add if step + 1 in self.at else self._waiting.discard)(site)
            if self._expressions.is_open:
                self._expressions.close()
            if step in self.at and not _is_captured():
                tensors = tensors if isinstance(tensors, Tensor) else tuple(tensors)
                self._look(site, step, tensors, *args, **kwargs)
            original(tensors, *args, **kwargs)
            if self._calls < _FIRST or any(map(self._is_due, self._waiting)):
                self._expressions.open()

        return uncompiled(backward)  # to trace it would be to compile each count anew

    def _site_of(self, frame: Any) -> str:
        """The line of the script that led here: the innermost outside of PyTorch and installed packages, else any."""
        inner = frame
        while frame is not None and not _is_of_script(frame.f_code.co_filename):
            frame = frame.f_back
        frame = inner if frame is None else frame
        code = frame.f_code
        known = self._sites.get((id(code), frame.f_lasti))  # to count lines takes longer, and to hash code
        if known is None:
            site = f"{code.co_filename}:{frame.f_lineno} ({code.co_name})"
            known = self._sites[id(code), frame.f_lasti] = code, site
        return known[1]

    def _is_due(self, site: str) -> bool:
        """Whether the calls of a site that waits are not long over."""
        last, apart = self._last[site]
        return self._calls - last < max(_FIRST, 2 * apart)

    def _with_silence(self, original: Any) -> Any:
        """Registers a hook that does not run while the watch looks."""

        def register(owner: Any, hook: Any, *args: Any, **kwargs: Any) -> Any:
            return original(owner, Silent(hook, self) if callable(hook) else hook, *args, **kwargs)

        return register

    def _noted(self, original: Any) -> Any:
        """Keeps in mind which tensors take their gradient from every pass."""

        def retain_grad(tensor: Tensor) -> Any:
            if not tensor.is_leaf:
                self._retaining = [one for one in self._retaining if one() is not None]
                self._retaining.append(weakref.ref(tensor))
            return original(tensor)

        return retain_grad

    def _look(self, site: str, step: int, tensors: Any, grad_tensors: Any = None, *_: Any, **__: Any) -> None:
        start = time.perf_counter()
        retaining = [tensor for one in self._retaining if (tensor := one()) is not None]
        kept = [tensor.grad for tensor in retaining]
        try:
            with torch.enable_grad(), passes_of(self):
                seen = look_at(tensors, grad_tensors, self._expressions)
            self.seen.looks.append(PassSeen(site, step, seconds=time.perf_counter() - start, **seen))
        except Exception as error:  # whatever it is, the script is not ended by who looks on
            problem = f"step {step} of {site}: {type(error).__name__}: {error}"
            self.seen.problems.append(problem.partition("\n")[0])
        finally:
            for tensor, gradient in zip(retaining, kept, strict=True):
                tensor.grad = gradient
        self.seen.problems += [problem for problem in self._expressions.problems if problem not in self.seen.problems]
        if self._after_look is not None:
            self._after_look(self.seen)


class Silent:
    """A hook of the script's that does not run in a pass of a watch's; it is pickled as the script's own."""

    def __init__(self, hook: Callable[..., Any], watch: ScriptWatch) -> None:
        update_wrapper(self, hook, assigned=("__module__", "__name__", "__qualname__", "__doc__"))
        self._equipoise = hook, watch

    def __call__(self, *given: Any) -> Any:
        hook, watch = self._equipoise
        return None if is_pass_of(watch) else hook(*given)

    def __reduce__(self) -> tuple[Any, ...]:
        return getitem, ((self._equipoise[0],), 0)

    def __deepcopy__(self, known: dict[int, Any]) -> "Silent":
        hook, watch = self._equipoise
        return Silent(deepcopy(hook, known), watch)


def _is_captured() -> bool:
    """Whether a CUDA graph records: to read a number would end it."""
    return torch.cuda.is_initialized() and torch.cuda.is_current_stream_capturing()


def look_at(tensors: Any, gradients: Any, known: Expressions) -> dict[str, Any]:
    """The fields of a ``PassSeen`` of what ``torch.autograd.backward`` is about to be called with."""
    roots = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    given = [gradients] if gradients is None or isinstance(gradients, Tensor) else list(gradients)
    given += [None] * (len(roots) - len(given))
    nodes = look.nodes_below(roots)
    look.require_several_passes(nodes)
    modules, optimizers = look.modules_and_optimizers()
    leaves = look.leaves_of(nodes, optimizers)
    with look.unchanged(nodes, modules):
        addends = [a for root, grad in zip(roots, given, strict=True) for a in few_addends(root, grad, known)]
        rows = look.rows_of(addends, leaves)
    scale = known.scale_of(roots[0].grad_fn)
    products = look.products_by_leaf(rows, scale)
    sums = dict.fromkeys(node for addend in addends for node in addend.above)
    constants = [constant for constant in map(known.constant_in, sums) if constant is not None]
    idle = set(look.idle_of(leaves, optimizers))
    names = look.names_of([*leaves, *idle], modules)
    trained = {leaf: name for leaf, name in names.items() if leaf not in idle}
    return {
        "total": float(sum(root.detach().sum() for root in roots)) / scale,
        "parts": look.parts_of(addends, rows, known, scale, roots),
        "gramian": look.shared_gramian(rows, products),
        "layers": look.layers_of(rows, products, trained, modules, scale),
        "constants": {constant.name: float(constant.value) for constant in constants if float(constant.value)},
        "scale": scale,
        "idle": sorted({names[leaf].rpartition(".")[0] or names[leaf] for leaf in idle}),
    }


@cache
def _is_of_script(file: str) -> bool:
    return not any(place in file for place in _INSTALLED) and not file.startswith("<frozen")


@contextmanager
def watch(at: Iterable[int] = AT) -> Iterator[ScriptWatch]:
    """Look at the losses of all backward passes in a block, and print what was seen.

    Args:
        at: Which calls of one line are looked at, from 1 on.

    Raises:
        ValueError: If ``at`` holds no step, or one below 1.
    """
    one = ScriptWatch(at)
    with one:
        yield one
    print(page_of([one.seen]))
