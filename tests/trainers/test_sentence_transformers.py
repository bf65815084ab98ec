"""The parts of a loss in sentence-transformers' trainer, against MGDA by hand in the loss, and against its own sum."""

import pytest
import torch

import equipoise as eq

pytest.importorskip("sentence_transformers", reason='needs pip install "equipoise[sentence-transformers]"')
pytest.importorskip("datasets", reason='needs pip install "equipoise[sentence-transformers]"')
from sentence_transformers_parts import RankingAndSpread, made_trainer

from equipoise.trainers.sentence_transformers import balance

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
OPTIONS = {"optim": "sgd", "learning_rate": 0.5, "max_steps": 6, "weight_decay": 0.0, "max_grad_norm": 0.0}
SETTINGS = [{}, {"gradient_accumulation_steps": 2}, {"max_grad_norm": 0.1}, {"bf16": True}]
NAMES = ["whole", "accumulated", "clipped", "bfloat16"]
TWO = ["ranking", "spread"]


class TwoParts(RankingAndSpread):
    def forward(self, features, labels=None):
        parts = super().forward(features, labels)
        return {"ranking": parts["ranking"], "spread": 30 * parts["gor_second_moment"]}


class ByHand(TwoParts):
    """Twice the point of least norm of two gradients, over the one parameter that there is."""

    def forward(self, features, labels=None):
        parts = list(super().forward(features, labels).values())
        (table,) = self.model.parameters()
        one, two = (torch.autograd.grad(part, table, retain_graph=True)[0].flatten().double() for part in parts)
        weight = min(max(float((two - one) @ two / (two - one).square().sum()), 0.0), 1.0)
        self.weight = weight
        return 2 * weight * parts[0] + (2 - 2 * weight) * parts[1]


class Plain(TwoParts):
    """A loss of one number."""

    def forward(self, features, labels=None):
        return sum(super().forward(features, labels).values())


def table(trainer):
    return next(trainer.model.parameters()).detach()


def trained(loss, method=None, **options):
    trainer = made_trainer(loss, **OPTIONS | options)
    balancer = None if method is None else balance(trainer, method, tasks=TWO)
    trainer.train()
    return trainer, balancer


def with_state():
    """A method whose steps depend on those before."""
    return eq.Chain(eq.RunningNorm(), eq.MGDA())


@pytest.mark.parametrize("options", SETTINGS, ids=NAMES)
def test_it_trains_as_by_hand(options, folder):
    ours, balancer = trained(TwoParts, eq.MGDA(), **options)
    theirs, _ = trained(ByHand, **options)
    assert 0 < theirs.loss.weight < 1
    assert balancer.steps == 6 * options.get("gradient_accumulation_steps", 1)
    torch.testing.assert_close(table(ours), table(theirs), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("options", SETTINGS, ids=NAMES)
def test_the_plain_sum_trains_as_the_trainer_does(options, folder):
    torch.testing.assert_close(*(table(trained(TwoParts, method, **options)[0]) for method in (eq.Sum(), None)))


def test_logs_have_the_parts_as_before_and_their_weights(folder):
    ours, theirs = (trained(TwoParts, method)[0].state.log_history[0] for method in (eq.Sum(), None))
    assert {name: ours[name] for name in theirs} == pytest.approx(theirs, rel=1e-3)
    assert ours["losses/ranking"] == pytest.approx(ours["ranking"], rel=1e-3)
    assert ours["weights/spread"] == 1.0


def test_an_evaluation_sees_the_parts_as_before(folder):
    found = []
    for method in (eq.MGDA(), None):
        trainer = made_trainer(TwoParts, **OPTIONS)
        if method is not None:
            balancer = balance(trainer, method, tasks=TWO)
        found.append(trainer.evaluate(trainer.train_dataset)["eval_loss"])
    assert found[0] == pytest.approx(found[1])
    assert balancer.steps == 0


def test_a_resumed_run_is_the_uninterrupted_one(folder):
    whole, _ = trained(TwoParts, with_state())
    trained(TwoParts, with_state(), save_strategy="steps", save_steps=3)
    resumed = made_trainer(TwoParts, **OPTIONS)
    balancer = balance(resumed, with_state(), tasks=TWO)
    resumed.train(resume_from_checkpoint="runs/checkpoint-3")
    assert balancer.steps == 6
    torch.testing.assert_close(table(resumed), table(whole), rtol=1e-5, atol=1e-6)


def test_what_a_method_learns_is_trained(folder):
    _, balancer = trained(TwoParts, eq.UW())
    assert all(parameter.abs().max() > 0 for parameter in balancer.parameters())


def test_what_it_cannot_do_is_an_error(folder):
    with pytest.raises(ValueError, match="must return a dict of its parts, ranking, spread"):
        trained(Plain, eq.MGDA())
    with pytest.raises(ValueError, match="spread"):
        trainer = made_trainer(TwoParts, **OPTIONS)
        balance(trainer, eq.MGDA(), tasks=["ranking", "gor_mean"])
        trainer.train()
