"""The text of book/ledger.md, from the items that tools/build_ledger.py read."""
import html
from collections import Counter

from tools.ledger_chance import by_chance, intervals_read
from tools.ledger_table import KINDS, SOURCES, VERDICTS, filter_form, item_table
from tutorial_lib.notebook.claims import all_claims

TEXT = """\
---
html_theme.sidebar_secondary.remove: true
---
# Ledger of claims

Every claim that this book tests stands here once, with what became of it. Most are the tutorial's own; others
come from work that it builds on, and some are ours. Each was written down before its experiment, and so was
the rule of those that a rule can decide. {{doc}}`how_to_use` says what the verdicts mean, the
{{doc}}`protocol` how they are computed. `make ledger` reads them from the cards in the executed chapters and
writes this page.

<p>The same as data: <a href="../ledger.json" download>ledger.json</a>,
<a href="../ledger.csv" download>ledger.csv</a>.</p>

## How the claims turned out

There is no total, because the rows are of different kinds. A *property* is a mathematical statement, decided
by a proof and a search for counterexamples; an *empirical* claim is decided by intervals. Table 2 is counted
apart: each of its cells is one word, which ours equals or not. Other people's results stand apart from the
tutorial's, and so do *stand-ins*, small experiments in the place of someone's larger one; their verdict
concerns the stand-in.

{counts}

A definition cannot be false. It is *implemented* once our code agrees with an independent implementation.
Advice is not true or false either: it is *priced*, which says what following it costs and gains.

{others}

Of all items, {seen} had been touched by a feasibility study before the rules were fixed; the list marks them.
{evidence} are in the list and not in the counts: each measures again what another item already counts.

## What chance alone would give

{table_2}For the other rules there is no such number. It would need a list of the claims that one might have
made instead, the right and the wrong ones, and nobody has that list. What can be said is how many rules would
hold in one bad case: every true value lies exactly on the line that its rule draws, so that each claim is
barely false. A 95 % interval then lies wholly on the claimed side in 2.5 % of all repetitions, a 99 %
interval in 0.5 %. A rule that needs several such intervals at once holds no more often than one of them; a
rule that is content with one of *k* holds at most *k* times as often. Added up over the rules that have run:

{chance}

A true value further off makes a false *holds* rarer still. The percentages are those that the intervals
promise. Many rules share networks and images, so that false verdicts would come together: the sums stay, the
luck is less evenly spread. Rules that read no interval are not in this table.

## The items

The number of an item leads to its card in the chapter. *Where* is the section of the paper, or the work that
the claim comes from. Brackets hold an interval, of 95 % where the rule reads one and of 99 % where it reads
several; *n* is the number of cases. *Paper: not tested* marks a cell of Table 2 that the paper leaves open.
{pending}

{form}

{items}
"""
PENDING = "*Pending* are the items of chapters that are still to come."
TABLE_2 = """\
For Table 2 chance can be computed. Chapter {{doc}}`../chapters/11_table_2` dealt the paper's words out at
random within each column, {deals} times. On average {mean} of the {cells} cells that the paper fills then
equalled ours. In fact {equal} do; as many or more came up in a share of {share} of the deals.

"""


def group_of(item: dict) -> str:
    """Where an item is counted: by its source, Table 2 and stand-ins apart."""
    if item["section"] == "Table 2":
        return "the paper, Table 2"
    return ("stand-ins for " if item["analogue"] else "") + SOURCES[item["source"]]


def counted(items: list[dict], kinds: tuple[str, ...]) -> list[dict]:
    """The items of these kinds, group by group, without those that another item already counts."""
    plain = ["the paper", "the paper, Table 2", *list(SOURCES.values())[1:]]
    order = [*plain, *(f"stand-ins for {name}" for name in plain)]
    found = [item for item in items if item["kind"] in kinds and not item["evidence_of"]]
    return sorted(found, key=lambda item: (order.index(group_of(item)), kinds.index(item["kind"])))


def number_table(caption: str, heads: list[str], rows: dict[str, list]) -> str:
    """A table of numbers; a cell knows its column, which a narrow page prints beside it."""
    lines = []
    for name, numbers in rows.items():
        cells = [
            f"<td data-label='{head}'{'' if n else ' class=none'}>{n}</td>"
            for head, n in zip(heads, numbers, strict=True)
        ]
        lines.append(f"<tr><th scope='row'>{html.escape(name)}</th>{''.join(cells)}</tr>")
    columns = "".join(f"<th scope='col'>{head}</th>" for head in heads)
    return "\n".join([
        "<table class='table ledger-counts'>",
        f"<caption>{caption}</caption>",
        f"<thead><tr><td></td>{columns}</tr></thead>",
        "<tbody>", *lines, "</tbody></table>",
    ])  # fmt: skip


def verdict_counts(items: list[dict], kinds: tuple[str, ...], caption: str) -> str:
    """Group and kind in rows, verdicts in columns, and no sums."""
    rows = [(f"{group_of(item)}, {item['kind']}", item["verdict"]) for item in counted(items, kinds)]
    counts, heads = Counter(rows), [v for v in VERDICTS if v in {verdict for _, verdict in rows}]
    return number_table(caption, heads, {name: [counts[name, v] for v in heads] for name, _ in rows})


def chance_rows(items: list[dict]) -> dict[str, list]:
    """The rules that read intervals and have run: 95 %, 99 %, intervals, bound of "holds", "holds"."""
    rules, rows = all_claims(), {}
    for item in counted(items, KINDS):
        reads = intervals_read(rules[item["id"]])
        if reads and item["verdict"] != "pending":
            added = (
                item["interval"] == 95, item["interval"] == 99, reads, by_chance(rules[item["id"]]),
                item["verdict"] == "holds",
            )  # fmt: skip
            old = rows.get(group_of(item), [0] * len(added))
            rows[group_of(item)] = [a + b for a, b in zip(old, added, strict=True)]
    return rows


def chance_table(items: list[dict]) -> str:
    heads = ["rules at 95 %", "rules at 99 %", "intervals read", "hold on the line, at most", "hold in fact"]
    rows = {name: [*sizes, f"{most:.2f}", held] for name, (*sizes, most, held) in chance_rows(items).items()}
    return number_table("Rules that read intervals", heads, rows)


def page(items: list[dict], dealt: dict[str, str] | None) -> str:
    """The page's text; `dealt` is what chapter 11 printed about Table 2 by chance."""
    *first, last = [item["id"] for item in items if item["evidence_of"]]
    return TEXT.format(
        counts=verdict_counts(items, KINDS[:2], "Claims with a verdict"),
        others=verdict_counts(items, KINDS[2:], "Definitions and recommendations"),
        seen=sum(item["pilot"] == "seen" for item in items), evidence=f"{', '.join(first)} and {last}",
        table_2=TABLE_2.format(**dealt) if dealt else "", chance=chance_table(items),
        pending=PENDING if any(item["verdict"] == "pending" for item in items) else "",
        form=filter_form(items), items=item_table(items),
    )  # fmt: skip
