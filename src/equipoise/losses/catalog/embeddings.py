"""Losses of sequences, of embeddings, and of what a teacher says."""

from equipoise.losses.catalog.row import LossRow

ROWS = (
    LossRow(
        code="eq.losses.SequenceCrossEntropyLoss()",
        kinds=("sequence",),
        use="language models, tagging, translation: sequences of unequal length",
        pitfalls="logits are [B, T, V], not torch's [B, V, T]; per='token' lets long sequences count more",
        paper="Zoph et al., ST-MoE, 2022; Chowdhery et al., PaLM, JMLR 2023",
        checked="torch's cross_entropy on flattened logits; removal of padding; logsumexp",
    ),
    LossRow(
        name="info_nce",
        code="eq.losses.InfoNCELoss(initial_temperature=0.07)",
        kinds=("alignment",),
        use="pairs of two kinds (image and text) or two views, with large batches",
        pitfalls="needs many negatives; no weight decay on log_scale; [N_all, N_all] in every process",
        paper="van den Oord et al., 2018; Radford et al. (CLIP), ICML 2021",
        checked="its softmaxes written out; pytorch-metric-learning; two processes against one",
    ),
    LossRow(
        name="siglip",
        code="eq.losses.SigLIPLoss()",
        kinds=("alignment",),
        use="pairs of two kinds with smaller batches, or several true partners in a batch",
        pitfalls="s and b must be learned, from 10 and −10; no weight decay on them",
        paper="Zhai et al., ICCV 2023",
        checked="algorithm 1 written out; two processes against one",
        suits=("many negatives",),
    ),
    LossRow(
        code='eq.losses.TripletLoss(margin=0.2, mining="hard")',
        kinds=("alignment",),
        use="retrieval and identification: few samples of many classes",
        pitfalls="every batch needs several samples per class; hard mining can collapse early and loves wrong labels; "
        "margin is a length, so give unit vectors or tune it",
        paper="Schroff et al., CVPR 2015; Hermans et al., 2017",
        checked="all triplets in three loops; pytorch-metric-learning",
    ),
    LossRow(
        code="eq.losses.SupervisedContrastiveLoss(temperature=0.1)",
        kinds=("alignment", "multiclass"),
        use="features by class before a linear classifier; with labels of views: SimCLR",
        pitfalls="every batch needs two samples of a class; large batches",
        checked="eq. (2) in loops; info_nce's softmax over pairs; pytorch-metric-learning",
    ),
    LossRow(
        code="eq.losses.VICRegLoss()",
        kinds=("alignment",),
        use="two views without negatives, branches may differ",
        pitfalls="of the whole batch, N from 2; its weights belong to features of one size D",
        paper="Bardes et al., ICLR 2022",
        checked="algorithm 1 written out; pytorch-metric-learning",
    ),
    LossRow(
        code="eq.losses.BarlowTwinsLoss(off_diagonal=0.005)",
        kinds=("alignment",),
        use="two views without negatives",
        pitfalls="of the whole batch, N from 2; wants wide features; its value grows with D",
        paper="Zbontar et al., ICML 2021",
        checked="numpy's corrcoef; batch normalisation and a product",
    ),
    LossRow(
        code="eq.losses.DistillationLoss(temperature=2.0)",
        kinds=("distillation", "multiclass"),
        use="a student of a classifier or of an ensemble, beside the loss of the labels",
        pitfalls="logits of both, not probabilities; of [N, C, H, W] it is the mean over places too",
        paper="Hinton et al., 2015",
        checked="torch.distributions' KL; the limit of high temperatures",
    ),
    LossRow(
        code="eq.losses.FeatureDistillationLoss()",
        kinds=("distillation",),
        use="a hint for a middle layer",
        pitfalls="grows with the number of features; unequal widths need a trained layer between",
        paper="Romero et al. (FitNets), ICLR 2015",
        checked="a sum over samples",
    ),
    LossRow(
        code="eq.losses.AttentionTransferLoss()",
        kinds=("distillation",),
        use="where a convolutional student looks; widths may differ",
        pitfalls="both maps must have one size; the official code squares and averages, so its β does not carry over",
        paper="Zagoruyko & Komodakis, ICLR 2017",
        checked="numpy; invariance to scale and channels",
    ),
)
