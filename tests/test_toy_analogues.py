"""What chapter 17 records of toys: tables with known effects, and a language with known synonyms."""

import pytest
import torch
from torch import Generator, nn

from experiments.measures import disagreement, tabular
from experiments.measures import synonym_swaps as swaps
from experiments.measures import toy_language as language
from experiments.measures.eight_methods import FAMILIES, NAMES, PAIRS, agreement, maps
from tutorial_lib.attribution.gradients import gradient_x_input, integrated_gradients
from tutorial_lib.evaluation.agreement import rank_correlation
from tutorial_lib.scores import logits


def chance(number: int) -> Generator:
    return Generator().manual_seed(number)


@pytest.fixture(scope="module")
def sets() -> tabular.Tables:
    return tabular.tables(4, 3000, generator=chance(0))


class TestTables:
    def test_effects_add_up_to_what_is_given_but_for_the_noise(self, sets):
        rest = sets.y - sets.effects.sum(-1)
        assert rest.std(1).allclose(torch.tensor(tabular.NOISE), rtol=0.1)

    def test_each_effect_has_mean_zero_and_the_size_that_it_should(self, sets):
        """Sizes fall by the gap, their squares add up to 1; 3,000 rows know them to a few percent."""
        assert sets.effects.mean(1).abs().max() < 0.06
        for number, gap in enumerate([*tabular.GAPS.values()] * 2):
            sizes = sets.effects[number].std(0).sort(descending=True).values
            wanted = gap ** torch.arange(10.0)
            assert torch.allclose(sizes, wanted / wanted.norm(), rtol=0.1)

    def test_the_two_of_a_pair_differ_in_their_gaps_alone(self, sets):
        assert torch.equal(sets.x[0], sets.x[1]) and not torch.equal(sets.x[0], sets.x[2])
        signs = (sets.effects[0] * sets.effects[1]).sign()
        assert (signs >= 0).all() and not torch.equal(sets.y[0], sets.y[1])
        assert sets.x.mean(1).min() > 0.9 and sets.x.mean(1).max() < 3.1

    def test_networks_learn_their_own_set(self, sets, monkeypatch):
        monkeypatch.setattr(tabular, "STEPS", 150)
        models = tabular.trained(sets, seed=0)
        missed = torch.stack([
            (model(sets.x[k][:, None, None])[:, 0] - sets.y[k]).var() / sets.y[k].var() for k, model in
            [(0, models[0]), (1, models[1]), (2, models[0])]
        ])
        assert missed[:2].max() < 0.7 and missed[2] > 1


class TestDisagreement:
    @pytest.fixture
    def case(self, sets):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Flatten(), nn.Linear(10, 8), nn.ReLU(), nn.Linear(8, 1)).eval()
        return model.requires_grad_(False), sets.x[0, :, None, None]

    def test_matched_maps_are_those_from_the_mean(self, case):
        model, x = case
        target, mean = torch.zeros(20, dtype=torch.long), x.mean(0, keepdim=True)
        found = maps(model, x[:20], target, some=x, size=1, matched=True)
        ig = integrated_gradients(model, x[:20], target, baseline=mean)
        gxi = gradient_x_input(model, x[:20], target) * (x[:20] - mean) / x[:20]
        by_name = dict(zip(NAMES, found, strict=True))
        assert torch.allclose(by_name["IG"], ig, atol=1e-5)
        assert torch.allclose(by_name["Gradient x Input"], gxi, atol=1e-5)

    def test_what_has_no_baseline_stays(self, case):
        model, x = case
        target = torch.zeros(5, dtype=torch.long)
        before, after = (maps(model, x[:5], target, some=x, size=1, matched=m) for m in (False, True))
        same = [name for name, a, b in zip(NAMES, before, after, strict=True) if torch.equal(a, b)]
        assert same == ["saliency", "SmoothGrad", "expected gradients", "occlusion"]

    def test_on_a_linear_model_all_matched_products_agree(self, sets):
        model = nn.Sequential(nn.Flatten(), nn.Linear(10, 4), nn.ReLU(), nn.Linear(4, 1)).eval()
        model[1].bias.data += 100  # no unit ever closes
        x, target = sets.x[0, :, None, None], torch.zeros(5, dtype=torch.long)
        model.requires_grad_(False)
        found = maps(model, x[:5], target, some=x, size=1, matched=True)
        assert torch.allclose(found[4], found[2], atol=1e-4) and torch.allclose(found[7], found[2], atol=1e-4)

    def test_a_family_that_is_left_out_takes_its_pairs_with_it(self):
        """All pairs agree at 0.5 before and 0.7 after, and by 0.1 less in small gaps; pairs with occlusion
        are spoilt."""
        found = {name: torch.full((5, 6, 28), value) for name, value in (("before", 0.5), ("after", 0.7))}
        found["after"][:, ::2] -= 0.1
        others = [i for i, pair in enumerate(PAIRS) if NAMES.index("occlusion") in pair]
        assert len(others) == 7
        found["after"][..., others] = 9.0
        left = disagreement.without(("occlusion",), found)
        assert left["match"][1].item() == pytest.approx(0.15) and left["match"][3] == 30
        assert left["gap"].tolist() == pytest.approx([-0.1, -0.1, -0.1, 15], abs=1e-6)
        assert disagreement.without(("IG",), found)["match"][1] > 1
        assert sorted(name for family in FAMILIES.values() for name in family) == sorted(NAMES)

    def test_every_pair_is_compared_once(self):
        found = torch.randn(8, 3, 1, 1, 10, generator=chance(1))
        shares = agreement(found)
        assert shares.shape == (28, 3)
        assert shares[-1, 2].item() == pytest.approx(rank_correlation(found[6, 2], found[7, 2]))


class TestLanguage:
    def test_meaning_by_hand(self):
        def means(text: str) -> int:
            return language.meaning(torch.tensor([[language.WORDS.index(w) for w in text.split()]])).item()

        assert means("film is also also good plot is not also dull cast looks also very bad") == 0
        assert means("film is never truly superb plot is not also dull cast looks again still bad") == -2
        assert means("songs seems also very sweet tale is also highly fine actors is also also lovely") == 5

    def test_sentences_are_balanced_frequent_words_are_frequent_and_none_is_neutral(self):
        words = language.sentences(3000, generator=chance(0))
        assert words.shape == (3000, 15) and (language.meaning(words) != 0).all()
        assert (language.meaning(words) > 0).float().mean().item() == pytest.approx(0.5, abs=0.04)
        counts = torch.bincount(words.flatten(), minlength=60).view(12, 5).float()
        assert torch.allclose(counts / counts.sum(1, keepdim=True), language.FREQUENCY, atol=0.03)

    def test_a_synonym_never_changes_the_meaning_and_other_words_do(self):
        words = language.sentences(50, generator=chance(0))
        for place in range(15):
            for word in swaps.synonyms(words)[:, place].unbind(-1):
                changed = words.clone()
                changed[:, place] = word
                assert (changed != words).any(1).all()
                assert torch.equal(language.meaning(changed), language.meaning(words))
        assert swaps.any_word(words).sort(-1).values.diff().min() == 1
        assert (swaps.any_word(words) != words[..., None]).all() and swaps.any_word(words).shape[-1] == 59
        assert swaps.four_words(words).shape == swaps.synonyms(words).shape

    def test_replaced_words_are_synonyms_where_the_slope_is_steepest(self):
        x = language.as_image(language.sentences(8, generator=chance(0)))
        slope = torch.randn(x.shape, generator=chance(1))
        y = language.replaced(x, slope, swaps=2)
        before, after = (part[:, :, 0].argmax(1) for part in (x, y))
        assert ((before != after).sum(1) <= 2).all() and (before != after).any()
        assert torch.equal(language.CLASS[before], language.CLASS[after]) and (y.sum(1) == 1).all()
        gains = torch.stack([(slope[0, c * 5 : c * 5 + 5, 0, k] - slope[0, before[0, k], 0, k]).max()
                             for k, c in enumerate(language.CLASS[before[0]].tolist())])
        assert ((slope * (y - x))[0].sum() - gains.topk(2).values.sum()).abs() < 1e-5


class TestSwaps:
    @pytest.fixture
    def reader(self):
        torch.manual_seed(0)
        return language.built().eval().requires_grad_(False)

    def test_damage_is_what_the_best_of_all_single_swaps_does(self, reader, monkeypatch):
        monkeypatch.setattr(swaps, "SWAPS", 1)
        words = language.sentences(3, generator=chance(0))
        target = logits(reader, language.as_image(words)).argmax(1)
        found = swaps.damage(reader, words, target, swaps.synonyms)
        for i in range(3):
            before, best = language.heat(reader, language.as_image(words[i : i + 1]), target[i : i + 1]), 0.0
            for place in range(15):
                for word in range(60):
                    changed = words[i : i + 1].clone()
                    changed[0, place] = word
                    image = language.as_image(changed)
                    if word // 5 == words[i, place] // 5 and logits(reader, image).argmax() == target[i]:
                        now = language.heat(reader, image, target[i : i + 1])
                        best = max(best, 1 - rank_correlation(before, now))
            assert found[i].item() == pytest.approx(best, abs=1e-12)

    def test_more_swaps_and_more_words_do_no_less_damage(self, reader, monkeypatch):
        words = language.sentences(4, generator=chance(0))
        target = logits(reader, language.as_image(words)).argmax(1)
        two = swaps.damage(reader, words, target, swaps.synonyms)
        assert (swaps.damage(reader, words, target, swaps.any_word) >= 0).all()
        monkeypatch.setattr(swaps, "SWAPS", 1)
        one = swaps.damage(reader, words, target, swaps.synonyms)
        assert (two >= one).all() and (swaps.damage(reader, words, target, swaps.any_word) >= one).all()
