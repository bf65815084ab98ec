"""All that this package reads or changes of PyTorch beyond its public interface, in one place.

The default suite runs with torch 2.6, 2.8, 2.10, 2.13 and 2.15 (docs/works-with.md). "From" is the first of them that
has a name, where that is not 2.6. "Absent" is what happens where a release does not have it, or no longer has it.

=======================================  ===================================  ====  ==================================
touched                                  what for                             from  absent
=======================================  ===================================  ====  ==================================
``Tensor._backward_hooks``               a parameter's hooks run once a step        AttributeError at the first step
``_C._stash_obj_in_tls`` and its kin     the same, in autograd's own threads        AttributeError at import
``node._saved_*``, ``_raw_saved_*``      inputs of layers, parts of views           AttributeError at the first step
``SavedTensor.unpack_hook``              whether a hook hides what was saved  2.10  taken to be so: rows, no factors
``node._input_metadata``                 shapes of what a node gives                AttributeError at the first step
``_forward_cls``, ``_aot_id``            K passes through a compiled graph          refused: ``compile_safe`` is named
``_functorch.config``, ``AOT_COUNTER``   no donated buffers, in all threads         ``compile_safe`` raises
``_C._current_graph_task_id``            which backward is running                  AttributeError at the first step
``_C._will_engine_execute_node``, kin    whether it needs the graph again           AttributeError at the first step
``_C._functorch``                        losses made inside ``torch.func``          AttributeError at the first step
``_C.DisableTorchFunctionSubclass``      plain tensors of subclasses                AttributeError for subclasses
``Tensor._version``                      a parameter changed meanwhile              AttributeError when first needed
``torch._foreach_*``                     one kernel for many tensors                AttributeError at the first step
``aten._embedding_bag_backward``         gradient of an embedding bag               AttributeError where one is met
``_DDPSink``'s ``ddp_weakref``           which gradients DDP awaits                 DDP fails where some are unused
``DDP.reducer``, ``_static_graph_...``   first all-reduce of a static graph         DDP fails with a static graph
``DDP._join_config``                     refuse ``join()``                          ``join()`` hangs
``_get_fsdp_state`` (FSDP2)              gathered -> sharded parameters             an error: no parameter is reached
``_handle``, ``_is_flat_param`` (FSDP1)  refuse what has no task's gradients        an error: no parameter is reached
``_functional_collectives``              gather features with their gradient        ImportError where it is called
``all_gather_single`` there              the same, by its name of today       2.13  ``all_gather_tensor_autograd``
=======================================  ===================================  ====  ==================================

Until torch 2.11 ``_stash_obj_in_tls`` takes no reference to what it is given, though it drops one; here one is taken.

Overridden elsewhere, where a module's state moves or loads in a way of its own: ``Module._apply`` (``placement.py``)
and ``Module._load_from_state_dict``; ``gradients/roles.py`` reads ``_orig_mod``, which ``torch.compile`` adds to names.
Nodes are known by the names of their types (``AddmmBackward0``); one of another name takes the general way.
"""

import ctypes
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, update_wrapper, wraps
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge

HOOKS_ARE_SEEN = hasattr(torch._C._autograd.SavedTensor, "unpack_hook")  # not in torch 2.8

_SUPPRESSED = "equipoise: hooks of parameters do not run"  # in what autograd's own threads take over from the caller


def _stash_steals() -> bool:
    """Whether ``_stash_obj_in_tls`` takes no reference to what it is given, though it drops one: until torch 2.11."""
    given = object()
    before = sys.getrefcount(given)
    torch._C._stash_obj_in_tls(f"{_SUPPRESSED}: probe", given)
    steals = sys.getrefcount(given) == before
    if steals:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(given))
    return steals


_STASH_STEALS = _stash_steals()

_Function = TypeVar("_Function", bound=Callable[..., Any])

_TAG = "several-backward-passes"  # in the cache's key, so that no artefact compiled with donation is found there
_first_safe = [sys.maxsize]  # number of the first graph that was compiled under these settings


# Hooks of tensors


@contextmanager
def suppressed_hooks(leaves: Iterable[Tensor]) -> Iterator[None]:
    """Run no tensor hooks of these leaves in the backward passes of this block.

    Other threads may go backward through the leaves meanwhile, and a hook on the way may go backward through another
    network, in a pass that inherits what this one knows.
    """
    leaves, outer = list(leaves), _suppressed()
    _wrap_hooks(leaves)
    _suppress(outer.union(map(id, leaves)))
    try:
        yield
    finally:
        _suppress(outer)


def _suppressed() -> frozenset[int]:
    """The ``id`` of each leaf whose hooks do not run."""
    return torch._C._get_obj_in_tls(_SUPPRESSED) if torch._C._is_key_in_tls(_SUPPRESSED) else frozenset()


def _suppress(leaves: frozenset[int]) -> None:
    if _STASH_STEALS:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(leaves))
    torch._C._stash_obj_in_tls(_SUPPRESSED, leaves)


def _wrap_hooks(leaves: Iterable[Tensor]) -> None:
    """Put in the place of each hook of a leaf one that can be suppressed; the user's handle removes it as well."""
    for leaf in leaves:
        hooks = leaf._backward_hooks or {}
        for key, hook in list(hooks.items()):
            if not isinstance(hook, _Hook) and key in hooks:
                hooks[key] = _Hook(hook, id(leaf))


class _Hook:
    """A user's hook, on the leaf of this ``id``."""

    def __init__(self, run: Callable[[Tensor], Tensor | None], leaf: int) -> None:
        update_wrapper(self, run)
        self._run, self._leaf = run, leaf

    def __call__(self, gradient: Tensor) -> Tensor | None:
        return None if self._leaf in _suppressed() else self._run(gradient)


# Nodes of autograd's graph


def saved(node: Any, name: str) -> Any:
    """What a node saved for its backward under a name: a tensor, a number, or a sequence of them."""
    value = getattr(node, f"_saved_{name}")
    return tuple(map(_signed, value)) if isinstance(value, tuple) else _signed(value)


def _signed(value: Any) -> Any:
    """PyTorch may show a saved -1 as an unsigned number."""
    return value - 2**64 if type(value) is int and value >= 2**63 else value


def saving_runs_hooks(node: Any) -> bool:
    """Whether to look at what a node saved runs a hook: a checkpoint would run its forward pass again.

    Up to torch 2.8 nobody can tell: then it is True of every node that saves a tensor.
    """
    found = [getattr(node, name) for name in _raw_names(cast(Any, type(node)))]
    each = [raw for one in found for raw in (one if isinstance(one, tuple | list) else (one,))]
    return any(raw is not None and (not HOOKS_ARE_SEEN or raw.unpack_hook is not None) for raw in each)


@cache
def _raw_names(kind: type) -> tuple[str, ...]:
    return tuple(name for name in dir(kind) if name.startswith("_raw_saved_"))


def is_freed(node: Any) -> bool:
    """Whether something that a node saved is gone."""
    for name in dir(node):
        if name == "saved_tensors" or name.startswith("_saved_"):
            try:
                getattr(node, name)
            except RuntimeError:  # what PyTorch says of a saved tensor that it has freed
                return True
    return False


def output_metadata(edge: GradientEdge | tuple[Any, int]) -> Any:
    """Shape, dtype and device of the output of a node that an edge leads to, and whether it is nested."""
    return cast(Any, edge[0])._input_metadata[edge[1]]


# The backward pass that is running


def backward_number() -> int:
    """Its number; negative outside of any."""
    return torch._C._current_graph_task_id()


def backward_retains_graph() -> bool:
    """Whether it was called with ``retain_graph=True``."""
    return torch._C._autograd._get_current_graph_task_keep_graph()


def backward_will_run(nodes: Iterable[Any]) -> bool:
    """Whether it still passes through one of these nodes."""
    return any(torch._C._will_engine_execute_node(node) for node in nodes)


# Tensors


def version(tensor: Tensor) -> int:
    """How often it was written to."""
    return tensor._version


def are_inside_functorch(tensors: Iterable[Tensor]) -> list[bool]:
    """Whether a transform of ``torch.func`` made each of them."""
    return list(map(torch._C._functorch.is_functorch_wrapped_tensor, tensors))


def without_subclass(tensor: Tensor) -> Tensor:
    """The same numbers in the same graph, as a plain tensor, past what the subclass makes of operations."""
    with torch._C.DisableTorchFunctionSubclass():
        return tensor.as_subclass(Tensor)


def fill_zeros_(tensors: list[Tensor]) -> None:
    """Zero each of them."""
    torch._foreach_zero_(tensors)


def copy_each_(tensors: list[Tensor], sources: list[Tensor]) -> None:
    """Copy each source into its tensor."""
    torch._foreach_copy_(tensors, sources)


def add_each_(tensors: list[Tensor], others: list[Tensor], factor: float) -> None:
    """Add a multiple of each other to its tensor."""
    torch._foreach_add_(tensors, others, alpha=factor)


def embedding_bag_backward(*arguments: Any) -> Tensor:
    """The gradient of an embedding bag by its table, from what the forward pass saved."""
    return cast(Tensor, torch.ops.aten._embedding_bag_backward(*arguments))


# Compiled graphs


def uncompiled(function: _Function) -> _Function:
    """The function, run as it is where ``torch.compile`` meets it: it walks graphs, which cannot be traced."""

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        plain = torch.compiler.disable(function) if torch.compiler.is_compiling() else function
        return plain(*args, **kwargs)

    return cast(_Function, run)


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


# Several processes


def is_ddp_sink(node: Any) -> bool:
    """Whether outputs of a ``DistributedDataParallel`` pass this node, though it may have been collected since."""
    return hasattr(node, "ddp_weakref")


def ddp_of(node: Any) -> Any:
    """The ``DistributedDataParallel`` whose outputs pass this node; ``None`` of any other node, and once collected."""
    return node.ddp_weakref() if is_ddp_sink(node) else None


def delay_ddp_to_the_outer_pass(ddp: Any) -> None:
    """Let DDP's first all-reduce of a static graph wait for the backward that is running.

    DDP asks for it in whichever pass meets its node first, to be done at the end of that pass.
    """
    if ddp.static_graph and not ddp._static_graph_delay_allreduce_enqueued:
        engine: Any = torch.autograd.Variable._execution_engine
        engine.queue_callback(ddp.reducer._delay_all_reduce)
        ddp._static_graph_delay_allreduce_enqueued = True


def is_joining(module: Any) -> bool:
    """Whether ``DistributedDataParallel.join()`` is on."""
    return bool(getattr(getattr(module, "_join_config", None), "enable", False))


def gathered_by_fsdp(module: nn.Module) -> Mapping[Tensor, Tensor]:
    """Gathered parameter, as the graph of a loss has it -> sharded parameter, as the optimiser has it (FSDP2)."""
    if not (dist.is_available() and dist.is_initialized()):
        return {}
    states = [cast(Any, part)._get_fsdp_state() for part in module.modules() if hasattr(part, "_get_fsdp_state")]
    parameters = [p for state in states for group in state._fsdp_param_groups for p in group.fsdp_params]
    return {p.unsharded_param: p.sharded_param for p in parameters if hasattr(p, "_unsharded_param")}


def flattened_by_fsdp(module: nn.Module) -> Mapping[Tensor, Tensor]:
    """Parameter, as FSDP1 shows it (``use_orig_params=True``) -> the flat one that it lies in, as the graph has it."""
    if not (dist.is_available() and dist.is_initialized()):
        return {}
    flats = [getattr(getattr(part, "_handle", None), "flat_param", None) for part in module.modules()]
    return {parameter: flat for flat in flats if flat is not None for parameter in flat._params or ()}


def has_flat_of_fsdp(parameters: Iterable[Tensor]) -> bool:
    """Whether there is a flat parameter of FSDP1."""
    return True in [getattr(parameter, "_is_flat_param", False) for parameter in parameters]


def all_gather_with_gradient(tensor: Tensor) -> Tensor:
    """The tensors of all processes end to end; its gradient arrives summed over them."""
    # torch.distributed.nn.functional.all_gather names this as its successor
    import torch.distributed._functional_collectives as collectives

    gather = getattr(collectives, "all_gather_single", None) or collectives.all_gather_tensor_autograd
    world = cast(dist.ProcessGroup, dist.group.WORLD)
    return cast(Tensor, collectives.wait_tensor(gather(tensor.contiguous(), 0, world)))
