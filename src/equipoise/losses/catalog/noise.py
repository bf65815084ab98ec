"""Rows of the losses for wrong labels."""

from equipoise.losses.catalog.row import Row

ROWS = (
    Row(
        name="poly1",
        code="eq.losses.Poly1Loss(epsilon=1.0)",
        kinds=("multi-class", "segmentation"),
        formula="CE + ε (1 − p_t)",
        use="cross-entropy with one number to tune; ε > 0 for balanced classes, ε < 0 where models are too sure",
        pitfalls="the best ε differs by task: search from −1 to 3",
        paper="Leng et al., ICLR 2022",
        checked="its formula in probabilities; the series of −log p without its first term; CE at ε = 0",
    ),
    Row(
        name="binary_poly1",
        code="eq.losses.BinaryPoly1Loss(epsilon=1.0)",
        kinds=("binary", "multi-label", "segmentation"),
        formula="BCE + ε (1 − p_t)",
        use="binary cross-entropy with one number to tune",
        pitfalls="the best ε differs by task: search from −1 to 3",
        paper="Leng et al., ICLR 2022",
        checked="poly1 over two classes; shares of labels",
    ),
    Row(
        name="generalised_cross_entropy",
        code="eq.losses.GeneralisedCrossEntropyLoss(q=0.7)",
        kinds=("multi-class", "segmentation"),
        formula="(1 − p_t^q) / q",
        use="some labels are wrong: a sample that disagrees strongly has a weak pull",
        pitfalls="learns slowly with many classes: p_t starts near 1/C; then lower q, or begin with cross-entropy",
        paper="Zhang and Sabuncu, NeurIPS 2018",
        checked="its formula in probabilities; CE as q → 0; half the absolute error at q = 1",
        suits=("noisy labels",),
    ),
    Row(
        name="symmetric_cross_entropy",
        code="eq.losses.SymmetricCrossEntropyLoss(alpha=0.1, beta=1.0)",
        kinds=("multi-class", "segmentation"),
        formula="α CE − β A (1 − p_t), A = log 0 := −4",
        use="some labels are wrong: cross-entropy learns, the bounded reverse resists",
        pitfalls="the authors' code has A = log(1e-4) = −9.2: divide its β by 2.3, or set log_zero",
        paper="Wang et al., ICCV 2019",
        checked="both sums over one-hot targets; CE at β = 0",
        suits=("noisy labels",),
    ),
)
