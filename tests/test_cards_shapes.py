"""The numbers on the cards of the planted-shapes networks, measured again."""

import pytest

from tutorial_lib.models.zoo import cards, load
from tutorial_lib.robustness.cards import CONFIRMATION, shapes_numbers

CARDS = {name: card for name, card in cards().items() if name.startswith("shapes")}


@pytest.mark.parametrize("name", CARDS)
def test_the_card_s_numbers_are_reproduced(name):
    """The attack on the same 500 images; clean accuracies on the first half of the card's 1,000."""
    again = shapes_numbers(load(name), CONFIRMATION, cue=CARDS[name]["cue"], n=500)
    share = again.pop("variance explained by the shape")
    assert share == pytest.approx(CARDS[name]["variance explained by the shape"], abs=0.01)
    for key, number in again.items():
        tolerance = 0.01 if number["n"] == CARDS[name][key]["n"] else 0.02
        assert number["n"] == 500
        assert number["value"] == pytest.approx(CARDS[name][key]["value"], abs=tolerance), key
