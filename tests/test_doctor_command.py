"""``equipoise doctor -- CMD``: the script runs as it would, then the page."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from equipoise.watching import process

SCRIPT = """
import sys, torch, torch.nn.functional as F
torch.manual_seed(0)
model = torch.nn.Linear(40, 3)
for _ in range(int(sys.argv[1])):
    outputs = model(torch.randn(8, 40))
    ce = F.cross_entropy(outputs, torch.randint(3, (8,)))
    loss = ce + 1e-4 * outputs.abs().mean()
    model.zero_grad(); loss.backward()
    with torch.no_grad():
        for p in model.parameters(): p -= 0.1 * p.grad
print(model.weight.double().sum().item(), torch.rand(1).item())
sys.exit(3)
"""


ENDED = """
import os, signal, sys, time, torch
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
torch.nn.Linear(4, 1)(torch.ones(2, 4)).square().mean().backward()
os.kill(os.getppid(), signal.SIGTERM)
signal.pause()
"""


def run(*words, cwd):
    return subprocess.run([sys.executable, *words], cwd=cwd, capture_output=True, text=True)


@pytest.mark.parametrize(
    "command",
    [["train.py", "12"], pytest.param(["-m", "train", "12"], marks=pytest.mark.slow)],
    ids=["script", "module"],
)
def test_the_script_gives_what_it_gives_without_it(tmp_path, command):
    """Output, exit status, parameters, and random numbers; and its losses are told apart."""
    (tmp_path / "train.py").write_text(SCRIPT)
    plain = run(*command, cwd=tmp_path)
    watched = run("-m", "equipoise", "doctor", "--at", "1,10", "--", sys.executable, *command, cwd=tmp_path)
    assert watched.returncode == plain.returncode == 3
    assert watched.stdout.startswith(plain.stdout)
    page = watched.stdout[len(plain.stdout) :]
    assert "steps 1, 10 of 12" in page
    name = "outputs.abs().mean" if sys.version_info >= (3, 11) else "loss[1]"  # before, Python tells the line alone
    assert f"the gradient of '{name}' is below" in page


def test_what_python_would_run_first_still_runs(tmp_path):
    """The environment's own ``sitecustomize``."""
    (tmp_path / "sitecustomize.py").write_text("print('mine')")
    (tmp_path / "train.py").write_text("print('script')")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    words = [sys.executable, "-m", "equipoise", "doctor", "--", sys.executable, "train.py"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path})
    assert "mine\nscript\nNo loss was seen" in done.stdout


def test_a_python_that_reads_no_path_is_said_to_be_one(tmp_path):
    (tmp_path / "train.py").write_text("print('script')")
    done = run("-m", "equipoise", "doctor", "--", sys.executable, "-I", "train.py", cwd=tmp_path)
    assert "Nothing was watched" in done.stdout
    assert "python -I, -E or -S" in done.stdout


def test_what_the_environment_starts_with_may_fail(tmp_path):
    """Its own ``sitecustomize`` raises; Python goes on; and a signal to end reaches the script."""
    (tmp_path / "sitecustomize.py").write_text("raise RuntimeError('mine')")
    (tmp_path / "train.py").write_text(ENDED)
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    words = [sys.executable, "-m", "equipoise", "doctor", "--", sys.executable, "train.py"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path})
    assert done.returncode == 7
    assert "Nothing wrong was found in the loss" in done.stdout


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ([], "give the command that trains after --"),
        (["--at", "0,1", "--", "python"], "steps from 1 on"),
        (["--at", "1,2", "train.py", "--lr", "1"], "write equipoise doctor --at 1,2 -- python train.py --lr 1"),
        (["--", "no-such-command"], "no-such-command: No such file or directory"),
    ],
)
def test_wrong_words(tmp_path, words, answer):
    done = run("-m", "equipoise", "doctor", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert answer in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_a_pytorch_that_was_imported_before_is_watched_too(tmp_path):
    """As a ``.pth`` file of the environment may do."""
    startup = Path(process.__file__).parent / "startup" / "sitecustomize.py"
    code = f"import runpy, torch; runpy.run_path({str(startup)!r}); torch.ones(4, requires_grad=True).sum().backward()"
    variables = process.environment(tmp_path, [1], os.environ)
    variables["PYTHONPATH"] = os.environ.get("PYTHONPATH", "")
    subprocess.run([sys.executable, "-c", code], env=variables, check=True)
    assert [len(one.looks) for one in process.read(tmp_path)] == [1]


@pytest.mark.slow
def test_a_page_and_names_of_ones_own(tmp_path):
    (tmp_path / "train.py").write_text(SCRIPT)
    words = ["--at", "1,10", "--name", "ce=kind", "--html", "page.html", "--", sys.executable, "train.py", "12"]
    watched = run("-m", "equipoise", "doctor", *words, cwd=tmp_path)
    assert "of that of 'kind'" in " ".join(watched.stdout.split())
    page = (tmp_path / "page.html").read_text()
    assert "of that of &#39;kind&#39;" in " ".join(page.split())
    assert page.count("<svg") == 1
