"""Segmentation of one class with MONAI, after its tutorial of a 2-D U-Net, on the discs that MONAI draws."""

import numpy as np
import torch
from monai.data import DataLoader, Dataset, create_test_image_2d
from monai.losses import DiceCELoss
from monai.networks.nets import UNet
from monai.utils import set_determinism


def pairs(number):
    random = np.random.RandomState(0)
    drawn = [create_test_image_2d(32, 32, rad_max=10, num_seg_classes=1, random_state=random) for _ in range(number)]
    return [{"image": image[None].astype("float32"), "label": label[None].astype("float32")} for image, label in drawn]


def main():
    set_determinism(0)
    loader = DataLoader(Dataset(pairs(48)), batch_size=4, shuffle=True)
    model = UNet(spatial_dims=2, in_channels=1, out_channels=1, channels=(8, 16, 32), strides=(2, 2), num_res_units=1)
    loss_function = DiceCELoss(sigmoid=True)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    for _ in range(1):
        model.train()
        for batch in loader:
            inputs, labels = batch["image"], batch["label"]
            optimizer.zero_grad()
            outputs = model(inputs)
            loss = loss_function(outputs, labels)
            loss.backward()
            optimizer.step()
    torch.save(model.state_dict(), "model.pt")


if __name__ == "__main__":
    main()
