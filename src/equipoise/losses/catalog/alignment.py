"""Rows of the losses that align pairs."""

from equipoise.losses.catalog.row import Row

ROWS = (
    Row(
        name="info_nce",
        code="eq.losses.InfoNCELoss(initial_temperature=0.07)",
        kinds=("alignment",),
        formula="½ (CE over rows + CE over columns) of cosine / τ, the pair as class",
        use="pairs of two kinds (image and text) or two views, with large batches",
        pitfalls="needs many negatives; no weight decay on log_scale; [N_all, N_all] in every process",
        paper="van den Oord et al., 2018; Radford et al. (CLIP), ICML 2021",
        checked="its softmaxes written out; pytorch-metric-learning; two processes against one",
    ),
    Row(
        name="siglip",
        code="eq.losses.SigLIPLoss()",
        kinds=("alignment",),
        formula="Σ_ij −log σ(±(s · cosine + b)) / N, + for pairs",
        use="pairs of two kinds with smaller batches, or several true partners in a batch",
        pitfalls="s and b must be learned, from 10 and −10; no weight decay on them",
        paper="Zhai et al., ICCV 2023",
        checked="algorithm 1 written out; two processes against one",
        suits=("many negatives",),
    ),
)
