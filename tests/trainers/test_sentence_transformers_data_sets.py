"""Data sets in turn in sentence-transformers' trainer, against MGDA by hand, and against its own steps."""

import pytest
import torch

import equipoise as eq

pytest.importorskip("sentence_transformers", reason='needs pip install "equipoise[sentence-transformers]"')
pytest.importorskip("datasets", reason='needs pip install "equipoise[sentence-transformers]"')
from sentence_transformers.sentence_transformer.losses import CosineSimilarityLoss, MultipleNegativesRankingLoss
from sentence_transformers_data_sets import made_trainer

from equipoise.trainers.sentence_transformers import balance

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
OPTIONS = {"optim": "sgd", "learning_rate": 0.5, "max_steps": 8, "weight_decay": 0.0, "max_grad_norm": 0.0}
SETTINGS = [{}, {"max_grad_norm": 0.1}, {"bf16": True}]
TWO = ["pairs", "scored"]


def by_hand(made, last, name):
    """A loss times the weight of its gradient in twice the point of least norm between it and the other's last one."""

    class ByHand(made):
        def forward(self, *args):
            loss = super().forward(*args)
            (table,) = self.model.parameters()
            own = torch.autograd.grad(loss, table, retain_graph=True)[0].flatten().double()
            if last:  # in the very first step nothing has been shared yet
                last[name] = own
            other = next((row for of, row in last.items() if of not in (name, "")), None)
            last.setdefault("", None)
            if other is None:
                return loss
            return 2 * min(max(float((other - own) @ other / (other - own).square().sum()), 0.0), 1.0) * loss

    return ByHand


def table(trainer):
    return next(trainer.model.parameters()).detach()


def trained(method=None, losses=(MultipleNegativesRankingLoss, CosineSimilarityLoss), **options):
    trainer = made_trainer(losses, **OPTIONS | options)
    balancer = None if method is None else balance(trainer, method, tasks=TWO)
    trainer.train()
    return trainer, balancer


@pytest.mark.parametrize("options", SETTINGS, ids=["whole", "clipped", "bfloat16"])
def test_it_trains_as_by_hand(options, folder):
    last = {}
    losses = (by_hand(MultipleNegativesRankingLoss, last, "pairs"), by_hand(CosineSimilarityLoss, last, "scored"))
    ours, balancer = trained(eq.InTurn(eq.MGDA()), **options)
    theirs, _ = trained(losses=losses, **options)
    assert balancer.steps == 8
    assert sorted(balancer.method.ages.tolist()) == [0, 1]
    torch.testing.assert_close(table(ours), table(theirs), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(table(ours), table(trained(**options)[0]), rtol=1e-2)


@pytest.mark.parametrize("options", SETTINGS, ids=["whole", "clipped", "bfloat16"])
def test_the_plain_sum_trains_as_the_trainer_does(options, folder):
    torch.testing.assert_close(*(table(trained(method, **options)[0]) for method in (eq.Sum(), None)))


def test_a_micro_batch_of_each_is_one_step_of_both(folder):
    trainer = made_trainer(**OPTIONS | {"gradient_accumulation_steps": 2, "max_steps": 4})
    balancer = balance(trainer, eq.MGDA(), tasks=TWO)
    balancer.accumulate(2)
    trainer.train()
    assert balancer.steps == 4
    assert set(balancer.record.weights) == {*TWO}
    assert 0 < balancer.record.weights["pairs"] < 2


def test_a_resumed_run_is_the_uninterrupted_one(folder):
    method = lambda: eq.InTurn(eq.Chain(eq.RunningNorm(), eq.MGDA()))  # noqa: E731
    whole, _ = trained(method())
    trained(method(), save_strategy="steps", save_steps=4)
    resumed = made_trainer(**OPTIONS)
    balancer = balance(resumed, method(), tasks=TWO)
    resumed.train(resume_from_checkpoint="runs/checkpoint-4")
    assert balancer.steps == 8
    torch.testing.assert_close(table(resumed), table(whole), rtol=1e-5, atol=1e-6)


def test_what_a_method_learns_is_trained(folder):
    _, balancer = trained(eq.UW())
    assert all(parameter.abs().min() > 0 for parameter in balancer.parameters())


def test_what_it_cannot_do_is_an_error(folder):
    with pytest.raises(ValueError, match="tasks must be the data sets, pairs, scored, got pairs, rest"):
        balance(made_trainer(**OPTIONS), eq.InTurn(eq.MGDA()), tasks=["pairs", "rest"])
    trainer = made_trainer(**OPTIONS)
    trainer.loss = dict.fromkeys(TWO, trainer.loss["pairs"])
    with pytest.raises(ValueError, match="two data sets have one loss object"):
        balance(trainer, eq.InTurn(eq.MGDA()), tasks=TWO)
    trainer = made_trainer(**OPTIONS)
    balance(trainer, eq.InTurn(eq.MGDA()), tasks=TWO)
    with pytest.raises(ValueError, match="balanced already"):
        balance(trainer, eq.InTurn(eq.MGDA()), tasks=TWO)
