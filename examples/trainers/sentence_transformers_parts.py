"""sentence-transformers: ``balance(trainer, eq.UPGrad(), tasks=[...])``; a ranking loss and two regularisers."""

import sentence_transformers as st
import torch
from datasets import Dataset
from sentence_transformers.sentence_transformer import losses
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer, models, pre_tokenizers

import equipoise as eq
from equipoise.trainers.sentence_transformers import balance


class RankingAndSpread(torch.nn.Module):
    def __init__(self, model) -> None:
        super().__init__()
        self.model, self.ranking = model, losses.MultipleNegativesRankingLoss(model)
        self.spread = losses.GlobalOrthogonalRegularizationLoss(model)

    def forward(self, features, labels=None):
        both = [self.model(feature)["sentence_embedding"] for feature in features]
        ranking = self.ranking.compute_loss_from_embeddings(both, labels)
        return {"ranking": ranking, **self.spread.compute_loss_from_embeddings(both, labels)}


def made_trainer(loss=RankingAndSpread, **options):
    torch.manual_seed(0)
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0} | {f"w{i}": i + 1 for i in range(50)}, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    model = st.SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=16)], device="cpu")
    pairs = {name: [f"w{i % 50} w{i % n}" for i in range(128)] for name, n in {"anchor": 7, "positive": 5}.items()}
    options = {"report_to": [], "save_strategy": "no", "use_cpu": True, "logging_steps": 5} | options
    arguments = st.SentenceTransformerTrainingArguments("runs", per_device_train_batch_size=16, **options)
    return st.SentenceTransformerTrainer(model, arguments, Dataset.from_dict(pairs), loss=loss(model))


if __name__ == "__main__":
    trainer = made_trainer(learning_rate=0.05, num_train_epochs=8)
    balance(trainer, eq.UPGrad(), tasks=["ranking", "gor_mean", "gor_second_moment"])
    trainer.train()
