"""300 steps of two replicas: random tasks on each rank, numbers that are not finite, and a rank killed on the way."""

import os
import tempfile
from datetime import timedelta

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from test_replicas import NAMES, Net, batch
from torch.nn.parallel import DistributedDataParallel

import equipoise as eq

STEPS, EVERY = 300, 25  # a checkpoint every so many steps
LATE = timedelta(seconds=20)


def soak(rank, size, method, folder, first=0, last=STEPS, killed=None):
    """Train from the checkpoint of step ``first``; the end state, or what the survivor of a kill was told."""
    torch.manual_seed(0)
    net = Net()
    model = DistributedDataParallel(net)
    balancer = eq.Balancer(eq.method(method), model, tasks=NAMES)
    optimizer = torch.optim.Adam([*net.parameters(), *balancer.parameters()], lr=1e-3)
    parts = {"net": net, "balancer": balancer, "optimizer": optimizer}
    if first:
        saved = torch.load(f"{folder}/{first}.pt", weights_only=True)
        for name, part in parts.items():
            part.load_state_dict(saved[name])
    skipped = 0
    for step in range(first, last):
        if step % EVERY == 0 and rank == 0 and step > first:
            torch.save({name: part.state_dict() for name, part in parts.items()}, f"{folder}/writing")
            os.replace(f"{folder}/writing", f"{folder}/{step}.pt")
        lots = torch.Generator().manual_seed(1000 * rank + step)
        x, targets = batch(step % 7)
        mine = slice(rank * len(x) // size, (rank + 1) * len(x) // size)
        outputs = model(x[mine])
        present = [name for name in NAMES if torch.rand((), generator=lots) > 0.3]
        counts = {name: float(torch.randint(1, 9, (), generator=lots)) for name in present}
        losses = {name: ((outputs[name] - targets[name][mine].nan_to_num()) ** 2).mean() for name in present}
        ill = torch.rand((), generator=lots)
        if present and ill < 0.1:
            losses[present[0]] = losses[present[0]] * (torch.inf if ill < 0.05 else torch.nan)
        if killed == (rank, step):
            os._exit(9)
        optimizer.zero_grad()
        balancer(losses, counts=counts).backward()
        # the same on both ranks, whose gradients are
        if all(p.grad is None or p.grad.isfinite().all() for p in [*net.parameters(), *balancer.parameters()]):
            optimizer.step()
        else:
            skipped += 1
    return {name: part.state_dict() for name, part in parts.items()}, skipped


def process(rank, start, answers, arguments):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=start, rank=rank, world_size=2, timeout=LATE)
    try:
        answer = soak(rank, 2, *arguments)
    except RuntimeError as error:
        answer = str(error)
    torch.save(answer, answers)
    os._exit(0)  # as after a crash: nothing is said to the others


def pair(*arguments):
    """What two fresh processes answer; ``None`` for one that was killed."""
    context = mp.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        files = [f"{folder}/{rank}" for rank in range(2)]
        both = [
            context.Process(target=process, args=(rank, f"file://{folder}/store", files[rank], arguments))
            for rank in range(2)
        ]
        for one in both:
            one.start()
        for one in both:
            one.join(timeout=300)
            assert one.exitcode is not None, "a rank hangs"
        return [torch.load(file, weights_only=False) if os.path.exists(file) else None for file in files]


def check_same(found, expected):
    """Equal to the last bit, whatever is nested in what."""
    assert type(found) is type(expected)
    if isinstance(found, dict):
        assert found.keys() == expected.keys()
        for key in found:
            check_same(found[key], expected[key])
    elif isinstance(found, torch.Tensor):
        assert torch.equal(found, expected)
    else:
        assert found == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "victim"), [("pcgrad", 0), ("moco", 1), pytest.param("uw", 1, marks=pytest.mark.exhaustive)]
)
def test_killed_and_resumed_is_undisturbed(two, tmp_path, method, victim):
    (tmp_path / "undisturbed").mkdir()
    (undisturbed, skipped), (other, _) = two(soak, method, str(tmp_path / "undisturbed"), 0, STEPS, None)
    check_same(other, undisturbed)
    assert 10 < skipped < 100
    step = int(torch.randint(EVERY + 1, STEPS, (), generator=torch.Generator().manual_seed(victim + len(method))))
    (tmp_path / "killed").mkdir()
    said = pair(method, str(tmp_path / "killed"), 0, STEPS, (victim, step))
    assert said[victim] is None
    assert f"step {step + 1}: rank {victim} is gone" in said[1 - victim]
    checkpoint = max(int(file.stem) for file in (tmp_path / "killed").glob("*.pt"))
    assert step - EVERY <= checkpoint <= step
    for resumed, _ in pair(method, str(tmp_path / "killed"), checkpoint):
        check_same(resumed, undisturbed)
