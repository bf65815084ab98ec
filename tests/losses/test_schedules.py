"""Schedules equal their formulas and torch's own; a loss advances its own, once a forward in training."""

import copy
import io
import math

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from equipoise.losses.mixed import Mixed
from equipoise.losses.penalised import Penalised
from equipoise.losses.regularisation import l2
from equipoise.losses.schedules import (
    CosineSchedule,
    EpochSchedule,
    LinearSchedule,
    Schedule,
    SigmoidRamp,
    StepSchedule,
)

STEPS = torch.arange(13)
MAKE = [
    lambda: LinearSchedule(0.3, 2.0, steps=10),
    lambda: CosineSchedule(2.0, 0.3, steps=10),
    lambda: StepSchedule([0.1, 1.0, 0.2], milestones=[2, 5]),
    lambda: SigmoidRamp(3.0, steps=10),
    lambda: EpochSchedule([0.1, 0.5, 1.0]),
]
EACH = pytest.mark.parametrize("make", MAKE, ids=lambda make: type(make()).__name__)


def test_formulas():
    def progress(step):
        return min(step / 10, 1.0)

    expected = {
        MAKE[0]: [0.3 + 1.7 * progress(step) for step in range(13)],
        MAKE[1]: [0.3 + 1.7 * (1 + math.cos(math.pi * progress(step))) / 2 for step in range(13)],
        MAKE[2]: [0.1, 0.1, 1.0, 1.0, 1.0, *[0.2] * 8],
        MAKE[3]: [3 * math.exp(-5 * (1 - progress(step)) ** 2) for step in range(13)],
        MAKE[4]: [0.1, 0.5, *[1.0] * 11],
    }
    for make, values in expected.items():
        assert_close(make().at(STEPS), torch.tensor(values))


def test_ends_are_exact():
    for schedule in (LinearSchedule(0.1, 0.7, steps=3), CosineSchedule(0.1, 0.7, steps=3)):
        assert torch.equal(schedule.at(torch.tensor([0, 3, 4])), torch.tensor([0.1, 0.7, 0.7]))
    assert SigmoidRamp(0.7, steps=3).at(torch.tensor(3)) == torch.tensor(0.7)


def test_beside_torchs_learning_rates():
    def rates(make, steps):
        optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=2.0)
        scheduler, found = make(optimiser), []
        for _ in range(steps):
            found.append(optimiser.param_groups[0]["lr"])
            optimiser.step()
            scheduler.step()
        return torch.tensor(found)

    lr = torch.optim.lr_scheduler
    cosine = rates(lambda o: lr.CosineAnnealingLR(o, T_max=10, eta_min=0.3), 11)
    assert_close(CosineSchedule(2.0, 0.3, steps=10).at(STEPS[:11]), cosine)
    linear = rates(lambda o: lr.LinearLR(o, start_factor=0.25, end_factor=1.0, total_iters=8), 12)
    assert_close(LinearSchedule(0.5, 2.0, steps=8).at(STEPS[:12]), linear)
    steps = rates(lambda o: lr.MultiStepLR(o, milestones=[3, 7], gamma=0.5), 12)
    assert_close(StepSchedule([2.0, 1.0, 0.5], milestones=[3, 7]).at(STEPS[:12]), steps)


@EACH
def test_it_is_at_its_step(make):
    schedule = make()
    move = schedule.end_epoch if isinstance(schedule, EpochSchedule) else schedule.advance
    other = schedule.advance if isinstance(schedule, EpochSchedule) else schedule.end_epoch
    for step in STEPS:
        assert schedule().shape == ()
        assert torch.equal(schedule(), schedule.at(step))
        move()
        other()


@EACH
def test_the_step_is_the_state_and_casting_leaves_it(make):
    schedule = make()
    assert list(schedule.state_dict()) == ["step"]
    for _ in range(4):
        schedule.advance()
        schedule.end_epoch()
    fresh = make()
    fresh.load_state_dict(schedule.state_dict())
    assert torch.equal(fresh(), schedule())
    assert torch.equal(schedule.to(torch.bfloat16)(), fresh())
    assert schedule().dtype == torch.float32
    assert eval(repr(fresh))() == make()()


class Doubling(Schedule):
    def at(self, step):
        return 2.0 ** step.float()


HELD = [
    lambda schedule: Mixed({"l1": (1.0, nn.L1Loss()), "l2": (schedule, nn.MSELoss())}),
    lambda schedule: Mixed({"l1": (schedule, nn.L1Loss()), "l2": (schedule, nn.MSELoss())}),
    lambda schedule: Penalised(nn.MSELoss(), l2, schedule),
    lambda schedule: Penalised(Mixed({"l2": (schedule, nn.MSELoss())}), l2, 0.0),
    pytest.param(
        lambda schedule: torch.compile(Penalised(nn.MSELoss(), l2, schedule), backend="eager", fullgraph=True),
        marks=pytest.mark.needs("whole_graphs"),
    ),
]


@pytest.mark.parametrize("hold", HELD)
def test_every_forward_in_training_is_one_step(hold):
    torch._dynamo.reset()
    schedule = Doubling()
    loss, output = hold(schedule), torch.ones(3, requires_grad=True)
    for step in range(4):
        assert schedule.step == step
        loss(output, torch.zeros(3)).backward()
    with torch.no_grad():
        loss(output, torch.zeros(3))
    loss.eval()
    loss(output, torch.zeros(3))
    assert schedule.step == 4
    loss.train()
    loss(output, torch.zeros(3))
    assert schedule.step == 5


def test_the_first_forward_uses_step_0():
    loss = Mixed({"l1": (LinearSchedule(0.0, 1.0, steps=2), nn.L1Loss())})
    values = [loss(torch.tensor([3.0]), torch.tensor([0.0])).item() for _ in range(4)]
    assert values == [0.0, 1.5, 3.0, 3.0]


def test_a_forward_that_raises_is_no_step():
    schedule = Doubling()
    loss = Mixed({"l1": (schedule, nn.L1Loss(reduction="none"))})
    with pytest.raises(ValueError, match="scalar"):
        loss(torch.ones(2), torch.ones(2))
    assert schedule.step == 0


def test_a_run_resumes_where_it_stopped():
    def make():
        schedule = CosineSchedule(0.0, 1.0, steps=7)
        ramp = EpochSchedule([0.0, 2.0, 5.0])
        return Penalised(Mixed({"l1": (schedule, nn.L1Loss()), "l2": (ramp, nn.MSELoss())}), l2, SigmoidRamp(1.0, 6))

    def run(loss, steps):
        values = []
        for step in steps:
            values.append(loss(torch.tensor([3.0]), torch.tensor([0.0])).item())
            if step % 3 == 2:
                loss.end_epoch()
        return values

    whole = run(make(), range(10))
    first, second = make(), make()
    values = run(first, range(5))
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    second.load_state_dict(torch.load(file))
    assert values + run(second, range(5, 10)) == whole
    copied = copy.deepcopy(first)
    assert run(copied, range(5, 10)) == whole[5:]
    assert len(set(whole)) > 7


def test_epochs_are_counted_in_nested_losses_too():
    inner, outer = EpochSchedule([0.0, 1.0, 2.0]), EpochSchedule([0.0, 10.0])
    loss = Mixed({"inner": (outer, Mixed({"l1": (inner, nn.L1Loss())}))})
    loss(torch.ones(1), torch.zeros(1))
    assert inner() == outer() == 0
    loss.end_epoch()
    assert (inner(), outer()) == (1, 10)


@pytest.mark.parametrize("make", [lambda: StepSchedule([0.0, 1.0], [3]), lambda: EpochSchedule([0.5, 1.0])])
def test_schedules_in_steps_compile(make):
    value = torch.compile(make(), fullgraph=True, backend="aot_eager")()
    assert value == make()()


def twice(schedule):
    Mixed({"a": (schedule, nn.L1Loss())})
    Mixed({"a": (schedule, nn.L1Loss())})


MISUSES = [
    (lambda: LinearSchedule(0.0, 1.0, steps=0), r"steps must be an integer, at least 1, got 0"),
    (lambda: CosineSchedule(0.0, 1.0, steps=1.5), r"steps must be an integer, at least 1, got 1.5"),
    (lambda: LinearSchedule(1.0, -1.0, steps=3), r"end must be a finite number from 0, got -1.0"),
    (lambda: CosineSchedule(math.nan, 1.0, steps=3), r"start must be a finite number from 0, got nan"),
    (lambda: SigmoidRamp(math.inf, steps=3), r"end must be a finite number from 0, got inf"),
    (lambda: StepSchedule([1.0, 2.0], milestones=[5, 7]), r"values must be one more than milestones, got 2 and 2"),
    (lambda: StepSchedule([1.0, 2.0, 3.0], milestones=[5, 5]), r"milestones must be increasing.*got \[5, 5\]"),
    (lambda: StepSchedule([1.0, 2.0], milestones=[0]), r"milestones must be increasing.*at least 1, got \[0\]"),
    (lambda: StepSchedule([1.0, 2.0], milestones=[0.5]), r"milestones must be increasing integers.*got \[0.5\]"),
    (lambda: StepSchedule([1.0, -2.0], milestones=[1]), r"values\[1\] must be a finite number from 0, got -2.0"),
    (lambda: EpochSchedule([]), r"values is empty: give one per epoch"),
    (lambda: EpochSchedule([1.0, None]), r"values\[1\] must be a finite number from 0, got None"),
    (lambda: twice(SigmoidRamp(1.0, 3)), r"SigmoidRamp\(end=1.0, steps=3\) already serves a loss.*make a new one"),
    (lambda: twice(SigmoidRamp), r"proportion of part 'a' is a class: write SigmoidRamp\(...\)"),
]


@pytest.mark.parametrize(("call", "message"), MISUSES)
def test_misuse_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
