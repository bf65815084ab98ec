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
    data = samples() if isinstance(make, type) else labelled()
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


@pytest.mark.paired
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
    assert balancer.steps == 0


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
    with pytest.raises(ValueError, match="has a balancer already"):
        attach(made, balancer)


# Validation results


class Evaluated:
    """``compute_metrics``: the price is found better once, and then no better; of the kind, the true loss."""

    def __init__(self):
        self.times = 0

    def __call__(self, found):
        self.times += 1
        logits, kinds = torch.as_tensor(found.predictions[1]), torch.as_tensor(found.label_ids["kind"])
        return {"price": min(self.times, 2), "kind_loss": float(torch.nn.functional.cross_entropy(logits, kinds))}


class Weights(transformers.TrainerCallback):
    def __init__(self):
        self.of_epochs = []

    def on_epoch_end(self, *_, **__):
        self.of_epochs.append(self.balancer.record.weights)


def observing(method, observe, callback=None, eval_dataset=None, lower_is_better=(), **options):
    """A trainer that evaluates after every epoch."""
    net = new_net()
    balancer = eq.Balancer(method, net, tasks=make_tasks())
    made = transformers.Trainer(
        net,
        arguments(**{"eval_strategy": "epoch", "label_names": ["labels"], "learning_rate": 0.05, **options}),
        compute_loss_func=lambda outputs, labels, num_items_in_batch=None: balancer(
            make_tasks().losses(outputs, labels)
        ),
        data_collator=default_collate,
        train_dataset=labelled(),
        eval_dataset=labelled() if eval_dataset is None else eval_dataset,
        compute_metrics=Evaluated(),
        optimizers=(torch.optim.SGD(net.parameters(), lr=0.05), None),
        callbacks=[] if callback is None else [callback],
    )
    attach(made, balancer, observe=observe, lower_is_better=lower_is_better)
    return made, balancer


def test_a_task_that_stops_improving_gets_a_lower_weight(folder):
    weights = Weights()
    keys = {"price": "price", "kind": "eval_kind_loss"}  # with the trainer's prefix or without
    made, weights.balancer = observing(
        eq.Plateau(patience=2), keys, weights, lower_is_better=["kind"], num_train_epochs=6
    )
    made.train()
    assert weights.of_epochs[0] == {"price": 1.0, "kind": 1.0}
    assert weights.of_epochs[-1]["price"] < 0.7
    assert weights.of_epochs[-1]["kind"] > 1.0


class Heard(eq.Sum):
    def __init__(self):
        super().__init__()
        self.results = []

    def observe(self, results, tasks):
        self.results.append(results.tolist())


def test_results_of_evaluations_while_training_and_no_others(folder):
    made, balancer = observing(Heard(), {"price": "price"}, num_train_epochs=2)
    made.evaluate()
    made.train()
    made.evaluate()
    assert balancer.method.results == [[2.0], [2.0]]


def test_one_of_several_data_sets(folder):
    sets = {"first": labelled(), "second": labelled()}
    made, balancer = observing(Heard(), {"price": "eval_second_price"}, eval_dataset=sets, num_train_epochs=2)
    made.train()
    assert balancer.method.results == [[2.0], [2.0]]
    made, balancer = observing(Heard(), {"price": "first_price"}, eval_dataset=sets, num_train_epochs=2)
    made.train()
    assert balancer.method.results == [[1.0], [2.0]]


@pytest.mark.parametrize("epochs", [1, 2])
def test_a_key_that_is_not_reported_is_an_error_that_lists_what_is(epochs, folder):
    made, _ = observing(Heard(), {"price": "prise"}, num_train_epochs=epochs)
    with pytest.raises(
        ValueError, match=r"'eval_prise' for task 'price', which .* there are .*'eval_kind_loss'.*'eval_pr"
    ):
        made.train()


def test_results_of_a_run_that_never_evaluates_are_an_error(folder):
    made, _ = observing(Heard(), {"price": "price"}, eval_strategy="no")
    with pytest.raises(ValueError, match="set eval_strategy"):
        made.train()


def test_unknown_tasks_are_errors(folder):
    with pytest.raises(ValueError, match="no task 'prise'; did you mean 'price'"):
        observing(Heard(), {"prise": "price"})
    with pytest.raises(ValueError, match="no task 'prise' in lower_is_better"):
        observing(Heard(), {"price": "price"}, lower_is_better=["prise"])


class AfterStep(transformers.TrainerCallback):
    """As docs/trainers.md has it; the losses before the step are those of the batch that was kept."""

    def __init__(self):
        self.fell = []

    def on_step_end(self, *_, **__):
        inputs, balancer = self.trainer.inputs, self.trainer.balancer
        before = balancer.record.losses
        with torch.no_grad():
            losses = self.trainer.tasks.losses(self.trainer.model(inputs["x"]), inputs)
            balancer.after_step(losses)
        self.fell.append(sum(before.values()) - float(sum(losses.values())))


class Keeping(MultiTaskTrainer):
    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        self.inputs = inputs
        return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)


def test_the_losses_after_a_step_from_a_callback(folder):
    after = AfterStep()
    after.trainer, balancer = trainer(Keeping, eq.FAMO(), callbacks=[after])
    after.trainer.train()
    assert len(after.fell) == 8
    assert min(after.fell) > 0  # of one batch, before and after a step on it
    assert balancer.method.logits.any()
