"""Targets of chemprop's MPNN as tasks, some labels missing, against its own sum and against MGDA by hand."""

import pytest
import torch

import equipoise as eq

pytest.importorskip("chemprop", reason="needs pip install chemprop, of Python 3.11 or later")
import lightning
from chemprop import models, nn
from chemprop_targets import TARGETS, BalancedMPNN, loader

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
TWO = ("logp", "polar")


class ByHand(models.MPNN):
    """Twice the point of least norm of two gradients; the only gradient where one target has no label."""

    def training_step(self, batch, index):
        graphs, _, _, targets, *_ = batch
        found = self.predictor.train_step(self.fingerprint(graphs))
        pairs = [(found[:, k][known], targets[:, k][known]) for k in (0, 1) if (known := ~targets[:, k].isnan()).any()]
        parts = [(a - b).square().mean() for a, b in pairs]
        self.counts.append(len(parts))
        if len(parts) == 1:
            return parts[0]
        one, two = (
            torch.cat(
                [g.flatten().double() for g in torch.autograd.grad(part, [*self.parameters()], retain_graph=True)]
            )
            for part in parts
        )
        weight = min(max(float((two - one) @ two / (two - one).square().sum()), 0.0), 1.0)
        self.weights.append(weight)
        return 2 * weight * parts[0] + (2 - 2 * weight) * parts[1]


def trained(model_class, method=None, tasks=TWO, share=0.15, trainer=None, **options):
    """The model after two epochs of plain gradient descent."""
    lightning.seed_everything(0)
    model = model_class(nn.BondMessagePassing(d_h=16), nn.MeanAggregation(), nn.RegressionFFN(len(tasks), 16, 16))
    model.configure_optimizers = lambda: torch.optim.SGD(model.parameters(), lr=0.05)
    model.weights, model.counts = [], []
    if method is not None:
        model.balancer = eq.Balancer(method, model, tasks=tasks)
    quiet = {"logger": False, "accelerator": "cpu", "enable_progress_bar": False, "enable_model_summary": False}
    trainer = lightning.Trainer(max_epochs=2, enable_checkpointing=False, **quiet, **options)
    trainer.fit(model, loader(tuple(tasks), share))
    return model, torch.cat([p.detach().flatten() for p in model.parameters()]), trainer


@pytest.mark.parametrize("options", [{}, {"accumulate_grad_batches": 2}, {"gradient_clip_val": 0.1}])
def test_it_trains_as_by_hand_where_labels_and_whole_targets_are_missing(options):
    _, ours, _ = trained(BalancedMPNN, eq.MGDA(), **options)
    model, theirs, _ = trained(ByHand, **options)
    assert {*model.counts} == {1, 2}
    assert any(0 < weight < 1 for weight in model.weights)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_with_all_labels_a_third_of_the_sum_trains_as_chemprop_does():
    _, ours, _ = trained(BalancedMPNN, eq.Sum(), dict.fromkeys(TARGETS, 1 / 3), share=1.0)
    _, theirs, _ = trained(models.MPNN, tasks=TARGETS, share=1.0)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_a_checkpoint_predicts_in_chemprops_own_class(folder):
    model, _, trainer = trained(BalancedMPNN, eq.Chain(eq.RunningNorm(), eq.MGDA()))
    trainer.save_checkpoint("model.ckpt")
    loaded = models.MPNN.load_from_checkpoint("model.ckpt", strict=False)
    graphs = next(iter(loader(TWO)))[0]
    torch.testing.assert_close(loaded.eval()(graphs), model.eval()(graphs))
