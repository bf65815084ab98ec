"""Ultralytics' gains: its training as it is with the plain sum, gradients of the backbone as by hand, the example."""

import runpy
from functools import partial
from pathlib import Path

import pytest
import torch
from examples_folder import EXAMPLES

import equipoise as eq

pytest.importorskip("ultralytics", reason="needs pip install ultralytics")
pytest.importorskip("cv2", reason="needs pip install opencv-python-headless")
import torchvision
from ultralytics import YOLO
from ultralytics.cfg import get_cfg
from ultralytics.nn.tasks import DetectionModel
from ultralytics.utils.nms import TorchNMS
from ultralytics_gains import balance, drawn

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(autouse=True)
def own_nms(monkeypatch, folder):
    """Ultralytics' own suppression: torchvision's does not load where it is built for another PyTorch."""
    monkeypatch.setattr(torchvision.ops, "nms", TorchNMS.nms)


def trained(callback=None, **options):
    yolo = YOLO("yolov8n.yaml")
    seen = []
    if callback is not None:
        yolo.add_callback("on_train_start", callback)
    yolo.add_callback("on_train_end", lambda trainer: seen.append(trainer))
    yolo.train(**drawn(Path("squares"), 16), epochs=2, warmup_epochs=0, device="cpu", exist_ok=True, **options)
    return seen[0]


def test_the_plain_sum_trains_as_ultralytics_does(tmp_path, monkeypatch):
    found = []
    for name, callback in (("ours", partial(balance, eq.Sum())), ("theirs", None)):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        found.append(trained(callback).model.state_dict())
    assert found[0].keys() == found[1].keys()
    for name, value in found[0].items():
        torch.testing.assert_close(value, found[1][name], rtol=1e-4, atol=1e-5)


class Trainer:
    """What the callback looks at."""

    def __init__(self):
        torch.manual_seed(0)
        self.model = DetectionModel("yolov8n.yaml", nc=2, verbose=False).train()
        self.model.args = get_cfg()


def test_the_backbone_is_balanced_as_by_hand_and_heads_keep_their_gains():
    trainer = Trainer()
    model = trainer.model
    batch = {
        "img": torch.rand(4, 3, 64, 64),
        "cls": torch.tensor([[0.0], [1.0], [0.0], [1.0]]),
        "bboxes": torch.tensor([[0.5, 0.5, 0.4, 0.4]] * 4),
        "batch_idx": torch.arange(4.0),
    }
    predicted = model(batch["img"])
    joined, _ = model.init_criterion()(predicted, batch)
    named = {name: p for name, p in model.named_parameters() if p.requires_grad}
    shared = [p for p in model.model[:-1].parameters() if p.requires_grad]
    rows = torch.stack(
        [torch.cat([g.flatten() for g in torch.autograd.grad(one, shared, retain_graph=True)]) for one in joined]
    ).double()
    weights = 3 * eq.UPGrad()(rows @ rows.T, joined.detach().double(), torch.arange(3))
    assert weights.max() / weights.min() > 1.01
    wanted = dict(zip(named, torch.autograd.grad(joined.sum(), named.values(), retain_graph=True), strict=True))
    pieces = (weights @ rows).float().split([p.numel() for p in shared])
    of = {id(p): piece for p, piece in zip(shared, pieces, strict=True)}
    wanted = {name: of.get(id(p), wanted[name]).reshape(p.shape) for name, p in named.items()}
    balance(eq.UPGrad(), trainer)
    model.criterion(predicted, batch)[0].backward()
    for name, p in named.items():
        torch.testing.assert_close(p.grad, wanted[name], rtol=1e-3, atol=1e-5 * float(wanted[name].abs().max()))


def test_the_example_runs(monkeypatch):
    seen, call = [], eq.Balancer.forward
    monkeypatch.setattr(eq.Balancer, "forward", lambda self, losses: seen.append(losses) or call(self, losses))
    runpy.run_path(str(EXAMPLES / "ultralytics_gains.py"), run_name="__main__")
    assert len(seen) == 20
    assert all(list(losses) == ["box", "cls", "dfl"] for losses in seen)
