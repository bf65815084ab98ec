"""Hugging Face's Trainer, both ways of giving it a loss, with ``attach``; and what happens without."""

import shutil

import pytest
import torch
from by_hand import error, new_net, new_optimizer, train_by_hand, with_state
from problem import Net, make_tasks, samples

import equipoise as eq

transformers = pytest.importorskip("transformers")
from hugging_face_compute_loss import MultiTaskTrainer  # noqa: E402
from hugging_face_loss_func import labelled, make_trainer  # noqa: E402
from torch.utils.data import default_collate  # noqa: E402

from equipoise.trainers.hugging_face import attach  # noqa: E402

BOTH = pytest.mark.parametrize("make", [MultiTaskTrainer, make_trainer], ids=["compute_loss", "compute_loss_func"])


def arguments(**options):
    fixed = {
        "per_device_train_batch_size": 8,
        "num_train_epochs": 1,
        "train_sampling_strategy": "sequential",
        "lr_scheduler_type": "constant",
        "max_grad_norm": 0.0,
        "use_cpu": True,
        "disable_tqdm": True,
        "save_strategy": "no",
        "remove_unused_columns": False,
        "dataloader_pin_memory": False,
        "seed": 0,
    }
    return transformers.TrainingArguments("runs", **fixed | options)


def trainer(make, method, net=None, callbacks=None, **options):
    net = new_net() if net is None else net
    balancer = eq.Balancer(method, net, tasks=make_tasks())
    data = samples() if make is MultiTaskTrainer else labelled()
    return make(
        net,
        make_tasks(),
        balancer,
        arguments(**options),
        train_dataset=data,
        optimizers=(new_optimizer(net, balancer), None),
        callbacks=callbacks,
    ), balancer


def fit(make, method, **options):
    made, _ = trainer(make, method, **options)
    made.train()
    return made.model


@BOTH
@pytest.mark.parametrize(("accumulation", "max_norm"), [(1, 0.0), (2, 0.0), (2, 0.3)])
def test_it_trains_as_by_hand(make, accumulation, max_norm, folder):
    net = fit(make, eq.MGDA(), gradient_accumulation_steps=accumulation, max_grad_norm=max_norm)
    assert error(net, train_by_hand(accumulation=accumulation, max_norm=max_norm or None)) <= 1e-6


def test_bfloat16(folder):
    net = fit(make_trainer, eq.MGDA(), bf16=True)
    assert error(net, train_by_hand(dtype=torch.bfloat16)) <= 1e-6


@BOTH
def test_a_resumed_run_is_the_uninterrupted_one(make, folder):
    whole = fit(make, with_state(), max_steps=16)
    fit(make, with_state(), max_steps=12, save_strategy="steps", save_steps=12)
    made, balancer = trainer(make, with_state(), max_steps=16)
    made.train(resume_from_checkpoint="runs/checkpoint-12")
    assert error(made.model, whole) == 0
    assert balancer.record.step == 16


def test_a_checkpoint_without_a_balancer_or_elsewhere_raises(folder):
    fit(make_trainer, with_state(), max_steps=4, save_strategy="steps", save_steps=4)
    shutil.move("runs/checkpoint-4", "moved")
    made, _ = trainer(make_trainer, with_state(), max_steps=8)
    with pytest.raises(FileNotFoundError, match=r"no balancer at runs/checkpoint-4/balancer\.pt"):
        made.train(resume_from_checkpoint="moved")


class Reporter(transformers.TrainerCallback):
    def __init__(self):
        self.logs = []

    def on_log(self, args, state, control, logs=None, **_):
        self.logs.append(dict(logs))


@BOTH
def test_logs_hold_each_task_and_add_up_to_the_loss(make, folder):
    reporter = Reporter()
    made, _ = trainer(make, eq.MGDA(), callbacks=[reporter], gradient_accumulation_steps=2, logging_steps=2)
    made.train()
    *steps, summary = reporter.logs
    assert len(steps) == 2
    for logs in steps:
        assert logs["losses/price"] + logs["losses/kind"] == pytest.approx(logs["loss"], rel=1e-5)
        assert logs["weights/price"] + logs["weights/kind"] == pytest.approx(2.0)
    assert "losses/price" not in summary
    history = [{k: v for k, v in entry.items() if k != "step"} for entry in made.state.log_history]
    assert history == reporter.logs


def test_evaluation_shows_the_total_and_asks_no_method(folder):
    made, balancer = trainer(MultiTaskTrainer, eq.MGDA(), label_names=["price", "kind"])
    found = made.evaluate(samples())
    outputs = made.model(torch.stack([s["x"] for s in samples()]))
    losses = make_tasks().losses(outputs, default_collate(samples()))
    assert found["eval_loss"] == pytest.approx(float(sum(losses.values()).detach()), rel=1e-5)
    assert balancer.record is None


def test_the_method_hears_of_the_end_of_epochs(folder):
    made, balancer = trainer(make_trainer, eq.DWA(), num_train_epochs=3)
    made.train()
    assert set(balancer.record.weights.values()) != {1.0}  # uniform until two epochs have ended


class Takes(Net):
    """As models of transformers do."""

    def forward(self, x, **_):
        return super().forward(x)


class WithoutAttach(transformers.Trainer):
    def __init__(self, net, tasks, balancer, args, **others):
        super().__init__(net, args, data_collator=default_collate, **others)
        self.tasks, self.balancer = tasks, balancer

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        return self.balancer(self.tasks.losses(model(inputs["x"]), inputs))


class Labels(WithoutAttach):
    """As data sets of transformers do: a column that is called ``labels``."""

    def __init__(self, *given, train_dataset, **others):
        columns = [{**sample, "labels": sample["kind"]} for sample in train_dataset]
        super().__init__(*given, train_dataset=columns, **others)


def test_trap_a_loss_function_is_not_divided_for_accumulation(folder):
    def undivided(net, tasks, balancer, args, **others):
        def compute_loss(outputs, labels, num_items_in_batch=None):
            return balancer(tasks.losses(outputs, labels))

        return transformers.Trainer(net, args, compute_loss_func=compute_loss, data_collator=default_collate, **others)

    reference = train_by_hand(accumulation=2)
    assert error(fit(undivided, eq.MGDA(), gradient_accumulation_steps=2), reference) > 1e-2

    def divided(*given, **others):
        made = undivided(*given, **others)
        made.loss_is_scaled_for_ga = False
        return made

    assert error(fit(divided, eq.MGDA(), gradient_accumulation_steps=2), reference) <= 1e-6


def test_trap_nor_is_that_of_a_model_that_takes_any_argument(folder):
    """``compute_loss`` of a subclass, where ``forward`` has ``**kwargs`` and the data a column ``labels``."""

    def run(finish):
        net = Takes()
        net.load_state_dict(new_net().state_dict())
        balancer = eq.Balancer(eq.MGDA(), net, tasks=make_tasks())
        optimizers = (new_optimizer(net, balancer), None)
        args = arguments(gradient_accumulation_steps=2)
        made = Labels(net, make_tasks(), balancer, args, train_dataset=samples(), optimizers=optimizers)
        finish(made, balancer)
        made.train()
        return error(net, train_by_hand(accumulation=2))

    assert run(lambda made, balancer: None) > 1e-2
    assert run(attach) <= 1e-6


def test_trap_unused_columns_are_dropped_and_said_so(folder):
    for make, missing in ((MultiTaskTrainer, "price"), (make_trainer, "price")):
        made, _ = trainer(make, eq.MGDA(), remove_unused_columns=True)
        with pytest.raises(ValueError, match=f"no target '{missing}'"):
            made.train()


def test_the_state_of_the_method_moves_to_the_device_of_the_trainer(folder, monkeypatch):
    net = new_net()
    balancer = eq.Balancer(eq.DWA(), net, tasks=make_tasks())
    made = transformers.Trainer(net, arguments())
    monkeypatch.setattr(type(made.args), "device", torch.device("meta"))
    attach(made, balancer)
    assert {buffer.device.type for buffer in balancer.buffers()} == {"meta"}


def test_attach_wants_a_balancer_and_a_trainer_that_divides(folder):
    made, balancer = trainer(make_trainer, eq.MGDA())
    with pytest.raises(ValueError, match="balancer must be a Balancer, got MGDA"):
        attach(made, eq.MGDA())
    with pytest.raises(RuntimeError, match=r"transformers>=5.23"):
        attach(object(), balancer)
