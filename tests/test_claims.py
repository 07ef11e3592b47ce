"""The ledger's file is sound, verdicts follow from it alone, and our reading of a rule is the reference's."""

import random
from types import SimpleNamespace

import pytest

from tests import check_claims
from tutorial_lib.datafiles import data_file
from tutorial_lib.evaluation.statistics import Interval, exact
from tutorial_lib.notebook.claims import all_claims, cell_of, claim, is_true, verdict_of


def test_the_file_is_sound(capsys):
    """Fields, links, expressions; branches exclusive and reachable (the registration's own checker)."""
    check_claims.main(data_file("claims.yml"))
    assert "160 items" in capsys.readouterr().out


@pytest.mark.parametrize(
    "item", [i for i in all_claims().values() if {"rule", "cell"} & set(i)], ids=lambda i: i["id"]
)
def test_our_reading_is_the_reference_reading(item):
    rng = random.Random(item["id"])
    points = check_claims.anchors([t for g in check_claims.branches(item) for t in g.values()])
    found = set()
    for _ in range(60):
        sampled = check_claims.sample(list(item["measures"]), points, rng)
        measured = {k: Interval(v.value, v.lo, v.hi, v.n) for k, v in sampled.items()}
        if "cell" in item:
            ours, reference = cell_of(item["cell"], measured), check_claims.cell(item, measured)
        else:
            ours, reference = verdict_of(item["rule"], measured)[0], check_claims.verdict(item, measured)
        assert ours == reference
        found.add(ours)
    assert len(found) > 1


def test_a_verdict_is_computed_from_the_quantities():
    rough, ok = Interval(0.97, 0.96, 0.98, 5, 0.99), Interval(0.6, 0.5, 0.7, 5, 0.99)
    assert claim("C21").judge(fashion=ok, shapes=rough).outcome == "holds"
    assert claim("C21").judge(fashion=rough, shapes=rough).outcome == "does not hold"
    wide = Interval(0.9, 0.1, 1.5, 5, 0.99)
    assert claim("C21").judge(fashion=wide, shapes=rough).outcome == "undecided"
    part = claim("C17").judge(gradient=exact(0, n=10), contribution=exact(0.99, n=10))
    assert part.outcome == "holds in part" and part.parts == {
        "gradient": "holds",
        "contribution": "does not hold",
    }


@pytest.mark.parametrize(
    "value", [True, "holds", float("nan"), float("inf"), None, Interval(0, float("-inf"), 1, 2, 0.95)]
)
def test_nothing_but_measured_quantities_is_accepted(value):
    if isinstance(value, Interval):  # an unbounded interval is allowed: it says "undecided"
        assert claim("C18").judge(auroc=value).outcome == "undecided"
        return
    with pytest.raises(ValueError, match="finite number or an Interval"):
        claim("C18").judge(auroc=value)


def test_misuse_is_refused():
    with pytest.raises(ValueError, match="no claim"):
        claim("C999")
    with pytest.raises(ValueError, match="needs exactly"):
        claim("C17").judge(gradient=0.0)
    with pytest.raises(ValueError, match="reads intervals of level"):
        claim("C18").judge(auroc=Interval(0.61, 0.55, 0.67, 5, 0.99))
    with pytest.raises(ValueError, match="no rule"):
        claim("C19").judge()
    with pytest.raises(ValueError, match="not a recommendation"):
        claim("C17").report(cost=1.0)
    with pytest.raises(ValueError, match="the oracle differs"):
        claim("C19").implemented(largest_difference=1e-2, tolerance=1e-5)
    with pytest.raises(ValueError, match="not a definition"):
        claim("C17").implemented(largest_difference=0.0, tolerance=1e-5)
    with pytest.raises(ValueError, match="not allowed"):
        is_true("__import__('os')", {})
    with pytest.raises(ValueError, match="both branches"):
        verdict_of({"holds": "a.lo < 1", "fails": "a.lo < 2"}, {"a": exact(0, n=1)})
    with pytest.raises(ValueError, match="lo ≤ value ≤ hi"):
        Interval(2, 0, 1, 5)


def test_cards_say_what_was_measured():
    card = claim("C17").judge(gradient=exact(0, n=1000), contribution=exact(0.99, n=1000))
    assert repr(card) == "C17 · holds in part · gradient = 0, n = 1000 · contribution = 0.99, n = 1000"
    html = card._repr_html_()
    assert "holds in part" in html and "0.99" in html and "the paper" in html and "<svg" in html
    interval = repr(claim("C18").judge(auroc=Interval(0.61, 0.55, 0.67, 5, 0.95)))
    assert interval == "C18 · holds · auroc = 0.61 [0.55, 0.67], n = 5"
    assert "disputes" in claim("C05").judge()._repr_html_()
    assert repr(claim("C19").implemented(largest_difference=0.0, tolerance=1e-5)).startswith(
        "C19 · implemented"
    )
    assert repr(claim("C03").report(constant_map=0.0)).startswith("C03 · priced · constant_map = 0")


def test_html_of_a_card_is_escaped():
    item = dict(all_claims()["C18"], claim="<script>alert(1)</script>")
    from tutorial_lib.notebook.claims import Claim

    assert "<script>" not in Claim(item).judge(auroc=0.6)._repr_html_()
    assert SimpleNamespace(**item).claim.startswith("<script>")
