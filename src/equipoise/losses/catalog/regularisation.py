"""Rows of the penalties on complexity."""

from equipoise.losses.catalog.row import Row

_PENALISED = "eq.losses.Penalised(nn.MSELoss(), eq.losses.ParameterPenalty({}, model), strength={})"

ROWS = (
    Row(
        name="l1",
        code=_PENALISED.format("eq.losses.l1", "1e-4"),
        kinds=("any",),
        formula="Σ |w|",
        use="few weights, or activations, that are not 0",
        pitfalls="gradient descent brings weights near 0, not to it: cut off what is small",
        paper="",
        checked="its definition; scikit-learn's Lasso at its minimum",
    ),
    Row(
        name="l2",
        code=_PENALISED.format("eq.losses.l2", "1e-4"),
        kinds=("any",),
        formula="Σ w² / 2",
        use="small weights, where the penalty has to be part of the loss",
        pitfalls="not weight decay under Adam: for that, AdamW's weight_decay",
        paper="Loshchilov & Hutter, ICLR 2019, on the difference",
        checked="weight_decay of torch's SGD and Adam, which it is; of AdamW, which it is not",
    ),
    Row(
        name="elastic_net",
        code=_PENALISED.format("partial(eq.losses.elastic_net, l1_ratio=0.5)", "1e-4"),
        kinds=("any",),
        formula="r Σ |w| + (1 − r) Σ w² / 2",
        use="few weights, and correlated inputs kept or dropped together",
        pitfalls="two numbers to tune; in other conventions the quadratic term is not halved",
        paper="Zou & Hastie, JRSS B 2005",
        checked="L1 and L2 at its ends; scikit-learn's ElasticNet at its minimum",
    ),
    Row(
        name="group_lasso",
        code=_PENALISED.format("partial(eq.losses.group_lasso, dim=1)", "1e-4"),
        kinds=("any",),
        formula="Σ_g √p_g ‖w_g‖₂",
        use="whole outputs (dim=0) or inputs (dim=1) of a layer to be dropped",
        pitfalls="a group nears 0 but does not reach it by gradient descent: cut off what is small",
        paper="Yuan & Lin, JRSS B 2006",
        checked="its definition; L1 at groups of one; invariance to rotations inside a group",
    ),
    Row(
        name="nuclear_norm",
        code=_PENALISED.format("eq.losses.nuclear_norm", "1e-4"),
        kinds=("any",),
        formula="Σ singular values",
        use="weight matrices of low rank",
        pitfalls="a singular value decomposition of every matrix at every step",
        paper="Recht et al., SIAM Review 2010",
        checked="torch's matrix norm; invariance to rotations; UVᵀ as its gradient",
    ),
    Row(
        name="spectral_norm",
        code=_PENALISED.format("eq.losses.spectral_norm", "1e-2"),
        kinds=("any",),
        formula="Σ_matrices largest singular value",
        use="a network that does not stretch small changes of its input",
        pitfalls="a decomposition of every matrix at every step; a kernel's norm is not its convolution's",
        paper="Yoshida & Miyato, arXiv 2017",
        checked="torch's matrix norm; the largest stretch of random vectors; u vᵀ as its gradient",
    ),
    Row(
        name="activation_sparsity",
        code="eq.losses.Penalised(loss, partial(eq.losses.activation_sparsity, target=0.05), strength=1e-3)",
        kinds=("any",),
        formula="Σ_units KL(target ‖ mean σ(logits))",
        use="hidden sigmoid units each of which is active for few samples",
        pitfalls="wants batches much larger than 1 / target; logits, not activations",
        paper="Ng, CS294A lecture notes 2011",
        checked="torch's kl_div; 0 at the target; finite where units are saturated",
    ),
)
