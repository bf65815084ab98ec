"""TRL, rewards of GRPO: ``return self.balancer(dict(zip(self.reward_func_names, parts)))``."""

import torch
from tiny_gpt2 import OPTIONS, QUESTIONS, calm, short, tiny_gpt2
from trl import GRPOConfig, GRPOTrainer

import equipoise as eq
from equipoise.trainers.hugging_face import attach


class BalancedGRPO(GRPOTrainer):
    def _calculate_rewards(self, *batch):
        self.rewards = super()._calculate_rewards(*batch)  # [completions of all processes, K]
        return self.rewards

    def _generate_and_score_completions(self, inputs):
        made = super()._generate_and_score_completions(inputs)
        if self.model.training:  # the advantages of each reward, as in GDPO
            groups = self.rewards.unflatten(0, (-1, self.num_generations))
            each = (groups - groups.mean(1, keepdim=True)) / (groups.std(1, keepdim=True) + 1e-4)
            made["each"] = each.flatten(0, 1)[self.accelerator.process_index * len(inputs) :][: len(inputs)]
        return made

    def _compute_loss(self, model, inputs):
        if not model.training:
            return super()._compute_loss(model, inputs)
        if self.args.reward_weights or self.args.beta or self.args.entropy_coef or self.args.use_adaptive_entropy:
            raise ValueError("reward_weights go into the balancer's tasks; make beta or entropy a task of its own")
        ones = torch.ones(len(self.reward_funcs), device=self.args.device, requires_grad=True)
        loss = super()._compute_loss(model, {**inputs, "advantages": inputs["each"] @ ones})
        (parts,) = torch.autograd.grad(loss, ones, create_graph=True)  # a sum's derivatives by its factors
        return self.balancer(dict(zip(self.reward_func_names, parts, strict=True)))


if __name__ == "__main__":
    (model, tokenizer), config = tiny_gpt2(), GRPOConfig("runs", max_steps=40, max_completion_length=6, **OPTIONS)
    trainer = BalancedGRPO(model, [calm, short], config, QUESTIONS, processing_class=tokenizer)
    trainer.balancer = eq.Balancer(eq.UPGrad(), model, tasks=trainer.reward_func_names)
    attach(trainer, trainer.balancer)
    trainer.train()
