"""Methods that see losses: one backward pass."""

from equipoise import weighting
from equipoise.plain_sum import Sum
from equipoise.registry.row import MethodRow

BY_LOSSES = (
    MethodRow(
        "sum",
        Sum,
        when="First, always: what every method has to beat.",
    ),
    MethodRow(
        "fixed",
        weighting.Fixed,
        when="Second, always: with searched weights it is hard to beat.",
        sample=lambda k: {"weights": [1.0 + i for i in range(k)]},
    ),
    MethodRow(
        "uw",
        weighting.UW,
        takes="losses; its parameters in the optimiser",
        when=(
            "Where losses are likelihoods and differ in noise; see that its parameters are in the optimiser, "
            "without weight decay."
        ),
        errata=(
            "Many copies leave out the half, or hand the log-variances to weight decay; LibMTL starts at s = -0.5; "
            "torch-rechub clamps s at 0, where a small loss loses its gradient for good."
        ),
    ),
    MethodRow(
        "dwa",
        weighting.DWA,
        takes="losses; end_epoch()",
        when="Where tasks train at different rates, and one call per epoch is no trouble.",
        errata="Some ports average over 25 steps instead of an epoch.",
    ),
    MethodRow(
        "rlw",
        weighting.RLW,
        when="As the baseline that any method which reacts to the losses has to beat.",
        errata="IGB's copy multiplies the weights by K; the paper, LibMTL and TorchJD do not.",
    ),
    MethodRow(
        "scheduled",
        weighting.Scheduled,
        takes="losses; end_epoch() with per='epoch'",
        when="For curricula and warm-ups that are known beforehand.",
        sample=lambda k: {"weights": [[1.0 + i for i in range(k)], [1.0] * k]},
    ),
    MethodRow(
        "uw-plus",
        weighting.UWPlus,
        takes="losses; its parameters in the optimiser",
        when="Where UW is wanted and losses may become small.",
        errata="Common copies learn σ itself, which may pass through 0, where the weight 1 / (2 σ²) explodes.",
    ),
    MethodRow(
        "uw-o",
        weighting.UWO,
        takes="positive losses",
        when="Where losses differ in scale and none comes near zero.",
    ),
    MethodRow(
        "uw-so",
        weighting.UWSO,
        takes="positive losses",
        when="Where one temperature can be tuned and learned uncertainties are too slow.",
        errata=(
            "Ports use softmax(-log loss / T), softmax(-loss / T) or a softmax of exponentials; the paper has "
            "softmax(1 / (T loss))."
        ),
    ),
    MethodRow(
        "log-sum",
        weighting.LogSum,
        takes="positive losses",
        when="As the first thing to try where losses differ in scale.",
        errata="Public code adds an absolute epsilon such as 1e-20 inside the logarithm.",
    ),
    MethodRow(
        "gls",
        weighting.GLS,
        takes="positive losses",
        when="Where log-sum's direction is wanted with a step that fades as the losses do.",
        errata="LibMTL takes the product before the root, which underflows at 40 tasks, and logs wrong weights.",
    ),
    MethodRow(
        "imtl-l",
        weighting.IMTLL,
        takes="losses; its parameters in the optimiser",
        when="Where UW is wanted without an assumption on likelihoods.",
    ),
    MethodRow(
        "cov",
        weighting.CoV,
        takes="losses that are not negative",
        when="For many terms of one task, of which some soon stop to change.",
        errata=(
            "The official code adds 1e-8 to the variance; its decaying mean leaves the variance a sum over all steps."
        ),
    ),
    MethodRow(
        "softadapt",
        weighting.SoftAdapt,
        when="For losses in one unit, such as the terms of a PINN or an autoencoder.",
        errata=(
            "The package divides by the signed sum of the slopes, which turns the order when losses fall; the first "
            "release overwrites slopes while it normalises them."
        ),
    ),
    MethodRow(
        "relobralo",
        weighting.ReLoBRaLo,
        takes="losses that are not negative",
        when="For the terms of a physics-informed network.",
        errata="The official code takes alpha = 1 in its first step and 0 in its second, whatever is set.",
    ),
    MethodRow(
        "lbtw",
        weighting.LBTW,
        takes="losses that are not negative; end_epoch()",
        when="Where some tasks learn within an epoch what takes others many.",
        errata="The official code further scales the weights to sum K.",
    ),
    MethodRow(
        "ema",
        weighting.EMA,
        takes="losses of positive mean",
        when="To make losses comparable before a method of a Chain that compares them.",
    ),
    MethodRow(
        "initial",
        weighting.Initial,
        takes="losses; end_epoch() with reference='epoch'",
        when="To make losses comparable while their progress stays visible.",
        errata="GradNorm copies in mtrl and in ReLoBRaLo's repository overwrite the first losses in every step.",
    ),
    MethodRow(
        "slaw",
        weighting.SLAW,
        when="Where gradient norms should be equal and K backwards cost too much.",
        errata="The official code floors deviations at an absolute 1e-5; a port exchanges the means of loss and loss².",
    ),
    MethodRow(
        "igb",
        weighting.IGB,
        takes="positive losses; end_epoch()",
        when="Where tasks of one kind lag behind under log-sum.",
    ),
    MethodRow(
        "go4align",
        weighting.GO4Align,
        takes="positive losses",
        when="For many tasks of which several behave alike.",
        errata="The public code calls a k-means whose import is commented out; the package meant starts at random.",
    ),
    MethodRow(
        "group-dro",
        weighting.GroupDRO,
        takes="comparable losses",
        when="Where the worst task is what counts.",
    ),
    MethodRow(
        "cvar",
        weighting.CVaR,
        takes="comparable losses",
        when="Where the worst few tasks are what counts.",
    ),
    MethodRow(
        "tchebycheff",
        weighting.Tchebycheff,
        takes="comparable losses",
        when="To reach a chosen point of a Pareto front that is not convex.",
        errata="LibMOON's tche returns an unweighted value.",
    ),
    MethodRow(
        "stch",
        weighting.STCH,
        takes="comparable losses",
        when="As tchebycheff, with gradients from every task.",
    ),
    MethodRow(
        "stch-mtl",
        weighting.STCHMTL,
        takes="positive losses; end_epoch()",
        when="To repeat the published STCH results of multi-task learning.",
        errata=(
            "The code differs from the paper: logarithms, a nadir instead of the ideal point, the factor K and a "
            "warm-up."
        ),
        sample=lambda k: {"warmup": 1},
    ),
    MethodRow(
        "p-norm",
        weighting.PNorm,
        takes="comparable losses that are not negative",
        when="To go from the sum to the worst loss by one number.",
    ),
    MethodRow(
        "famo",
        weighting.FAMO,
        takes="positive losses; after_step(losses of the same batch)",
        when="Where a gradient method's balance is wanted for one backward and one more forward pass.",
        errata=(
            "The official classes clip the gradient norm to 1, which the algorithm does not, one of them before the "
            "backward, where it has no effect; their 1e-8 is absolute; the mtrl critic multiplies by c, not "
            "divides."
        ),
    ),
    MethodRow(
        "lagrangian",
        weighting.Lagrangian,
        when="Where it is known how good an auxiliary task has to be.",
        sample=lambda k: {"limits": [None] + [0.1] * (k - 1)},
    ),
)
BY_RESULTS = (  # told by ``balancer.observe``
    MethodRow(
        "dtp",
        weighting.DTP,
        takes="losses; observe() with results in (0, 1]",
        when="When every task has a bounded validation metric and the hard ones are being neglected.",
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
    ),
    MethodRow(
        "plateau",
        weighting.Plateau,
        takes="losses; observe()",
        when="When some tasks converge long before others and you want a rule that can be read off the log.",
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
    ),
)
