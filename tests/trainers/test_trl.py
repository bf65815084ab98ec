"""DPO with two losses and GRPO with two rewards in TRL's trainers, against them and against MGDA by hand."""

import copy

import pytest
import torch

import equipoise as eq

pytest.importorskip("trl", reason="needs pip install trl")
from datasets import Dataset
from tiny_gpt2 import QUESTIONS, calm, short, tiny_gpt2
from trl import DPOConfig, DPOTrainer, GRPOConfig, GRPOTrainer
from trl_dpo import PAIRS, BalancedDPO
from trl_grpo import BalancedGRPO

from equipoise.trainers.hugging_face import attach

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
OPTIONS = {"optim": "sgd", "learning_rate": 0.1, "max_steps": 3, "report_to": "none", "use_cpu": True}
PLAIN = {"gradient_checkpointing": False, "bf16": False}  # as TRL does not by default
SETTINGS = [{}, {"gradient_accumulation_steps": 2}, {"max_grad_norm": 0.1}]
NAMES = ["whole", "accumulated", "clipped"]


def mgda(parts, model):
    """Twice the point of least norm of two gradients, in place of a loss; all losses reach everything."""
    leaves = [p for p in model.parameters() if p.requires_grad]
    one, two = (
        torch.cat([g.flatten().double() for g in torch.autograd.grad(part, leaves, retain_graph=True)])
        for part in parts
    )
    weight = min(max(float((two - one) @ two / (two - one).square().sum()), 0.0), 1.0)
    model.weight = weight
    return 2 * weight * parts[0] + (2 - 2 * weight) * parts[1]


class DPOByHand(DPOTrainer):
    """Each loss from a forward pass of its own."""

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        parts, kinds = [], self.loss_types
        for kind in kinds:
            self.loss_types, self.loss_weights = [kind], [1.0]
            parts.append(super().compute_loss(model, inputs))
        self.loss_types = kinds
        return mgda(parts, model)


def dpo(trainer_class, method=None, **options):
    model, tokenizer = tiny_gpt2()
    arguments = DPOConfig("runs", loss_type=["apo_down", "sft"], beta=1.0, **PLAIN, **OPTIONS | options)
    data = Dataset.from_list(PAIRS * 8)
    trainer = trainer_class(model, copy.deepcopy(model), arguments, processing_class=tokenizer, train_dataset=data)
    return run(trainer, method, trainer.loss_types)


class GRPOByHand(BalancedGRPO):
    """Each reward's loss from a forward pass of its own."""

    def _compute_loss(self, model, inputs):
        each = inputs["each"].unbind(dim=1)
        return mgda([GRPOTrainer._compute_loss(self, model, {**inputs, "advantages": one}) for one in each], model)


class GRPOSum(BalancedGRPO):
    """TRL's loss of the sum of the rewards' advantages."""

    def _compute_loss(self, model, inputs):
        return GRPOTrainer._compute_loss(self, model, {**inputs, "advantages": inputs["each"].sum(dim=1)})


class GRPOAndPenalty(BalancedGRPO):
    """A task of its own for what belongs to no reward, as the page says."""

    def _compute_loss(self, model, inputs):
        ones = torch.ones(len(self.reward_funcs), requires_grad=True)
        loss = GRPOTrainer._compute_loss(self, model, {**inputs, "advantages": inputs["each"] @ ones})
        (parts,) = torch.autograd.grad(loss, ones, create_graph=True)
        rewards = dict(zip(self.reward_func_names, parts, strict=True))
        return self.balancer({**rewards, "rest": loss - parts.sum()})


def grpo(trainer_class, method=None, **options):
    model, tokenizer = tiny_gpt2()
    if "beta" in options:  # its reference is read from where the model is from
        model.save_pretrained("tiny")
        model = type(model).from_pretrained("tiny")
    arguments = GRPOConfig("runs", max_completion_length=6, disable_dropout=True, **PLAIN, **OPTIONS | options)
    trainer = trainer_class(model, [calm, short], arguments, QUESTIONS, processing_class=tokenizer)
    rest = ["rest"] if trainer_class is GRPOAndPenalty else []
    return run(trainer, method, [*trainer.reward_func_names, *rest])


def run(trainer, method, tasks):
    """The trainer after training, and all parameters [P]."""
    if method is not None:
        trainer.balancer = eq.Balancer(method, trainer.model, tasks=tasks)
        attach(trainer, trainer.balancer)
    trainer.train()
    return trainer, torch.cat([p.detach().flatten() for p in trainer.model.parameters()])


BY_HAND = [pytest.param(dpo, BalancedDPO, DPOByHand, id="dpo"), pytest.param(grpo, BalancedGRPO, GRPOByHand, id="grpo")]


@pytest.mark.parametrize("options", SETTINGS, ids=NAMES)
@pytest.mark.parametrize(("train", "balanced", "written"), BY_HAND)
def test_two_losses_or_rewards_are_balanced_as_by_hand(train, balanced, written, options, folder):
    _, ours = train(balanced, eq.MGDA(), **options)
    by_hand, theirs = train(written, **options)
    assert 0 < by_hand.model.weight < 1
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("options", SETTINGS, ids=NAMES)
def test_the_sum_of_losses_trains_as_dpo_does(options, folder):
    torch.testing.assert_close(dpo(BalancedDPO, eq.Sum(), **options)[1], dpo(DPOTrainer, **options)[1])


@pytest.mark.parametrize(
    "options", [*SETTINGS, {"num_iterations": 2, "learning_rate": 1.0}], ids=[*NAMES, "off policy"]
)
def test_the_sum_of_rewards_trains_as_grpo_does_with_the_sum_of_their_advantages(options, folder):
    """Also where ratios are clipped: which side counts is decided by the sum."""
    ours, balanced = grpo(BalancedGRPO, eq.Sum(), **options)
    theirs, summed = grpo(GRPOSum, **options)
    assert len(ours.state.log_history) == len(theirs.state.log_history)
    torch.testing.assert_close(balanced, summed, rtol=1e-4, atol=1e-5)


def test_a_penalty_is_what_is_left_of_the_loss_without_its_rewards(folder):
    penalty = {"beta": 0.5, "learning_rate": 1.0}
    balancer = (found := grpo(GRPOAndPenalty, eq.Sum(), **penalty))[0].balancer
    assert balancer.record.losses["rest"] > 1e-4
    torch.testing.assert_close(found[1], grpo(GRPOSum, **penalty)[1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reward_weights": [1.0, 2.0]}, "reward_weights go into the balancer's tasks"),
        ({"beta": 0.5}, "a task of its own"),
        ({"entropy_coef": 0.1}, "a task of its own"),
        ({"use_adaptive_entropy": True}, "a task of its own"),
    ],
    ids=["reward weights", "beta", "entropy", "adaptive entropy"],
)
def test_what_the_rewards_parts_leave_out_is_refused(options, message, folder):
    with pytest.raises(ValueError, match=message):
        grpo(BalancedGRPO, eq.Sum(), **options)


def test_an_evaluation_is_trls_own(folder):
    trainer, _ = grpo(BalancedGRPO, eq.MGDA())
    steps = trainer.balancer.steps
    assert "eval_reward" in trainer.evaluate(QUESTIONS.select(range(8)))
    trainer, _ = dpo(BalancedDPO, eq.MGDA())
    assert "eval_loss" in trainer.evaluate(trainer.train_dataset)
    assert trainer.balancer.steps == steps


def test_logs_have_each_loss_and_its_weight(folder):
    trainer, _ = dpo(BalancedDPO, eq.MGDA(), logging_steps=1)
    assert {"losses/apo_down", "losses/sft", "weights/apo_down", "weights/sft"} <= {*trainer.state.log_history[0]}
