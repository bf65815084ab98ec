"""Which runs a study consists of, and what makes two studies the same experiment."""

import hashlib
import json
import math
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import Any

import equipoise as eq
from equipoise.lab.arms import SINGLE_TASK, SUM, TUNED, StudyArm, make_arm
from equipoise.lab.cases import Case, own_loss, require_losses
from equipoise.lab.cases.recipe import Recipe, case_options, find_recipe
from equipoise.lab.evaluation import Question, planned_looks
from equipoise.lab.settings import MANY_TASKS, TUNED_TRIALS, a_few, spread_evenly
from equipoise.lab.studies.questions import arms_for, find_question, losses_by_arm, one_at_a_time, require_runs
from equipoise.lab.training import Settings
from equipoise.lab.training.loop import case_settings
from equipoise.own_file import content_hash


@dataclass(frozen=True)
class Run:
    """One training: an arm on some of the case's tasks with a seed."""

    arm: StudyArm
    tasks: tuple[str, ...]
    seed: int

    @property
    def task(self) -> str:
        """The task of a single-task run, else "all"."""
        return self.tasks[0] if self.arm == SINGLE_TASK else "all"

    @property
    def source(self) -> "Run | None":
        """The run whose result this one needs: for frozen weights that of the method, with the same seed."""
        return None if self.arm.source is None else Run(self.arm.source, self.tasks, self.seed)

    @property
    def folder_name(self) -> str:
        """``<method>-<task>-seed<k>``, where a name is no name of a file with a mark of the whole name."""
        return f"{_file_name(str(self.arm))}-{_file_name(self.task)}-seed{self.seed}"

    def __str__(self) -> str:
        what = f"{self.arm} {self.task}" if self.arm == SINGLE_TASK else self.arm
        return f"{what}, seed {self.seed}"


def _file_name(name: str) -> str:
    plain = re.sub(r"[^\w-]+", "-", name)[:60]
    return plain if plain == name else f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


@dataclass(frozen=True)
class Plan:
    """A study before it runs: every arm, and the single-task baselines, with every seed.

    Args:
        recipe: Of the case.
        case: What the recipe makes.
        arms: Without the single-task baseline.
        seeds: Of every arm and baseline.
        settings: Of every training.
        tuned_trials: Of the search for the weights of the arm ``TUNED``; 0 where that is none of the arms.
        question: The one question that the study is restricted to; empty: none.
        planned_looks: After how many seeds there is an interim look at the verdicts; empty: one look, after all.
        losses: By arm and task, the losses of arms that have others than the case.
        alone: The tasks that have single-task baselines.
        sklearn: Whether models of scikit-learn are trained for comparison, where it is installed and the case has
            ``features``.
        earlier_names: Of the case and of its file, in the study that this one continues; see ``renamed``.
        postponed: What of a larger study is left for later, as its minutes are limited; see ``plan_within``.
    """

    recipe: Recipe
    case: Case
    arms: tuple[StudyArm, ...]
    seeds: tuple[int, ...]
    settings: Settings
    tuned_trials: int = 0
    question: Question = ""
    planned_looks: tuple[int, ...] = ()
    losses: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    alone: tuple[str, ...] = ()
    sklearn: bool = True
    earlier_names: Mapping[str, str] = field(default_factory=dict)
    postponed: Mapping[str, Any] = field(default_factory=dict)

    @property
    def runs(self) -> tuple[Run, ...]:
        """All runs, seed by seed, so that an interrupted study has whole seeds to compare."""
        names = tuple(self.case.tasks.names)
        return tuple(
            run
            for seed in self.seeds
            for run in (
                *(Run(SINGLE_TASK, (name,), seed) for name in self.alone),
                *(Run(arm, names, seed) for arm in self.arms),
            )
        )

    @property
    def identity(self) -> dict[str, Any]:
        """What must agree for runs to stand in one table: everything but methods and seeds."""
        return {
            "equipoise": version("equipoise"),
            "case": self.earlier_names.get("case", self.case.name),
            "data_hash": self.case.data_hash,
            "settings": dict(self.settings.described),
            "tasks": {task.name: {"loss": self._loss(task), "weight": task.weight} for task in self.case.tasks},
            **({"options": options} if (options := self._options) else {}),
        }

    @property
    def _options(self) -> dict[str, Any]:
        then = {key: name for key, name in self.earlier_names.items() if key == "file"}
        return {**case_options(self.recipe, self.case), **then}

    def renamed(self, earlier: Mapping[str, Any]) -> "Plan":
        """The plan under the names that the study.json ``earlier`` has, if its file has the same content."""
        then = earlier.get("options", {}).get("file")
        if then is None or "file" not in self.recipe.options or earlier.get("data_hash") != self.case.data_hash:
            return self
        return replace(self, earlier_names={"case": earlier["case"], "file": then})

    def _loss(self, task: eq.Task) -> str:
        """A loss as study.json has it: as it was chosen, by name and arguments, since a ``repr`` may hide them."""
        return str(own_loss(self.case, task.name)) if task.name in self.case.chosen else repr(task.loss)

    @property
    def identity_hash(self) -> str:
        """The first 12 hexadecimal digits of the identity's SHA-256."""
        return hashlib.sha256(json.dumps(self.identity, sort_keys=True).encode()).hexdigest()[:12]

    @property
    def steps_per_epoch(self) -> int:
        """Of every training, in one process."""
        return math.ceil(len(self.case.splits["train"]) / self.settings.batch_size)  # type: ignore[arg-type]

    @property
    def budgets(self) -> dict[str, dict[str, int]]:
        """By method: epochs, batch size, trials of settings of its own, and trainings that one run takes.

        An arm with a source takes two trainings: its source's, whose last weights it has, and its own.
        """
        allowed = {"epochs": self.settings.epochs, "batch_size": self.settings.batch_size, "trials": 1}
        budgets = {
            str(arm): {**allowed, "trainings": 1 if arm.source is None else 2}
            for arm in (*([SINGLE_TASK] if self.alone else []), *self.arms)
        }
        if TUNED in self.arms:
            budgets[str(TUNED)]["trials"] = self.tuned_trials
        return budgets

    def describe(self) -> dict[str, Any]:
        """The content of study.json that is known before anything runs."""
        return {
            **self.identity,
            "title": self.case.title,
            "methods": list(map(str, self.arms)),
            "method_files": method_files(self.arms),
            **({"losses": self.losses} if self.losses else {}),
            **({"notes": list(self.case.notes)} if self.case.notes else {}),
            "seeds": list(self.seeds),
            "question": self.question,
            **({"planned_looks": list(self.planned_looks)} if self.planned_looks else {}),
            **({"postponed": dict(self.postponed)} if self.postponed else {}),
            "tuned_trials": self.tuned_trials,
            **({"single_task": list(self.alone)} if 1 < len(self.case.tasks) != len(self.alone) else {}),
            "budgets": self.budgets,
            "metrics": {
                task: [
                    {
                        "name": metric.name,
                        "higher_is_better": metric.higher_is_better,
                        "perfect": metric.perfect,
                        "trivial": metric.trivial,
                    }
                    for metric in metrics
                ]
                for task, metrics in self.case.made_metrics.items()
            },
            "versions": {
                "python": platform.python_version(),
                **{n: version(n) for n in ("torch", "numpy", "accelerate")},
            },
            "split_sizes": {name: len(split) for name, split in self.case.splits.items()},  # type: ignore[arg-type]
        }


def make_plan(
    case: str | Recipe,
    methods: Iterable[str | eq.Method | StudyArm],
    seeds: Iterable[int],
    *,
    epochs: int | None = None,
    tuned_trials: int | None = 0,
    question: str = "",
    looks: int = 0,
    single_task: int | None = None,
    sklearn: bool = True,
    **training: Any,
) -> Plan:
    """The study of a case.

    Args:
        case: By recipe or as ``find_recipe`` takes it.
        methods: Arms, or what ``make_arm`` makes arms of: text or methods.
        seeds: Each 0 or more.
        epochs: At most; None: the case's own.
        tuned_trials: How many fixed weights to try for the method "tuned"; 0 leaves it out. None: 10 for 2 to 20 tasks;
            fewer have no weights to tune, and for more 10 trials say nothing.
        question: The one question that the study is restricted to; it adds the methods it needs; "losses" with no
            method but the sum adds every loss that the case has.
        looks: How many interim looks at the verdicts, at equal shares of the seeds; 0: one look, after all.
        single_task: How many tasks have a single-task baseline, spread evenly. None: all of up to 20; of more none, and
            for the question "sharing" twelve.
        sklearn: Whether models of scikit-learn are trained for comparison, where the case has ``features``.
        training: Other settings that are not the case's own, by their names in ``Settings``.

    Raises:
        ValueError: An unknown case or method (the message names the nearest), a repetition, an argument out of range,
            or nothing to run.
    """
    asked = find_question(question)
    trials = TUNED_TRIALS if tuned_trials is None else tuned_trials
    arms, seeds = arms_for(asked, tuple(map(make_arm, methods)), trials), tuple(seeds)
    recipe = find_recipe(case) if isinstance(case, str) else case
    require_runs(arms, seeds)
    made = recipe()
    if tuned_trials is None and not 2 <= len(made.tasks) <= MANY_TASKS:
        arms, trials = tuple(arm for arm in arms if arm != TUNED), 0
    if asked == "losses" and arms == (SUM,):
        arms = (SUM, *one_at_a_time(made))
    losses = losses_by_arm(made, arms)
    require_losses(made, [arm.losses for arm in arms])
    if asked == "sharing" and len(made.tasks) < 2:
        raise ValueError(f"case {made.name} has one task, so there is nothing to share: leave out the question")
    if TUNED in arms and len(made.tasks) < 2:
        how = "leave out the question" if asked == "tuned" else "set tuned_trials to 0"
        raise ValueError(f"case {made.name} has one task, so no weights to tune: {how}")
    settings = case_settings(made, epochs=epochs, **training)
    after_seeds = planned_looks(len(seeds), looks) if looks else ()
    alone = _alone(made.tasks.names, arms, single_task, asked)
    return Plan(recipe, made, arms, seeds, settings, trials, asked, after_seeds, losses, alone, sklearn)


def _alone(tasks: Sequence[str], arms: Sequence[StudyArm], asked: int | None, question: Question) -> tuple[str, ...]:
    """The tasks that have single-task baselines; for a case's only task, the plain sum is the same."""
    if len(tasks) == 1 and SUM in arms:
        return ()
    if asked is None:
        few = a_few(tasks)
        return tuple(few) if len(few) == len(tasks) or question == "sharing" else ()
    if not 0 <= asked <= len(tasks) or (question == "sharing" and not asked):
        raise ValueError(f"single_task must be {1 if question == 'sharing' else 0} to {len(tasks)} tasks, got {asked}")
    return tuple(spread_evenly(tasks, asked))


def method_files(arms: Iterable[StudyArm]) -> dict[str, str]:
    """SHA-256 of the source behind each arm that is from a file of the user's."""
    return {str(arm): ", ".join(map(content_hash, arm.files)) for arm in arms if arm.files}


def run_name(run: Run, identity_hash: str) -> str:
    """The name by which a result belongs to a run: method and its file's hash, task, seed, and the plan's hash."""
    files = "".join(f" of file {found[:12]}" for found in method_files([run.arm]).values())
    return f"{run}{files} in study {identity_hash}"
