"""sentence-transformers, data sets in turn: ``balance(trainer, eq.InTurn(eq.MGDA()), tasks=[...])``."""

import sentence_transformers as st
import torch
from datasets import Dataset
from sentence_transformers.sentence_transformer.losses import CosineSimilarityLoss, MultipleNegativesRankingLoss
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer, models, pre_tokenizers

import equipoise as eq
from equipoise.trainers.sentence_transformers import balance


def made_trainer(losses=(MultipleNegativesRankingLoss, CosineSimilarityLoss), **options):
    torch.manual_seed(0)
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0} | {f"w{i}": i + 1 for i in range(50)}, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    model = st.SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=16)], device="cpu")
    one = [f"w{i % 50} w{i % 7}" for i in range(128)]
    other = [f"w{i % 50} w{i % 5}" for i in range(128)]
    data = {
        "pairs": Dataset.from_dict({"anchor": one, "positive": other}),
        "scored": Dataset.from_dict({"one": one, "other": other[::-1], "score": [i % 3 / 2 for i in range(128)]}),
    }
    options = {"report_to": [], "save_strategy": "no", "use_cpu": True, "logging_steps": 2} | options
    arguments = st.SentenceTransformerTrainingArguments(
        "runs", per_device_train_batch_size=16, multi_dataset_batch_sampler="round_robin", **options
    )
    loss = {name: made(model) for name, made in zip(data, losses, strict=True)}
    return st.SentenceTransformerTrainer(model, arguments, data, loss=loss)


if __name__ == "__main__":
    trainer = made_trainer(learning_rate=0.05, num_train_epochs=8)
    balance(trainer, eq.InTurn(eq.MGDA()), tasks=["pairs", "scored"])
    trainer.train()
