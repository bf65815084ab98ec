"""Two targets of molecules by chemprop, after its notebook of training, with missing labels."""

import lightning
import numpy as np
import torch
from chemprop import data, featurizers, models, nn
from rdkit.Chem import Crippen, Descriptors, MolFromSmiles


def main():
    lightning.seed_everything(0)
    mols = [MolFromSmiles("C" * length + end) for length in range(1, 17) for end in ("O", "N", "F", "c1ccccc1")]
    ys = np.array([[Crippen.MolLogP(mol), Descriptors.TPSA(mol)] for mol in mols])
    ys[np.random.RandomState(0).rand(*ys.shape) < 0.3] = np.nan
    all_data = [data.MoleculeDatapoint(mol, y) for mol, y in zip(mols, ys)]
    train_dset = data.MoleculeDataset(all_data, featurizers.SimpleMoleculeMolGraphFeaturizer())
    scaler = train_dset.normalize_targets()
    train_loader = data.build_dataloader(train_dset, batch_size=8, num_workers=0)
    output_transform = nn.UnscaleTransform.from_standard_scaler(scaler)
    ffn = nn.RegressionFFN(n_tasks=2, hidden_dim=32, input_dim=32, output_transform=output_transform)
    mpnn = models.MPNN(nn.BondMessagePassing(d_h=32), nn.MeanAggregation(), ffn, batch_norm=True)
    trainer = lightning.Trainer(
        logger=False, enable_checkpointing=False, enable_progress_bar=False, accelerator="cpu", devices=1, max_epochs=2
    )
    trainer.fit(mpnn, train_loader)
    torch.save(mpnn.state_dict(), "model.pt")


if __name__ == "__main__":
    main()
