"""Hugging Face, no subclass: ``Trainer(..., compute_loss_func=...)`` and ``attach``."""

import torch
from problem import Net, make_tasks, samples
from torch.utils.data import default_collate
from transformers import Trainer, TrainingArguments, set_seed

import equipoise as eq
from equipoise.trainers.hugging_face import attach


def make_trainer(net, tasks, balancer, args, **others):
    def compute_loss(outputs, labels, num_items_in_batch=None):
        return balancer(tasks.losses(outputs, labels))

    trainer = Trainer(net, args, compute_loss_func=compute_loss, data_collator=default_collate, **others)
    attach(trainer, balancer)  # accumulation, each task's loss in the logs, the balancer in checkpoints
    return trainer


def labelled():
    return [{"x": s["x"], "labels": {"price": s["price"], "kind": s["kind"]}} for s in samples()]


def main() -> None:
    set_seed(0)
    net, tasks = Net(), make_tasks()
    balancer = eq.Balancer(eq.UPGrad(), net, tasks=tasks)
    columns = {"remove_unused_columns": False}  # or the Trainer drops the labels, which forward() does not name
    args = TrainingArguments("runs", num_train_epochs=10, gradient_accumulation_steps=2, logging_steps=4, **columns)
    optimizer = torch.optim.SGD([*net.parameters(), *balancer.parameters()], lr=0.1, momentum=0.9)
    make_trainer(net, tasks, balancer, args, train_dataset=labelled(), optimizers=(optimizer, None)).train()


if __name__ == "__main__":
    main()
