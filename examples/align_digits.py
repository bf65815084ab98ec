"""Two modalities, two tasks: match pictures of digits with their names, and classify the pictures.

    python examples/align_digits.py

Pictures are scikit-learn's 8×8 digits, texts are spelled names ("seven", "a seven", "digit seven"), read by letter.
The contrastive loss sees many texts of the same digit in a batch; it is symmetric cross-entropy with each pair's own
partner as the target, as in CLIP. Recall@1: how often the nearest of the ten names is the picture's.
"""

import torch
from sklearn.datasets import load_digits
from torch import nn

import equipoise as eq
from equipoise import losses

NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
PATTERNS = ["{}", "a {}", "digit {}", "the number {}"]
LETTERS = " abcdefghijklmnopqrstuvwxyz"
EPOCHS, BATCH, LENGTH = 15, 64, 16


def spelled(text: str) -> list[int]:
    return [LETTERS.index(letter) for letter in text.ljust(LENGTH)]


class Model(nn.Module):
    """Two encoders into one space; the head reads the pictures' features."""

    def __init__(self) -> None:
        super().__init__()
        self.pictures = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU())
        self.letters = nn.Embedding(len(LETTERS), 32)
        self.reader = nn.GRU(32, 64, batch_first=True)
        self.project_picture, self.project_text = nn.Linear(64, 32), nn.Linear(64, 32)
        self.head = nn.Linear(64, 10)

    def embed_text(self, texts):
        return self.project_text(self.reader(self.letters(texts))[1][0])

    def forward(self, pictures, texts):
        features = self.pictures(pictures)
        return {"align": (self.project_picture(features), self.embed_text(texts)), "digit": self.head(features)}


def main() -> None:
    torch.manual_seed(0)
    digits = load_digits()
    order = torch.randperm(len(digits.data))
    pictures = torch.tensor(digits.data / 16, dtype=torch.float32)[order]
    labels = torch.tensor(digits.target)[order]
    texts = torch.tensor([[spelled(pattern.format(name)) for pattern in PATTERNS] for name in NAMES])
    model = Model()
    tasks = eq.Tasks(
        [
            eq.Task("align", losses.InfoNCELoss(), target=None),
            eq.Task("digit", nn.CrossEntropyLoss()),
        ]
    )
    balancer = eq.Balancer(eq.PCGrad(), model, tasks=tasks)
    optimizer = torch.optim.Adam([*model.parameters(), *tasks.parameters()], lr=2e-3)

    @torch.no_grad()
    def scores() -> tuple[float, float]:
        outputs = model(pictures[1400:], texts[labels[1400:], 0])
        names = nn.functional.normalize(model.embed_text(texts[:, 0]), dim=1)
        nearest = (nn.functional.normalize(outputs["align"][0], dim=1) @ names.T).argmax(dim=1)
        hits = (nearest == labels[1400:], outputs["digit"].argmax(dim=1) == labels[1400:])
        return tuple(hit.double().mean().item() for hit in hits)

    recall, accuracy = scores()
    print(f"untrained  recall@1 {recall:.3f}  accuracy {accuracy:.3f}")
    for epoch in range(EPOCHS):
        for rows in torch.randperm(1400).split(BATCH):
            spelling = texts[labels[rows], torch.randint(len(PATTERNS), (len(rows),))]
            optimizer.zero_grad()
            balancer(tasks.losses(model(pictures[rows], spelling), {"digit": labels[rows]})).backward()
            optimizer.step()
        if epoch % 5 == 4:
            recall, accuracy = scores()
            print(f"epoch {epoch + 1:3}  recall@1 {recall:.3f}  accuracy {accuracy:.3f}  {balancer.record.weights}")


if __name__ == "__main__":
    main()
