"""What chapter 17 records: lists of rules, labels of channels, images that excite a channel, bounds."""

import pytest
import torch
from torch import Generator

from experiments.measures import certified, decision_list, moved_gradients, neuron_labels, top_images
from experiments.measures import toy_language as language
from experiments.measures.decision_list import DecisionList, answers_of, learnt, occurs
from tutorial_lib.datasets import fashion_mnist, planted_shapes
from tutorial_lib.models.zoo import load
from tutorial_lib.robustness.certificates import ball, gradient_bounds
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
                reach = decision_list.APART + 1
                near = [(a, b) for i, a in enumerate(words) for b in words[i + 1 : i + reach]]
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

    def test_where_all_agree_no_rule_is_made(self):
        answers = torch.ones(300, dtype=torch.long)
        rules = learnt(language.as_image(self.sentences), answers, torch.arange(60)[:, None].expand(60, 2))
        assert len(rules.classes) == 0 and rules.otherwise == 1


class TestNeuronLabels:
    shapes = planted_shapes(60, generator=chance(0))

    def test_concepts_say_what_is_seen(self):
        truth = neuron_labels.concepts(self.shapes)
        assert truth.shape == (60, len(neuron_labels.CONCEPTS))
        assert torch.equal(truth[:, :6].int().argmax(1), self.shapes.targets)
        assert (truth[:, :6].sum(1) == 1).all()
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


class TestTopImages:
    """On 300 training images and few steps."""

    @pytest.fixture(scope="class")
    def case(self):
        data = fashion_mnist("train")
        x, target, model = data.images[:300], data.targets[:300], load("fashion_natural_100")
        return model, x, target, top_images.channels(model, x)

    def test_the_top_images_have_the_highest_means(self, case):
        model, x, _, which = case
        seen = {}
        with model.layers[6].register_forward_hook(lambda _m, _i, output: seen.update(out=output)):
            logits(model, x[:100])
        means = seen["out"][:100].mean((2, 3))
        assert torch.allclose(top_images.excitations(model, x)[:64], means[:64], atol=1e-6)
        top = top_images.top_images(model, x, which)
        assert top.shape == (32, 3) and len(set(which.tolist())) == 32
        all_means = top_images.excitations(model, x)[:, which]
        for k in range(32):
            others = [i for i in range(300) if i not in top[k].tolist()]
            assert all_means[top[k], k].min() >= all_means[others, k].max()

    def test_overlap_counts_common_images(self):
        first = torch.tensor([[1, 2, 3, 4], [5, 6, 7, 8]])
        second = torch.tensor([[4, 3, 9, 10], [1, 2, 3, 4]])
        assert top_images.overlap(first, second).tolist() == [0.5, 0]

    def test_the_tuning_moves_the_top_images_and_the_control_hardly_does(self, case, monkeypatch):
        monkeypatch.setattr(top_images, "STEPS", 150)
        model, x, target, which = case
        before = {key: value.clone() for key, value in model.state_dict().items()}
        found, answers = {}, logits(model, x).softmax(1)
        for weight in (0.0, 1.0):
            changed = top_images.tuned(model, x, answers, which, weight=weight, generator=chance(7))
            found[weight] = top_images.compared(model, changed, which, x, target)
        assert found[1.0]["overlap"].mean() < 0.3 < 0.5 < found[0.0]["overlap"].mean()
        assert found[1.0]["lost"].mean() < 0.1 and set(found[1.0]["lost"].tolist()) <= {-1, 0, 1}
        assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


class TestCertified:
    def test_random_networks_depend_on_their_seed_alone(self):
        first, other = moved_gradients.random_networks(100), moved_gradients.random_networks(101)
        torch.rand(3)
        again = moved_gradients.random_networks(100)
        for key, value in first.items():
            assert torch.equal(value, again[key]) and (key == "broken" or not torch.equal(value, other[key]))

    def test_the_attack_stays_in_the_ball_and_under_the_bound(self):
        found = moved_gradients.random_networks(3)
        assert found["bound"].shape == (100,) and not found["broken"].any()
        assert (found["attack"] > 0).all() and (found["attack"] < found["bound"]).all()

    def test_an_attack_finds_what_a_softplus_unit_can_do(self):
        """One unit in two inputs: its gradient moves most at a corner of the ball."""
        model = torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.Softplus(moved_gradients.BETA)).double()
        model[0].weight.data = torch.tensor([[3.0, -1.0]]).double()
        model[0].bias.data = torch.zeros(1).double()
        model, x = model.eval().requires_grad_(False), torch.tensor([[0.3, 0.5]]).double()
        reach, z = moved_gradients.EPSILON * 4, 0.4
        ends = torch.tensor([z - reach, z, z + reach]).double()
        slopes = (moved_gradients.BETA * ends).sigmoid()
        most = max(slopes[1] - slopes[0], slopes[2] - slopes[1]) * 10**0.5
        found = moved_gradients.of_network(model, x, torch.tensor([0]))
        assert found["attack"].item() == pytest.approx((most / slopes[1] / 10**0.5).item(), rel=1e-6)
        assert found["bound"].item() == pytest.approx(found["attack"].item(), rel=1e-6)

    def test_the_objective_adds_the_width_of_the_bounds(self):
        model, x = certified.built(), fashion_mnist("train").images[:8]
        target = fashion_mnist("train").targets[:8]
        plain = torch.nn.functional.cross_entropy(model(x), target)
        low, high = gradient_bounds(model, ball(x, epsilon=moved_gradients.EPSILON), target)
        width = (high - low).square().sum((1, 2, 3)).sqrt().mean()
        loss = certified.bounded(model, x, target, chance(0))
        assert loss.item() == pytest.approx((plain + certified.WEIGHT * width).item(), rel=1e-5)
        loss.backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
