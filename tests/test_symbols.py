"""What chapter 17 records of symbols: lists of rules, labels of channels, images that excite a channel."""

import copy

import pytest
import torch
from torch import Generator

from experiments.measures import certified, decision_list, neuron_labels, top_images
from experiments.measures import toy_language as language
from experiments.measures.decision_list import DecisionList, answers_of, learnt, occurs
from tutorial_lib.datasets import fashion_mnist, planted_shapes
from tutorial_lib.models.fashion import FashionCNN
from tutorial_lib.models.zoo import load
from tutorial_lib.scores import logits


def chance(number: int) -> Generator:
    return Generator().manual_seed(number)


class TestDecisionList:
    sentences = language.sentences(300, generator=chance(0))

    def test_a_skipgram_occurs_where_its_words_stand_in_order_and_near(self):
        pairs = torch.randint(60, (40, 2), generator=chance(1))
        pairs[:10, 1] = pairs[:10, 0]
        found = occurs(language.as_image(self.sentences), pairs)
        for (first, second), row in zip(pairs.tolist(), found, strict=True):
            for words, there in zip(self.sentences.tolist(), row.tolist(), strict=True):
                if first == second:
                    assert there == (first in words)
                    continue
                near = [(a, b) for i, a in enumerate(words) for b in words[i + 1 : i + 1 + decision_list.APART]]
                assert there == ((first, second) in near)

    def test_the_first_rule_that_applies_decides(self):
        x = language.as_image(self.sentences)
        a, b = self.sentences[0, :2].tolist()
        rules = DecisionList(torch.tensor([[a, a], [b, b]]), torch.tensor([1, 0]), 1)
        wanted = [1 if a in words else 0 if b in words else 1 for words in self.sentences.tolist()]
        assert answers_of(rules, x).tolist() == wanted
        none = DecisionList(torch.zeros(0, 2, dtype=torch.long), torch.zeros(0, dtype=torch.long), 1)
        assert (answers_of(none, x) == 1).all()

    def test_a_list_learns_a_rule_that_decides_alone(self):
        """Sentences with one word are 1, all others 0: one rule and a default."""
        x = language.as_image(self.sentences)
        word = language.WORDS.index("not")
        answers = (self.sentences == word).any(1).long()
        singles = torch.arange(60)[:, None].expand(60, 2)
        rules = learnt(x, answers, singles)
        assert rules.skipgrams[0].tolist() == [word, word] and rules.classes[0] == 1
        assert torch.equal(answers_of(rules, x), answers)

    def test_noise_makes_no_rules(self, monkeypatch):
        monkeypatch.setattr(decision_list, "PRIOR", 10_000)
        answers = torch.ones(300, dtype=torch.long)
        rules = learnt(language.as_image(self.sentences), answers, torch.arange(60)[:, None].expand(60, 2))
        assert len(rules.classes) == 0 and rules.otherwise == 1


class TestNeuronLabels:
    shapes = planted_shapes(60, generator=chance(0))

    def test_concepts_say_what_is_seen(self):
        truth = neuron_labels.concepts(self.shapes)
        assert truth.shape == (60, len(neuron_labels.CONCEPTS))
        assert torch.equal(truth[:, :6].int().argmax(1), self.shapes.targets) and (truth[:, :6].sum(1) == 1).all()
        named = dict(zip(neuron_labels.CONCEPTS, truth.T, strict=True))
        rows = [mask.nonzero().float().mean(0) for mask in self.shapes.masks]
        for i, (row, column) in enumerate(rows):
            assert not (named["top"][i] and row > 32) and not (named["left"][i] and column > 32)
            assert not (named["bottom"][i] and row < 32) and not (named["right"][i] and column < 32)
        for i in named["red shape"].nonzero()[:, 0]:
            colour = self.shapes.images[i][:, self.shapes.masks[i]].mean(1)
            assert colour[0] > colour.mean() + 0.09
        assert 0 < named["red shape"].sum() < 60 and 0 < named["bright ground"].sum() < 60

    def test_the_classifier_reads_these_numbers(self):
        model = load("shapes_natural_100")
        means = neuron_labels.channel_means(model, self.shapes.images)
        assert torch.allclose(model.classifier(means), logits(model, self.shapes.images), atol=1e-4)

    def test_a_channel_that_follows_a_concept_gets_its_name(self):
        truth = neuron_labels.concepts(self.shapes)
        active = truth[:, [3, 14, 7]]
        assert neuron_labels.labels(active, truth).tolist() == [3, 14, 7]

    def test_precision_counts_true_labels_of_active_channels(self):
        truth = torch.tensor([[True, False], [False, True]])
        active = torch.tensor([[True, True, False], [True, False, False]])
        label = torch.tensor([0, 1, 0])
        found = neuron_labels.precision(active, truth, label)
        assert found[:, :2].tolist() == [[2, 1], [1, 0]]
        assert found[:, 2].tolist() == pytest.approx([2 * 2 / 3, 1 / 3])
