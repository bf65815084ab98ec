"""What a generator minimises beside fooling the discriminator.

Feature matching: Salimans et al., Improved Techniques for Training GANs, NeurIPS 2016, section 3.1. Mode seeking: Mao
et al., Mode Seeking Generative Adversarial Networks for Diverse Image Synthesis, CVPR 2019, section 3.2.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from equipoise.losses.checks import require_alike, require_dim, require_floating, wide
from equipoise.losses.reduction import Reduction, reduced

__all__ = ["feature_matching", "mode_seeking"]


def feature_matching(real_features: Tensor | Sequence[Tensor], fake_features: Tensor | Sequence[Tensor]) -> Tensor:
    """‖E f(real) − E f(fake)‖², of a layer's features f; of several layers, the mean over layers.

    Args:
        real_features: Features of real samples [N, ...], or a sequence of them; constants, so detached.
        fake_features: Features of generated samples [M, ...], or as many of them in the same order.

    Raises:
        ValueError: If layers or features do not match.

    >>> feature_matching(torch.tensor([[0.0, 2.0], [2.0, 2.0]]), torch.zeros(1, 2))  # means (1, 2) and (0, 0)
    tensor(5.)
    """
    if isinstance(real_features, Tensor) and isinstance(fake_features, Tensor):
        return _distance_of_means(real_features, fake_features)
    _require_layers(real_features, fake_features)
    distances = [_distance_of_means(*layers) for layers in zip(real_features, fake_features, strict=True)]
    return torch.stack(distances).mean()


def mode_seeking(
    first_images: Tensor,
    second_images: Tensor,
    first_codes: Tensor,
    second_codes: Tensor,
    *,
    reduction: Reduction = "mean",
) -> Tensor:
    """−d(first image, second image) / d(first code, second code), d the mean absolute difference; per pair.

    The paper maximises the ratio, so this is unbounded below: keep its weight small. A pair of equal codes counts 0.

    Args:
        first_images: Generated from ``first_codes``, [N, ...].
        second_images: Generated from ``second_codes`` under the same conditions, of the same shape.
        first_codes: Latent codes [N, ...].
        second_codes: Other latent codes of the same shape.
        reduction: As in torch; ``"none"`` gives [N].

    Raises:
        ValueError: If shapes do not match.

    >>> mode_seeking(torch.zeros(1, 4), torch.ones(1, 4), torch.zeros(1, 2), torch.full((1, 2), 0.5))
    tensor(-2.)
    """
    image_distances = _distances(first_images=first_images, second_images=second_images)
    code_distances = _distances(first_codes=first_codes, second_codes=second_codes)
    if image_distances.shape != code_distances.shape:
        raise ValueError(
            f"images and codes must have the same batch, got {len(first_images)} images and {len(first_codes)} codes"
        )
    differ = code_distances > 0
    ratios = torch.where(differ, image_distances / code_distances.where(differ, 1.0), 0.0)
    return reduced(-ratios, reduction)


def _distance_of_means(real_features: Tensor, fake_features: Tensor) -> Tensor:
    require_floating(real_features=real_features, fake_features=fake_features)
    require_dim("real_features", real_features, "[N, ...], a batch of features", least=2)
    if real_features.shape[1:] != fake_features.shape[1:]:
        raise ValueError(
            f"real_features and fake_features must have the same shape after the batch, got "
            f"{tuple(real_features.shape)} and {tuple(fake_features.shape)}: take both from one layer"
        )
    return (wide(real_features.detach()).mean(dim=0) - wide(fake_features).mean(dim=0)).square().sum()


def _require_layers(real_features: Tensor | Sequence[Tensor], fake_features: Tensor | Sequence[Tensor]) -> None:
    if isinstance(real_features, Tensor) or isinstance(fake_features, Tensor):
        raise ValueError("real_features and fake_features must be two tensors or two sequences, got one of each")
    if not real_features or len(real_features) != len(fake_features):
        raise ValueError(
            f"real_features and fake_features must have as many layers, one at least, got {len(real_features)} and "
            f"{len(fake_features)}"
        )


def _distances(**pair: Tensor) -> Tensor:
    """Mean absolute difference of each pair [N]."""
    require_alike(**pair)
    for name, tensor in pair.items():
        require_dim(name, tensor, "[N, ...], a batch", least=2)
    first, second = pair.values()
    return (wide(first) - wide(second)).abs().flatten(1).mean(dim=1)
