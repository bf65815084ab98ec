"""A loop of one's own: the same seeds for all, what is finished is kept, a failure costs its run only."""

import random
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

import equipoise as eq
from equipoise import lab
from equipoise.lab.files import read_json, write_json

TASKS = {"a": ("mse", "lower"), "b": ("accuracy", "higher")}


def value_of(arm, seed, task):
    """As if trained: methods differ by the length of their names, seeds by more."""
    draw = random.Random(f"{arm.name} {seed} {task}")
    return 0.5 + 0.1 * seed + 0.01 * len(arm.name) + draw.gauss(0, 0.001)


def quick(arm, seed):
    return {"a/mse": value_of(arm, seed, "a"), "b/accuracy": value_of(arm, seed, "b"), "b/loss": 1.0}


def trained(arm, seed):
    """A real loop, small."""
    model = nn.ModuleDict({"trunk": nn.Linear(3, 4), "a": nn.Linear(4, 1), "b": nn.Linear(4, 1)})
    x = torch.randn(32, 3)
    balancer = arm.balancer(model, ["a", "b"])
    optimizer = torch.optim.SGD([*model.parameters(), *balancer.parameters()], lr=0.05)
    for _ in range(5):
        z = torch.tanh(model["trunk"](x))
        losses = {"a": (model["a"](z) - x[:, :1]).square().mean(), "b": (model["b"](z) + x[:, 1:2]).square().mean()}
        optimizer.zero_grad()
        balancer(losses).backward()
        optimizer.step()
    return {f"{name}/mse": losses[name] for name in losses}  # tensors are numbers, too


def test_results_of_a_loop_are_judged_as_its_values_are():
    results = lab.compare(quick, ["sum", "uw", eq.NashMTL()], seeds=4, tasks=TASKS)
    rows = [
        {
            "method": name,
            "seed": seed,
            "task": task,
            "metric": metric,
            "better": way,
            "value": value_of(arm, seed, task),
        }
        for name in ("sum", "uw", "nash-mtl")
        for seed in range(4)
        for arm in [lab.Arm(name, seed, eq.Sum())]
        for task, (metric, way) in TASKS.items()
    ]
    ours, given = results.verdict, lab.judge(rows).verdict
    assert repr(ours.decisions) == repr(given.decisions)
    assert (ours.headline, ours.details) == (given.headline, given.details)
    assert results.failures == {}


def test_every_method_starts_from_the_same_random_numbers_whatever_ran_before():
    seen = {}

    def draws(arm, seed):
        seen.setdefault(seed, []).append((random.random(), np.random.rand(), torch.rand(()).item()))
        return quick(arm, seed)

    lab.compare(draws, ["sum", "uw"], seeds=(3, 8), tasks=TASKS)
    assert all(first == second for first, second in seen.values())
    assert seen[3] != seen[8]


def test_a_real_loop_trains_with_each_method_and_the_same_again():
    tasks = {"a": ("mse", "lower"), "b": ("mse", "lower")}
    once, again = (lab.compare(trained, ["sum", eq.UW(), "pcgrad"], seeds=2, tasks=tasks).summary.values for _ in "ab")
    assert once == again
    assert once["sum"] != once["uw"] != once["pcgrad"]


def test_state_of_a_method_object_does_not_pass_from_run_to_run():
    method, seen = eq.DWA(temperature=1.0), []

    def train(arm, seed):
        assert arm.method is not method
        seen.append(arm.method)
        return quick(arm, seed)

    results = lab.compare(train, {"sum": "sum", "sharp": method}, seeds=2, tasks=TASKS)
    assert len({id(one) for one in seen}) == 4
    assert results.summary.methods == ("sum", "sharp")


def test_only_what_is_missing_runs_again(tmp_path):
    ran = []

    def train(arm, seed):
        ran.append((arm.name, seed))
        return quick(arm, seed)

    first = lab.compare(train, ["sum", "uw"], seeds=2, tasks=TASKS, folder=tmp_path / "loop")
    more = lab.compare(train, ["sum", "uw", "dwa"], seeds=3, tasks=TASKS, folder=tmp_path / "loop")
    assert len(ran) == len(set(ran)) == 9
    assert first.summary.values["uw"]["a"].items() <= more.summary.values["uw"]["a"].items()
    assert repr(lab.load(tmp_path / "loop").verdict) == repr(more.verdict)


def test_a_failure_costs_its_run_only_and_is_tried_again(tmp_path):
    broken = [True]

    def train(arm, seed):
        if broken and (arm.name, seed) == ("uw", 1):
            raise FloatingPointError("it\ndiverged")
        return quick(arm, seed)

    arguments = {"seeds": 3, "tasks": TASKS, "folder": tmp_path / "loop"}
    results = lab.compare(train, ["sum", "uw"], **arguments)
    assert results.failures == {"uw, seed 1": "FloatingPointError: it diverged"}
    assert set(results.summary.values["uw"]["a"]) == {0, 2}
    assert "1 of 3 runs of uw missing" in " ".join(results.summary.details)
    (trace,) = (tmp_path / "loop" / "runs").glob("*.error.txt")
    assert "in train" in trace.read_text()
    broken.clear()
    assert lab.compare(train, ["sum", "uw"], **arguments).failures == {}
    assert not trace.exists()


def test_where_every_run_fails_the_first_error_is_raised():
    def train(arm, seed):
        raise KeyError("nothing")

    with pytest.raises(RuntimeError, match="no run finished; sum, seed 0 failed: KeyError: 'nothing'") as raised:
        lab.compare(train, ["sum", "uw"], seeds=2, tasks=TASKS)
    assert isinstance(raised.value.__cause__, KeyError)


def test_where_every_run_fails_the_others_are_counted_and_their_tracebacks_are_told_of(tmp_path):
    def train(arm, seed):
        raise KeyError(arm.name)

    arguments = {"seeds": 2, "tasks": TASKS}
    with pytest.raises(RuntimeError, match="3 other runs failed, 1 of them likewise; give a folder to keep the trace"):
        lab.compare(train, ["sum", "uw"], **arguments)
    with pytest.raises(RuntimeError, match=r"3 other runs failed, .*the tracebacks are in .*loop"):
        lab.compare(train, ["sum", "uw"], folder=tmp_path / "loop", **arguments)
    assert len([*(tmp_path / "loop" / "runs").glob("*.error.txt")]) == 4


def test_where_no_other_run_failed_likewise_none_is_counted(tmp_path):
    def train(arm, seed):
        raise ValueError(f"no {seed}")

    with pytest.raises(RuntimeError, match=r"no 0; 1 other run failed; give"):
        lab.compare(train, ["sum"], seeds=2, tasks=TASKS)


def test_what_train_returns_must_have_every_metric():
    with pytest.raises(ValueError, match="train must return a mapping with a/mse, b/accuracy, got \\['a/mse'\\]"):
        lab.compare(lambda arm, seed: {"a/mse": 1.0}, ["sum"], tasks=TASKS)
    with pytest.raises(ValueError, match="train must return numbers"):
        lab.compare(lambda arm, seed: {"a/mse": "low", "b/accuracy": 1}, ["sum"], tasks=TASKS)


def test_a_run_that_was_changed_is_not_used(tmp_path):
    lab.compare(quick, ["sum", "uw"], seeds=2, tasks=TASKS, folder=tmp_path / "loop")
    for file in (tmp_path / "loop" / "runs.csv", next((tmp_path / "loop" / "runs").glob("uw*seed1.json"))):
        file.write_text(file.read_text().replace("0.6", "0.1"))
    with pytest.raises(ValueError, match=r"runs.csv is not as it was written"):
        lab.load(tmp_path / "loop")
    with pytest.raises(ValueError, match=r"seed1.json is not as it was written"):
        lab.compare(quick, ["sum", "uw"], seeds=2, tasks=TASKS, folder=tmp_path / "loop")


def test_runs_of_other_tasks_and_other_folders_are_not_mixed_in(tmp_path):
    lab.compare(quick, ["sum", "uw"], seeds=2, tasks=TASKS, folder=tmp_path / "loop")
    with pytest.raises(ValueError, match="holds runs with other tasks"):
        lab.compare(quick, ["sum"], seeds=2, tasks={"a": ("mse", "higher")}, folder=tmp_path / "loop")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    with pytest.raises(ValueError, match="holds something else than a loop's runs"):
        lab.compare(quick, ["sum"], seeds=2, tasks=TASKS, folder=tmp_path / "mine")


def test_an_option_of_a_case_is_none_of_a_loop():
    for option in ({"jobs": 2}, {"epochs": 3}, {"schedule": "cosine"}, {"question": "sharing"}, {"l1": 0.0}):
        with pytest.raises(ValueError, match=f"{next(iter(option))} is an option of a case"):
            lab.compare(quick, ["sum"], tasks=TASKS, **option)


def one(arm, seed):
    return {"a/mse": 1.0 + seed, "b/accuracy": 0.5}


def other(arm, seed):
    return {"a/mse": 2.0 + seed, "b/accuracy": 0.5}


def same(arm, seed):
    # the code of one, with a comment
    return {"a/mse": 1.0 + seed, "b/accuracy": 0.5}


def scaled(arm, seed, by):
    return {"a/mse": by * seed, "b/accuracy": 0.5}


def documented(arm, seed):
    """Of this loop."""
    return {"a/mse": 1.0 + seed, "b/accuracy": 0.5}


def noted(arm, seed, seen=[]):  # noqa: B006
    seen.append(seed)
    return one(arm, seed)


def within(by):
    return lambda arm, seed: {"a/mse": by * seed, "b/accuracy": 0.5}


def reads(name):
    """Functions whose code differs in the name of a free variable alone."""
    made = {}
    exec(f"def make(p, q):\n def train(arm, seed): return dict([('a/mse', {name} + seed), ('b/accuracy', .5)])\n"
         " made = (p, q)\n return train", made)  # fmt: skip
    return made["make"](1.0, 2.0)


def counting():
    calls = 0

    def train(arm, seed):
        nonlocal calls
        calls += 1
        return one(arm, seed)

    return train


class Loop:
    def __init__(self, by):
        self.by, self.calls, self.seen = by, 0, []

    def __call__(self, arm, seed):
        self.calls += 1
        self.seen.append(seed)
        return {"a/mse": self.by * seed, "b/accuracy": 0.5}

    def train(self, arm, seed):
        return self(arm, seed)


@pytest.mark.parametrize(
    ("earlier", "now"),
    [
        (lambda arm, seed: one(arm, seed), lambda arm, seed: other(arm, seed)),
        (partial(scaled, by=1.0), partial(scaled, by=2.0)),
        (within(1.0), within(2.0)),
        (reads("p"), reads("q")),
        (Loop(1.0), Loop(2.0)),
        (Loop(1.0).train, Loop(2.0).train),
    ],
)
def test_runs_of_a_function_that_has_changed_are_not_mixed_in(earlier, now, tmp_path):
    lab.compare(earlier, ["sum", "uw"], seeds=2, tasks=TASKS, folder=tmp_path / "loop")
    with pytest.raises(ValueError, match=r"loop holds runs of .* as it was before it was changed: choose another"):
        lab.compare(now, ["sum", "uw"], seeds=3, tasks=TASKS, folder=tmp_path / "loop")
    assert lab.compare(earlier, ["sum", "uw"], seeds=3, tasks=TASKS, folder=tmp_path / "loop").failures == {}


def test_runs_of_another_function_are_not_mixed_in(tmp_path):
    lab.compare(one, ["sum", "uw"], seeds=2, tasks=TASKS, folder=tmp_path / "loop")
    with pytest.raises(ValueError, match=r"loop holds runs of one, not of other: choose another"):
        lab.compare(other, ["sum", "uw"], seeds=3, tasks=TASKS, folder=tmp_path / "loop")


def of_set(numbers):
    """With a set whose order in memory depends on that of its making, as that of strings does on the process."""
    return partial(quick_of, chosen=frozenset(numbers), others=set(numbers))


def quick_of(arm, seed, chosen, others):
    return one(arm, seed)


@pytest.mark.parametrize(
    ("earlier", "now"),
    [
        (of_set([0, 8]), of_set([8, 0])),
        (one, documented),
        (noted, noted),
        (train := counting(), train),
        (loop := Loop(1.0), loop),
        (loop.train, loop.train),
    ],
)
def test_what_train_does_to_what_it_holds_is_no_change_of_it(earlier, now, tmp_path):
    arguments = {"tasks": TASKS, "folder": tmp_path / "loop"}
    lab.compare(earlier, ["sum", "uw"], seeds=2, **arguments)
    assert lab.compare(now, ["sum", "uw"], seeds=3, **arguments).failures == {}


def test_a_folder_of_a_loop_is_not_given_to_a_case_and_a_file_is_no_folder(tmp_path):
    lab.compare(one, ["sum", "uw"], seeds=2, tasks=TASKS, folder=tmp_path / "loop")
    with pytest.raises(ValueError, match=r"loop holds a loop's runs: choose another folder$"):
        lab.compare("reviews", ["sum", "uw"], seeds=2, folder=tmp_path / "loop")
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"cannot be made \(.*\): choose another folder$"):
        lab.compare(one, ["sum", "uw"], seeds=2, tasks=TASKS, folder=tmp_path / "file")
    with pytest.raises(ValueError, match=r"cannot be made \(.*\): choose another folder$"):
        lab.tune("reviews", 2, folder=tmp_path / "file")


@pytest.mark.parametrize(("train", "title"), [(partial(scaled, by=1.0), "scaled"), (Loop(1.0), "Loop")])
def test_results_are_named_after_the_function_also_of_a_partial_and_an_object(train, title):
    assert lab.compare(train, ["sum", "uw"], seeds=2, tasks=TASKS).summary.title == title


def test_a_comment_changes_no_function_and_runs_of_earlier_versions_count(tmp_path):
    arguments = {"seeds": 2, "tasks": TASKS, "folder": tmp_path / "loop"}
    lab.compare(one, ["sum", "uw"], **arguments)
    lab.compare(same, ["sum", "uw"], **arguments)
    for file in (tmp_path / "loop" / "runs").glob("*.json"):
        run = read_json(file)
        del run["train"]
        write_json(file, run)
    assert lab.compare(other, ["sum", "uw"], **arguments).failures == {}


@pytest.mark.parametrize(("option", "value"), [("epochs", 0), ("tuned_trials", 0), ("jobs", 0)])
def test_an_option_of_a_case_is_refused_also_where_it_is_zero(option, value):
    with pytest.raises(ValueError, match=f"{option} is an option of a case"):
        lab.compare(quick, ["sum", "uw"], seeds=2, tasks=TASKS, **{option: value})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "a loop of one's own needs tasks"),
        ({"tasks": {"a": ("mse", "down")}}, "tasks: 'a' must be higher or lower, got 'down'"),
        ({"tasks": TASKS, "methods": ["sum", "sum"]}, "method sum is given twice"),
        ({"tasks": TASKS, "seeds": (1, 1)}, "seed 1 is given twice"),
        ({"tasks": TASKS, "methods": ["single-task"]}, "single-task is no method of a loop"),
        (
            {"tasks": TASKS, "methods": ["uw", "dwa"]},
            "methods lacks 'sum', which the others are compared with, got uw, dwa",
        ),
        ({"tasks": TASKS, "seeds": 2.5}, "seeds must be a whole number or a list of whole numbers, got 2.5"),
        ({"tasks": TASKS, "seeds": True}, "seeds must be a whole number or a list of whole numbers, got True"),
        ({"tasks": TASKS, "seeds": [2**40]}, "seeds must be from 0 to 4294967295, got 1099511627776"),
        ({"tasks": TASKS, "methods": "sum"}, "methods must be a list, such as \\['sum', 'uw'\\], got 'sum'"),
        ({"tasks": ["a", "b"]}, "tasks must be a mapping from task to its metric and direction"),
        ({"tasks": {"a": "mse"}}, "tasks must be a mapping from task to its metric and direction"),
        ({"tasks": TASKS, "methods": [3]}, "a method is a name or an object such as eq.UW\\(\\), got int"),
    ],
)
def test_wrong_use_is_named_before_anything_runs(arguments, message):
    def never(arm, seed):
        raise AssertionError("it ran")

    with pytest.raises(ValueError, match=message):
        lab.compare(never, **arguments)


def test_random_numbers_of_the_caller_are_not_touched():
    random.seed(5), np.random.seed(5), torch.manual_seed(5)
    expected = random.random(), np.random.rand(), torch.rand(()).item()
    random.seed(5), np.random.seed(5), torch.manual_seed(5)
    lab.compare(quick, ["sum", "uw"], seeds=2, tasks=TASKS)
    assert (random.random(), np.random.rand(), torch.rand(()).item()) == expected


def test_another_method_by_the_same_name_is_not_mixed_in(tmp_path):
    arguments = {"seeds": 2, "tasks": TASKS, "folder": tmp_path / "loop"}
    lab.compare(quick, {"sum": "sum", "mine": eq.DWA(0.5)}, **arguments)
    lab.compare(quick, {"sum": eq.Sum(), "mine": eq.DWA(0.5)}, **arguments)
    with pytest.raises(ValueError, match=r"mine is DWA\(temperature=0.5\), now it is DWA\(temperature=4.0\)"):
        lab.compare(quick, {"sum": "sum", "mine": eq.DWA(4.0)}, **arguments)


def test_the_name_of_a_task_may_have_a_slash():
    def train(arm, seed):
        return {"road/left/iou": value_of(arm, seed, "road"), "road/left/loss": 1.0}

    results = lab.compare(train, ["sum", "uw"], seeds=2, tasks={"road/left": ("iou", "higher")})
    assert set(results.summary.values["uw"]["road/left"]) == {0, 1}
    recorder = lab.Recorder(["road", "road/left"])
    recorder.validate(1, {"road/left/iou": 0.5, "road/iou": 0.6})
    assert [moment[2:] for moment in recorder.history] == [("road/left", "iou", 0.5), ("road", "iou", 0.6)]


def test_what_a_later_run_returns_wrongly_costs_that_run_only():
    def train(arm, seed):
        return {"a/mse": 1.0} if (arm.name, seed) == ("uw", 1) else quick(arm, seed)

    results = lab.compare(train, ["sum", "uw"], seeds=3, tasks=TASKS)
    assert list(results.failures) == ["uw, seed 1"]
    assert "train must return a mapping with a/mse, b/accuracy" in results.failures["uw, seed 1"]


def test_nothing_is_left_behind_where_a_comparison_is_interrupted(tmp_path, monkeypatch):
    def train(arm, seed):
        raise KeyboardInterrupt

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(KeyboardInterrupt):
        lab.compare(train, ["sum"], seeds=2, tasks=TASKS)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("seeds", [np.int64(2), np.arange(2), torch.arange(2), range(2)])
def test_seeds_may_be_any_whole_numbers(seeds):
    assert lab.compare(quick, ["sum", "uw"], seeds=seeds, tasks=TASKS).summary.seeds == (0, 1)
