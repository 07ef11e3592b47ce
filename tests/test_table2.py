"""Table 2: the fidelity column by hand, the comparison with the paper's entries, the integral of IG."""

import itertools
import random

import pytest
import torch

from tutorial_lib.attribution.gradients import integrated_gradients
from tutorial_lib.evaluation.axioms import relative_difference, score_rise
from tutorial_lib.evaluation.statistics import Interval, exact
from tutorial_lib.evaluation.toys import PAIRS, Nested, equal_pair, points_off_kinks
from tutorial_lib.notebook import plots
from tutorial_lib.notebook.claims import Claim, all_claims, claim, compared
from tutorial_lib.notebook.panels import interval_strips
from tutorial_lib.notebook.results import recorded, reproduces
from tutorial_lib.notebook.table2 import (
    FACTORS,
    cells,
    divide,
    fidelity,
    fidelity_cell,
    gains_of,
    measured,
    paper_table,
)
from tutorial_lib.notebook.table2_methods import integral, table_methods
from tutorial_lib.notebook.tables import verdict_table

LEVELS = (
    ("fashion", "shapes"), ("morf", "lerf"), ("black", "mean", "random", "imputed"), ("blank", "other image"),
)
KEYS = list(itertools.product(*LEVELS))


def gain(lo, hi, value=None):
    return Interval((lo + hi) / 2 if value is None else value, lo, hi, 5, 0.99)


def gains(of):
    """32 gains; `of` tells the interval of a key."""
    return {key: of(key) for key in KEYS}


class TestFidelity:
    def test_ends_are_taken_each_for_itself(self):
        """The smallest lower end and the smallest upper end may belong to two gains."""
        table = gains(lambda key: gain(0.1, 0.3))
        table["shapes", "lerf", "random", "blank"] = gain(-0.5, 0.4, value=0.0)
        table["fashion", "morf", "mean", "blank"] = gain(0.05, 0.06)
        table["fashion", "morf", "black", "blank"] = gain(0.2, 0.25)
        found = fidelity(table)
        assert (found["weakest"].lo, found["weakest"].value, found["weakest"].hi) == (-0.5, 0.0, 0.06)
        assert (found["strongest"].lo, found["strongest"].hi) == (0.2, 0.4)
        assert found["weakest"].n == 32 and found["weakest"].level == 0.99

    def test_yes_no_and_undecided(self):
        assert fidelity_cell(gains(lambda key: gain(0.021, 0.5))) == "Yes"
        assert fidelity_cell(gains(lambda key: gain(-0.5, 0.019))) == "No"
        one_low = gains(lambda key: gain(0.1, 0.2))
        one_low["shapes", "lerf", "mean", "other image"] = gain(0.019, 0.2)
        assert fidelity_cell(one_low) == "undecided"
        one_high = gains(lambda key: gain(-0.1, 0.01))
        one_high["shapes", "lerf", "mean", "other image"] = gain(-0.1, 0.021)
        assert fidelity_cell(one_high) == "undecided"

    @pytest.mark.parametrize("factor", FACTORS)
    def test_depends_needs_one_level_above_and_one_below(self, factor):
        place = FACTORS.index(factor)
        high, low = LEVELS[place][0], LEVELS[place][-1]
        middle = gain(-0.2, 0.3)  # other levels may lie anywhere
        by_level = {high: gain(0.03, 0.2), low: gain(-0.2, 0.01)}
        table = gains(lambda key: by_level.get(key[place], middle))
        assert fidelity_cell(table) == f"Depends ({factor})"
        divided = divide(table)
        assert (divided.best, divided.worst) == (high, low)
        assert (divided.best_level.lo, divided.worst_level.hi) == (0.03, 0.01)
        spoilt = next(key for key in KEYS if key[place] == high)
        assert fidelity_cell({**table, spoilt: gain(0.01, 0.2)}) == "undecided"
        spoilt = next(key for key in KEYS if key[place] == low)
        assert fidelity_cell({**table, spoilt: gain(-0.2, 0.03)}) == "undecided"

    def test_the_cell_is_the_protocols_sentence_on_random_gains(self):
        """Yes: every lower end above the line. No: every upper end below. Depends: for one factor, all gains
        of one level above and all of another below."""
        rng, seen = random.Random(0), set()
        for _ in range(400):
            place, spread = rng.randrange(4), rng.choice([0, 0, 0.02, 0.1])
            centre = {name: rng.choice([-0.1, 0.02, 0.1]) for name in LEVELS[place]}

            def draw(key, place=place, spread=spread, centre=centre):
                middle = centre[key[place]] + rng.uniform(-spread, spread)
                return gain(middle - rng.uniform(0, 0.03), middle + rng.uniform(0, 0.03), value=middle)

            table = gains(draw)
            above = {k for k, q in table.items() if q.lo > 0.02}
            below = {k for k, q in table.items() if q.hi < 0.02}
            depends = [
                factor for i, factor in enumerate(FACTORS)
                if any({k for k in KEYS if k[i] == name} <= above for name in LEVELS[i])
                and any({k for k in KEYS if k[i] == name} <= below for name in LEVELS[i])
            ]
            expected = "Yes" if len(above) == 32 else "No" if len(below) == 32 else "undecided"
            expected = f"Depends ({depends[0]})" if depends else expected
            assert len(depends) <= 1 and fidelity_cell(table) == expected
            seen.add(expected.split()[0])
        assert seen == {"Yes", "No", "Depends", "undecided"}

    def test_gains_are_read_from_a_recorded_result(self):
        keys = [", ".join(key) for key in itertools.product(*LEVELS[1:])]
        rows = {key: {"m": torch.tensor([0.1, 0.2, 0.4])} for key in keys}
        rows["lerf, mean, blank"] = {"m": torch.tensor([-0.1, 0.0, 0.5])}
        found = gains_of({"fashion": {"gain": rows}, "shapes": {"gain": rows}}, "m")
        assert set(found) == set(KEYS)
        q = found["shapes", "lerf", "mean", "blank"]
        assert (q.lo, q.value, q.hi, q.level) == (pytest.approx(-0.1), 0.0, 0.5, 0.99)

    def test_a_claim_reads_the_four_quantities(self):
        card = claim("C42").judge(**fidelity(gains(lambda key: gain(-0.1, 0.01))))
        assert card.cell == "No" and card.outcome == "holds"


class TestComparison:
    @pytest.mark.parametrize(
        ("cell", "entry", "outcome"),
        [
            ("Yes", "Yes", "holds"), ("No", "No", "holds"), ("Depends", "Depends", "holds"),
            ("Depends", "Yes", "holds in part"), ("Depends", "No", "holds in part"),
            ("Yes", "Depends", "holds in part"), ("No", "Depends", "holds in part"),
            ("Yes", "No", "does not hold"), ("No", "Yes", "does not hold"),
            ("undecided", "Yes", "undecided"), ("undecided", "No", "undecided"),
            ("undecided", "Depends", "undecided"),
            ("Yes", "?", "paper: not tested"), ("undecided", "?", "paper: not tested"),
        ],
    )
    def test_the_protocols_table(self, cell, entry, outcome):
        assert compared(cell, entry) == outcome

    def test_a_card_shows_both_entries_and_the_outcome(self):
        card = claim("C46").judge(**dict.fromkeys(all_claims()["C46"]["measures"], exact(0.0, n=12)))
        assert repr(card).startswith(
            "C46 · holds in part · ours Yes, paper Depends (network architecture) · fixed_dense = 0, n = 12"
        )
        html = card._repr_html_()
        assert "GBP, input invariance: ours Yes" in html and "class='claim claim-holds-in-part'" in html

    def test_parts_of_sensitivity_are_compared_each_for_itself(self):
        measured = {"gap_free": 60.0, "gap_bias": 90.0, "misses": 3.0, "dummy": 0.0}
        card = claim("C44").judge(**measured)
        assert (card.cell, card.outcome) == ("No", "does not hold")
        assert card.parts == {
            "completeness": "No (does not hold)", "sensitivity_a": "No (does not hold)",
            "dummy": "Yes (holds)",
        }
        assert "dummy: Yes (holds)" in card._repr_html_()

    def test_a_cell_that_the_paper_left_open_gets_no_verdict(self):
        measured = {"gap_free": 0.0, "gap_bias": 0.0, "misses": 0.0, "dummy": 0.25}
        card = claim("C69").judge(**measured)
        assert repr(card).startswith("C69 · paper: not tested · ours No, paper ? · ")
        assert "class='claim claim-paper-not-tested'" in card._repr_html_()

    def test_the_cell_is_blind_to_the_papers_entry(self):
        for entry in ("Yes", "No", "Depends", "?"):
            item = {**all_claims()["C40"], "paper_entry": {"cell": entry, "on": "nothing"}}
            assert Claim(item).judge(low=0.0, high=0.0).cell == "Yes"

    def test_the_papers_table_is_the_printed_one(self):
        """Table 2 of arXiv 2107.11400, row by row; Yes/No with a footnote is Depends."""
        printed = """Yes Yes No No Yes; No Depends Yes Yes No; Yes Yes Yes No Yes; Yes No Yes No Yes;
                     Yes No Yes No Yes; No No ? Yes ?; Depends Yes Yes Depends Yes"""
        found = [[entry.split()[0] for entry in row.values()] for row in paper_table().values()]
        assert found == [row.split() for row in printed.split(";")]
        assert paper_table()["Grad-CAM"]["saturation"] == "Depends (layer chosen)"


class TestIntegral:
    only = torch.tensor([0])

    def test_of_two_nested_forms_by_hand(self):
        """From (0, 0) to (3, 1) the outer unit opens half-way: half of the slopes (1, -1) times (3, 1)."""
        point = torch.tensor([3.0, 1.0]).double().view(1, 2, 1, 1)
        for outer in (True, False):
            model = torch.nn.Sequential(Nested(outer=outer), torch.nn.Flatten()).eval()
            a = integral(model, point, self.only, baseline=torch.zeros(1, 1, 1, 1).double())
            assert a.flatten().tolist() == pytest.approx([1.5, -0.5], abs=1e-4)

    @pytest.mark.parametrize("kind", list(PAIRS))
    def test_it_is_the_midpoint_rule_in_the_end_and_complete(self, kind):
        generator, black = torch.Generator().manual_seed(0), torch.zeros(1, 1, 1, 1).double()
        pair = equal_pair(kind, "high", generator=generator)
        x, target = points_off_kinks(pair, (2, 6, 6), n=4, generator=generator), self.only.expand(4)
        a = integral(pair[0], x, target, baseline=black)
        midpoints = integrated_gradients(pair[0], x, target, baseline=black, steps=3000)
        assert relative_difference(a, midpoints) < 0.01
        missing = a.flatten(1).sum(1) - score_rise(pair[0], x, target, baseline=black)
        assert missing.abs().max() <= 1e-4 * a.abs().flatten(1).sum(1).max()


def test_every_row_of_the_papers_table_can_be_measured():
    methods = list(table_methods())
    assert methods[:7] == list(paper_table()) and len(methods) == 16


def test_cells_of_a_column_follow_from_numbers_alone():
    numbers = {"fixed_dense": 0.5, "fixed_conv": 0.4, "moved_dense": 1e-16, "moved_conv": 1e-15}
    found = cells("input invariance", {name: exact(value, n=12) for name, value in numbers.items()})
    assert found == {"input invariance": "Depends (baseline)"}


class TestFigures:
    def test_the_table_shows_both_entries_and_is_small(self):
        ours = {"a": {"one": "Yes", "two": "Depends (fill)"}, "b": {"one": "No", "two": "undecided"}}
        theirs = {"a": {"one": "Yes", "two": "No"}}
        words = {"a": {"one": "holds", "two": "holds in part"}}
        figure = verdict_table(ours, theirs, words)
        texts = [text.get_text() for text in figure.axes[0].texts]
        for text in ("Yes", "= paper: Yes", "Depends", "fill", "≈ paper: No", "undecided", "b"):
            assert text in texts
        assert isinstance(figure, plots.TableFigure) and len(plots._few_colours(figure)) < 100_000

    def test_strips_draw_every_interval(self):
        bars = {"x": [(0.0, 0.1, 0.2), (0.1, 0.2, 0.4)], "y": [(-0.2, 0.0, 0.1)]}
        figure = interval_strips({"m": bars, "n": bars}, columns=2, line=0.02, xlabel="gain")
        drawn = [tuple(line.get_xdata()) for line in figure.axes[0].lines]
        assert {(0.0, 0.2), (0.1, 0.4), (-0.2, 0.1)} <= set(drawn) and len(figure.axes) == 2


@pytest.mark.parametrize("name", ["saliency", "DeepLIFT", "epsilon-LRP"])
def test_the_recorded_numbers_of_few_instances_come_out_again(name):
    stored = recorded("table_2").values[name]["implementation invariance"]["live"]
    live = measured("implementation invariance", table_methods()[name], instances=20)
    for key, value in stored.items():
        now = torch.tensor([live[key].value]).double()
        assert reproduces(value, now) or max(value.item(), now.item()) < 1e-9
