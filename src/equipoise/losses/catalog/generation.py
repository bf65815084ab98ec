"""Losses of generators, discriminators, latent distributions and policies."""

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
    LossRow(
        code="eq.losses.policy_gradient(log_probs, advantages)",
        kinds=("reinforcement",),
        use="one step on fresh actions (REINFORCE, A2C)",
        pitfalls="its value says nothing; more than one step on the same actions needs ppo_clip",
        paper="Williams, 1992",
        checked="the exact gradient of a bandit's expected return",
    ),
    LossRow(
        code="eq.losses.PPOClipLoss(clip=0.2)",
        kinds=("reinforcement",),
        use="several epochs on the same actions",
        pitfalls="bounds the ratio's gain, not the policy's step: watch the KL; normalise advantages over the batch",
        paper="Schulman et al., 2017",
        checked="its formula in ratios; policy_gradient at the old policy; torchrl",
    ),
    LossRow(
        code="eq.losses.clipped_value(values, old_values, returns, clip=0.2)",
        kinds=("reinforcement",),
        use="a critic beside ppo_clip that moves as slowly",
        pitfalls="ε is in units of the value, so returns must be scaled; often no better than nn.MSELoss",
        paper="Engstrom et al., ICLR 2020",
        checked="MSE at an infinite clip; hand-derived values; torchrl",
    ),
    LossRow(
        code="eq.losses.q_learning(q_values, actions, rewards, next_q_values, terminated)",
        kinds=("reinforcement",),
        use="discrete actions from a replay buffer (DQN)",
        pitfalls="overestimates (double_q_learning does less); a time limit is not a termination",
        paper="Mnih et al., Nature 2015",
        checked="a loop over the transitions; the fixed point of a small decision process; torchrl",
    ),
    LossRow(
        code=(
            "eq.losses.double_q_learning(q_values, actions, rewards, next_q_values, next_target_q_values, terminated)"
        ),
        kinds=("reinforcement",),
        use="as q_learning, with less overestimation",
        pitfalls="the online network is evaluated at s' too",
        paper="van Hasselt et al., AAAI 2016",
        checked="q_learning where both networks agree; a loop over the transitions; torchrl",
    ),
    LossRow(
        code="eq.losses.entropy_bonus",
        kinds=("reinforcement",),
        use="exploration: a small weight beside the policy's loss",
        pitfalls="a gradient method gives it a full voice: better add it to the policy's loss than make it a task",
        checked="torch.distributions; forbidden actions removed",
    ),
    LossRow(
        code="eq.losses.gae(rewards, values, next_value, terminated)",
        kinds=("reinforcement",),
        use="advantages and returns from a rollout of an actor-critic",
        pitfalls="a time limit is truncated, not terminated, and its last state's value is needed",
        paper="Schulman et al., ICLR 2016",
        checked="a loop over the steps; Monte Carlo returns at λ = 1; episodes run one by one; torchrl",
    ),
    LossRow(
        code="eq.losses.group_relative_advantages(rewards)",
        kinds=("reinforcement",),
        use="language models without a critic: samples of one prompt are a group (GRPO, GDPO)",
        pitfalls="a group of nearly equal rewards is blown up to deviation 1; the unbiased deviation, no epsilon",
        paper="Shao et al., 2024; Liu et al., 2026",
        checked="its formula; invariance to the rewards' scale and offset; equal rewards give 0",
    ),
)
