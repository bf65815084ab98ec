"""Python runs this before a script that ``equipoise doctor`` starts; it waits for PyTorch, then watches."""

import contextlib
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

_HERE = os.path.dirname(os.path.abspath(__file__))


def _run_the_one_behind() -> None:
    """The environment's own module of this name, which stands behind this one in the path."""
    behind = [place for place in sys.path if os.path.abspath(place) != _HERE]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", behind)
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


class _AfterTorch:
    """Finds no module, but lets the watch begin as soon as ``torch`` has been imported."""

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> Any:
        if name != "torch":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec("torch")
        if spec is not None and spec.loader is not None:
            loader: Any = spec.loader
            execute = loader.exec_module

            def then_watch(module: ModuleType) -> None:
                execute(module)
                _watch()

            loader.exec_module = then_watch
        return spec


def _watch() -> None:
    try:
        from equipoise.watching.process import watch_this_process

        watch_this_process()
    except Exception as error:  # the script's ``import torch`` is not to fail by it
        print(f"equipoise doctor: nothing was seen by {sys.executable}: {error}", file=sys.stderr)


def _begin(folder: str) -> None:
    if "torch" in sys.modules:  # by a .pth file
        _watch()
    else:
        sys.meta_path.insert(0, _AfterTorch())
    with contextlib.suppress(OSError):  # of a process that outlives the command
        open(os.path.join(folder, "started"), "w").close()


if "EQUIPOISE_DOCTOR" in os.environ:
    _begin(os.environ["EQUIPOISE_DOCTOR"])
_run_the_one_behind()  # last, as it may raise
