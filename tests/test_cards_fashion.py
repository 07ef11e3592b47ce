"""The numbers on the cards of the Fashion-MNIST networks, measured again on the same 1,000 images."""

import pytest

from tutorial_lib.models.zoo import cards, load
from tutorial_lib.robustness.cards import CONFIRMATION, fashion_numbers

CARDS = {name: card for name, card in cards().items() if name.startswith("fashion")}


@pytest.mark.parametrize("name", CARDS)
def test_the_card_s_accuracies_are_reproduced(name):
    """Another computer rounds differently, which may decide a few of a thousand attacked images."""
    for key, number in fashion_numbers(load(name), CONFIRMATION).items():
        assert number["n"] == CARDS[name][key]["n"] == 1000
        assert number["value"] == pytest.approx(CARDS[name][key]["value"], abs=0.01), key
