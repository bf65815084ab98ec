"""Task losses that torch lacks, one file per family: a function and a module each, with logits and masks as torch's.

regression          numbers: root mean square, log-cosh, quantiles, predicted scales
robust              numbers with outliers: the general adaptive loss
depth               depths and normals
focal               many easy samples
hinge               margins
noise               wrong labels
imbalance           rare classes: adjusted logits, margins, weights
multilabel          many labels at once: asymmetric, soft F1
ordinal             levels in an order
survival            times to an event
regions             overlap of masks: Dice, Jaccard, Tversky
binary_regions      overlap of masks by themselves
lovasz              Jaccard itself, by its Lovász extension
boundary            distance to the border of a mask
boxes               boxes
centres             objects as centres on a grid, with boxes around them
sequences           tokens
alignment           pairs from two encoders
triplet             triplets of one batch
contrastive         classes of one batch
redundancy          two views without negatives
gather              features of all processes
distillation        a teacher
adversarial         a discriminator against a generator
generator_terms     what else a generator is asked for
gradient_penalties  a smooth discriminator
variational         KL of a VAE
reinforcement       policies and values
advantages          how much better an action was
mixed               several losses of one task
masked              labels missing inside a sample
penalised           error plus complexity
regularisation      complexity of parameters and activations
schedules           weights that change
suggest             which loss for these targets
catalog             which loss for which task
"""

from equipoise.losses.advantages import gae, group_relative_advantages
from equipoise.losses.adversarial import (
    hinge_discriminator,
    hinge_generator,
    least_squares_discriminator,
    least_squares_generator,
    minimax_discriminator,
    minimax_generator,
    non_saturating_generator,
    paired_relativistic_discriminator,
    paired_relativistic_generator,
    relativistic_discriminator,
    relativistic_generator,
    wasserstein_discriminator,
    wasserstein_generator,
)
from equipoise.losses.alignment import InfoNCELoss, SigLIPLoss, info_nce, siglip
from equipoise.losses.binary_regions import (
    BinaryDiceLoss,
    BinaryFocalTverskyLoss,
    BinaryJaccardLoss,
    BinaryTverskyLoss,
    binary_dice,
    binary_focal_tversky,
    binary_jaccard,
    binary_tversky,
)
from equipoise.losses.boundary import BoundaryLoss, boundary, signed_distance
from equipoise.losses.boxes import CIoULoss, DIoULoss, GIoULoss, IoULoss, ciou, diou, giou, iou
from equipoise.losses.centres import DenseGIoULoss, HeatMapFocalLoss, dense_giou, heat_map_focal
from equipoise.losses.contrastive import SupervisedContrastiveLoss, supervised_contrastive
from equipoise.losses.depth import BerHuLoss, CosineNormalsLoss, SILogLoss, berhu, cosine_normals, silog
from equipoise.losses.distillation import (
    AttentionTransferLoss,
    DistillationLoss,
    FeatureDistillationLoss,
    attention_transfer,
    distillation_kl,
    feature_distillation,
)
from equipoise.losses.focal import BinaryFocalLoss, FocalLoss, binary_focal, focal
from equipoise.losses.gather import gather_with_gradient
from equipoise.losses.generator_terms import feature_matching, mode_seeking
from equipoise.losses.gradient_penalties import gradient_penalty, r1_penalty, r2_penalty
from equipoise.losses.hinge import BinaryHingeLoss, BinarySquaredHingeLoss, binary_hinge, binary_squared_hinge
from equipoise.losses.imbalance import (
    LDAMLoss,
    LogitAdjustedLoss,
    effective_number_weights,
    ldam,
    logit_adjusted,
    positive_weights,
)
from equipoise.losses.lovasz import LovaszHingeLoss, LovaszSoftmaxLoss, lovasz_hinge, lovasz_softmax
from equipoise.losses.masked import Masked
from equipoise.losses.mixed import LearnedProportion, Mixed
from equipoise.losses.multilabel import (
    AsymmetricLoss,
    DoubleSoftF1Loss,
    SoftF1Loss,
    asymmetric,
    double_soft_f1,
    soft_f1,
)
from equipoise.losses.noise import (
    BinaryPoly1Loss,
    GeneralisedCrossEntropyLoss,
    Poly1Loss,
    SymmetricCrossEntropyLoss,
    binary_poly1,
    generalised_cross_entropy,
    poly1,
    symmetric_cross_entropy,
)
from equipoise.losses.ordinal import CoralLoss, CornLoss, coral, coral_levels, corn, corn_levels
from equipoise.losses.penalised import Penalised
from equipoise.losses.redundancy import BarlowTwinsLoss, VICRegLoss, barlow_twins, vicreg
from equipoise.losses.regions import (
    DiceLoss,
    FocalTverskyLoss,
    GeneralisedDiceLoss,
    JaccardLoss,
    TverskyLoss,
    dice,
    focal_tversky,
    generalised_dice,
    jaccard,
    tversky,
)
from equipoise.losses.regression import (
    GaussianNLLLoss,
    LaplaceNLLLoss,
    LogCoshLoss,
    PinballLoss,
    RMSELoss,
    gaussian_nll,
    laplace_nll,
    log_cosh,
    pinball,
    rmse,
)
from equipoise.losses.regularisation import (
    ParameterPenalty,
    activation_sparsity,
    elastic_net,
    group_lasso,
    l1,
    l2,
    nuclear_norm,
    spectral_norm,
    weights_only,
)
from equipoise.losses.reinforcement import (
    PPOClipLoss,
    clipped_value,
    double_q_learning,
    entropy_bonus,
    policy_gradient,
    ppo_clip,
    q_learning,
)
from equipoise.losses.robust import AdaptiveRobustLoss, AdaptiveRobustNLLLoss, adaptive_robust, adaptive_robust_nll
from equipoise.losses.schedules import (
    CosineSchedule,
    EpochSchedule,
    LinearSchedule,
    Schedule,
    SigmoidRamp,
    StepSchedule,
)
from equipoise.losses.sequences import SequenceCrossEntropyLoss, sequence_cross_entropy
from equipoise.losses.suggest import Suggestion, suggest
from equipoise.losses.survival import CoxEfronLoss, CoxLoss, cox, cox_efron
from equipoise.losses.triplet import TripletLoss, triplet
from equipoise.losses.variational import GaussianKLLoss, gaussian_kl

__all__ = [
    "AdaptiveRobustLoss",
    "AdaptiveRobustNLLLoss",
    "AsymmetricLoss",
    "AttentionTransferLoss",
    "BarlowTwinsLoss",
    "BerHuLoss",
    "BinaryDiceLoss",
    "BinaryFocalLoss",
    "BinaryFocalTverskyLoss",
    "BinaryHingeLoss",
    "BinaryJaccardLoss",
    "BinaryPoly1Loss",
    "BinarySquaredHingeLoss",
    "BinaryTverskyLoss",
    "BoundaryLoss",
    "CIoULoss",
    "CoralLoss",
    "CornLoss",
    "CosineNormalsLoss",
    "CosineSchedule",
    "CoxEfronLoss",
    "CoxLoss",
    "DIoULoss",
    "DenseGIoULoss",
    "DiceLoss",
    "DistillationLoss",
    "DoubleSoftF1Loss",
    "EpochSchedule",
    "FeatureDistillationLoss",
    "FocalLoss",
    "FocalTverskyLoss",
    "GIoULoss",
    "GaussianKLLoss",
    "GaussianNLLLoss",
    "GeneralisedCrossEntropyLoss",
    "GeneralisedDiceLoss",
    "HeatMapFocalLoss",
    "InfoNCELoss",
    "IoULoss",
    "JaccardLoss",
    "LDAMLoss",
    "LaplaceNLLLoss",
    "LearnedProportion",
    "LinearSchedule",
    "LogCoshLoss",
    "LogitAdjustedLoss",
    "LovaszHingeLoss",
    "LovaszSoftmaxLoss",
    "Masked",
    "Mixed",
    "PPOClipLoss",
    "ParameterPenalty",
    "Penalised",
    "PinballLoss",
    "Poly1Loss",
    "RMSELoss",
    "SILogLoss",
    "Schedule",
    "SequenceCrossEntropyLoss",
    "SigLIPLoss",
    "SigmoidRamp",
    "SoftF1Loss",
    "StepSchedule",
    "Suggestion",
    "SupervisedContrastiveLoss",
    "SymmetricCrossEntropyLoss",
    "TripletLoss",
    "TverskyLoss",
    "VICRegLoss",
    "activation_sparsity",
    "adaptive_robust",
    "adaptive_robust_nll",
    "asymmetric",
    "attention_transfer",
    "barlow_twins",
    "berhu",
    "binary_dice",
    "binary_focal",
    "binary_focal_tversky",
    "binary_hinge",
    "binary_jaccard",
    "binary_poly1",
    "binary_squared_hinge",
    "binary_tversky",
    "boundary",
    "ciou",
    "clipped_value",
    "coral",
    "coral_levels",
    "corn",
    "corn_levels",
    "cosine_normals",
    "cox",
    "cox_efron",
    "dense_giou",
    "dice",
    "diou",
    "distillation_kl",
    "double_q_learning",
    "double_soft_f1",
    "effective_number_weights",
    "elastic_net",
    "entropy_bonus",
    "feature_distillation",
    "feature_matching",
    "focal",
    "focal_tversky",
    "gae",
    "gather_with_gradient",
    "gaussian_kl",
    "gaussian_nll",
    "generalised_cross_entropy",
    "generalised_dice",
    "giou",
    "gradient_penalty",
    "group_lasso",
    "group_relative_advantages",
    "heat_map_focal",
    "hinge_discriminator",
    "hinge_generator",
    "info_nce",
    "iou",
    "jaccard",
    "l1",
    "l2",
    "laplace_nll",
    "ldam",
    "least_squares_discriminator",
    "least_squares_generator",
    "log_cosh",
    "logit_adjusted",
    "lovasz_hinge",
    "lovasz_softmax",
    "minimax_discriminator",
    "minimax_generator",
    "mode_seeking",
    "non_saturating_generator",
    "nuclear_norm",
    "paired_relativistic_discriminator",
    "paired_relativistic_generator",
    "pinball",
    "policy_gradient",
    "poly1",
    "positive_weights",
    "ppo_clip",
    "q_learning",
    "r1_penalty",
    "r2_penalty",
    "relativistic_discriminator",
    "relativistic_generator",
    "rmse",
    "sequence_cross_entropy",
    "siglip",
    "signed_distance",
    "silog",
    "soft_f1",
    "spectral_norm",
    "suggest",
    "supervised_contrastive",
    "symmetric_cross_entropy",
    "triplet",
    "tversky",
    "vicreg",
    "wasserstein_discriminator",
    "wasserstein_generator",
    "weights_only",
]
