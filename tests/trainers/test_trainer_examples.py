"""The examples as files: short, run from any folder, and what they train improves."""

import importlib
import re
import runpy

import pytest
from examples_folder import EXAMPLES

import equipoise as eq

try:
    from accelerate.state import AcceleratorState
except ImportError:
    AcceleratorState = None

NEEDS = {
    "lightning_module": "lightning",
    "fabric_loop": "lightning",
    "accelerate_loop": "accelerate",
    "hugging_face_compute_loss": "transformers",
    "hugging_face_loss_func": "transformers",
    "ignite_engine": "ignite",
    "deepxde_helmholtz": "deepxde",
    "sentence_transformers_parts": "sentence_transformers",
    "sentence_transformers_data_sets": "sentence_transformers",
    "monai_dice_ce": "monai",
    "pina_helmholtz": "pina",
    "torch_rechub_mmoe": "torch_rechub",
    "chemprop_targets": "chemprop",
    "trl_dpo": "trl",
    "trl_grpo": "trl",
}
FILES = sorted(path for path in EXAMPLES.glob("*.py"))
TRAINERS = [path for path in FILES if path.stem not in ("problem", "tiny_gpt2", "ultralytics_gains")]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_is_forty_lines_at_most(path):
    assert len(path.read_text().splitlines()) <= 40


def test_every_example_is_on_the_page_and_the_page_names_no_other():
    page = (EXAMPLES.parents[1] / "docs" / "trainers.md").read_text()
    named = set(re.findall(r"\(\.\./examples/trainers/(\w+)\.py\)", page))
    assert named == {path.stem for path in FILES}


@pytest.mark.slow
@pytest.mark.parametrize("path", TRAINERS, ids=lambda path: path.stem)
def test_it_runs_and_its_losses_fall(path, tmp_path, monkeypatch, capsys):
    """What the balancer saw in its first steps against its last."""
    pytest.importorskip(NEEDS.get(path.stem, "torch"))
    if AcceleratorState is not None:  # one for a process, and another example may have made it
        AcceleratorState._reset_state(reset_partial_state=True)
    monkeypatch.chdir(tmp_path)
    totals, call = [], eq.Balancer.forward

    def watched(self, losses, **others):
        totals.append(float(sum(loss.detach() for loss in losses.values())))
        return call(self, losses, **others)

    monkeypatch.setattr(eq.Balancer, "forward", watched)
    for name in [path.stem for path in FILES]:  # another test may have changed what is imported
        importlib.sys.modules.pop(name, None)
    runpy.run_path(str(path), run_name="__main__")
    if path.stem != "trl_grpo":  # whose losses are no measure of progress
        assert sum(totals[-8:]) < 0.8 * sum(totals[:8])
