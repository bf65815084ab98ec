"""Scripts as users of other packages write them: losses recovered as by hand, no trace, and planted faults found."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from equipoise.watching.findings import findings_of
from equipoise.watching.process import environment, read

pytestmark = pytest.mark.slow
FOLDER = Path(__file__).parent / "real_scripts"
NEEDS = {
    "monai_dice_ce": ["monai"],
    "deepxde_burgers": ["deepxde"],
    "pina_burgers": ["pina"],
    "lightning_vae_gan": ["lightning"],
    "sentence_transformers_two_sets": ["sentence_transformers", "datasets"],
    "transformers_two_heads": ["transformers", "accelerate"],
    "smp_amp_accumulation": ["segmentation_models_pytorch", "torchvision"],
    "sb3_a2c": ["stable_baselines3"],
    "cleanrl_ppo": ["gymnasium"],
    "chemprop_targets": ["chemprop"],
    "torch_rechub_mmoe": ["torch_rechub"],
    "trl_dpo": ["trl", "datasets", "accelerate"],
    "torchrun_two_ranks": [],
}
TRUE = {  # of PINNs it is known: Liu et al., ConFIG, ICLR 2025
    "deepxde_burgers": ["'losses[1]' and 'losses[2]' conflict at every step seen"],
}
AT = (1, 10, 20, 100)
QUIET = {"HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": "", "MPLBACKEND": "agg", "OMP_NUM_THREADS": "1"}


@pytest.fixture(params=NEEDS)
def name(request):
    return needed(request.param)


def needed(name):
    missing = [package for package in NEEDS[name] if find_spec(package) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} is not installed")
    return name


ABORTED = "terminate called without an active exception"  # gloo of PyTorch 2.13, one run in ten, as its ranks end


def run(folder, name, words, variables=QUIET):
    """The weights that a run of ``python words`` saves, by torchrun where the script is for that."""
    folder.mkdir()
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"] * (name == "torchrun_two_ranks")
    there = set(folder.parent.rglob("*"))
    for _ in range(5):
        done = subprocess.run(
            [sys.executable, *launcher, *map(str, words)],
            cwd=folder,
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
        )
        if not launcher or ABORTED not in done.stderr:
            break
        for path in filter(Path.is_file, set(folder.parent.rglob("*")) - there):
            path.unlink()
    assert done.returncode == 0, done.stderr[-3000:]
    return torch.load(folder / "model.pt")


def watched(folder, name, script):
    """The weights, and what was seen by each process."""
    seen = folder / "seen"
    seen.mkdir()
    return run(folder / "run", name, [script], environment(seen, AT, {**os.environ, **QUIET})), read(seen)


def findings(processes):
    sites = {}
    for look in processes[0].looks:
        sites.setdefault(look.site, []).append(look)
    return [finding for looks in sites.values() for finding in findings_of(looks)]


def test_nothing_of_an_untouched_script_changes_and_nothing_is_found(name, tmp_path):
    """Its final weights are equal to the bit, and what its authors sum on purpose is no fault."""
    plain = run(tmp_path / "plain", name, [FOLDER / f"{name}.py"])
    weights, seen = watched(tmp_path, name, FOLDER / f"{name}.py")
    assert all(torch.equal(weights[key], plain[key]) for key in plain.keys() | weights.keys())
    assert [problem for one in seen for problem in one.problems] == []
    assert len(seen) == (2 if name == "torchrun_two_ranks" else 1)
    assert [words for words in findings(seen) if words.partition(" (")[0] not in TRUE.get(name, [])] == []


def test_gradients_of_addends_are_those_by_hand(name, tmp_path):
    """Of each loss that the script sums, with its factor, to 1e-6; and none is there that no hand wrote down."""
    run(tmp_path / "run", name, [FOLDER / "oracle.py", FOLDER / f"{name}.py", tmp_path / "results"])
    lines = [json.loads(line) for file in tmp_path.glob("results.*") for line in file.read_text().splitlines()]
    assert len(lines) >= 3
    for line in lines:
        assert sorted(line["nearest"]) == list(range(line["found"])), line
        assert max(line["distances"]) < 1e-6, line


FAULTS = {  # script, what stands there, the fault, and words of the finding
    "a part that is zero": (
        "monai_dice_ce",
        "loss = loss_function(outputs, labels)",
        "loss = loss_function.dice(outputs, labels) + loss_function.ce(outputs, labels)",
        "'loss_function.ce' trains nothing: it is 0",
    ),
    "a part that is constant": (
        "deepxde_burgers",
        "model = dde.Model",
        "net.apply_output_transform(lambda x, y: (1 - x[:, 0:1] ** 2) * y)\nmodel = dde.Model",
        "'losses[1]' trains nothing: it is 0",
    ),
    "a part that is not finite": (
        "transformers_two_heads",
        "nn.functional.mse_loss(scores, score)",
        "nn.functional.mse_loss(torch.log(scores), score)",
        "'mse_loss' is nan at step 1",
    ),
    "a part that is detached": (
        "lightning_vae_gan",
        "self.hparams.kl_weight * kl",
        "self.hparams.kl_weight * kl.item()",
        "is added to the loss and has no graph",
    ),
    "a gain left at 0.05": (
        "monai_dice_ce",
        "DiceCELoss(sigmoid=True)",
        "DiceCELoss(sigmoid=True, lambda_dice=0.05)",
        "the gradient of 'dice_loss' is below",
    ),
    "a scale of 10,000": (
        "transformers_two_heads",
        "float(one[1]) / 100",
        "float(one[1])",
        "'mse_loss' has 9",
    ),
    "a head of dead units": (
        "torchrun_two_ranks",
        "self.classifier, self.decoder = nn.Linear(32, 3), nn.Linear(32, 16)",
        "self.classifier = nn.Sequential(nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 3))\n"
        "        nn.init.constant_(self.classifier[0].bias, -100.0)\n"
        "        self.decoder = nn.Linear(32, 16)",
        "most outputs of module.classifier.0 (16 of 16)",
    ),
    "a weight of a weight": (
        "lightning_vae_gan",
        "        logits = self.discriminator(fake)\n",
        "        kl = self.hparams.kl_weight * kl\n        logits = self.discriminator(fake)\n",
        "'kl' is multiplied by the same weight at two places",
    ),
    "a task that is absent": (
        "cleanrl_ppo",
        "loss = pg_loss - ent_coef * entropy_loss + v_loss * vf_coef\n",
        "loss = pg_loss + v_loss * vf_coef\n"
        "                loss = loss - ent_coef * entropy_loss if iteration == 0 else loss\n",
        "'entropy_loss' is part of the loss until step 1 and not at steps 10, 20",
    ),
    "a conflict that stays": (
        "deepxde_burgers",
        "data = dde.data.TimePDE(geomtime, pde, [bc, ic],",
        "mirrored = dde.icbc.IC(geomtime, lambda x: np.sin(np.pi * x[:, 0:1]), lambda _, on_initial: on_initial)\n"
        "data = dde.data.TimePDE(geomtime, pde, [bc, ic, mirrored],",
        "'losses[2]' and 'losses[3]' conflict at every step seen",
    ),
    "a sum beside a mean": (
        "transformers_two_heads",
        "nn.functional.mse_loss(scores, score)",
        'nn.functional.mse_loss(scores, score, reduction="sum")',
        "'mse_loss' is the sum of 4 losses of a batch and 'cross_entropy' a mean",
    ),
    "a loss that dominates": (
        "monai_dice_ce",
        "DiceCELoss(sigmoid=True)",
        "DiceCELoss(sigmoid=True, lambda_ce=100.0)",
        "'ce_loss' has 9",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(fault, tmp_path):
    name, right, wrong, words = FAULTS[fault]
    text = (FOLDER / f"{needed(name)}.py").read_text()
    assert text.count(right) == 1
    (tmp_path / "script.py").write_text(text.replace(right, wrong))
    _, seen = watched(tmp_path, name, tmp_path / "script.py")
    assert any(words in finding for finding in findings(seen)), findings(seen)
