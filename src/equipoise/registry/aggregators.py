"""Methods that see the gramian of the tasks' gradients: K backward passes or fewer."""

from equipoise import aggregation
from equipoise.registry.limit import FRONT, LOGS, MEAN, NOTHING, POINT, Limit
from equipoise.registry.row import MethodRow

BY_GRAMIAN = (
    MethodRow(
        "mgda",
        aggregation.MGDA,
        when="Where no task may get worse at any price; it listens to small gradients, and slows down.",
        errata="The official code clips the two-task weight at .001 and never counts its iterations.",
        limit=Limit(FRONT, FRONT, "Désidéri 2012: the common descent direction vanishes only there."),
    ),
    MethodRow(
        "pcgrad",
        aggregation.PCGrad,
        when="Where gradients conflict now and then, at little change otherwise.",
        errata="The official code discards the shuffled order; a port ignores reduction='sum'.",
        limit=Limit(
            FRONT,
            FRONT,
            "For two convex tasks (Yu et al., theorem 1); its weights are at least 1, so for more as well.",
        ),
    ),
    MethodRow(
        "nash-mtl",
        aggregation.NashMTL,
        when="Where losses differ in scale and every task shall gain alike.",
        errata=(
            "The official solver fails silently to equal weights where cvxpy lacks ECOS; its step is clipped to norm 1."
        ),
        limit=Limit(FRONT, FRONT, "Navon et al., theorem 5.4, for gradients independent elsewhere."),
    ),
    MethodRow(
        "clip",
        aggregation.Clip,
        when="Where one task's gradients burst, in a Chain before another method or alone.",
        sample=lambda k: {"max_norm": 1.0},
        limit=Limit(NOTHING, FRONT, "A step for a chain; positive weights by length."),
    ),
    MethodRow(
        "unit-norm",
        aggregation.UnitNorm,
        when="Where tasks differ in scale and directions shall decide.",
        limit=Limit(NOTHING, FRONT, "A step for a chain; positive weights by length."),
    ),
    MethodRow(
        "running-norm",
        aggregation.RunningNorm,
        when="As unit-norm, with short gradients staying shorter than usual ones.",
        limit=Limit(NOTHING, FRONT, "A step for a chain; positive weights by running length."),
    ),
    MethodRow(
        "cagrad",
        aggregation.CAGrad,
        when="A first choice where tasks conflict but the mean of the losses is still the goal.",
        errata=(
            "The official SLSQP returns its start, uniform weights, for norms of 0.01 or 1000, and d is divided by "
            "1 + c^2, which the paper's algorithm does not do; its runs on Cityscapes take c = 0.4 and 0.6; TorchJD "
            "returns zero below a norm of 0.01."
        ),
        limit=Limit(MEAN, MEAN, "For c < 1 (Liu et al., theorem 3.2)."),
    ),
    MethodRow(
        "imgrad",
        aggregation.IMGrad,
        when="Where one task's large gradient dominates the mean.",
        errata=(
            "The official code puts 1.5 - cos in the place of 1 - cos, for two tasks multiplies only the first of "
            "three summands by it, and divides by 1 + c^2; its runs take c = 0.8."
        ),
        limit=Limit(MEAN, MEAN, "As cagrad: for c < 1 its direction descends on the mean."),
        unverified="the factors 1 − cos θ and cos θ; the official code has 1.5 − cos θ",
    ),
    MethodRow(
        "conicgrad",
        aggregation.ConicGrad,
        when="Where no direction further than a known angle from the mean is acceptable.",
        limit=Limit(MEAN, MEAN, "For c > 0 its direction descends on the mean, at least c of its length."),
        unverified="the default c = 0.75",
    ),
    MethodRow(
        "upgrad",
        aggregation.UPGrad,
        when="Where no step may hurt a task, and losses should count in proportion to their scale.",
        errata=(
            "TorchJD's becomes the plain mean where the gradients' norm is below 0.01, and conflicts up to its ridge."
        ),
        limit=Limit(FRONT, FRONT, "Quinton & Rey, for smooth convex losses."),
    ),
    MethodRow(
        "dualproj",
        aggregation.DualProj,
        when="Where the mean is right as long as nobody loses.",
        errata="TorchJD's becomes the plain mean where the gradients' norm is below 0.01.",
        limit=Limit(NOTHING, FRONT, "No promise; non-negative weights, and zero only there."),
    ),
    MethodRow(
        "fairgrad",
        aggregation.FairGrad,
        when="Where Nash-MTL's balance is nearly right and one number should tilt it.",
        errata=(
            "The official code hands the equations to a least-squares solver without a look at its residual: for "
            "gradients near 1e-4 it returns its starting point."
        ),
        limit=Limit(FRONT, FRONT, "Ban & Ji's theorem, for gradients independent elsewhere."),
    ),
    MethodRow(
        "pcd",
        aggregation.PCD,
        takes="gramian; a primary task",
        when="One task is the point, and the others have to come along.",
        errata=(
            "The eps in the root of the running norm makes the update depend on the scale of the losses; here it is "
            "zero."
        ),
        limit=Limit(
            NOTHING,
            FRONT,
            "It promises a share of progress for every other task in each step. "
            "On the front only steps along it towards the other tasks' minima give that: "
            "with one other task, it slides there.",
        ),
    ),
    MethodRow(
        "capped-mgda",
        aggregation.CappedMGDA,
        when="Where MGDA follows one small or corrupt gradient alone.",
        limit=Limit(FRONT, FRONT, "Hu, Ho, Yu: a convex combination of gradients vanishes only there."),
        unverified="the formula: of the paper only the abstract was read",
    ),
    MethodRow(
        "hard-priority",
        aggregation.HardPriority,
        takes="gramian; a primary task",
        when="Auxiliary losses that must never slow the main one.",
        limit=Limit(NOTHING, POINT, "No promise; g_p · d ≥ |g_p|²: the primary task's minimum.", "losses[0]"),
    ),
    MethodRow(
        "krum",
        aggregation.Krum,
        when="With many tasks that mean the same, some of which may be corrupt: it ignores a task that stands alone.",
        errata="TorchJD sums the distances to the neighbours, the paper their squares, which chooses differently.",
        limit=Limit(NOTHING, NOTHING, "Robust to corrupt gradients: it follows one of the tasks, to its minimum."),
    ),
    MethodRow(
        "gradvac",
        aggregation.GradVac,
        when="Many related tasks, such as languages, of which some help each other more than others.",
        errata=(
            "LibMTL and TorchJD add 1e-8 to products of norms, so that small gradients become the plain sum, and "
            "draw the order from the global generator; LibMTL takes beta = 0.5."
        ),
        limit=Limit(
            NOTHING, FRONT, "A heuristic; non-negative weights, at least 1 of the own gradient: zero only there."
        ),
        unverified="the default beta = 0.01 (LibMTL has 0.5)",
    ),
    MethodRow(
        "imtl-g",
        aggregation.IMTLG,
        when="No task shall have a say by the scale of its loss, and the tasks are few.",
        errata=(
            "The paper's formula, as coded in LibMTL and TorchJD, climbs for all tasks where the weights' sum is "
            "negative; TorchJD's pseudo-inverse of the gramian loses equal projections where norms differ by 1e8."
        ),
        limit=Limit(NOTHING, NOTHING, "Weights may be negative: with dependent gradients it may stop anywhere."),
    ),
    MethodRow(
        "aligned-mtl",
        aggregation.AlignedMTL,
        when="Gradients both conflict and differ in norm, and short steps are no harm.",
        errata=(
            "The official code and TorchJD take eigenvalues of the gramian: a gradient of 1e-8 of another's norm is "
            "dropped, and the step is too long; TorchJD means where the official code sums; torch.symeig is gone."
        ),
        limit=Limit(
            MEAN,
            FRONT,
            "The abstract promises an optimum with weights chosen beforehand. "
            "Its direction is as long as the least singular value, and so zero all over the front: it stops where it "
            "meets it.",
        ),
    ),
    MethodRow(
        "config",
        aggregation.ConFIG,
        when="Physics-informed networks, or any tasks of which none shall be in conflict with the step.",
        limit=Limit(FRONT, FRONT, "For unit gradients independent elsewhere (Liu et al., theorem on convex losses)."),
    ),
    MethodRow(
        "dcgd",
        aggregation.DCGD,
        when="Physics-informed networks: residual losses first, then the conditions.",
        errata=(
            "The official code divides by 2 (1 + cos), 0/0 at opposite gradients, which cancels exactly; its JAX "
            "copy divides the cosine by the norms a second time."
        ),
        limit=Limit(FRONT, FRONT, "Hwang & Lim, for its two groups."),
    ),
    MethodRow(
        "grad-cosine",
        aggregation.GradCosine,
        when="One main task, and auxiliary ones that must not harm it.",
        errata="AuxiNash's copy leaves out an orthogonal auxiliary gradient, too (cosine > 0).",
        limit=Limit(POINT, POINT, "The main task's minimum (Du et al., proposition 1).", "losses[0]"),
        unverified="that a cosine of exactly 0 counts",
    ),
    MethodRow(
        "gradnorm",
        aggregation.GradNorm,
        takes="gramian; gramian_from the last shared layer, as in the paper",
        when="Losses of similar scale that train at different rates.",
        errata=(
            "LibMTL takes softmax weights, the mean of the first epoch as reference and the main optimiser; "
            "AuxiLearn renormalises before the weights' step, not after it; several copies overwrite the first "
            "losses."
        ),
        limit=Limit(NOTHING, FRONT, "A heuristic; weights that settle, none negative."),
    ),
    MethodRow(
        "encodec",
        aggregation.EnCodec,
        takes="gramian; representation = the model's output, as in the paper",
        when="Reconstruction and adversarial losses on one output, weighed by hand.",
        errata="AudioCraft adds 1e-12 to norms and means norms over the samples of a batch by default.",
        limit=Limit(NOTHING, FRONT, "A heuristic; positive weights by running length."),
    ),
    MethodRow(
        "vqgan",
        aggregation.VQGAN,
        takes="gramian; gramian_from the decoder's last layer, as in the paper",
        when="Autoencoders with an adversarial loss.",
        errata="The official code adds 1e-4 to the norm, the paper 1e-6: small gradients are not balanced.",
        limit=Limit(NOTHING, FRONT, "A heuristic; positive weights by length."),
    ),
    MethodRow(
        "pivrg",
        aggregation.PIVRG,
        takes="gramian; observe(); single-task results",
        when="Single-task results are known, and no task shall stay behind.",
        errata=(
            "The official code ignores whether its solver has converged, multiplies by K and clips to norm 1; its Δ "
            "are of training metrics on NYUv2 and Cityscapes."
        ),
        sample=lambda k: {"baseline": [0.5] * k},
        limit=Limit(FRONT, FRONT, "As fairgrad, of which it is the case alpha = 2 with shares."),
        unverified="the formula: it is that of the official code",
    ),
    MethodRow(
        "max-norm",
        aggregation.MaxNorm,
        when="After log-sum, DB-MTL without its moving average; steps shorten only when all gradients do.",
        limit=Limit(NOTHING, FRONT, "A step for a chain; positive weights by length."),
    ),
    MethodRow(
        "mean-norm",
        aggregation.MeanNorm,
        when="Physics-informed networks with several conditions.",
        errata="The paper has the sum of the norms, jaxpi their mean, and 1e-5 of it added to each.",
        limit=Limit(NOTHING, FRONT, "A heuristic; positive weights by running length."),
    ),
    MethodRow(
        "loss-scale",
        aggregation.LossScale,
        when="Before an aggregator, when relative progress should count instead of absolute.",
        errata=(
            "The official MGDA code uses its normalised gradients for the solver alone and applies the weights to "
            "the raw losses; in a Chain both factors count."
        ),
        limit=Limit(NOTHING, POINT, "A step for a chain; alone it descends on the sum of log losses.", LOGS),
    ),
    MethodRow(
        "loss-norm",
        aggregation.LossNorm,
        when="Before MGDA, when the task of the largest loss should lead.",
        errata="As for loss-scale.",
        limit=Limit(NOTHING, FRONT, "A step for a chain; positive weights by loss and length."),
    ),
    MethodRow(
        "ntkmtl",
        aggregation.NTKMTL,
        when="Where gradients differ in norm by far; it makes them equally long, and leaves conflicts as they are.",
        errata="The official code takes the sum of the eigenvalues over tasks where the paper takes their mean.",
        limit=Limit(NOTHING, FRONT, "Its tables compare metrics; positive weights by length."),
        unverified="the form with one sub-batch, which its tables use",
    ),
)
