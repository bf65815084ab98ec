"""Rows of what is made of other losses."""

from equipoise.losses.catalog.row import Row

ROWS = (
    Row(
        name="Mixed",
        code='eq.losses.Mixed({"bce": (0.5, nn.BCEWithLogitsLoss()), "soft_f1": (0.5, eq.losses.SoftF1Loss())})',
        kinds=("any",),
        formula="Σ p_i · L_i; learned: Σ p_i · L_i − log p_i",
        use="several losses on one output, each still to be seen in parts",
        pitfalls="losses of different scales: the largest gradient wins, whatever the proportions say",
        paper="Kendall et al., CVPR 2018, for learned proportions",
        checked="the weighted sum, value and gradient; learned: p = 1 / L where the gradient is 0",
    ),
    Row(
        name="Masked",
        code='eq.losses.Masked(nn.BCEWithLogitsLoss(reduction="none"))',
        kinds=("any",),
        formula="Σ_present L / number present",
        use="labels missing inside a sample; with missing='loss' in the task",
        pitfalls="a label counts 1 wherever it is: rare labels in a batch count as much as frequent ones",
        paper="",
        checked="removal of what is missing, value and gradient",
        suits=("missing labels",),
    ),
    Row(
        name="Penalised",
        code="eq.losses.Penalised(nn.MSELoss(), eq.losses.ParameterPenalty(eq.losses.l1, model), strength=1e-4)",
        kinds=("any",),
        formula="L + λ · Ω",
        use="error plus complexity, of the output or of the parameters",
        pitfalls="λ depends on the scale of the loss; a balancer that scales the task's gradient scales Ω's with it",
        paper="",
        checked="the sum, value and gradient; the optimiser's own weight_decay with SGD",
    ),
)
