"""Rows of the distillation losses."""

from equipoise.losses.catalog.row import Row

ROWS = (
    Row(
        name="distillation_kl",
        code="eq.losses.DistillationLoss(temperature=2.0)",
        kinds=("distillation", "multi-class"),
        formula="T² · KL(softmax(teacher / T) ‖ softmax(student / T))",
        use="a student of a classifier or of an ensemble, beside the loss of the labels",
        pitfalls="logits of both, not probabilities; of [N, C, H, W] it is the mean over places too",
        paper="Hinton et al., 2015",
        checked="torch.distributions' KL; the limit of high temperatures",
    ),
    Row(
        name="feature_distillation",
        code="eq.losses.FeatureDistillationLoss()",
        kinds=("distillation",),
        formula="½ ‖student − teacher‖²",
        use="a hint for a middle layer",
        pitfalls="grows with the number of features; unequal widths need a trained layer between",
        paper="Romero et al. (FitNets), ICLR 2015",
        checked="a sum over samples",
    ),
    Row(
        name="attention_transfer",
        code="eq.losses.AttentionTransferLoss()",
        kinds=("distillation",),
        formula="‖Q_s / ‖Q_s‖ − Q_t / ‖Q_t‖‖, Q = Σ_c A_c²",
        use="where a convolutional student looks; widths may differ",
        pitfalls="both maps must have one size; the official code squares and averages, so its β does not carry over",
        paper="Zagoruyko & Komodakis, ICLR 2017",
        checked="numpy; invariance to scale and channels",
    ),
)
