"""Hugging Face, subclass: ``loss = balancer(losses)`` in ``compute_loss``."""

import torch
from problem import Net, make_tasks, samples
from transformers import Trainer, TrainingArguments, set_seed

import equipoise as eq
from equipoise.trainers.hugging_face import attach


class MultiTaskTrainer(Trainer):
    def __init__(self, net, tasks, balancer, args, **others) -> None:
        super().__init__(net, args, **others)
        self.tasks, self.balancer = tasks, balancer
        attach(self, balancer)  # accumulation, each task's loss in the logs, the balancer in checkpoints

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        outputs = model(inputs["x"])
        loss = self.balancer(self.tasks.losses(outputs, inputs))
        return (loss, outputs) if return_outputs else loss


def main() -> None:
    set_seed(0)
    net, tasks = Net(), make_tasks()
    balancer = eq.Balancer(eq.UPGrad(), net, tasks=tasks)
    columns = {"remove_unused_columns": False, "label_names": ["price", "kind"]}  # or the Trainer drops the targets
    args = TrainingArguments("runs", num_train_epochs=10, gradient_accumulation_steps=2, logging_steps=4, **columns)
    optimizer = torch.optim.SGD([*net.parameters(), *balancer.parameters()], lr=0.1, momentum=0.9)
    trainer = MultiTaskTrainer(net, tasks, balancer, args, train_dataset=samples(), optimizers=(optimizer, None))
    trainer.train()
    print(trainer.evaluate(samples()))


if __name__ == "__main__":
    main()
