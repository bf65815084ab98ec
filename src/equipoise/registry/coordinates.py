"""Methods that need single coordinates of the gradients."""

from equipoise.aggregation import DBMTL, AdaTask, ExcessMTL, GradDrop, LRAnnealing, Median, MoCo, TrimmedMean
from equipoise.registry.row import MethodRow

ROWS = (
    MethodRow(
        cls=GradDrop,
        name="graddrop",
        paper="Chen et al., NeurIPS 2020",
        needs="jacobian",
        idea=(
            "In every coordinate only the gradients of one sign pass, drawn with the odds of their sums, so "
            "that the mean over the draws is the plain sum."
        ),
        when=(
            "Where gradients conflict coordinate by coordinate, and noise that vanishes only at joint minima is "
            "welcome."
        ),
        errata=(
            "The official code acts on gradients at a representation, with their signs times its own; TorchJD's copy "
            "draws from the global generator, so a saved method does not resume with the same draws."
        ),
    ),
    MethodRow(
        cls=TrimmedMean,
        name="trimmed-mean",
        paper="Yin et al., ICML 2018",
        needs="jacobian",
        idea="In every coordinate the mean without the largest and the smallest gradients.",
        when="With five tasks or more of like scale, some of whose gradients may be wild; it does not balance scales.",
    ),
    MethodRow(
        cls=Median,
        name="median",
        paper="Yin et al., ICML 2018",
        needs="jacobian",
        idea="In every coordinate the gradient in the middle.",
        when="With many tasks of like scale, of which up to half may be wild.",
        errata=(
            "torch.median takes the lower of two middle values, so that opposite gradients do not give the opposite."
        ),
    ),
    MethodRow(
        cls=MoCo,
        name="moco",
        paper="Fernando et al., ICLR 2023",
        needs="jacobian; P numbers of state per task",
        idea=(
            "A running mean of each task's gradient, and weights that take one projected step per iteration "
            "towards the least norm, so that noise of small batches does not bias them."
        ),
        when="For the goal of MGDA with small, noisy batches.",
        errata=(
            "LibMTL takes a softmax where the algorithm projects on the simplex, which keeps the weights near"
            " uniform, and replaces g by g / |g| * loss."
        ),
    ),
    MethodRow(
        cls=ExcessMTL,
        name="excess-mtl",
        paper="He et al., ICML 2024",
        needs="jacobian; P numbers of state per task",
        idea="Weights grow exponentially with a task's estimated distance to convergence, relative to its start.",
        when="Where some tasks have noisy labels, whose loss stays high though nothing is left to learn.",
        errata=(
            "The official code starts the weights at 1 and lets them sum to K where the paper has the "
            "simplex; TorchJD with no warm-up updates them in the first step by the raw, not the relative, "
            "excess risk; both add 1e-7 to squared gradients, so that small gradients get no larger weights."
        ),
    ),
    MethodRow(
        cls=DBMTL,
        name="db-mtl",
        paper="Lin et al., 2023",
        needs="jacobian; positive losses; P numbers of state per task",
        idea="Averaged gradients of log losses are all stretched to the length of the longest.",
        when="Losses of very different scales, and memory for one more gradient per task.",
        errata="The paper and LibMTL add 1e-8 to losses and norms; LibMTL reports weights of 1.",
    ),
    MethodRow(
        cls=LRAnnealing,
        name="lr-annealing",
        paper="Wang et al., SIAM J. Sci. Comput. 2021",
        needs="jacobian",
        idea="A condition's weight follows the residual's largest gradient entry over its own mean entry.",
        when="Physics-informed networks with one residual loss.",
        errata=(
            "Eq. (2.30) and the official code have the weight inside its own denominator, which comes to rest"
            " at the root of the ratio the text asks for; the preprint's alpha = 0.9 is the code's 0.1; the code "
            "takes the mean over weight matrices of their mean entries, every ten iterations, which makes its weights "
            "several times smaller."
        ),
    ),
    MethodRow(
        cls=AdaTask,
        name="adatask",
        paper="Yang et al., AAAI 2023",
        needs="jacobian; plain SGD for the shared parameters (it returns Adam's update); 2 P numbers of state per task",
        idea="Every task has its own moments of Adam, and so its own learning rate in every parameter.",
        when="Where one task's gradients set the size of Adam's steps for all others.",
        errata="The official code updates parameters task by task with weights that Adam takes out again.",
    ),
)
