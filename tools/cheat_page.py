"""The text of book/cheat_sheet.md: one row a method, on one printed page."""
from tools.card_html import text
from tools.card_methods import Book, Method
from tools.card_properties import findings
from tools.card_rows import MET, NOT, OPEN

MARKS = {MET: "●", OPEN: "◐", NOT: "○"}
SPOKEN = {MET: "shown", OPEN: "undecided", NOT: "shown not to be so"}
CELLS = {"Yes": "yes", "No": "no", "undecided": "?"}
COLUMNS = {  # property, its requirement, the head, and what the head leaves out
    "passes": (None, "Passes", "images forward + signals back"),
    "sum": (None, "Adds up", "to a change of score"),
    "written": (None, "Rewritten", "other form, same map"),
    "shift": (None, "Shifted", "undone shift, same map"),
    "plateau": (None, "Plateau", "cause still seen"),
    "class": ("class", "Class", "e: 0 follows it, 1 deaf; below 0.5?"),
    "labels": ("labels", "Labels", "e of dealt-out labels; below 0.5?"),
    "calm": ("calm", "Steady", "change under noise; below 0.5?"),
    "cover": ("cover", "Covering", "rank correlation with covering; above 0.5?"),
    "place": ("region", "On the shape", "share of the highest pixels, 99 %; above 0.5?"),
    "attack": ("attack", "Attacked", "what stays, over noise; above 0.5?"),
}
TEXT = """\
---
html_theme.sidebar_secondary.remove: true
---
# Cheat sheet

All methods on one page, from the same data as the {{doc}}`method_cards`, which have the intervals, the
sources and what is left out here. Print it on A4, landscape. It ranks nothing; the page {{doc}}`choosing`
asks what you need.

{table}

<p class='cheat-legend'>{legend}</p>
"""
LEGEND = (
    "{marks}; – not measured here. Two numbers: garments · planted shapes, five networks each; a mark asks "
    "for the interval of 99 % in every world. “no” is a counterexample, “yes” carries over to your network; "
    "“dep.” on the biases (Adds up), the baseline (Shifted), the writing or layer (Plateau). Fidelity to "
    "removal: undecided for all. <code>code</code> has to be chosen; x̂ is the baseline. One map alone is no "
    "evidence: look at random weights, at a second method, and at what changing the marked place does."
)


def word(cell: str) -> str:
    first = cell.split()[0]
    return CELLS.get(first, "dep.")


def entry(name: str, key: str) -> str:
    """A cell: the short form of what was measured, with the mark of its requirement."""
    token = COLUMNS[name][0]
    if not (found := findings()[name].get(key)):
        return "–"
    shorts = [row.short for row in found.rows if row.short]
    if token is None:
        return shorts[0] if name == "passes" else word(shorts[0])
    mark = found.verdicts[token]
    numbers = " · ".join(shorts)
    return f"<span role='img' aria-label='{SPOKEN[mark]}'>{MARKS[mark]}</span> {numbers}"


def cells(key: str) -> str:
    return "".join(f"<td data-label='{head}'>{entry(name, key)}</td>"
                   for name, (_, head, _) in COLUMNS.items())  # fmt: skip


def row(method: Method) -> str:
    choose = ", ".join(f"<code>{name}</code>" for name in method.to_choose())
    hidden = f"hidden: {method.silent}" if method.silent else ""
    chosen = "; ".join(part for part in (choose, hidden) if part) or "–"
    link = f"<a href='method_cards.html#card-{method.id}'>{text(method.name)}</a>"
    return (
        f"<tr><th scope='row'>{link}<span class='cheat-formula'>{text(method.shorthand)}</span></th>"
        f"<td class='cheat-question'>{text(method.question)}</td><td data-label='To choose'>{chosen}</td>"
        f"{cells(method.key)}<td data-label='Not for'>{text(method.never)}</td></tr>"
    )


def control(key: str, name: str) -> str:
    """A map that has no use for the network."""
    return (f"<tr class='cheat-control'><th scope='row'>{name}</th>"
            "<td class='cheat-question'>None. It never asks the network.</td>"
            "<td data-label='To choose'>–</td>"
            f"{cells(key)}<td data-label='Not for'>anything: a control</td></tr>")  # fmt: skip


def page(book: Book) -> str:
    heads = "".join(f"<th scope='col'>{head}<span class='cheat-formula'>{more}</span></th>"
                    for _, head, more in COLUMNS.values())  # fmt: skip
    head = (
        "<thead><tr><th scope='col'>Method</th><th scope='col'>The question that it answers</th>"
        f"<th scope='col'>To choose</th>{heads}<th scope='col'>Not for</th></tr></thead>"
    )
    rows = [*map(row, book.methods), control("random map", "Random map")]
    caption = "<caption>Robust Explainability: methods at a glance</caption>"
    marks = ", ".join(f"{MARKS[state]} {SPOKEN[state]}" for state in MARKS)
    table = "\n".join(["<table class='table cheat-sheet'>", caption, head, "<tbody>", *rows,
                       "</tbody></table>"])  # fmt: skip
    return TEXT.format(table=table, legend=LEGEND.format(marks=marks))
