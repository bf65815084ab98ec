"""segmentation-models-pytorch with mixed precision, a GradScaler, and two batches a step."""

import segmentation_models_pytorch as smp
import torch

torch.manual_seed(0)
model = smp.Unet("resnet18", encoder_depth=3, encoder_weights=None, decoder_channels=(32, 16, 8), classes=3)
dice_loss = smp.losses.DiceLoss("multiclass")
focal_loss = smp.losses.FocalLoss("multiclass")
optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
scaler = torch.amp.GradScaler("cpu")
accumulation_steps = 2
for step in range(12):
    masks = torch.zeros(2, 32, 32, dtype=torch.long)
    masks[0, 4:16, 4:20], masks[1, 12:28, 8:24] = 1, 2
    images = masks[:, None].expand(2, 3, 32, 32) / 2 + 0.3 * torch.randn(2, 3, 32, 32)
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(images)
        loss = dice_loss(logits, masks) + 0.5 * focal_loss(logits, masks)
        loss = loss / accumulation_steps
    scaler.scale(loss).backward()
    if (step + 1) % accumulation_steps == 0:
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
torch.save(model.state_dict(), "model.pt")
