"""C138: a list of rules over skipgrams that answers like a network that reads the toy language."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from experiments.measures.toy_language import data, heat, reader
from experiments.runner import Quantity
from tutorial_lib.scores import logits

SEEN, SENTENCES, TOP, APART, MOST, PRIOR = 4000, 500, 3, 4, 30, 80


class DecisionList(NamedTuple):
    """Rules in their order: a skipgram (first word, second word; one word twice stands for that word alone)
    and the class that it means; `otherwise` for sentences in which none occurs."""

    skipgrams: Tensor
    classes: Tensor
    otherwise: int


def occurs(x: Tensor, skipgrams: Tensor) -> Tensor:
    """Whether the second word follows the first within `APART` places, or the single word stands anywhere.
    sentences (N, words, 1, 15), skipgrams (K, 2) -> (K, N)"""
    return torch.cat([_in_part(x, part) for part in skipgrams.split(100)])


def _in_part(x: Tensor, skipgrams: Tensor) -> Tensor:
    first, second = (x[:, words, 0].transpose(0, 1) for words in skipgrams.unbind(1))
    found = (first.amax(-1) > 0) & (skipgrams[:, 0] == skipgrams[:, 1])[:, None]
    for gap in range(1, APART + 1):
        follows = (first[..., :-gap] * second[..., gap:]).amax(-1) > 0
        found |= follows & (skipgrams[:, :1] != skipgrams[:, 1:])
    return found


def important(model: nn.Module, x: Tensor) -> Tensor:
    """The words with the `TOP` highest absolute values of the map of each sentence, for the class that the
    model gives, and their ordered pairs: skipgrams (K, 2), each once."""
    places = heat(model, x, logits(model, x).argmax(1)).abs().topk(TOP, dim=1).indices.sort(1).values
    words = x[:, :, 0].argmax(1).gather(1, places)
    pairs = [words[:, [i, j]] for i in range(TOP) for j in range(i, TOP)]
    return torch.cat(pairs).unique(dim=0)


def learnt(x: Tensor, answers: Tensor, skipgrams: Tensor) -> DecisionList:
    """One rule after the other, `MOST` at most: the skipgram whose sentences, of those that no rule has yet,
    agree most; their share is estimated as (hits + m p) / (n + m), p being the share among all that are left
    and m the `PRIOR`. It ends when none agrees more than all that are left."""
    covers, left, rules = occurs(x, skipgrams).double(), torch.ones(len(x)).double(), []
    said = nn.functional.one_hot(answers, 2).double()
    while len(rules) < MOST and left.any():
        hits, rest = (covers * left) @ said, left @ said / left.sum()
        agree = (hits + PRIOR * rest) / (hits.sum(1, keepdim=True) + PRIOR)
        if agree.max() <= rest.max():
            break
        rules.append(divmod(int(agree.argmax()), 2))
        left = left * (1 - covers[rules[-1][0]])
    numbers = torch.tensor(rules, dtype=torch.long).view(-1, 2)
    rest = left @ said if left.any() else said.sum(0)
    return DecisionList(skipgrams[numbers[:, 0]], numbers[:, 1], int(rest.argmax()))


def answers_of(rules: DecisionList, x: Tensor) -> Tensor:
    """The class of the first rule that applies, (N,)."""
    found = torch.cat([occurs(x, rules.skipgrams), torch.ones(1, len(x), dtype=torch.bool)])
    classes = torch.cat([rules.classes, torch.tensor([rules.otherwise])])
    return classes[found.int().argmax(0)]


def lists() -> Quantity:
    """One network a seed, and its list."""
    def measure(seed: int) -> dict:
        model, (x, _), (tests, target) = reader(seed), data(SEEN, seed=1), data(SENTENCES, seed=7)
        said, answers = logits(model, x).argmax(1), logits(model, tests).argmax(1)
        rules = learnt(x, said, important(model, x))
        told = answers_of(rules, tests)
        return {
            "list": told == answers, "majority": said.mode().values == answers,
            "model right": (answers == target).double().mean(), "rules": torch.tensor(len(rules.classes)),
            "list right": (told == target).double().mean(),
        }

    def stored(found: dict) -> dict:
        return {key: v.long() if key in ("list", "majority", "rules") else v for key, v in found.items()}

    return Quantity({
        "claims": ["C138"], "network": "as in swaps, natural", "language": "as in swaps",
        "learnt from": f"the network's answers to {SEEN} sentences of generator seed 1",
        "sentences": f"{SENTENCES} of generator seed 7, not selected",
        "skipgrams": f"the {TOP} words of each sentence with the largest |Gradient x Input|, and their "
        f"pairs, at most {APART} places apart",
        "rules": f"at most {MOST}, each the one whose sentences agree most, as if {PRIOR} more agreed like "
        "all that are left", "list": "1 where the list answers like the network: seeds x sentences",
        "majority": "the same for a list without rules: the network's most frequent answer",
        "model right, list right": "share of right answers: seeds", "threads": 1,
    }, measure, stored)
