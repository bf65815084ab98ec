"""Methods that see the gramian of the tasks' gradients."""

from equipoise.aggregation import (
    DCGD,
    IMTLG,
    MGDA,
    NTKMTL,
    PCD,
    PIVRG,
    VQGAN,
    AlignedMTL,
    CAGrad,
    CappedMGDA,
    Clip,
    ConFIG,
    ConicGrad,
    DualProj,
    EnCodec,
    FairGrad,
    GradCosine,
    GradNorm,
    GradVac,
    HardPriority,
    IMGrad,
    Krum,
    LossNorm,
    LossScale,
    MaxNorm,
    MeanNorm,
    NashMTL,
    PCGrad,
    RunningNorm,
    UnitNorm,
    UPGrad,
)
from equipoise.registry.row import MethodRow

ROWS = (
    MethodRow(
        cls=MGDA,
        name="mgda",
        paper="Sener & Koltun, NeurIPS 2018",
        needs="gramian",
        idea="The shortest vector in the convex hull of the gradients: in the shared parameters no task gets worse.",
        when="Where no task may get worse at any price; it listens to small gradients, and slows down.",
        errata="The official code clips the two-task weight at .001 and never counts its iterations.",
    ),
    MethodRow(
        cls=PCGrad,
        name="pcgrad",
        paper="Yu et al., NeurIPS 2020",
        needs="gramian",
        idea="From each gradient, what points against another task's is removed.",
        when="Where gradients conflict now and then, at little change otherwise.",
        errata="The official code discards the shuffled order; a port ignores reduction='sum'.",
    ),
    MethodRow(
        cls=NashMTL,
        name="nash-mtl",
        paper="Navon et al., ICML 2022",
        needs="gramian",
        idea="The step on which the tasks agree as bargainers, whatever the scales of their losses.",
        when="Where losses differ in scale and every task shall gain alike.",
        errata=(
            "The official solver fails silently to equal weights where cvxpy lacks ECOS; its step is clipped to norm 1."
        ),
    ),
    MethodRow(
        cls=Clip,
        name="clip",
        paper="per-task clipping, for a Chain",
        needs="gramian",
        idea="Bounds the length of each task's gradient by itself.",
        when="Where one task's gradients burst, in a Chain before another method or alone.",
        sample=lambda k: {"max_norm": 1.0},
    ),
    MethodRow(
        cls=UnitNorm,
        name="unit-norm",
        paper="per-task normalisation, for a Chain",
        needs="gramian",
        idea="Every task's gradient gets the same length.",
        when="Where tasks differ in scale and directions shall decide.",
    ),
    MethodRow(
        cls=RunningNorm,
        name="running-norm",
        paper="per-task running normalisation, for a Chain",
        needs="gramian",
        idea="Divides each gradient by its running norm.",
        when="As unit-norm, with short gradients staying shorter than usual ones.",
    ),
    MethodRow(
        cls=CAGrad,
        name="cagrad",
        paper="Liu et al., NeurIPS 2021",
        needs="gramian",
        idea="Near the mean gradient, the direction that serves the worst-served task best.",
        when="A first choice where tasks conflict but the mean of the losses is still the goal.",
        errata=(
            "The official SLSQP returns its start, uniform weights, for norms of 0.01 or 1000, and d is "
            "divided by 1 + c^2, which the paper's algorithm does not do; its runs on Cityscapes take c = 0.4 and "
            "0.6; TorchJD returns zero below a norm of 0.01."
        ),
    ),
    MethodRow(
        cls=IMGrad,
        name="imgrad",
        paper="Zhou et al., IJCAI 2025",
        needs="gramian",
        idea=(
            "CAGrad that weighs the mean against the worst-served task by the angle between the mean and "
            "MGDA's direction."
        ),
        when="Where one task's long gradient dominates the mean.",
        errata=(
            "The official code puts 1.5 - cos in the place of 1 - cos, for two tasks multiplies only the "
            "first of three summands by it, and divides by 1 + c^2; its runs take c = 0.8."
        ),
    ),
    MethodRow(
        cls=ConicGrad,
        name="conicgrad",
        paper="Hassanpour et al., 2025",
        needs="gramian",
        idea="In a cone around the mean gradient, the direction that serves the worst-served task best.",
        when="Where no direction further than a known angle from the mean is acceptable.",
    ),
    MethodRow(
        cls=UPGrad,
        name="upgrad",
        paper="Quinton & Rey, 2024",
        needs="gramian",
        idea="Each gradient loses what hurts any task; then they are averaged.",
        when="Where no step may hurt a task, and losses should count in proportion to their scale.",
        errata=(
            "TorchJD's becomes the plain mean where the gradients' norm is below 0.01, and conflicts up to its ridge."
        ),
    ),
    MethodRow(
        cls=DualProj,
        name="dualproj",
        paper="Lopez-Paz & Ranzato, NeurIPS 2017",
        needs="gramian",
        idea="The mean gradient, moved as little as needed to hurt no task.",
        when="Where the mean is right as long as nobody loses.",
        errata="TorchJD's becomes the plain mean where the gradients' norm is below 0.01.",
    ),
    MethodRow(
        cls=FairGrad,
        name="fairgrad",
        paper="Ban & Ji, ICML 2024",
        needs="gramian",
        idea=(
            "The improvement is shared alpha-fairly: from as much as possible in all to as much as possible "
            "for the worst."
        ),
        when="Where Nash-MTL's balance is nearly right and one number should tilt it.",
        errata=(
            "The official code hands the equations to a least-squares solver without a look at its residual: "
            "for gradients near 1e-4 it returns its starting point."
        ),
    ),
    MethodRow(
        cls=PCD,
        name="pcd",
        paper="Varam & AlHajri, TMLR 2026",
        needs="gramian; a primary task",
        idea="Follow the primary task as closely as a guaranteed share of progress for every other task allows.",
        when="One task is the point, and the others have to come along.",
        errata=(
            "The eps in the root of the running norm makes the update depend on the scale of the losses; here"
            " it is zero."
        ),
    ),
    MethodRow(
        cls=CappedMGDA,
        name="capped-mgda",
        paper="Hu, Ho, Yu, 2026",
        needs="gramian",
        idea="MGDA in which no task's weight may exceed a cap.",
        when="Where MGDA follows one short or corrupt gradient alone.",
    ),
    MethodRow(
        cls=HardPriority,
        name="hard-priority",
        paper="the projection of Chaudhry et al. (A-GEM), ICLR 2019",
        needs="gramian; a primary task",
        idea="The other tasks' sum is added after it loses what points against the primary task.",
        when="Auxiliary losses that must never slow the main one.",
    ),
    MethodRow(
        cls=Krum,
        name="krum",
        paper="Blanchard et al., NeurIPS 2017",
        needs="gramian",
        idea="Follow the gradient whose nearest neighbours are closest, or the mean of the best few.",
        when="With many tasks that mean the same, some of which may be corrupt: it ignores a task that stands alone.",
        errata="TorchJD sums the distances to the neighbours, the paper their squares, which chooses differently.",
    ),
    MethodRow(
        cls=GradVac,
        name="gradvac",
        paper="Wang et al., ICLR 2021",
        needs="gramian",
        idea="Each task's gradient is made as similar to another's as the two have been so far.",
        when="Many related tasks, such as languages, of which some help each other more than others.",
        errata=(
            "LibMTL and TorchJD add 1e-8 to products of norms, so that small gradients become the plain sum, "
            "and draw the order from the global generator; LibMTL takes beta = 0.5."
        ),
    ),
    MethodRow(
        cls=IMTLG,
        name="imtl-g",
        paper="Liu et al., ICLR 2021",
        needs="gramian",
        idea="The direction gains as much along every task's gradient as along any other.",
        when="No task shall have a say by the scale of its loss, and the tasks are few.",
        errata=(
            "The paper's formula, as coded in LibMTL and TorchJD, climbs for all tasks where the weights' sum"
            " is negative; TorchJD's pseudo-inverse of the gramian loses equal projections where lengths "
            "differ by 1e8."
        ),
    ),
    MethodRow(
        cls=AlignedMTL,
        name="aligned-mtl",
        paper="Senushkin et al., CVPR 2023",
        needs="gramian",
        idea="The gradients are turned until they are orthogonal and of one length, changing them least.",
        when="Gradients both conflict and differ in length, and short steps are no harm.",
        errata=(
            "The official code and TorchJD take eigenvalues of the gramian: a gradient 1e-8 of another's "
            "length is dropped, and the step is too long; TorchJD means where the official code sums; "
            "torch.symeig is gone."
        ),
    ),
    MethodRow(
        cls=ConFIG,
        name="config",
        paper="Liu et al., ICLR 2025",
        needs="gramian",
        idea="The direction makes the same angle with every task's gradient, as long as their sum along it.",
        when="Physics-informed networks, or any tasks of which none shall be in conflict with the step.",
    ),
    MethodRow(
        cls=DCGD,
        name="dcgd",
        paper="Hwang & Lim, NeurIPS 2024",
        needs="gramian",
        idea="The total gradient is projected on the bisector of the residual's and the conditions' gradients.",
        when="Physics-informed networks: residual losses first, then the conditions.",
        errata=(
            "The official code divides by 2 (1 + cos), 0/0 at opposite gradients, which cancels exactly; its "
            "JAX copy divides the cosine by the norms a second time."
        ),
    ),
    MethodRow(
        cls=GradCosine,
        name="grad-cosine",
        paper="Du et al., 2018",
        needs="gramian",
        idea="An auxiliary task counts only while its gradient points along the main task's.",
        when="One main task, and auxiliary ones that must not harm it.",
    ),
    MethodRow(
        cls=GradNorm,
        name="gradnorm",
        paper="Chen et al., ICML 2018",
        needs="gramian; gramian_from the last shared layer, as in the paper",
        idea="Learned weights let a task's gradient be the longer, the slower its loss falls.",
        when="Losses of similar scale that train at different rates.",
        errata=(
            "LibMTL takes softmax weights, the mean of the first epoch as reference and the main optimiser; "
            "AuxiLearn renormalises before the weights' step, not after it; several copies overwrite the "
            "first losses."
        ),
    ),
    MethodRow(
        cls=EnCodec,
        name="encodec",
        paper="Défossez et al., TMLR 2023",
        needs="gramian; representation = the model's output, as in the paper",
        idea="A task's weight is the fraction of the gradient that it shall have.",
        when="Reconstruction and adversarial losses on one output, weighed by hand.",
        errata="AudioCraft adds 1e-12 to norms and means norms over the samples of a batch by default.",
    ),
    MethodRow(
        cls=VQGAN,
        name="vqgan",
        paper="Esser et al., CVPR 2021",
        needs="gramian; gramian_from the decoder's last layer, as in the paper",
        idea="The adversarial gradient becomes as long as the reconstruction's.",
        when="Autoencoders with an adversarial loss.",
        errata="The official code adds 1e-4 to the norm, the paper 1e-6: small gradients are not balanced.",
    ),
    MethodRow(
        cls=PIVRG,
        name="pivrg",
        paper="Qin et al., CVPR 2025",
        needs="gramian; observe(); single-task results",
        idea="Fair gains for the tasks, larger for those that perform worse against their single-task baseline.",
        when="Single-task results are known, and no task shall stay behind.",
        errata=(
            "The official code ignores whether its solver has converged, multiplies by K and clips to norm 1; its Δ "
            "are of training metrics on NYUv2 and Cityscapes."
        ),
        sample=lambda k: {"baseline": [0.5] * k},
    ),
    MethodRow(
        cls=MaxNorm,
        name="max-norm",
        paper="Lin et al., 2023, eq. (2)",
        needs="gramian",
        idea="Every task's gradient is stretched to the length of the longest.",
        when="After log-sum, DB-MTL without its moving average; steps shorten only when all gradients do.",
    ),
    MethodRow(
        cls=MeanNorm,
        name="mean-norm",
        paper="Wang et al., 2023 (arXiv 2308.08468)",
        needs="gramian",
        idea="Every task's gradient becomes as long as their mean, by weights that follow slowly.",
        when="Physics-informed networks with several conditions.",
        errata="The paper has the sum of the norms, jaxpi their mean, and 1e-5 of it added to each.",
    ),
    MethodRow(
        cls=LossScale,
        name="loss-scale",
        paper="per-task division by the loss, for a Chain (Sener & Koltun, NeurIPS 2018, official code)",
        needs="gramian",
        idea="Makes each row the gradient of the logarithm of its loss.",
        when="Before an aggregator, when relative progress should count instead of absolute.",
        errata=(
            "The official MGDA code uses its normalised gradients for the solver alone and applies the "
            "weights to the raw losses; in a Chain both factors count."
        ),
    ),
    MethodRow(
        cls=LossNorm,
        name="loss-norm",
        paper="per-task division by loss and length, for a Chain (Sener & Koltun, NeurIPS 2018, official code)",
        needs="gramian",
        idea="Makes the length of each row one over its loss.",
        when="Before MGDA, when the task of the largest loss should lead.",
        errata="As for loss-scale.",
    ),
    MethodRow(
        cls=NTKMTL,
        name="ntkmtl",
        paper="Qin et al., NeurIPS 2025",
        needs="gramian",
        idea="A task whose neural tangent kernel is small, so that it converges slowly, is weighed up.",
        when="Where gradients differ in length by far; it makes them equally long, and leaves conflicts as they are.",
        errata="The official code takes the sum of the eigenvalues over tasks where the paper takes their mean.",
    ),
)
