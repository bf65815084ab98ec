"""GAN losses beside MONAI's: no factor in its least squares, tanh before its hinge, and 1 more for its generator."""

import pytest
import torch
from torch.testing import assert_close

from equipoise.losses.adversarial import (
    hinge_discriminator,
    hinge_generator,
    least_squares_discriminator,
    least_squares_generator,
    minimax_discriminator,
    non_saturating_generator,
)

monai = pytest.importorskip("monai.losses")


def halves(criterion, real, fake):
    """MONAI's loss of the discriminator on real and on fake, and of the generator."""
    loss = monai.PatchAdversarialLoss(criterion=criterion, no_activation_leastsq=True)
    discriminator = loss(real, target_is_real=True, for_discriminator=True) + loss(
        fake, target_is_real=False, for_discriminator=True
    )
    return discriminator, loss(fake, target_is_real=True, for_discriminator=False)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_beside_monai():
    real, fake = torch.randn(4, 1, 6, 6), torch.randn(3, 1, 6, 6)
    discriminator, generator = halves("least_squares", real, fake)
    assert_close(2 * least_squares_discriminator(real, fake), discriminator)
    assert_close(2 * least_squares_generator(fake), generator)
    discriminator, generator = halves("hinge", real, fake)
    assert_close(hinge_discriminator(real.tanh(), fake.tanh()), discriminator)
    assert_close(hinge_generator(fake.tanh()) + 1, generator)
    discriminator, generator = halves("bce", real, fake)
    assert_close(minimax_discriminator(real, fake), discriminator)
    assert_close(non_saturating_generator(fake), generator)
