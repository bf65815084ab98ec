"""Looks at some backward passes of a script that knows nothing of it."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import torch
from torch import Tensor, nn

from equipoise.torch_private.autograd import backward_number
from equipoise.watching import look
from equipoise.watching.expressions import Expressions
from equipoise.watching.page import page_of
from equipoise.watching.seen import Look, ScriptSeen
from equipoise.watching.split import addends_of

AT = (1, 10, 100, 1000)
_INSTALLED = ("site-packages", "dist-packages")
_MODULE_HOOKS = ("register_full_backward_hook", "register_full_backward_pre_hook", "register_backward_hook")


class Watch:
    """While it is on, every call of ``backward`` is counted, and before some the losses are looked at.

    ``with Watch() as watch: train()``; then ``watch.seen``. Gradients, parameters and random numbers stay what they
    would be without it.

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
        self._replaced: list[tuple[Any, str, Any]] = []
        self._looks = False

    def __enter__(self) -> "Watch":
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
        self._expressions.open()

    def stop(self) -> None:
        """Leave everything as it was."""
        self._expressions.close()
        self._expressions.forget()
        while self._replaced:
            owner, name, original = self._replaced.pop()
            setattr(owner, name, original)

    def _replace(self, owner: Any, name: str, by: Callable[[Any], Any]) -> None:
        original = getattr(owner, name)
        self._replaced.append((owner, name, original))
        setattr(owner, name, wraps(original)(by(original)))

    def _watched(self, original: Any) -> Any:
        def backward(*args: Any, **kwargs: Any) -> None:
            if backward_number() >= 0:  # a checkpoint, inside of one that is counted
                original(*args, **kwargs)
                return
            site = _site(sys._getframe(1))
            step = self.seen.calls[site] = self.seen.calls.get(site, 0) + 1
            if step in self.at:
                self._look(site, step, *args, **kwargs)
            self._expressions.close()
            self._expressions.forget()
            original(*args, **kwargs)
            if any(count + 1 in self.at for count in self.seen.calls.values()):
                self._expressions.open()

        return backward

    def _with_silence(self, original: Any) -> Any:
        """Registers a hook that does not run while the watch looks."""

        def register(owner: Any, hook: Any, *args: Any, **kwargs: Any) -> Any:
            @wraps(hook, assigned=("__module__", "__name__", "__qualname__", "__doc__"))
            def unless_looking(*given: Any) -> Any:
                return None if self._looks else hook(*given)

            return original(owner, unless_looking, *args, **kwargs)

        return register

    def _look(self, site: str, step: int, tensors: Any, grad_tensors: Any = None, *_: Any, **__: Any) -> None:
        start = time.perf_counter()
        self._expressions.close()
        self._looks = True
        try:
            with torch.enable_grad():
                seen = look_at(tensors, grad_tensors, self._expressions)
            self.seen.looks.append(Look(site, step, seconds=time.perf_counter() - start, **seen))
            if self._after_look is not None:
                self._after_look(self.seen)
        except Exception as error:  # whatever it is, the script is not ended by who looks on
            self.seen.problems.append(f"step {step} of {site}: {type(error).__name__}: {error}".partition("\n")[0])
        finally:
            self._looks = False


def look_at(tensors: Any, gradients: Any, known: Expressions) -> dict[str, Any]:
    """The fields of a ``Look`` at what ``torch.autograd.backward`` is about to be called with."""
    roots = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    given = [gradients] if gradients is None or isinstance(gradients, Tensor) else list(gradients)
    given += [None] * (len(roots) - len(given))
    addends = [addend for root, grad in zip(roots, given, strict=True) for addend in addends_of(root, grad)]
    leaves = look.leaves_below(addends)
    rows = look.rows_of(addends, leaves)
    scale = known.scale_of(roots[0].grad_fn)
    sums = dict.fromkeys(node for addend in addends for node in addend.above)
    constants = [constant for constant in map(known.constant_in, sums) if constant is not None]
    return {
        "total": float(sum(root.detach().sum() for root in roots)) / scale,
        "parts": look.parts_of(addends, rows, known, scale),
        "gramian": look.shared_gramian(rows, scale),
        "layers": look.layers_of(rows, look.names_of(leaves), scale),
        "constants": {constant.name: float(constant.value) for constant in constants if float(constant.value)},
        "scale": scale,
    }


def _site(frame: Any) -> str:
    """The line of the script that led here: the innermost outside of PyTorch and of installed packages, else any."""
    inner = frame
    while frame is not None:
        file = frame.f_code.co_filename
        if not any(place in file for place in _INSTALLED) and not file.startswith("<frozen"):
            return f"{file}:{frame.f_lineno} ({frame.f_code.co_name})"
        frame = frame.f_back
    return f"{inner.f_code.co_filename}:{inner.f_lineno} ({inner.f_code.co_name})"


@contextmanager
def watch(at: Iterable[int] = AT) -> Iterator[Watch]:
    """Look at the losses of all backward passes in a block, and print what was seen.

    Args:
        at: Which calls of one line are looked at, from 1 on.

    Raises:
        ValueError: If ``at`` holds no step, or one below 1.
    """
    one = Watch(at)
    with one:
        yield one
    print(page_of([one.seen]))
