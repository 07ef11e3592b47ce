"""The text of book/choosing.md: the questions, and every method with its evidence."""
from typing import NamedTuple

from tools.card_html import UNMEASURED, compared, sources, text
from tools.card_methods import Book, Method
from tools.card_properties import PROPERTIES, finding
from tools.card_rows import MET, OPEN
from tools.choosing_text import FORM, TEXT


class Answer(NamedTuple):
    """An answer asks for `token` of the property `asks`, or for nothing; `line` says when it is met."""

    words: str
    token: str = ""
    asks: str = ""
    line: str = ""


class Question(NamedTuple):
    """One group of controls; checkboxes if several answers may be given."""

    name: str
    words: str
    answers: tuple[Answer, ...]
    several: bool = False


BOTH = "in both worlds the interval lies"
QUESTIONS = (
    Question("purpose", "What is the map for?", (
        Answer("To see what this answer rests on"),
        Answer("To divide the difference of two scores: the values must add up to it", "sum", "sum",
               "Yes for completeness in Table 2: the gap is below 0.01 on networks with and without biases "
               "(protocol, section 2)"),
        Answer("To know what the score would lose if a part were covered", "cover", "cover",
               f"{BOTH} above 0.5, half way from a random map to the measured effects (protocol, section 4)"),
        Answer("To know whether the model is right", "right", "right", "no map meets this"),
    )),
    Question("react", "When must the map change?", (
        Answer("When another class is asked", "class", "class",
               f"{BOTH} below 0.5, nearer to the measured effects than to the same map (rule of C94)"),
        Answer("When the network has learnt nothing of use", "labels", "labels",
               "the interval lies below 0.5, nearer to another image's map than to that of a second training "
               "(rule of C95)"),
    ), several=True),
    Question("model", "What do you have of the model?", (
        Answer("All of it: layers in a sequence, with ReLU modules"),
        Answer("All of it, with skip connections", "skips", "networks", "it gave a map of such a network"),
        Answer("All of it, but the ReLUs are written as functions", "functions", "networks",
               "it gave a map of such a network"),
        Answer("All of it, with other activations", "other", "networks", "it gave a map of such a network"),
        Answer("Only its outputs", "outputs", "networks", "it gave a map of such a network"),
    )),
    Question("baseline", "Is there an image that stands for “nothing there”, and can you defend it?", (
        Answer("Yes"),
        Answer("No", "no-baseline", "baseline",
               "it asks for none, none is hidden in its formula, and in Table 2 a shift that the network "
               "undoes changes its map by less than 0.00001 (protocol, section 2)"),
    )),
    Question("passes", "How many passes through the network may one map cost?", (
        Answer("Any number"),
        Answer("At most 100", "passes-100", "passes", "your limit"),
        Answer("At most 2", "passes-2", "passes", "your limit"),
    )),
    Question("place", "What should the map single out?", (
        Answer("Either"),
        Answer("A region: I want to know where the object is", "region", "place",
               "the interval lies above 0.5: more of the highest pixels in the widened mask than beside it. "
               "The protocol draws no line here; it is ours"),
        Answer("Single pixels", "pixel", "unit", "each pixel has a value of its own, by the formula"),
    )),
    Question("image", "What may happen to the image?", (
        Answer("Nothing"),
        Answer("Noise that leaves the decision must leave the map", "calm", "calm",
               f"{BOTH} below 0.5, half of the map's length. The protocol draws no line here; it is ours"),
        Answer("Somebody may change it on purpose, to move the map", "attack", "attack",
               f"{BOTH} above 0.5, half of what noise leaves (rule of C102)"),
    )),
)  # fmt: skip
ASKED = {answer.asks for question in QUESTIONS for answer in question.answers if answer.asks} - {"right"}


def control(question: Question, answer: Answer) -> str:
    """A native radio button or checkbox with its label."""
    kind = "checkbox" if question.several else "radio"
    chosen = "" if answer.token else " checked"
    return (f"<label><input type='{kind}' name='{question.name}' value='{answer.token}' "
            f"data-asks='{answer.asks}'{chosen}> <span>{text(answer.words)}</span></label>")  # fmt: skip


def form() -> str:
    """Hidden until the script is there to serve it."""
    groups = []
    for number, question in enumerate(QUESTIONS, 1):
        answers = "\n".join(control(question, answer) for answer in question.answers)
        groups.append(f"<fieldset><legend>{number}. {text(question.words)}</legend>\n{answers}\n</fieldset>")
    return FORM.format(groups="\n".join(groups))


def lines() -> str:
    """What each answer asks for."""
    rows = [
        f"<tr><th scope='row'>{text(answer.words)}</th><td>{title_of(answer)}</td>"
        f"<td>{text(answer.line)}</td></tr>"
        for question in QUESTIONS for answer in question.answers if answer.asks
    ]  # fmt: skip
    heads = "".join(f"<th scope='col'>{head}</th>" for head in ("Answer", "Row of the cards", "Met if"))
    return "\n".join(["<table class='table choosing-lines'>", f"<thead><tr>{heads}</tr></thead>", "<tbody>",
                      *rows, "</tbody></table>"])  # fmt: skip


def title_of(answer: Answer) -> str:
    return PROPERTIES[answer.asks].title if answer.asks in PROPERTIES else "–"


def evidence(name: str, method: Method) -> str:
    """The rows of one property, with the requirements that they meet or leave undecided."""
    title = f"<strong>{PROPERTIES[name].title}</strong> <em class='choosing-state'></em>"
    if not (found := finding(name, method)):
        return f"<div data-property='{name}' data-unmeasured>{title} {UNMEASURED}</div>"
    met, undecided = (" ".join(t for t, state in found.verdicts.items() if state == wanted)
                      for wanted in (MET, OPEN))  # fmt: skip
    words = "; ".join(map(compared, found.rows))
    return (f"<div data-property='{name}' data-met='{met}' data-undecided='{undecided}'>{title} {words} "
            f"<span class='choosing-source'>[{sources(name, method)}]</span></div>")  # fmt: skip


def row(method: Method, families: dict[str, str]) -> str:
    shown = "".join(evidence(name, method) for name in PROPERTIES if name in ASKED)
    return (
        f"<tr id='m-{method.id}'><th scope='row'><a href='method_cards.html#card-{method.id}'>"
        f"{text(method.name)}</a><div class='choosing-family'>{families[method.family]}</div></th>"
        f"<td>{shown}</td><td data-label='Beside it'>{text(method.beside)}</td></tr>"
    )


def table(book: Book) -> str:
    heads = "".join(f"<th scope='col'>{head}</th>" for head in ("Method", "Evidence", "Look beside it at"))
    gone = "<tr class='choosing-head'><th colspan='3' scope='rowgroup'>These fell out, and why</th></tr>"
    return "\n".join([
        "<table class='table choosing'>", "<caption>The methods, in the order of the cards</caption>",
        f"<thead><tr>{heads}</tr></thead>",
        "<tbody id='choosing-left'>", *(row(method, book.families) for method in book.methods), "</tbody>",
        "<tbody id='choosing-out' hidden>", gone, "</tbody></table>",
    ])  # fmt: skip


def page(book: Book) -> str:
    return TEXT.format(form=form(), lines=lines(), table=table(book))
