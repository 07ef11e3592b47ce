"""Checks claims.yml (stdlib + yaml): fields, links, expressions, exclusive and reachable branches, counts.

Run: python check_claims.py [claims.yml]
`verdict(item, measured)` is the reference reading of a rule; `cell(item, measured)` that of a Table 2 column.
"""
import ast
import math
import random
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import yaml

KINDS = {"definition", "property", "empirical", "recommendation"}
SOURCES = {"paper", "ancona2018", "lundstrom2022", "related", "ours"}
QUANTIFIERS = {"all", "most", "some", "ought", "none"}
WORLDS = {"toy", "random-nets", "fashion", "shapes", "wired", "photographs"}
REQUIRED = {"id", "chapter", "section", "source", "kind", "quantifier", "claim", "pilot", "tier", "worlds"}
OUTCOMES = {"rule", "cell", "implemented_by", "price", "not_testable"}
OPTIONAL = {"refs", "recorded", "analogue", "experiment", "table2", "column", "measures", "sub_results", "interval",
            "oracle", "paper_entry", "evidence_of", "see", "contested", "note"}
NODES = (ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.Compare, ast.Lt, ast.LtE,
         ast.Gt, ast.GtE, ast.Eq, ast.NotEq, ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Call, ast.Name,
         ast.Load, ast.Attribute, ast.Constant)
CALLS = {"min": min, "max": max, "abs": abs}


def parse(text, measures):
    """Compiled expression; only declared measures, lo/hi/value/n, numbers, comparisons, logic, arithmetic, min/max/abs."""
    tree = ast.parse(text, mode="eval")
    for node in ast.walk(tree):
        assert isinstance(node, NODES), f"{type(node).__name__} not allowed in {text!r}"
        if isinstance(node, ast.Constant):
            assert type(node.value) in (int, float), f"constant {node.value!r} in {text!r}"
        if isinstance(node, ast.Call):
            assert isinstance(node.func, ast.Name) and node.func.id in CALLS and not node.keywords, text
        if isinstance(node, ast.Name):
            assert node.id in measures or node.id in CALLS, f"{node.id} is not declared ({text!r})"
        if isinstance(node, ast.Attribute):
            assert node.attr in {"lo", "hi", "value", "n"} and isinstance(node.value, ast.Name), text
    return compile(tree, "<rule>", "eval")


def holds(code, measured):
    return bool(eval(code, {"__builtins__": {}}, {**CALLS, **measured}))


def verdict(item, measured):
    """holds | does not hold | holds in part | undecided, from a rule and measured quantities alone."""
    rule = item["rule"]
    decided = []
    for part in rule.get("parts", {"": rule}).values():
        yes, no = (holds(parse(part[key], item["measures"]), measured) for key in ("holds", "fails"))
        decided.append("both" if yes and no else "yes" if yes else "no" if no else "open")
    assert "both" not in decided, item["id"]
    if "open" in decided:
        return "undecided"
    return {frozenset({"yes"}): "holds", frozenset({"no"}): "does not hold"}.get(frozenset(decided), "holds in part")


def cell(item, measured):
    """Yes | No | Depends | undecided; never looks at the paper's entry."""
    found = [name for name, text in item["cell"].items() if holds(parse(text, item["measures"]), measured)]
    assert len(found) <= 1, (item["id"], found)
    return found[0].capitalize() if found else "undecided"


def branches(item):
    """Groups of expressions of which at most one may be true."""
    if "cell" in item:
        return [item["cell"], *item.get("sub_results", {}).values()]
    return list(item["rule"].get("parts", {"": item["rule"]}).values())


def anchors(texts):
    return sorted({0.0, *(float(n.value) for t in texts for n in ast.walk(ast.parse(t)) if isinstance(n, ast.Constant))})


def sample(names, points, rng):
    """Random measured quantities, dense around the lines of the rule."""
    out, common = {}, rng.random() < 0.5
    for i, name in enumerate(names):
        if i == 0 or not common:
            at = rng.choice(points)
            value = rng.choice([at, at * math.exp(rng.gauss(0, 3)), at + rng.gauss(0, 1) * (abs(at) or 1), rng.uniform(-2, 2)])
        down, up = (rng.choice([0, abs(rng.gauss(0, 1)) * (abs(value) or 1)]) for _ in "lu")
        out[name] = SimpleNamespace(value=value, lo=value - down, hi=value + up, n=rng.randint(1, 1000))
    return out


def check_branches(item, rng, draws=2000):
    for group in branches(item):
        codes = {name: parse(text, item["measures"]) for name, text in group.items()}
        points, seen = anchors(group.values()), Counter()
        used = [n for n in item["measures"] if any(n in c.co_names for c in codes.values())]
        for _ in range(draws):
            measured = sample(used, points, rng)
            true = [name for name, code in codes.items() if holds(code, measured)]
            assert len(true) <= 1, f"{item['id']}: {true} both true"
            seen.update(true)
        assert set(seen) == set(codes), f"{item['id']}: unreachable {set(codes) - set(seen)}"


def check_item(item, ids):
    name = item.get("id")
    assert REQUIRED <= set(item), f"{name}: lacks {REQUIRED - set(item)}"
    assert set(item) <= REQUIRED | OUTCOMES | OPTIONAL, f"{name}: unknown {set(item) - REQUIRED - OUTCOMES - OPTIONAL}"
    assert item["kind"] in KINDS and item["source"] in SOURCES and item["quantifier"] in QUANTIFIERS, name
    assert item["pilot"] in {"seen", "unseen"} and item["tier"] in {1, 2} and set(item["worlds"]) <= WORLDS, name
    outcome = set(item) & OUTCOMES
    assert len(outcome) == 1, f"{name}: one outcome, not {outcome}"
    assert (item["kind"] == "definition") == ("implemented_by" in item) == ("oracle" in item), name
    assert (item["quantifier"] == "ought") == ("price" in item), name
    assert ("cell" in item) == ("table2" in item) == ("paper_entry" in item) == ("column" in item), name
    for link in [*item.get("see", []), *([item["evidence_of"]] if "evidence_of" in item else [])]:
        assert link in ids and link != name, f"{name}: link {link}"
    if outcome & {"rule", "cell"}:
        assert {"experiment", "measures", "interval"} <= set(item) and item["worlds"], name
        texts = [t for g in branches(item) for t in g.values()]
        words = {n.id for t in texts for n in ast.walk(ast.parse(t)) if isinstance(n, ast.Name)} - set(CALLS)
        assert words == set(item["measures"]), f"{name}: measures {words ^ set(item['measures'])}"
        ends = any(isinstance(n, ast.Attribute) and n.attr in {"lo", "hi"} for t in texts for n in ast.walk(ast.parse(t)))
        assert item["interval"] == ((99 if len(words) > 1 else 95) if ends else "exact"), f"{name}: interval"


def main(path):
    assert path.stat().st_size <= 170_000, "file too large"
    items = yaml.safe_load(path.read_text(encoding="utf-8"))
    by_id = {item["id"]: item for item in items}
    assert len(by_id) == len(items), "an id occurs twice"
    rng, columns = random.Random(7), {}
    for item in items:
        check_item(item, by_id)
        if {"rule", "cell"} & set(item):
            check_branches(item, rng)
        if "evidence_of" in item:
            assert "evidence_of" not in by_id[item["evidence_of"]], f"{item['id']}: main item must count itself"
        if "column" in item:
            same = columns.setdefault(item["column"], (item["measures"], item["cell"]))
            assert same == (item["measures"], item["cell"]), f"{item['id']}: column rule differs"
    assert Counter(i["column"] for i in items if "column" in i) == dict.fromkeys(columns, 7) and len(columns) == 5
    kinds, sources = sorted({i["kind"] for i in items}), sorted({i["source"] for i in items})
    table = Counter((i["kind"], i["source"]) for i in items)
    print(f"{len(items)} items, {path.stat().st_size} bytes: fields, links and expressions are sound, branches exclusive and reachable")
    print(f"{'':16}" + "".join(f"{s:>15}" for s in sources))
    for kind in kinds:
        print(f"{kind:16}" + "".join(f"{table[kind, s]:15}" for s in sources))
    for key in ("quantifier", "pilot", "tier"):
        print(key, dict(Counter(i[key] for i in items)))
    print("outcome", dict(Counter(next(iter(set(i) & OUTCOMES)) for i in items)))
    print("recorded", sum("recorded" in i for i in items), "contested", sum("contested" in i for i in items),
          "analogue", sum("analogue" in i for i in items), "evidence of another", sum("evidence_of" in i for i in items))
    print("chapter", dict(sorted(Counter(i["chapter"][:2] for i in items).items())))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "data" / "claims.yml")
