"""Several processes: what DDP and FSDP do with parameters, and gathering with a gradient."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn

# their names of today, and before torch 2.13
REDUCE_SCATTER = "reduce_scatter_single" if hasattr(dist, "reduce_scatter_single") else "reduce_scatter_tensor"
ALL_GATHER = "all_gather_single" if hasattr(dist, "all_gather_single") else "all_gather_into_tensor"


def load_without_groups() -> None:
    """Load the functions that DDP loads with its first pass, with defaults of ``None``, the group of all processes.

    Loaded once there is a group they would hold it by their defaults, and its threads, for as long as Python runs.
    """
    import torch.distributed.nn.functional as functional

    for one in vars(functional).values():
        defaults = getattr(one, "__defaults__", None) or ()
        if any(isinstance(default, dist.ProcessGroup) for default in defaults):
            one.__defaults__ = tuple(None if isinstance(each, dist.ProcessGroup) else each for each in defaults)


def is_ddp_sink(node: Any) -> bool:
    """Whether outputs of a ``DistributedDataParallel`` pass this node, though it may have been collected since."""
    return hasattr(node, "ddp_weakref")


def ddp_of(node: Any) -> Any:
    """The ``DistributedDataParallel`` whose outputs pass this node; ``None`` of any other node, and once collected."""
    return node.ddp_weakref() if is_ddp_sink(node) else None


def reduces_in_its_next_pass(ddp: Any) -> bool:
    """Whether ``DistributedDataParallel`` has a static graph and still waits for the first pass to reduce after it."""
    return ddp is not None and bool(ddp.static_graph) and not ddp._static_graph_delay_allreduce_enqueued


def delay_ddp_to_the_outer_pass(ddp: Any) -> None:
    """Let DDP's first all-reduce of a static graph wait for the backward that is running.

    DDP asks for it in whichever pass meets its node first, to be done at the end of that pass.
    """
    if reduces_in_its_next_pass(ddp):
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
    parameters = [p for state in states for group in _groups(state) for p in group.fsdp_params]
    return {p.unsharded_param: p.sharded_param for p in parameters if hasattr(p, "_unsharded_param")}


def _groups(state: Any) -> list[Any]:
    """What one module shards together; before torch 2.13 one group, if any."""
    if hasattr(state, "_fsdp_param_groups"):
        return list(state._fsdp_param_groups)
    return [] if state._fsdp_param_group is None else [state._fsdp_param_group]


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
