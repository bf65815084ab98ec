"""Methods that see more of the gradients than one gramian: by groups of parameters, and by single coordinates."""

from equipoise import aggregation
from equipoise.registry.limit import FRONT, MEAN, NOTHING, Limit
from equipoise.registry.row import MethodRow

BY_GROUPS = (
    MethodRow(
        "metabalance",
        aggregation.MetaBalance,
        takes="gradient norms by parameter",
        when="Where one task is the main one, as in recommenders, and others are too loud in some layers.",
        errata=(
            "The official code needs CUDA, stops at the first parameter without a gradient, which leaves the "
            "parameters after it without one, and divides by a norm that may be zero."
        ),
        limit=Limit(NOTHING, NOTHING, "A heuristic; its weights differ from tensor to tensor."),
        unverified="details: the forms that only reduce or only enlarge are left out",
    ),
)
BY_COORDINATES = (
    MethodRow(
        "graddrop",
        aggregation.GradDrop,
        when=(
            "Where gradients conflict coordinate by coordinate, and noise that vanishes only at joint minima is "
            "welcome."
        ),
        errata=(
            "The official code acts on gradients at a representation, with their signs times its own; TorchJD's "
            "copy draws from the global generator, so a saved method does not resume with the same draws."
        ),
        limit=Limit(
            MEAN, MEAN, "Its mean over the draws is the sum: stochastic descent on it (Chen et al., section 3)."
        ),
    ),
    MethodRow(
        "trimmed-mean",
        aggregation.TrimmedMean,
        when="With five tasks or more of like scale, some of whose gradients may be wild; it does not balance scales.",
        limit=Limit(NOTHING, NOTHING, "Robust to corrupt gradients: the mean is trimmed by coordinates, not by tasks."),
    ),
    MethodRow(
        "median",
        aggregation.Median,
        when="With many tasks of like scale, of which up to half may be wild.",
        errata=(
            "torch.median takes the lower of two middle values, so that opposite gradients do not give the opposite."
        ),
        limit=Limit(
            NOTHING,
            NOTHING,
            "Robust to corrupt gradients: the middle by coordinates belongs to no weighting of the tasks.",
        ),
    ),
    MethodRow(
        "moco",
        aggregation.MoCo,
        takes="jacobian; P numbers of state per task",
        when="For the goal of MGDA with small, noisy batches.",
        errata=(
            "LibMTL takes a softmax where the algorithm projects on the simplex, which keeps the weights near "
            "uniform, and replaces g by g / |g| * loss."
        ),
        limit=Limit(FRONT, FRONT, "For rho -> 0 (Fernando et al., theorems of section 3).", arguments={"rho": 0.0}),
        unverified="details: the order of the two updates, the defaults, that y goes without bounds",
    ),
    MethodRow(
        "excess-mtl",
        aggregation.ExcessMTL,
        takes="jacobian; P numbers of state per task",
        when="Where some tasks have noisy labels, whose loss stays high though nothing is left to learn.",
        errata=(
            "The official code starts the weights at 1 and lets them sum to K where the paper has the simplex; "
            "TorchJD with no warm-up updates them in the first step by the raw, not the relative, excess risk; both "
            "add 1e-7 to squared gradients, so that small gradients get no larger weights."
        ),
        limit=Limit(FRONT, FRONT, "He et al., for convex losses."),
    ),
    MethodRow(
        "db-mtl",
        aggregation.DBMTL,
        takes="jacobian; positive losses; P numbers of state per task",
        when="Losses of very different scales, and memory for one more gradient per task.",
        errata="The paper and LibMTL add 1e-8 to losses and norms; LibMTL reports weights of 1.",
        limit=Limit(NOTHING, FRONT, "A heuristic; positive weights by loss and running length."),
    ),
    MethodRow(
        "lr-annealing",
        aggregation.LRAnnealing,
        when="Physics-informed networks with one residual loss.",
        errata=(
            "Eq. (2.30) and the official code have the weight inside its own denominator, which comes to rest at "
            "the root of the ratio the text asks for; the preprint's alpha = 0.9 is the code's 0.1; the code takes "
            "the mean over weight matrices of their mean entries, every ten iterations, which makes its weights "
            "several times smaller."
        ),
        limit=Limit(NOTHING, FRONT, "A heuristic; positive weights by running length."),
    ),
    MethodRow(
        "adatask",
        aggregation.AdaTask,
        takes="jacobian; plain SGD for the shared parameters (it returns Adam's update); 2 P numbers of state per task",
        when="Where one task's gradients set the size of Adam's steps for all others.",
        errata="The official code updates parameters task by task with weights that Adam takes out again.",
        limit=Limit(
            NOTHING,
            NOTHING,
            "Every task moves by its own Adam: the sum of such steps is no gradient of a weighted sum.",
        ),
    ),
)
