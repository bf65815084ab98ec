"""``torch.compile``: what it must not trace, and compiled graphs that several backward passes may go through."""

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import torch

_Function = TypeVar("_Function", bound=Callable[..., Any])

_TAG = "several-backward-passes"  # in the cache's key, so that no artefact compiled with donation is found there
_first_safe = [sys.maxsize]  # number of the first graph that was compiled under these settings


def uncompiled(function: _Function) -> _Function:
    """The function, run as it is where ``torch.compile`` meets it: it walks graphs, which cannot be traced."""

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        plain = torch.compiler.disable(function) if torch.compiler.is_compiling() else function
        return plain(*args, **kwargs)

    return cast(_Function, run)


def let_scripts_call(function: Callable[..., Any], original: Callable[..., Any]) -> None:
    """Let ``torch.jit.script`` take a function for the one of PyTorch's that it stands for."""
    operation = torch.jit._builtins._find_builtin(original)
    if operation is not None:
        torch.jit._builtins._register_builtin(function, operation)


def compile_safe() -> None:
    """Let gradient methods work with ``torch.compile``: call it once, before the model is compiled.

    A compiled backward pass may write into what its forward pass saved ("donated buffers"), and a second pass then
    reads garbage. PyTorch forbids it where it knows; its cache on disk does not know (the key leaves donation out).

    Turns off donated buffers, and marks this in the key of PyTorch's compile caches, in all threads of this process.
    What was compiled before is compiled anew when it is next called. The price is the memory of activations that a
    backward pass could have written over.
    """
    import torch._functorch.aot_autograd as compiler  # seconds, which only those who compile should pay
    from torch._functorch import config
    from torch.compiler import config as cache

    if not config.donated_buffer and _TAG in cache.cache_key_tag and _first_safe[0] != sys.maxsize:
        return
    _set_everywhere(config, "donated_buffer", False)
    _set_everywhere(cache, "cache_key_tag", "-".join(filter(None, [cache.cache_key_tag, _TAG])))
    torch.compiler.reset()
    _first_safe[0] = next(compiler.AOT_COUNTER)


def _set_everywhere(config: Any, name: str, value: Any) -> None:
    """Set it in this thread and as the default of others: autograd compiles backward passes in threads of its own."""
    setattr(config, name, value)
    config._config[name].env_value_default = value


def allows_several_passes(node: Any) -> bool:
    """Whether the node of a compiled graph was compiled after ``compile_safe()``, without donated buffers."""
    compiled = getattr(type(node), "_forward_cls", None)
    number, metadata = getattr(compiled, "_aot_id", -1), getattr(compiled, "metadata", None)
    return number >= _first_safe[0] and not getattr(metadata, "bw_donated_idxs", True)
