"""Rows of the losses for many labels."""

from equipoise.losses.catalog.row import Row

ROWS = (
    Row(
        name="asymmetric",
        code="eq.losses.AsymmetricLoss(gamma_pos=0.0, gamma_neg=4.0, clip=0.05)",
        kinds=("multi-label", "binary"),
        formula="−(1 − p)^γ₊ log p | −q^γ₋ log(1 − q), q = max(p − m, 0)",
        use="few positives among many labels: easy negatives count little, and none below the clip",
        pitfalls="the authors' code sums, and may hold the focusing weights constant: rescale its learning rate",
        paper="Ridnik et al., ICCV 2021",
        checked="its formula in probabilities; binary_focal at equal γ without clip; BCE at γ = 0",
        suits=("imbalanced", "many negatives"),
    ),
    Row(
        name="soft_f1",
        code='eq.losses.SoftF1Loss(average="macro")',
        kinds=("multi-label", "binary"),
        formula="1 − (1 + β²) Σpt / (β² Σt + Σp)",
        use="the metric is F1 or F-beta",
        pitfalls="large batches; a label without positives there costs 1, without a gradient; add BCE to begin with",
        paper="Bénédict et al., TMLR 2022",
        checked="by hand; scikit-learn's F-beta (zero_division=0) of certain predictions; MONAI's Dice and Tversky",
        suits=("imbalanced", "ranking", "missing labels"),
    ),
    Row(
        name="double_soft_f1",
        code="eq.losses.DoubleSoftF1Loss()",
        kinds=("multi-label", "binary"),
        formula="1 − (F1 + F1 of the negatives) / 2",
        use="macro F1 where batches lack positives of some labels: false alarms there still count",
        pitfalls="with rare positives, half of it is nearly constant",
        paper="",
        checked="soft_f1 of both labels; scikit-learn's F1 of certain predictions",
        suits=("ranking", "missing labels"),
    ),
)
