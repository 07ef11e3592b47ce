"""A toy language of film reviews whose synonyms are known, and networks that read it (C133, C138)."""

from dataclasses import replace
from functools import cache

import torch
from torch import Generator, Tensor, nn

from tutorial_lib.attribution.gradients import gradient_x_input
from tutorial_lib.attribution.pixels import sum_over_colour
from tutorial_lib.robustness.training import RECIPES, Objective, as_they_are, natural, train
from tutorial_lib.scores import loss_and_gradient

SYNONYMS = {  # the most frequent first
    "film": "film movie picture feature flick", "cast": "cast actors players ensemble performers",
    "plot": "plot story script narrative tale", "music": "music score soundtrack songs tunes",
    "is": "is seems looks feels remains", "also": "also clearly indeed again still",
    "not": "not never hardly scarcely barely", "very": "very truly highly deeply hugely",
    "good": "good great fine excellent superb", "warm": "warm charming lovely tender sweet",
    "bad": "bad poor awful dreadful terrible", "dull": "dull boring flat slow tedious",
}
FREQUENCY = torch.tensor([0.5, 0.25, 0.13, 0.08, 0.04])
NAMES, WORDS = tuple(SYNONYMS), tuple(word for words in SYNONYMS.values() for word in words.split())
CLASS = torch.arange(len(WORDS)) // 5
CLAUSES, LENGTH = 3, 15  # a clause: noun, verb, "not" or a filler, "very" or a filler, adjective
TRAINING, SWAPS = 1000, 2


def sentences(n: int, *, generator: Generator) -> Tensor:
    """Numbers of words, (n, 15): three clauses; "not" and "very" stand in three of ten each."""
    def pick(*names: str, often: tuple[float, ...] = ()) -> Tensor:
        odds = torch.tensor(often or (1.0,) * len(names))
        drawn = torch.multinomial(odds, 2 * n * CLAUSES, replacement=True, generator=generator)
        return torch.tensor([NAMES.index(name) for name in names])[drawn]

    slots = (pick("film", "cast", "plot", "music"), pick("is"), pick("also", "not", often=(0.7, 0.3)),
             pick("also", "very", often=(0.7, 0.3)), pick("good", "warm", "bad", "dull"))
    classes = torch.stack(slots, 1).view(2 * n, LENGTH)
    one = torch.multinomial(FREQUENCY, classes.numel(), replacement=True, generator=generator)
    words = 5 * classes + one.view_as(classes)
    return words[meaning(words) != 0][:n]


def meaning(words: Tensor) -> Tensor:
    """The sum over the clauses: 1 for praise, -1 for blame, the opposite after "not", twice after "very"."""
    names = [[NAMES[c] for c in row] for row in CLASS[words].view(-1, 5).tolist()]
    value = [(1 if adjective in ("good", "warm") else -1) * (-1 if no == "not" else 1)
             * (2 if much == "very" else 1) for _, _, no, much, adjective in names]
    return torch.tensor(value).view(len(words), CLAUSES).sum(1)


def as_image(words: Tensor) -> Tensor:
    """A sentence as an image of one row with a channel for each word: (N, 15) -> (N, words, 1, 15)."""
    return nn.functional.one_hot(words, len(WORDS)).float().transpose(1, 2)[:, :, None]


def data(n: int, *, seed: int) -> tuple[Tensor, Tensor]:
    """Images and whether the sentence praises."""
    words = sentences(n, generator=Generator().manual_seed(seed))
    return as_image(words), (meaning(words) > 0).long()


def replaced(x: Tensor, slope: Tensor, *, swaps: int) -> Tensor:
    """The sentences after the `swaps` synonyms that, by the `slope`, raise a score most."""
    gain = slope - (slope * x).sum(1, keepdim=True)
    same = torch.einsum("vw,nwil->nvil", (CLASS[:, None] == CLASS).to(x), x) > 0
    most = gain.masked_fill(~same, -torch.inf).max(1)
    worst = nn.functional.one_hot(most.indices, len(WORDS)).movedim(-1, 1).to(x)
    places = torch.zeros_like(most.values).scatter(-1, most.values.topk(swaps, dim=-1).indices, 1.0)
    return torch.where(places[:, None] > 0, worst, x)


def against_synonyms(model: nn.Module, x: Tensor, target: Tensor, generator: Generator) -> Tensor:
    """min over θ of E max over synonyms of L: half of the loss on sentences in which synonyms were swapped
    where, to first order, it hurts most."""
    worst = replaced(x, loss_and_gradient(model, x, target)[1], swaps=SWAPS)
    return (natural(model, x, target, generator) + natural(model, worst, target, generator)) / 2


def built() -> nn.Sequential:
    """Each word a vector of 16 numbers, two convolutions over three words, a mean, two classes."""
    return nn.Sequential(
        nn.Conv2d(len(WORDS), 16, 1, bias=False), nn.Conv2d(16, 32, (1, 3), padding=(0, 1)), nn.ReLU(),
        nn.Conv2d(32, 32, (1, 3), padding=(0, 1)), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(32, 2),
    )


@cache
def reader(seed: int, objective: Objective = natural) -> nn.Module:
    """A network trained on 1,000 sentences of generator seed 1."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = built()
    recipe = replace(RECIPES["fashion_natural"], data=lambda _folder, _cue: data(TRAINING, seed=1),
                     objective=objective, augment=as_they_are, epochs=20)
    return train(recipe, model, seed=seed, device="cpu", folder=None)


def heat(model: nn.Module, x: Tensor, target: Tensor) -> Tensor:
    """Gradient x Input of each word, (N, 15)."""
    return sum_over_colour(gradient_x_input(model, x, target))[:, 0]
