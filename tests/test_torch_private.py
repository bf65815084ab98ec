"""Private PyTorch is touched in one package only, and hooks that it suppresses stay so where blocks nest."""

import ast
from pathlib import Path

import pytest
import torch
from torch import nn

import equipoise
from equipoise.torch_private.autograd import suppressed_hooks

SOURCE = Path(equipoise.__file__).parent
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
