"""What of a study comes first where its minutes are limited, and what is left for later.

What is named is not left out, but for seeds beyond three: these are as many as fit.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from math import log2
from typing import Any

from equipoise.lab.arms import SINGLE_TASK, SUM, TUNED, StudyArm
from equipoise.lab.studies.plan import Plan, Run
from equipoise.lab.studies.timing import FEWEST_SEEDS, Costs


@dataclass(frozen=True)
class TimeLimit:
    """How many minutes a study may take from its beginning, and which of its sizes nobody named, beside the seeds.

    Args:
        minutes: At most.
        methods: Whether methods may be left out.
        tuned: Whether tuned weights may be.
        single_task: Whether single-task baselines may be.
    """

    minutes: float
    methods: bool = False
    tuned: bool = False
    single_task: bool = False

    def may_leave_out(self, arm: StudyArm) -> bool:
        """Whether an arm, or the single-task baselines, may be left out; the plain sum never is."""
        return {TUNED: self.tuned, SINGLE_TASK: self.single_task, SUM: False}.get(arm, self.methods)


def plan_within(limit: TimeLimit, plan: Plan, costs: Costs, jobs: int, finished: Collection[Run] = ()) -> Plan:
    """As much of a plan as fits: what was named and the cheapest method, single-task baselines, then other methods.

    The cheapest come first, of those that take about the same the first of the plan; with what is left of the minutes
    more seeds than three, without which nothing can be tested. What has a finished run stays. Where even the least of
    this takes longer than the limit, it is chosen all the same, and what is left for later says so.
    """

    def part(arms: Collection[StudyArm], seeds: int) -> Plan:
        return _part(plan, arms, plan.seeds[:seeds])

    def minutes(study: Plan) -> float:
        return costs.minutes(study, study.runs, study.tuned_trials, jobs)

    began = {run.seed for run in finished}
    fewest = max([FEWEST_SEEDS, *(place for place, seed in enumerate(plan.seeds, 1) if seed in began)])
    alone = {arm: minutes(part([arm], fewest)) for arm in plan.arms}
    least = min(alone.values())
    cheapest = sorted(plan.arms, key=lambda arm: round(log2(alone[arm] / least)))  # a timing of few steps is rough
    first = next((arm for arm in cheapest if arm not in (SUM, TUNED)), SUM)
    arms = [SINGLE_TASK, *cheapest]
    kept = {*(arm for arm in arms if not limit.may_leave_out(arm)), first, *(run.arm for run in finished)}
    for arm in arms:
        if minutes(part({*kept, arm}, fewest)) <= limit.minutes:
            kept.add(arm)
    counts = range(fewest + 1, len(plan.seeds) + 1)
    fitting = [count for count in counts if minutes(part(kept, count)) <= limit.minutes]
    chosen = part(kept, max([fewest, *fitting]))
    left = [run for run in plan.runs if run not in chosen.runs]
    if not left:
        return plan
    more = costs.minutes(plan, left, plan.tuned_trials - chosen.tuned_trials, jobs)
    return replace(chosen, postponed=_described(plan, chosen, limit, more, minutes(chosen)))


def planned_before(limit: TimeLimit, plan: Plan, earlier: Mapping[str, Any]) -> Plan | None:
    """What of a plan its folder's study.json chose under the same limit: the same command resumes the same study."""
    then = earlier.get("postponed", {})
    arms = [arm for arm in (SINGLE_TASK, *plan.arms) if str(arm) not in then.get("methods", ())]
    chosen = _part(plan, arms, tuple(seed for seed in plan.seeds if seed not in then.get("seeds", ())))
    same = then == _described(plan, chosen, limit, then.get("more_minutes", 0.0), then.get("least_minutes", 0.0))
    asked = {key: earlier.get(key) for key in ("methods", "seeds")}
    return replace(chosen, postponed=then) if same and asked == _asked(chosen) else None


def _part(plan: Plan, arms: Collection[StudyArm], seeds: tuple[int, ...]) -> Plan:
    return replace(
        plan,
        arms=tuple(arm for arm in plan.arms if arm in arms),
        seeds=seeds,
        tuned_trials=plan.tuned_trials if TUNED in arms else 0,
        alone=plan.alone if SINGLE_TASK in arms else (),
    )


def _asked(plan: Plan) -> dict[str, Any]:
    return {"methods": [*map(str, plan.arms)], "seeds": [*plan.seeds]}


def _described(plan: Plan, chosen: Plan, limit: TimeLimit, more_minutes: float, minutes: float) -> dict[str, Any]:
    """What is left for later, as study.json has it."""
    arms = [arm for arm in plan.arms if arm not in chosen.arms]
    arms = [SINGLE_TASK, *arms] if len(chosen.alone) < len(plan.alone) else arms
    return {
        "minutes": limit.minutes,
        "methods": [*map(str, arms)],
        "seeds": [seed for seed in plan.seeds if seed not in chosen.seeds],
        "more_minutes": more_minutes,
        **({"least_minutes": minutes} if minutes > limit.minutes else {}),
    }
