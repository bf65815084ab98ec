"""Gradients by hand beside those that a watch takes: ``python oracle.py script.py results.jsonl``.

For each script somebody wrote down below which losses it sums, with which factors: results of the package's own
functions, or variables of the frame that goes backward. Nothing is read from the graph. In the same step, and by the
same leaves, PyTorch takes the gradient of each; a line of the results holds how far the watch's are from these.
"""

import inspect
import json
import os
import runpy
import sys
from pathlib import Path

import torch
from torch.nn import functional

from equipoise.watching import ScriptWatch, look


def results_of(number, *functions, factor=1.0):
    """The last results before a backward, ``number`` of them; ``functions`` are (owner, name, its factor)."""
    found = []

    def record(owner, name, own):
        original = getattr(owner, name)

        def recording(*args, **kwargs):
            result = original(*args, **kwargs)
            found.extend((factor * own, loss) for loss in (result if isinstance(result, list) else [result]))
            return result

        setattr(owner, name, recording)

    for function in functions:
        record(*function)
    return lambda: found[-number:]


def variables_of(function, factors):
    """``factors`` makes (factor, loss) pairs from the variables of the function that goes backward."""
    return lambda: factors(next(one.frame.f_locals for one in inspect.stack(0) if one.function == function))


def monai_dice_ce():
    from monai.losses import DiceCELoss, DiceLoss

    return results_of(2, (DiceLoss, "forward", 1.0), (DiceCELoss, "bce", 1.0))


def deepxde_burgers():
    os.environ["DDE_BACKEND"] = "pytorch"
    from deepxde.data import TimePDE

    return results_of(3, (TimePDE, "losses", 1.0))


def pina_burgers():
    from pina.solver import PhysicsInformedSingleModelSolver
    from pina.weighting import ScalarWeighting

    original, found = ScalarWeighting.aggregate, []

    def aggregate(self, losses):
        found[:] = [(1.0, loss.as_subclass(torch.Tensor)) for loss in losses.values()]
        return original(self, losses)

    ScalarWeighting.aggregate = aggregate
    assert PhysicsInformedSingleModelSolver
    return lambda: found


def lightning_vae_gan():
    def losses(v):
        if "d_loss" in v:
            return [(0.5, v["real_loss"]), (0.5, v["fake_loss"])]
        return [(1.0, v["recon"]), (0.1, v["kl"]), (0.1, v["adv"])]

    return variables_of("training_step", losses)


def transformers_two_heads():
    return results_of(2, (functional, "cross_entropy", 1.0), (functional, "mse_loss", 1.0), factor=0.5)


def sentence_transformers_two_sets():
    from sentence_transformers.sentence_transformer.losses import CosineSimilarityLoss, MultipleNegativesRankingLoss

    return results_of(1, (CosineSimilarityLoss, "forward", 1.0), (MultipleNegativesRankingLoss, "forward", 1.0))


def sb3_a2c():
    return variables_of("train", lambda v: [(1.0, v["policy_loss"]), (0.01, v["entropy_loss"]), (0.5, v["value_loss"])])


def cleanrl_ppo():
    return variables_of("<module>", lambda v: [(1.0, v["pg_loss"]), (-0.01, v["entropy_loss"]), (0.5, v["v_loss"])])


def torch_rechub_mmoe():
    return variables_of("train_one_epoch", lambda v: [(0.5, loss) for loss in v["loss_list"]])


def torchrun_two_ranks():
    return variables_of("main", lambda v: [(1.0, v["loss_cls"]), (0.5, v["loss_rec"])])


def smp_amp_accumulation():
    """A focal loss is a mean over the three classes; times a GradScaler's first scale, by two steps of accumulation."""
    from segmentation_models_pytorch.losses import DiceLoss, focal

    return results_of(4, (DiceLoss, "forward", 1.0), (focal, "focal_loss_with_logits", 0.5 / 3), factor=65536 / 2)


def chemprop_targets():
    from chemprop.nn.metrics import MSE

    return results_of(1, (MSE, "forward", 1.0))


def trl_dpo():
    """Each loss from a forward pass of its own; no dropout is left in this trainer's model."""
    from trl import DPOTrainer

    original, found = DPOTrainer._compute_loss, []

    def recording(self, model, inputs, return_outputs):
        kinds, weights = self.loss_types, self.loss_weights
        found.clear()
        for kind, weight in zip(kinds, weights, strict=True):
            self.loss_types, self.loss_weights = [kind], [1.0]
            found.append((weight, original(self, model, inputs, return_outputs)))
        self.loss_types, self.loss_weights = kinds, weights
        return original(self, model, inputs, return_outputs)

    DPOTrainer._compute_loss = recording
    return lambda: found


def distance(found, expected):
    """The largest difference of two gradients, leaf -> gradient, relative to the largest number of the second."""
    leaves = {*found, *expected}
    zero = torch.zeros(())
    differences = [(found.get(leaf, zero) - expected.get(leaf, zero)).abs().max().item() for leaf in leaves]
    largest = max([gradient.abs().max().item() for gradient in expected.values()], default=0.0)
    return max(differences, default=0.0) / (largest or 1.0)


def main(script, results):
    by_hand = globals()[Path(script).stem]()
    rows_of = look.rows_of

    def compared(addends, leaves):
        rows = rows_of(addends, leaves)
        expected = []
        for factor, loss in by_hand():
            gradients = torch.autograd.grad(factor * loss, leaves, retain_graph=True, allow_unused=True)
            expected.append({leaf: g for leaf, g in zip(leaves, gradients, strict=True) if g is not None})
        nearest = [min(range(len(rows)), key=lambda k: distance(rows[k], one)) for one in expected]
        line = {
            "found": len(rows),
            "nearest": nearest,
            "distances": [distance(rows[k], one) for k, one in zip(nearest, expected, strict=True)],
        }
        with open(f"{results}.{os.getpid()}", "a") as file:
            print(json.dumps(line), file=file)
        return rows

    look.rows_of = compared
    with ScriptWatch(at=(1, 5, 10)) as watch:
        sys.argv = [script]
        runpy.run_path(script, run_name="__main__")
    assert watch.seen.problems == []


if __name__ == "__main__":
    main(*sys.argv[1:])
