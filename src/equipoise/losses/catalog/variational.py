"""Rows of the variational losses."""

from equipoise.losses.catalog.row import Row

ROWS = (
    Row(
        name="gaussian_kl",
        code="eq.losses.GaussianKLLoss(free_bits=0.0)",
        kinds=("vae",),
        formula="Σ ½ (μ² + σ² − 1 − log σ²)",
        use="a Gaussian code near its prior; with free_bits, a code that is not given up early",
        pitfalls="a sum over latents: sum the reconstruction over pixels too, or weigh it; log variance, not deviation",
        paper="Kingma and Welling, ICLR 2014; free bits: Kingma et al., NeurIPS 2016",
        checked="torch.distributions; the integral, sampled; free bits by a loop",
    ),
)
