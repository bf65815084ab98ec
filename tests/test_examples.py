"""Every example runs within a minute, and what it trains improves."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

import equipoise as eq

EXAMPLES = Path(__file__).parent.parent / "examples"
DATA = Path(os.environ.get("EQUIPOISE_DATA", "data"))


def run(name):
    result = subprocess.run(
        [sys.executable, str(EXAMPLES / name)], capture_output=True, text=True, timeout=300, env={**os.environ}
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def numbers(pattern, text):
    found = re.findall(pattern, text)
    assert found, f"{pattern!r} is not in {text}"
    last = found[-1]
    return [float(number) for number in (last if isinstance(last, tuple) else [last])]


NUMBER = r"(-?\d+\.?\d*)"


def test_the_page_of_examples_lists_every_file_once():
    page = (EXAMPLES.parent / "docs" / "examples.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \[([\w.]+)\]\(\.\./examples/(\S+)\)", page, re.MULTILINE)
    folders = (EXAMPLES, EXAMPLES / "cases")  # the trainers are in docs/trainers.md
    files = [path for folder in folders for path in (*folder.glob("*.py"), *folder.glob("*.ipynb"))]
    known = sorted(path for _, path in listed if "/README" not in path)
    there = sorted(path.relative_to(EXAMPLES).as_posix() for path in files)
    assert known == there, "docs/examples.md has a line for each file"


@pytest.mark.slow
def test_the_gan_comes_closer_to_real_digits():
    before, after = numbers(f"{NUMBER} untrained, {NUMBER} trained", run("gan_digits.py"))
    assert after < before / 4


@pytest.mark.slow
def test_the_actor_critic_learns_to_balance_the_pole():
    (score,) = numbers(f"last 20 episodes: {NUMBER}", run("actor_critic_cartpole.py"))
    assert score > 300


@pytest.mark.slow
def test_q_learning_learns_to_balance_the_pole():
    first, best = numbers(f"{NUMBER} at first, {NUMBER} at best", run("dqn_cartpole.py"))
    assert first < 50
    assert best > 200


@pytest.mark.slow
def test_pictures_find_their_names():
    recall, accuracy = numbers(f"recall@1 {NUMBER}  accuracy {NUMBER}", run("align_digits.py"))
    assert recall > 0.9
    assert accuracy > 0.9


def test_a_loss_of_forces_is_balanced_as_by_hand(monkeypatch):
    """Twice the point of least norm of two gradients, one of them through a second derivative."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import energy_forces as example

    torch.manual_seed(0)
    model, (positions, energies, forces) = example.Potential().double(), example.clusters(8, torch.Generator())
    balancer = eq.Balancer(eq.MGDA(), model, tasks=["energy", "forces"])

    def losses():
        energy, force = example.energy_and_forces(model, positions.double())
        return [(energy - energies).square().mean(), (force - forces).square().mean()]

    *shared, constant = model.parameters()  # of the energy alone: no force knows it
    grads = [torch.autograd.grad(loss, shared, retain_graph=True) for loss in losses()]
    one, two = (torch.cat([g.flatten() for g in row]) for row in grads)
    weight = float(((two - one) @ two / (two - one).square().sum()).clamp(0, 1))
    balancer(dict(zip(["energy", "forces"], losses(), strict=True))).backward()
    delivered = torch.cat([p.grad.flatten() for p in shared])
    assert_close(delivered, 2 * weight * one + (2 - 2 * weight) * two, rtol=1e-9, atol=1e-12)
    assert_close(constant.grad, torch.autograd.grad(losses()[0], constant)[0])


@pytest.mark.slow
def test_the_bound_of_the_vae_tightens():
    """And is better under the sum, which it is, than under a bargain that shuts the latents."""
    before, summed, balanced = numbers(f"{NUMBER} untrained, {NUMBER} trained.*, {NUMBER} by", run("vae_digits.py"))
    assert summed < 0.7 * before
    assert summed < balanced


@pytest.mark.slow
def test_the_adaptive_loss_beats_the_squared_error():
    squared, adaptive = numbers(f"{NUMBER} with the squared error, {NUMBER} with", run("robust_regression.py"))
    assert adaptive < 0.5 * squared


@pytest.mark.slow
@pytest.mark.skipif(not (DATA / "goemotions").is_dir(), reason="EQUIPOISE_DATA names no folder with goemotions/")
def test_soft_f1_finds_rare_emotions():
    plain, mixed = numbers(f"{NUMBER} with cross-entropy, {NUMBER} mixed", run("multi_label_goemotions.py"))
    assert mixed > plain + 0.02
