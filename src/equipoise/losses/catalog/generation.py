"""Losses of generators, discriminators and latent distributions."""

from equipoise.losses.catalog.row import LossRow

_MINIMAX = "Goodfellow et al., NeurIPS 2014"

_LEAST_SQUARES = "Mao et al., ICCV 2017"

_HINGE = "Lim and Ye, 2017; Miyato et al., ICLR 2018"

_WASSERSTEIN = "Arjovsky et al., ICML 2017"

_RELATIVISTIC = "Jolicoeur-Martineau, ICLR 2019"

_R1 = "Mescheder et al., ICML 2018"

ROWS = (
    LossRow(
        code="eq.losses.minimax_discriminator(real_logits, fake_logits)",
        kinds=("gan",),
        use="the classic discriminator; beside minimax_generator or non_saturating_generator",
        pitfalls="a sum of two cross-entropies: code that averages them is half of it; detach the fake samples",
        paper=_MINIMAX,
        checked="its formula in probabilities; BCE; MONAI",
    ),
    LossRow(
        code="eq.losses.minimax_generator",
        kinds=("gan",),
        use="the generator's side of the game as it is analysed",
        pitfalls="next to no gradient where the discriminator is sure, so seldom trained with; negative",
        paper=_MINIMAX,
        checked="its formula in probabilities",
    ),
    LossRow(
        code="eq.losses.non_saturating_generator",
        kinds=("gan",),
        use="the generator's loss beside minimax_discriminator, with or without R1",
        pitfalls="steep where the discriminator is sure: an early, strong discriminator makes it unstable",
        paper=_MINIMAX,
        checked="BCE with targets of 1; MONAI",
    ),
    LossRow(
        code="eq.losses.least_squares_discriminator(real_logits, fake_logits)",
        kinds=("gan",),
        use="smooth gradients also for samples on the right side; image translation",
        pitfalls="no sigmoid before it; grows with the square of an outlying logit",
        paper=_LEAST_SQUARES,
        checked="its formula; MONAI",
    ),
    LossRow(
        code="eq.losses.least_squares_generator",
        kinds=("gan",),
        use="beside least_squares_discriminator",
        pitfalls="code without the ½ is twice it",
        paper=_LEAST_SQUARES,
        checked="its formula; MONAI",
    ),
    LossRow(
        code="eq.losses.hinge_discriminator(real_logits, fake_logits)",
        kinds=("gan",),
        use="large image GANs, with spectral normalisation",
        pitfalls="no gradient once all are right by the margin",
        paper=_HINGE,
        checked="its formula; MONAI",
    ),
    LossRow(
        code="eq.losses.hinge_generator",
        kinds=("gan",),
        use="beside hinge_discriminator",
        pitfalls="unbounded below, so ratios and logarithms of it say nothing",
        paper=_HINGE,
        checked="its formula; MONAI",
    ),
    LossRow(
        code="eq.losses.wasserstein_discriminator(real_logits, fake_logits)",
        kinds=("gan",),
        use="a critic whose value tracks the samples' quality",
        pitfalls="needs a bounded slope (gradient_penalty) and several critic steps per generator step",
        paper=_WASSERSTEIN,
        checked="its formula",
    ),
    LossRow(
        code="eq.losses.wasserstein_generator",
        kinds=("gan",),
        use="beside wasserstein_discriminator",
        pitfalls="unbounded below, so ratios and logarithms of it say nothing",
        paper=_WASSERSTEIN,
        checked="its formula",
    ),
    LossRow(
        code="eq.losses.relativistic_discriminator(real_logits, fake_logits)",
        kinds=("gan",),
        use="few samples, super-resolution: real and fake are compared, not judged alone (RaGAN)",
        pitfalls="the means make it depend on the batch, so small batches are noisy",
        paper=_RELATIVISTIC,
        checked="its formula in probabilities; the loss of pairs at batches of one",
    ),
    LossRow(
        code="eq.losses.relativistic_generator(real_logits, fake_logits)",
        kinds=("gan",),
        use="beside relativistic_discriminator",
        pitfalls="needs the real samples' logits too, in the generator's step",
        paper=_RELATIVISTIC,
        checked="the discriminator's with real and fake exchanged",
    ),
    LossRow(
        code="eq.losses.paired_relativistic_discriminator(real_logits, fake_logits)",
        kinds=("gan",),
        use="the relativistic loss of pairs (RpGAN); with r1_penalty and r2_penalty, a plain and stable baseline",
        pitfalls="batches of real and fake must have one size",
        paper=_RELATIVISTIC,
        checked="its formula in probabilities",
    ),
    LossRow(
        code="eq.losses.paired_relativistic_generator(real_logits, fake_logits)",
        kinds=("gan",),
        use="beside paired_relativistic_discriminator",
        pitfalls="needs the real samples' logits too, in the generator's step",
        paper=_RELATIVISTIC,
        checked="its formula in probabilities",
    ),
    LossRow(
        code="eq.losses.gradient_penalty(critic, real, fake)",
        kinds=("gan",),
        use="a Wasserstein critic; weight 10",
        pitfalls="no batch normalisation, no compiled critic; costs a second backward pass; scale it under float16",
        paper="Gulrajani et al., NeurIPS 2017",
        checked="closed forms of linear and quadratic critics; gradcheck through both backward passes; MGDA on it",
    ),
    LossRow(
        code="eq.losses.r1_penalty(discriminator, real)",
        kinds=("gan",),
        use="a discriminator that settles at the data, beside non_saturating_generator",
        pitfalls="the paper's factor γ/2 is the weight; often taken every 16th step only, and then weighted by 16",
        paper=_R1,
        checked="closed forms of linear and quadratic discriminators; gradcheck through both backward passes",
    ),
    LossRow(
        code="eq.losses.r2_penalty(discriminator, fake)",
        kinds=("gan",),
        use="beside r1_penalty, where generated samples are far from the data",
        pitfalls="as r1_penalty; trains the discriminator only",
        paper=_R1,
        checked="r1_penalty at the same samples",
    ),
    LossRow(
        code="eq.losses.feature_matching(real_features, fake_features)",
        kinds=("gan",),
        use="a steadier generator: statistics of a discriminator's layer instead of its verdict",
        pitfalls="a sum over features, so wide layers count more; means alone do not prevent mode collapse",
        paper="Salimans et al., NeurIPS 2016",
        checked="hand-derived values; equal batches",
    ),
    LossRow(
        code="eq.losses.mode_seeking(first_images, second_images, first_codes, second_codes)",
        kinds=("gan",),
        use="a conditional generator that ignores its code",
        pitfalls="unbounded below: a large weight trades realism for difference; negative",
        paper="Mao et al., CVPR 2019",
        checked="hand-derived values; its scaling in images and codes",
    ),
    LossRow(
        code="eq.losses.GaussianKLLoss(free_bits=0.0)",
        kinds=("vae",),
        use="a Gaussian code near its prior; with free_bits, a code that is not given up early",
        pitfalls="a sum over latents: sum the reconstruction over pixels too, or weigh it; log variance, not deviation",
        paper="Kingma and Welling, ICLR 2014; free bits: Kingma et al., NeurIPS 2016",
        checked="torch.distributions; the integral, sampled; free bits by a loop",
    ),
)
