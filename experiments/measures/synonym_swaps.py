"""C133: what two swapped words do to the map of a sentence, before and after adversarial training."""

from collections.abc import Callable

import torch
from torch import Generator, Tensor, nn

from experiments.measures.toy_language import (
    CLASS,
    LENGTH,
    SWAPS,
    TRAINING,
    WORDS,
    against_synonyms,
    as_image,
    data,
    heat,
    reader,
)
from experiments.runner import Quantity
from tutorial_lib.evaluation.agreement import rank_correlations
from tutorial_lib.notebook.samples import SEEDS, balanced
from tutorial_lib.robustness.training import natural
from tutorial_lib.scores import logits

SENTENCES = 500
OBJECTIVES = {"natural": natural, "adversarial": against_synonyms}
Candidates = Callable[[Tensor], Tensor]  # words (N, 15) -> what may stand in their place (N, 15, k)


def synonyms(words: Tensor) -> Tensor:
    """The four other words of the class."""
    others = torch.arange(1, 5)
    return 5 * CLASS[words][..., None] + (words[..., None] + others) % 5


def any_word(words: Tensor) -> Tensor:
    """All other words."""
    return (words[..., None] + torch.arange(1, len(WORDS))) % len(WORDS)


def four_words(words: Tensor) -> Tensor:
    """Four other words, drawn by lot: as many as there are synonyms."""
    draws = torch.rand(*words.shape, len(WORDS) - 1, generator=Generator().manual_seed(7))
    return any_word(words).gather(-1, draws.argsort(-1)[..., :4])


def damage(model: nn.Module, words: Tensor, target: Tensor, candidates: Candidates) -> Tensor:
    """1 - rho of the absolute maps before and after the `SWAPS` swaps that damage it most, one after the
    other, at places of their own; the decision is kept.  -> (N,)"""
    before, now, most = heat(model, as_image(words), target), words, torch.zeros(len(words)).double()
    allowed, taken = candidates(words), torch.zeros_like(words, dtype=torch.bool)
    for _ in range(SWAPS):
        start, best, where = now, now, torch.full_like(target, LENGTH)
        for place in range(LENGTH):
            for word in allowed[:, place].unbind(-1):
                tried = start.clone()
                tried[:, place] = word
                loss = 1 - rank_correlations(before, heat(model, as_image(tried), target))
                kept = logits(model, as_image(tried)).argmax(1) == target
                better = kept & ~taken[:, place] & (loss > most)
                most, best = loss.where(better, most), tried.where(better[:, None], best)
                where = torch.where(better, place, where)
        now = best
        taken |= torch.arange(LENGTH) == where[:, None]
    return most


SWAPPED = {"synonyms": synonyms, "any word": any_word, "four words": four_words}


def measured(models: dict[str, nn.Module], x: Tensor, target: Tensor) -> dict[str, dict]:
    """Damage by each kind of swaps to each network, (N,)."""
    words = x[:, :, 0].argmax(1)
    return {kind: {name: damage(model, words, target, which) for name, which in SWAPPED.items()}
            for kind, model in models.items()}


def swaps() -> Quantity:
    """Two networks a seed on the same sentences."""
    def measure(seed: int) -> dict:
        x, target = data(3 * SENTENCES, seed=7)
        readers = [reader(s, objective) for objective in OBJECTIVES.values() for s in SEEDS]
        chosen = balanced(readers, x, target, n=SENTENCES)
        models = {kind: reader(seed, objective) for kind, objective in OBJECTIVES.items()}
        right = {kind: (logits(model, x).argmax(1) == target).double().mean()
                 for kind, model in models.items()}
        return {**measured(models, x[chosen], target[chosen]), "accuracy": right}

    return Quantity({
        "claims": ["C133"], "language": f"{len(WORDS)} words in classes of five synonyms, {LENGTH} words a "
        "sentence, generator seed 7", "sentences": f"{SENTENCES}, half of them praise, classified rightly by "
        "all ten networks", "networks": f"two convolutions over three words, trained on {TRAINING} "
        "sentences of generator seed 1", "method": "Gradient x Input of each word",
        "adversarial": f"half of the loss on sentences with {SWAPS} synonyms swapped where, to first order, "
        "the loss rises most",
        "swaps": f"{SWAPS} of the {LENGTH} words, one after the other, each time the one that lowers "
        "Spearman's correlation of the absolute maps most; the decision is kept",
        "four words": "of all words, drawn by lot for each place, generator seed 7: as many as synonyms",
        "values": "1 - rho, times 1,000: network, swaps: seeds x sentences",
        "accuracy": f"on the {3 * SENTENCES} sentences that were chosen from", "threads": 1,
        "dtype": "float32",
    }, measure, stored)


def stored(found: dict) -> dict:
    """Damage in thousandths, sentence by sentence for the swaps that a rule reads, and means of all."""
    damages = {kind: found[kind] for kind in OBJECTIVES}
    read = {"natural": ("synonyms", "any word"), "adversarial": ("synonyms",)}
    each = {kind: {name: (1000 * damages[kind][name]).round() for name in names}
            for kind, names in read.items()}
    return {
        **each,
        "mean": {kind: {name: v.mean(1) for name, v in each.items()} for kind, each in damages.items()},
        "accuracy": found["accuracy"],
    }
