"""Weights by validation results, told by ``balancer.observe``."""

from equipoise.registry.row import MethodRow
from equipoise.weighting import AMTL, DTP, CoBa, Plateau, StopAndGo

ROWS = (
    MethodRow(
        cls=DTP,
        name="dtp",
        paper="Guo et al., ECCV 2018",
        needs="losses; observe() with results in (0, 1]",
        idea=(
            "Weighs each task by the focal loss of its running validation result: what is still done badly comes first."
        ),
        when="When every task has a bounded validation metric and the hard ones are being neglected.",
    ),
    MethodRow(
        cls=AMTL,
        name="amtl",
        paper="Yun & Cho, ICCV 2023",
        needs="losses, positive; observe(); the results of single-task models",
        idea=(
            "Weighted geometric mean of the losses, with exponents that follow how far a task is from what a "
            "model of its own reaches."
        ),
        when="When single-task baselines are known and every task should come equally close to its own.",
        errata=(
            "The official code squares a negative shortfall, so a task above its goal is given weight again, "
            "and takes the loss of an absent task as 0, which makes the product 0."
        ),
        sample=lambda k: {"potential": [0.9] * k},
    ),
    MethodRow(
        cls=CoBa,
        name="coba",
        paper="Gong et al., EMNLP 2024",
        needs="losses; observe() with validation losses, lower_is_better",
        idea="Balances the slopes of the validation losses, and turns away from tasks that begin to diverge.",
        when="When many tasks fine-tune one model and are to converge, and stop overfitting, together.",
        errata=(
            "The official code adds a softmax over K times the weights and a floor of 1/(10 K), leaves DF "
            "unbounded, takes α_max as the slope of the largest ratio instead of the largest slope, and loses"
            " warmup - 1 slopes of ACS."
        ),
        sample=lambda k: {"warmup": 2, "history": 4},
    ),
    MethodRow(
        cls=Plateau,
        name="plateau",
        paper="a rule, after PyTorch's ReduceLROnPlateau",
        needs="losses; observe()",
        idea="Lowers the weight of a task that has stopped improving; `restore` gives it back to one that gets worse.",
        when="When some tasks converge long before others and you want a rule that can be read off the log.",
    ),
    MethodRow(
        cls=StopAndGo,
        name="stop-and-go",
        paper="Lu et al., CVPR 2020",
        needs="losses; observe()",
        idea="A task that has converged trains in one step of several only, until it starts to forget.",
        when="When small tasks overfit while large ones still learn, and their batches can be left out to save time.",
        errata=(
            "The official controller also ignores the evaluation after each change, skips the test for "
            "resuming in every second evaluation of a stopped task, and its thresholds turn round for "
            "negative scores."
        ),
    ),
)
