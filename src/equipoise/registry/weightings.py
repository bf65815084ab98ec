"""Methods that see losses: one backward pass."""

from equipoise import weighting
from equipoise.plain_sum import Sum
from equipoise.registry.limit import FRONT, LOGS, MEAN, NOTHING, POINT, Limit
from equipoise.registry.row import MethodRow

BY_LOSSES = (
    MethodRow(
        "sum",
        Sum,
        when="First, always: what every method has to beat.",
        limit=Limit(MEAN, MEAN, "Gradient descent on the sum."),
    ),
    MethodRow(
        "fixed",
        weighting.Fixed,
        when="Second, always: with searched weights it is hard to beat.",
        sample=lambda k: {"weights": [1.0 + i for i in range(k)]},
        limit=Limit(MEAN, MEAN, "Gradient descent on the weighted sum.", "losses @ method.factors"),
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
        limit=Limit(
            POINT, POINT, "The likelihood's joint maximum, at which s = log loss: least sum of log losses.", LOGS
        ),
    ),
    MethodRow(
        "dwa",
        weighting.DWA,
        takes="losses; end_epoch()",
        when="Where tasks train at different rates, and one call per epoch is no trouble.",
        errata="Some ports average over 25 steps instead of an epoch.",
        limit=Limit(
            NOTHING, MEAN, "A heuristic; as epoch means come to rest their ratios, and the weights, become equal."
        ),
    ),
    MethodRow(
        "rlw",
        weighting.RLW,
        when="As the baseline that any method which reacts to the losses has to beat.",
        errata="IGB's copy multiplies the weights by K; the paper, LibMTL and TorchJD do not.",
        limit=Limit(
            MEAN,
            MEAN,
            "Its weights have equal means, so that it is stochastic descent on the mean (Lin et al., section 3).",
        ),
    ),
    MethodRow(
        "scheduled",
        weighting.Scheduled,
        takes="losses; end_epoch() with per='epoch'",
        when="For curricula and warm-ups that are known beforehand.",
        sample=lambda k: {"weights": [[1.0 + i for i in range(k)], [1.0] * k]},
        limit=Limit(MEAN, MEAN, "That of the last row of weights."),
    ),
    MethodRow(
        "uw-plus",
        weighting.UWPlus,
        takes="losses; its parameters in the optimiser",
        when="Where UW is wanted and losses may become small.",
        errata="Common copies learn σ itself, which may pass through 0, where the weight 1 / (2 σ²) explodes.",
        limit=Limit(
            POINT,
            POINT,
            "The joint minimum over x and s, at which 2 s² = loss (1 + s).",
            "(losses / (2 * (s := (losses + (losses**2 + 8 * losses).sqrt()) / 4)) + s.log1p()).sum()",
        ),
    ),
    MethodRow(
        "uw-o",
        weighting.UWO,
        takes="positive losses",
        when="Where losses differ in scale and none comes near zero.",
        limit=Limit(POINT, POINT, "Its gradient is that of the sum of log losses.", LOGS),
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
        limit=Limit(NOTHING, FRONT, "A heuristic; positive weights, which settle with the losses."),
    ),
    MethodRow(
        "log-sum",
        weighting.LogSum,
        takes="positive losses",
        when="As the first thing to try where losses differ in scale.",
        errata="Public code adds an absolute epsilon such as 1e-20 inside the logarithm.",
        limit=Limit(POINT, POINT, "The sum of log losses.", LOGS),
    ),
    MethodRow(
        "gls",
        weighting.GLS,
        takes="positive losses",
        when="Where log-sum's direction is wanted with a step that fades as the losses do.",
        errata="LibMTL takes the product before the root, which underflows at 40 tasks, and logs wrong weights.",
        limit=Limit(POINT, POINT, "The geometric mean, least where the sum of log losses is.", LOGS),
    ),
    MethodRow(
        "imtl-l",
        weighting.IMTLL,
        takes="losses; its parameters in the optimiser",
        when="Where UW is wanted without an assumption on likelihoods.",
        limit=Limit(POINT, POINT, "Joint minimum at which exp(-s) = loss: least sum of log losses.", LOGS),
    ),
    MethodRow(
        "cov",
        weighting.CoV,
        takes="losses that are not negative",
        when="For many terms of one task, of which some soon stop to change.",
        errata=(
            "The official code adds 1e-8 to the variance; its decaying mean leaves the variance a sum over all steps."
        ),
        limit=Limit(NOTHING, FRONT, "A heuristic; positive weights from statistics over all steps, which settle."),
    ),
    MethodRow(
        "softadapt",
        weighting.SoftAdapt,
        when="For losses in one unit, such as the terms of a PINN or an autoencoder.",
        errata=(
            "The package divides by the signed sum of the slopes, which turns the order when losses fall; the first "
            "release overwrites slopes while it normalises them."
        ),
        limit=Limit(
            NOTHING, MEAN, "A heuristic; as losses come to rest their slopes vanish and the weights become equal."
        ),
    ),
    MethodRow(
        "relobralo",
        weighting.ReLoBRaLo,
        takes="losses that are not negative",
        when="For the terms of a physics-informed network.",
        errata="The official code takes alpha = 1 in its first step and 0 in its second, whatever is set.",
        limit=Limit(NOTHING, FRONT, "A heuristic; positive weights which settle but for their random look back."),
    ),
    MethodRow(
        "lbtw",
        weighting.LBTW,
        takes="losses that are not negative; end_epoch()",
        when="Where some tasks learn within an epoch what takes others many.",
        errata="The official code further scales the weights to sum K.",
        limit=Limit(NOTHING, MEAN, "A heuristic; as losses come to rest within an epoch the weights become 1."),
    ),
    MethodRow(
        "ema",
        weighting.EMA,
        takes="losses of positive mean",
        when="To make losses comparable before a method of a Chain that compares them.",
        limit=Limit(
            NOTHING, POINT, "No promise; running means of losses come to rest at the losses: those of log-sum.", LOGS
        ),
    ),
    MethodRow(
        "initial",
        weighting.Initial,
        takes="losses; end_epoch() with reference='epoch'",
        when="To make losses comparable while their progress stays visible.",
        errata="GradNorm copies in mtrl and in ReLoBRaLo's repository overwrite the first losses in every step.",
        limit=Limit(POINT, POINT, "The weighted sum by the inverse first losses.", "(losses / method.mean).sum()"),
    ),
    MethodRow(
        "slaw",
        weighting.SLAW,
        when="Where gradient norms should be equal and K backwards cost too much.",
        errata="The official code floors deviations at an absolute 1e-5; a port exchanges the means of loss and loss².",
        limit=Limit(NOTHING, FRONT, "A heuristic; positive weights, bounded ratios of deviations."),
    ),
    MethodRow(
        "igb",
        weighting.IGB,
        takes="positive losses; end_epoch()",
        when="Where tasks of one kind lag behind under log-sum.",
        limit=Limit(NOTHING, FRONT, "A heuristic; positive weights, which settle with the losses."),
    ),
    MethodRow(
        "go4align",
        weighting.GO4Align,
        takes="positive losses",
        when="For many tasks of which several behave alike.",
        errata="The public code calls a k-means whose import is commented out; the package meant starts at random.",
        limit=Limit(
            NOTHING, FRONT, "A heuristic; positive weights, which settle with the losses but for a drift of size rate."
        ),
        unverified="details of the grouping and of p, which are those of the public code",
    ),
    MethodRow(
        "group-dro",
        weighting.GroupDRO,
        takes="comparable losses",
        when="Where the worst task is what counts.",
        limit=Limit(
            POINT,
            POINT,
            "The least worst loss, for convex losses (Sagawa et al., proposition 2).",
            "losses.max()",
            arguments={"rate": 0.05},
        ),
    ),
    MethodRow(
        "cvar",
        weighting.CVaR,
        takes="comparable losses",
        when="Where the worst few tasks are what counts.",
        limit=Limit(
            POINT,
            POINT,
            "The least mean of the worst half.",
            "losses.sort().values @ (torch.arange(len(losses)) + 1 - len(losses) / 2).clamp(0, 1).to(losses)",
        ),
    ),
    MethodRow(
        "tchebycheff",
        weighting.Tchebycheff,
        takes="comparable losses",
        when="To reach a chosen point of a Pareto front that is not convex.",
        errata="LibMOON's tche returns an unweighted value.",
        limit=Limit(POINT, POINT, "The least worst loss.", "losses.max()"),
    ),
    MethodRow(
        "stch",
        weighting.STCH,
        takes="comparable losses",
        when="As tchebycheff, with gradients from every task.",
        limit=Limit(POINT, POINT, "The least smooth maximum.", "torch.logsumexp(losses / len(losses) / 0.1, dim=0)"),
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
        limit=Limit(
            POINT,
            POINT,
            "With mu = 1 the least sum of losses, each over its mean in an early epoch.",
            "(losses / method.nadir).sum()",
            arguments={"warmup": 0},
        ),
    ),
    MethodRow(
        "p-norm",
        weighting.PNorm,
        takes="comparable losses that are not negative",
        when="To go from the sum to the worst loss by one number.",
        limit=Limit(POINT, POINT, "The least norm of the losses.", "losses.norm()"),
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
        limit=Limit(FRONT, FRONT, "For smooth losses bounded below, with small decay (Liu et al., section 3)."),
    ),
    MethodRow(
        "lagrangian",
        weighting.Lagrangian,
        when="Where it is known how good an auxiliary task has to be.",
        sample=lambda k: {"limits": [None] + [0.1] * (k - 1)},
        limit=Limit(
            POINT,
            POINT,
            "The least sum of the main losses within the limits: here of three tasks, limits=[None, 2.3, None].",
            "losses.sum() - losses[1] + 100 * (losses[1] - 2.3).clamp(min=0)",
            arguments={"limits": [None, 2.3, None], "rate": 0.05},
        ),
    ),
)
