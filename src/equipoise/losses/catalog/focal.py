"""Rows of the focal losses."""

from equipoise.losses.catalog.row import Row

ROWS = (
    Row(
        name="binary_focal",
        code="eq.losses.BinaryFocalLoss(gamma=2.0)",
        kinds=("binary", "multi-label", "segmentation"),
        formula="α_t (1 − p_t)^γ · BCE",
        use="many easy negatives: what is already right counts less",
        pitfalls="probabilities come out too close to 1/2; tune γ and the learning rate together",
        paper="Lin et al., ICCV 2017",
        checked="its formula in probabilities; BCE at γ = 0; kornia",
        suits=("imbalanced", "many negatives"),
    ),
    Row(
        name="focal",
        code="eq.losses.FocalLoss(gamma=2.0)",
        kinds=("multi-class", "segmentation"),
        formula="w_t (1 − p_t)^γ · CE",
        use="classes of which most samples are easy",
        pitfalls="does not by itself help a rare class that is easy; noisy labels look hard and count most",
        paper="Lin et al., ICCV 2017",
        checked="CE at γ = 0 with weights and ignore_index; the binary one at C = 2; MONAI",
        suits=("imbalanced", "many negatives"),
    ),
)
