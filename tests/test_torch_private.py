"""Private PyTorch is touched in one package only, which says what happens where a release lacks a piece of it."""

import ast
import importlib
import inspect
import re
import signal
import subprocess
import sys
from functools import reduce
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.testing import assert_close

import equipoise as eq
from equipoise import torch_private
from equipoise.torch_private import autograd
from equipoise.torch_private.autograd import suppressed_hooks
from needed import older_than

SOURCE = Path(eq.__file__).parent
HOME = "torch_private"

OVERRIDDEN = {"_apply", "_load_from_state_dict"}  # where a module's state moves or loads in a way of its own
OTHERS = {"_actions", "_AppendAction", "_ExtendAction", "_StoreTrueAction", "_exit", "_getframe", "_repr_html_"}
OTHERS |= {"_fields", "_trial_id"}  # of argparse, os, sys, IPython, named tuples and optuna

_OF_TORCH = {
    name
    for thing in (torch.zeros(()), nn.Module(), torch.optim.SGD([torch.zeros(())], 0.1))
    for name in dir(thing)
    if name.startswith("_") and not name.startswith("__")
}


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name != "_"


def touched(source: str) -> list[str]:
    """Private names in a source that are not its own, each with its line."""
    tree = ast.parse(source)
    own = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)} - _OF_TORCH
    mine = [n for n in ast.walk(tree) if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name)]
    own |= {n.attr for n in mine if isinstance(n.ctx, ast.Store) and n.value.id == "self"} - _OF_TORCH
    found = []
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Attribute) and is_private(node.attr) and node.attr not in own:
            is_self = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            names = [node.attr] if not is_self or node.attr in _OF_TORCH else []
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("getattr", "hasattr"):
            first = node.args[1].values[0] if isinstance(node.args[1], ast.JoinedStr) else node.args[1]
            names = [first.value] if isinstance(first, ast.Constant) and is_private(str(first.value)) else []
        elif isinstance(node, ast.ImportFrom | ast.Import):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
            names = [name for name in modules if any(is_private(part) for part in name.split("."))]
        found += [f"{node.lineno}: {name}" for name in names if name not in OVERRIDDEN | OTHERS]
    return found


def test_private_names_of_torch_stand_in_one_package():
    found = {path.relative_to(SOURCE).parts[0] for path in SOURCE.rglob("*.py") if touched(path.read_text())}
    assert found == {HOME}


@pytest.mark.parametrize(
    "line",
    [
        "torch._C._current_graph_task_id()",
        "leaf._backward_hooks",
        "node._saved_dim",
        "getattr(node, f'_saved_{name}')",
        "hasattr(part, '_get_fsdp_state')",
        "from torch._functorch import config",
        "import torch._dynamo",
        "self._modules",
        "module._buffers = {}",
    ],
)
def test_a_private_name_is_found(line):
    assert len(touched(line)) >= 1


@pytest.mark.parametrize("line", ["self._rows.clear()", "self._x = 1; twin._x = 2", "getattr(self, '__doc__')", "_a.b"])
def test_names_of_ones_own_are_not(line):
    assert touched(line) == []


def table_of(page):
    """Touched -> (what for, the first release that has it, what happens where it is absent), of the docstring."""
    bar = next(line for line in page.splitlines() if line.startswith("===="))
    columns = [slice(found.start(), found.end()) for found in re.finditer("=+", bar)]
    rows = [[line[column].strip() for column in columns] for line in page.split(bar)[2].strip("\n").splitlines()]
    return {touched: rest for touched, *rest in rows}


def there(module, *names):
    """Dotted names of a module are there."""
    for name in names:
        reduce(getattr, name.split("."), importlib.import_module(module))


def named(module, *names):
    """A module's source names what only its instances have."""
    source = inspect.getsource(importlib.import_module(module))
    for name in names:
        if name not in source:
            raise AttributeError(name)


def of_a_node():
    leaf = torch.ones(2, requires_grad=True)
    node = (leaf * leaf).grad_fn
    return node._saved_self, node._raw_saved_self, node._input_metadata[0].shape


FUNCTORCH = ("is_functorch_wrapped_tensor", "_add_batch_dim", "_remove_batch_dim")
FUNCTORCH += ("_vmap_increment_nesting", "_vmap_decrement_nesting")
COLLECTIVES = "torch.distributed._functional_collectives"
DDP = "torch.nn.parallel.distributed"
PIECES = {  # as the docstring names it -> what raises AttributeError or ImportError where it is absent
    "``Tensor._backward_hooks``": lambda: there("torch", "Tensor._backward_hooks"),
    "``_C._stash_obj_in_tls`` and its kin": lambda: there(
        "torch", "_C._stash_obj_in_tls", "_C._get_obj_in_tls", "_C._is_key_in_tls"
    ),
    "``node._saved_*``, ``_raw_saved_*``": of_a_node,
    "``SavedTensor.unpack_hook``": lambda: there("torch", "_C._autograd.SavedTensor.unpack_hook"),
    "``node._input_metadata``": of_a_node,
    "``_forward_cls``, ``_aot_id``": lambda: (
        named("torch.autograd.function", "_forward_cls"),
        named("torch._functorch._aot_autograd.runtime_wrappers", "_aot_id =", "bw_donated_idxs"),
    ),
    "``_functorch.config``, ``AOT_COUNTER``": lambda: (
        there("torch._functorch.config", "donated_buffer", "_config"),
        there("torch.compiler.config", "cache_key_tag", "_config"),
        there("torch._functorch.aot_autograd", "AOT_COUNTER"),
    ),
    "``_C._current_graph_task_id``": lambda: there("torch", "_C._current_graph_task_id"),
    "``_C._will_engine_execute_node``, kin": lambda: there(
        "torch", "_C._will_engine_execute_node", "_C._autograd._get_current_graph_task_keep_graph"
    ),
    "``graph._engine_run_backward``": lambda: there("torch", "autograd.graph._engine_run_backward"),
    "``_C._functorch``, ``_functorch.vmap``": lambda: (
        there("torch", *[f"_C._functorch.{name}" for name in FUNCTORCH]),
        there("torch._functorch.vmap", "lazy_load_decompositions"),
    ),
    "``_C.DisableTorchFunctionSubclass``": lambda: there("torch", "_C.DisableTorchFunctionSubclass"),
    "``Tensor._version``": lambda: there("torch", "Tensor._version"),
    "``torch._foreach_*``": lambda: there("torch", "_foreach_zero_", "_foreach_norm", "_foreach_add_"),
    "``_C._nn.flatten_dense_tensors``, kin": lambda: there(
        "torch", "_C._nn.flatten_dense_tensors", "_C._nn.unflatten_dense_tensors"
    ),
    "``aten._embedding_bag_backward``": lambda: there("torch", "ops.aten._embedding_bag_backward"),
    "``_DDPSink``'s ``ddp_weakref``": lambda: named(DDP, "ctx.ddp_weakref ="),
    "``DDP.reducer``, ``_static_graph_...``": lambda: named(
        DDP, "self.reducer =", "_static_graph_delay_allreduce_enqueued =", "._delay_all_reduce"
    ),
    "``DDP._join_config``": lambda: named(DDP, "self._join_config.enable"),
    "``_get_fsdp_state`` (FSDP2)": lambda: there("torch.distributed.fsdp", "FSDPModule._get_fsdp_state"),
    "``_handle``, ``_is_flat_param`` (FSDP1)": lambda: (
        named("torch.distributed.fsdp._flat_param", "_is_flat_param", "_params"),
        named("torch.distributed.fsdp._common_utils", "_handle"),
    ),
    "``_functional_collectives``": lambda: there(COLLECTIVES, "all_gather_tensor_autograd", "wait_tensor"),
    "``all_gather_single`` there": lambda: there(COLLECTIVES, "all_gather_single"),
    "``_CachedTorchDispatchMode``": lambda: there("torch.utils.checkpoint", "_CachedTorchDispatchMode"),
    "``FSDPState._fsdp_param_groups``": lambda: named(
        "torch.distributed.fsdp._fully_shard._fsdp_state", "_fsdp_param_groups"
    ),
}
ABSENT = table_of(torch_private.__doc__)


def test_every_piece_of_the_docstring_is_looked_for():
    assert list(ABSENT) == list(PIECES)


@pytest.mark.parametrize("piece", PIECES)
def test_a_piece_is_there_or_the_failure_says_what_happens_without_it(piece):
    """After an upgrade: mend ``torch_private``, or its docstring where what happens is as well."""
    what_for, since, absent = ABSENT[piece]
    try:
        PIECES[piece]()
    except (AttributeError, ImportError) as error:
        if older_than(since):
            pytest.skip(f"torch {torch.__version__} has no {piece}, which came with {since}: {absent}")
        pytest.fail(f"torch {torch.__version__} dropped {error}, taken for: {what_for}. Without it: {absent}")
    assert not older_than(since), f"{piece} is there before {since}"


def test_where_hooks_are_not_seen_rows_are_taken_and_deliver_the_same(monkeypatch):
    """As with torch up to 2.8, which does not tell what a hook has hidden."""
    torch.manual_seed(0)
    table, trunk = nn.Embedding(50, 16), nn.Linear(16, 16)
    model = nn.ModuleList([table, trunk])
    rows = torch.arange(4)

    def delivered():
        model.zero_grad()
        z = trunk(table(rows))
        balancer = eq.Balancer(eq.MGDA(), model, tasks=["a", "b"])
        balancer({"a": z.square().mean(), "b": (z - 1).square().mean()}).backward()
        return balancer.record.route, [p.grad for p in model.parameters()]

    _, expected = delivered()
    monkeypatch.setattr(autograd, "HOOKS_ARE_SEEN", False)
    route, found = delivered()
    assert route.startswith("rows: one backward pass per task")
    assert_close(found, expected, rtol=1e-5, atol=1e-7)


STASH = """
import gc, torch
for number in range(2000):
    torch._C._stash_obj_in_tls("key", frozenset([number, number + 1]))
    gc.collect() if number % 500 == 0 else None
print(torch._C._get_obj_in_tls("key"))
"""


@pytest.mark.skipif(not older_than("2.12"), reason="from torch 2.12 on the stash takes a reference to what it is given")
def test_pytorch_alone_crashes_where_the_stash_takes_no_reference():
    assert subprocess.run([sys.executable, "-c", STASH]).returncode == -signal.SIGSEGV


def test_what_is_stashed_here_lives():
    ours = (
        "import gc, torch\nfrom torch import nn\n"
        "from equipoise.torch_private.autograd import _suppressed, suppressed_hooks\n"
        "leaves = [nn.Parameter(torch.ones(1)) for _ in range(20)]\n"
        "for number in range(2000):\n"
        "    with suppressed_hooks(leaves[: number % 20]):\n"
        "        gc.collect() if number % 500 == 0 else None\n"
        "        assert _suppressed() == {*map(id, leaves[: number % 20])}\n"
        "assert _suppressed() == frozenset()\n"
    )
    ended = subprocess.run([sys.executable, "-c", ours], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


def test_hooks_stay_suppressed_around_a_block_within():
    """A hook on the way may go backward through another network, which suppresses hooks of its own."""
    outer, inner = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    heard = []
    for name, leaf in (("outer", outer), ("inner", inner)):
        leaf.register_hook(lambda gradient, name=name: heard.append(name))
    with suppressed_hooks([outer]):
        with suppressed_hooks([inner]):
            torch.autograd.grad(inner.sum(), inner)
        torch.autograd.grad(outer.sum(), outer)
        assert heard == []
        inner.sum().backward()
    assert heard == ["inner"]
    outer.sum().backward()
    assert heard == ["inner", "outer"]
