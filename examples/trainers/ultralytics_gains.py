"""Ultralytics: ``yolo.add_callback("on_train_start", partial(balance, eq.UPGrad()))``; box, cls and dfl of YOLOv8n."""

from functools import partial
from pathlib import Path

import cv2
import numpy as np
from ultralytics import YOLO
from ultralytics.utils.torch_utils import unwrap_model

import equipoise as eq


def loss(criterion, balancer, predicted, batch):
    joined, items = criterion(predicted, batch)  # box, cls and dfl, by their gains
    return balancer(dict(zip(balancer.names, joined, strict=True))), items


def balance(method, trainer):
    model = unwrap_model(trainer.model)
    trainer.balancer = eq.Balancer(method, model.model[:-1], tasks=["box", "cls", "dfl"])  # all but the heads
    model.criterion = partial(loss, model.init_criterion(), trainer.balancer)


def drawn(folder, count=32):
    draw = np.random.default_rng(0)
    folder.mkdir()
    for k, (x, y, kind) in enumerate(draw.integers((12, 12, 0), (52, 52, 2), (count, 3)).tolist()):
        picture = draw.integers(0, 90, (64, 64, 3), dtype=np.uint8)
        picture[y - 10 : y + 10, x - 10 : x + 10, kind] = 250
        cv2.imwrite(str(folder / f"{k}.png"), picture)
        (folder / f"{k}.txt").write_text(f"{kind} {x / 64} {y / 64} {20 / 64} {20 / 64}")
    (folder / "data.yaml").write_text(f"path: {folder.resolve()}\ntrain: .\nval: .\nnames: [green, blue]\n")
    return {"data": folder / "data.yaml", "imgsz": 64, "batch": 8, "nbs": 8, "plots": False, "workers": 0}


if __name__ == "__main__":
    yolo = YOLO("yolov8n.yaml")
    yolo.add_callback("on_train_start", partial(balance, eq.UPGrad()))
    yolo.train(**drawn(Path("squares")), epochs=5, warmup_epochs=0, device="cpu")
