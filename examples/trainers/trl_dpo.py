"""TRL, losses of DPO: ``return self.balancer(dict(zip(self.loss_types, parts)))``; in place of ``loss_weights``."""

import copy

import torch
from datasets import Dataset
from tiny_gpt2 import tiny_gpt2
from trl import DPOConfig, DPOTrainer

import equipoise as eq
from equipoise.trainers.hugging_face import attach

PAIRS = [
    {"prompt": "is the sea", "chosen": " calm", "rejected": " rough"},
    {"prompt": "is the road", "chosen": " empty", "rejected": " full full"},
    {"prompt": "is the night", "chosen": " quiet quiet", "rejected": " loud"},
]


class BalancedDPO(DPOTrainer):
    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        if not model.training:
            return super().compute_loss(model, inputs, return_outputs)
        self.loss_weights = torch.ones(len(self.loss_types), device=self.args.device, requires_grad=True)
        (parts,) = torch.autograd.grad(super().compute_loss(model, inputs), self.loss_weights, create_graph=True)
        return self.balancer(dict(zip(self.loss_types, parts, strict=True)))


if __name__ == "__main__":
    model, tokenizer = tiny_gpt2()
    options = {"learning_rate": 1e-3, "num_train_epochs": 4, "report_to": "none", "use_cpu": True}
    config, data = DPOConfig("runs", loss_type=["sigmoid", "sft"], **options), Dataset.from_list(PAIRS * 32)
    trainer = BalancedDPO(model, copy.deepcopy(model), config, processing_class=tokenizer, train_dataset=data)
    trainer.balancer = eq.Balancer(eq.UPGrad(), model, tasks=trainer.loss_types)
    attach(trainer, trainer.balancer)
    trainer.train()
    print(trainer.balancer.record)
