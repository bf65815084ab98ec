"""BLEU of the captions that a network makes, against all references of their picture.

Papineni, Roukos, Ward, Zhu, BLEU: a Method for Automatic Evaluation of Machine Translation, ACL 2002.
"""

from collections import Counter
from collections.abc import Callable, Sequence

from torch import Tensor

from captioning.vocabulary import PADDING, Vocabulary
from equipoise.lab.cases.metrics import Metric
from equipoise.lab.metrics.table import metric

_ORDERS = (4, 1, 2, 3)  # the first is the primary metric
_RARE = "<rare>"  # a reference's word that the vocabulary lacks: no word that a network predicts equals it


def bleu_metrics(vocabulary: Vocabulary, longest: int, train: Tensor, validation: Tensor) -> tuple[Metric, ...]:
    """BLEU-4, then BLEU-1 to 3, of a corpus; the constant predictor gives the most frequent training caption.

    Outputs are [N, R T + T, V], as ``CaptionNetwork`` gives them in evaluation, targets [N, R T].

    Args:
        vocabulary: Of the captions.
        longest: T.
        train: The targets of the training split.
        validation: Those of the validation split.
    """
    counts = Counter(text for several in references(vocabulary, longest, train) for text in several)
    usual = min(counts, key=lambda text: (-counts[text], text))
    constant = [usual] * len(validation)
    known = references(vocabulary, longest, validation)
    return tuple(
        Metric(
            f"bleu-{order}",
            higher_is_better=True,
            perfect=1.0,
            trivial=corpus_bleu(constant, known, order),
            compute=_computed(vocabulary, longest, order),
        )
        for order in _ORDERS
    )


def references(vocabulary: Vocabulary, longest: int, targets: Tensor) -> list[list[str]]:
    """The captions of every picture, from targets [N, R T]."""
    return [
        [vocabulary.text(numbers, _RARE) for numbers in several if numbers[0] != PADDING]
        for several in targets.unflatten(1, (-1, longest)).tolist()
    ]


def made_captions(vocabulary: Vocabulary, longest: int, outputs: Tensor) -> list[str]:
    """The caption that the network made of each picture, from outputs [N, R T + T, V]."""
    return [vocabulary.text(numbers) for numbers in outputs[:, -longest:].argmax(dim=2).tolist()]


def corpus_bleu(captions: Sequence[str], known: Sequence[Sequence[str]], order: int) -> float:
    """BLEU of one caption for each picture against its references, 0 to 1, n-grams up to ``order`` words.

    >>> corpus_bleu(["a red ring on the left"], [["a red ring", "a red ring on the right"]], 1)  # 5 words of 6
    0.8333333333333334
    """
    bleu = metric("bleu", n_gram=order)
    bleu.update(list(captions), known)
    return float(bleu.compute())


def _computed(vocabulary: Vocabulary, longest: int, order: int) -> Callable[[Tensor, Tensor], float]:
    def compute(outputs: Tensor, targets: Tensor) -> float:
        made = made_captions(vocabulary, longest, outputs)
        return corpus_bleu(made, references(vocabulary, longest, targets), order)

    return compute
