"""Methods that are told validation results, by ``balancer.observe``: one backward pass."""

from equipoise import weighting
from equipoise.registry.limit import FRONT, MEAN, NOTHING, Limit
from equipoise.registry.row import MethodRow

BY_RESULTS = (
    MethodRow(
        "dtp",
        weighting.DTP,
        takes="losses; observe() with results in (0, 1]",
        when="When every task has a bounded validation metric and the hard ones are being neglected.",
        limit=Limit(NOTHING, FRONT, "A heuristic; positive weights, which settle with the results."),
    ),
    MethodRow(
        "amtl",
        weighting.AMTL,
        takes="losses, positive; observe(); the results of single-task models",
        when="When single-task baselines are known and every task should come equally close to its own.",
        errata=(
            "The official code squares a negative shortfall, so a task above its goal is given weight again, and "
            "takes the loss of an absent task as 0, which makes the product 0."
        ),
        sample=lambda k: {"potential": [0.9] * k},
        limit=Limit(NOTHING, FRONT, "A heuristic; positive weights of log losses, which settle with the results."),
    ),
    MethodRow(
        "coba",
        weighting.CoBa,
        takes="losses; observe() with validation losses, lower_is_better",
        when="When many tasks fine-tune one model and are to converge, and stop overfitting, together.",
        errata=(
            "The official code adds a softmax over K times the weights and a floor of 1/(10 K), leaves DF "
            "unbounded, takes α_max as the slope of the largest ratio instead of the largest slope, and loses "
            "warmup - 1 slopes of ACS."
        ),
        sample=lambda k: {"warmup": 2, "history": 4},
        limit=Limit(NOTHING, FRONT, "A heuristic; positive weights, softmaxes of bounded slopes."),
        unverified="α_max, here the largest slope; in the official code the slope of the largest ratio",
    ),
    MethodRow(
        "plateau",
        weighting.Plateau,
        takes="losses; observe()",
        when="When some tasks converge long before others and you want a rule that can be read off the log.",
        limit=Limit(NOTHING, FRONT, "A rule; positive weights, which only fall, to a lower bound, and so settle."),
    ),
    MethodRow(
        "stop-and-go",
        weighting.StopAndGo,
        takes="losses; observe()",
        when="When small tasks overfit while large ones still learn, and their batches can be left out to save time.",
        errata=(
            "The official controller also ignores the evaluation after each change, skips the test for resuming in "
            "every second evaluation of a stopped task, and its thresholds turn round for negative scores."
        ),
        limit=Limit(NOTHING, MEAN, "A rule; once all tasks are stopped, they train in the same steps."),
    ),
)
