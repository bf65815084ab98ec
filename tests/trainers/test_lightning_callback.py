"""The callback tells the balancer what a method needs to hear, when it is due, and from what was logged."""

import warnings

import pytest
import torch
from problem import Net, loader, make_tasks

import equipoise as eq

lightning = pytest.importorskip("lightning")
from equipoise.trainers.lightning import BalancerCallback  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:.*(dataloader|num_workers|bottleneck|litlogger|tip).*")
KEYS = {"price": "val/price", "kind": "val/kind"}


class Module(lightning.LightningModule):
    """The price is found ever better for two epochs, and then no better; of the kind the true loss is logged."""

    def __init__(self, method):
        super().__init__()
        torch.manual_seed(0)
        self.net, self.tasks = Net(), make_tasks()
        self.balancer = eq.Balancer(method, self.net, tasks=self.tasks)
        self.weights = []

    def losses(self, batch):
        return self.tasks.losses(self.net(batch["x"]), batch)

    def training_step(self, batch, index):
        return self.balancer(self.losses(batch))

    def validation_step(self, batch, index):
        self.log("val/price", float(min(self.current_epoch, 1)))
        self.log("val/kind", self.losses(batch)["kind"])

    def on_train_epoch_end(self):
        self.weights.append(self.balancer.record.weights)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def trainer(*callbacks, epochs=1, framework=lightning, **options):
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    return framework.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        devices=1,
        enable_model_summary=False,
        callbacks=list(callbacks),
        **quiet | options,
    )


class Heard(eq.Sum):
    """Writes down what it is told."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def end_epoch(self):
        self.calls.append("epoch")

    def observe(self, results, tasks):
        self.calls.append("results")

    def after_step(self, losses, tasks):
        self.calls.append("losses")
        self.after = losses


def test_a_task_that_stops_improving_gets_a_lower_weight():
    module = Module(eq.Plateau(patience=2))
    told = BalancerCallback(module.balancer, observe=KEYS, lower_is_better=["kind"])
    trainer(told, epochs=6).fit(module, loader(), loader())
    assert module.weights[0] == {"price": 1.0, "kind": 1.0}
    assert module.weights[-1]["price"] < 0.7
    assert module.weights[-1]["kind"] > 1.0


def test_each_call_comes_when_it_is_due_and_the_sanity_check_is_no_result():
    module = Module(Heard())
    told = BalancerCallback(module.balancer, observe=KEYS, losses_again=module.losses)
    running = trainer(told, epochs=2, limit_train_batches=4, accumulate_grad_batches=2, num_sanity_val_steps=1)
    running.fit(module, loader(), loader())
    assert module.balancer.method.calls == ["losses", "losses", "results", "epoch"] * 2
    running.validate(module, loader(), verbose=False)  # after training: no result of it
    assert module.balancer.method.calls == ["losses", "losses", "results", "epoch"] * 2


def test_losses_with_a_schedule_by_epoch_hear_of_it():
    module = Module(eq.Sum())
    schedule = eq.losses.EpochSchedule([1.0, 0.5])
    module.tasks = eq.Tasks(
        [eq.Task("price", eq.losses.Mixed({"mse": (schedule, torch.nn.MSELoss())})), module.tasks["kind"]]
    )
    trainer(BalancerCallback(module.balancer), limit_train_batches=1, limit_val_batches=0).fit(module, loader())
    assert float(schedule()) == 0.5


def test_the_losses_after_the_step_are_those_of_the_moved_parameters():
    module = Module(Heard())
    trainer(
        BalancerCallback(module.balancer, losses_again=module.losses), limit_train_batches=1, limit_val_batches=0
    ).fit(module, loader())
    (batch, *_) = loader()
    expected = torch.stack(list(module.losses(batch).values()))
    torch.testing.assert_close(module.balancer.method.after, expected.detach())


def test_a_key_that_was_not_logged_is_an_error_that_lists_what_was():
    module = Module(eq.Plateau())
    told = BalancerCallback(module.balancer, observe={"price": "val/prise"})
    with pytest.raises(ValueError, match=r"'val/prise' for task 'price', which .* there are 'val/kind', 'val/price'"):
        trainer(told).fit(module, loader(), loader())


def test_results_without_a_validation_are_an_error():
    module = Module(eq.Plateau())
    with pytest.raises(ValueError, match="observe needs a validation"):
        trainer(BalancerCallback(module.balancer, observe=KEYS), limit_val_batches=0).fit(module, loader(), loader())


def test_a_balancer_that_the_module_does_not_hold_is_an_error():
    module, other = Module(eq.DWA()), Module(eq.DWA())
    with pytest.raises(ValueError, match="the module does not hold this balancer"):
        trainer(BalancerCallback(other.balancer), limit_val_batches=0).fit(module, loader())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"observe": {"prise": "a"}}, "no task 'prise'; did you mean 'price'"),
        ({"observe": ["price"]}, "observe must be {task: key of a metric}, got"),
        ({"observe": KEYS, "lower_is_better": ["prise"]}, "no task 'prise' in lower_is_better"),
    ],
)
def test_wrong_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        BalancerCallback(Module(eq.DWA()).balancer, **options)
    with pytest.raises(ValueError, match="balancer must be a Balancer, got DWA"):
        BalancerCallback(eq.DWA())


def test_epochs_longer_than_the_patience_are_no_misuse():
    module = Module(eq.Chain(eq.DWA(), eq.Plateau()))
    told = BalancerCallback(module.balancer, observe=KEYS, lower_is_better=["kind"])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trainer(told).fit(module, long_epoch(), loader())
    assert [str(warning.message) for warning in caught if "has not heard" in str(warning.message)] == []


def long_epoch():
    """An epoch of 128 steps."""
    return torch.utils.data.DataLoader([sample for batch in (loader(1).dataset,) * 2 for sample in batch], 1)


def test_under_lightnings_older_name():
    """Its own package, with classes of its own; the callback is of the newer name where both are installed."""
    older = pytest.importorskip("pytorch_lightning")

    class Older(older.LightningModule):
        def __init__(self):
            super().__init__()
            self.net, self.tasks = Net(), make_tasks()
            self.balancer = eq.Balancer(Heard(), self.net, tasks=self.tasks)

        def training_step(self, batch, index):
            return self.balancer(self.tasks.losses(self.net(batch["x"]), batch))

        def validation_step(self, batch, index):
            self.log_dict({"val/price": 1.0, "val/kind": 1.0})

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.05)

    module = Older()
    trainer(BalancerCallback(module.balancer, observe=KEYS), framework=older).fit(module, loader(), loader())
    assert module.balancer.method.calls == ["results", "epoch"]
