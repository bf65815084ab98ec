"""Run by torchrun: train by each method with one trainer, two micro-batches to a step, clipped; each rank saves.

torchrun --nproc-per-node 2 two_processes.py TRAINER FOLDER
"""

import gc
import os
import sys
from pathlib import Path

import torch
from examples_folder import EXAMPLES  # makes the examples importable
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler

import equipoise as eq

assert EXAMPLES.is_dir()
from by_hand import flat, new_net, new_optimizer  # noqa: E402
from problem import loader, make_tasks, samples  # noqa: E402

ACCUMULATION, MAX_NORM = 2, 1.2  # above some norms: where all is clipped, a wrong factor does not show


def start(method):
    net = new_net()
    balancer = eq.Balancer(method, net, tasks=make_tasks())
    return net, balancer, new_optimizer(net, balancer)


def join():
    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group("gloo")


def sharded():
    sampler = DistributedSampler(samples(), num_replicas=2, rank=int(os.environ["RANK"]), shuffle=False)
    return DataLoader(samples(), 8, sampler=sampler)


def plain(method):
    from plain_loop import train_epoch

    join()
    net, balancer, optimizer = start(method)
    wrapped, scaler = DistributedDataParallel(net), torch.amp.GradScaler("cpu")
    train_epoch(wrapped, make_tasks(), balancer, optimizer, scaler, sharded(), None, ACCUMULATION, MAX_NORM)
    return net


def lightning(method):
    import lightning
    from lightning_module import MultiTask

    module = MultiTask(method)
    module.net.load_state_dict(new_net().state_dict())
    trainer = lightning.Trainer(
        accelerator="cpu",
        devices=2,
        strategy="ddp",
        max_epochs=1,
        accumulate_grad_batches=ACCUMULATION,
        gradient_clip_val=MAX_NORM,
        use_distributed_sampler=False,  # its own shuffles
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
    )
    trainer.fit(module, sharded())
    return module.net


def fabric(method):
    from fabric_loop import train_epoch
    from lightning import Fabric

    running = Fabric(accelerator="cpu", devices=2, strategy="ddp")
    running.launch()
    raw, balancer, optimizer = start(method)
    net, optimizer = running.setup(raw, optimizer)
    batches = running.setup_dataloaders(loader())
    train_epoch(running, net, make_tasks(), balancer, optimizer, batches, ACCUMULATION, MAX_NORM)
    return raw


def accelerate(method):
    from accelerate import Accelerator
    from accelerate_loop import train_epoch

    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=ACCUMULATION)
    raw, balancer, optimizer = start(method)
    net, optimizer, batches = accelerator.prepare(raw, optimizer, loader())
    train_epoch(accelerator, net, make_tasks(), balancer, optimizer, batches, MAX_NORM)
    return raw


def hugging_face(method):
    from hugging_face_loss_func import labelled, make_trainer
    from transformers import TrainingArguments

    net, balancer, optimizer = start(method)
    args = TrainingArguments(
        "runs",
        num_train_epochs=1,
        per_device_train_batch_size=8,
        gradient_accumulation_steps=ACCUMULATION,
        max_grad_norm=MAX_NORM,
        lr_scheduler_type="constant",
        train_sampling_strategy="sequential",
        remove_unused_columns=False,
        use_cpu=True,
        ddp_backend="gloo",
        save_strategy="no",
        disable_tqdm=True,
    )
    others = {"train_dataset": labelled(), "optimizers": (optimizer, None)}
    make_trainer(net, make_tasks(), balancer, args, **others).train()
    return net


def ignite(method):
    from ignite_engine import make_engine

    join()
    net, balancer, optimizer = start(method)
    wrapped = DistributedDataParallel(net)
    make_engine(wrapped, make_tasks(), balancer, optimizer, ACCUMULATION, MAX_NORM).run(sharded())
    return net


TRAINERS = {f.__name__: f for f in (plain, lightning, fabric, accelerate, hugging_face, ignite)}
METHODS = {"sum": eq.Sum, "mgda": eq.MGDA}


def main():
    trainer, folder = sys.argv[1:]
    os.chdir(folder)
    for name, method in METHODS.items():
        torch.save(flat(TRAINERS[trainer](method())), Path(folder) / f"{name}-rank{os.environ['RANK']}.pt")
    if torch.distributed.is_initialized():
        gc.collect()  # a process group's threads end with its last holder; docs/scale.md says why that matters
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
