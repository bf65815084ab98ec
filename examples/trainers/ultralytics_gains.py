"""Ultralytics: box, cls and dfl of a YOLOv8n balanced by any method, on pictures of squares and discs drawn here."""

from pathlib import Path

import cv2
import numpy as np
from ultralytics import YOLO
from ultralytics.utils.torch_utils import unwrap_model

import equipoise as eq


def balanced(method):
    def on_train_start(trainer):
        model = unwrap_model(trainer.model)
        criterion = model.init_criterion()
        trainer.balancer = eq.Balancer(method, model.model[:-1], tasks=["box", "cls", "dfl"])  # all but the heads

        def balance(preds, batch):
            joined, items = criterion(preds, batch)
            return trainer.balancer(dict(zip(trainer.balancer.names, joined, strict=True))), items

        model.criterion = balance

    return on_train_start


def drawn(folder, count=32, size=64):
    """Writes pictures and their labels; the path of the file that describes them."""
    draw = np.random.default_rng(0)
    for k in range(count):
        picture = draw.integers(0, 90, (size, size, 3), dtype=np.uint8)
        x, y, kind = *draw.integers(14, size - 14, 2).tolist(), int(draw.integers(2))
        if kind:
            cv2.circle(picture, (x, y), 10, (250, 200, 60), -1)
        else:
            cv2.rectangle(picture, (x - 10, y - 10), (x + 10, y + 10), (60, 200, 250), -1)
        for part, text in (("images", None), ("labels", f"{kind} {x / size} {y / size} {20 / size} {20 / size}")):
            (folder / part).mkdir(parents=True, exist_ok=True)
            (folder / part / f"{k}.txt").write_text(text) if text else cv2.imwrite(
                str(folder / part / f"{k}.png"), picture
            )
    (folder / "data.yaml").write_text(f"path: {folder.resolve()}\ntrain: images\nval: images\nnames: [square, disc]\n")
    return folder / "data.yaml"


if __name__ == "__main__":
    yolo = YOLO("yolov8n.yaml")
    yolo.add_callback("on_train_start", balanced(eq.UPGrad()))
    yolo.train(
        data=drawn(Path("drawn")), epochs=3, imgsz=64, batch=8, nbs=8, device="cpu", workers=0, plots=False, val=False
    )
    print(yolo.trainer.balancer.record)
