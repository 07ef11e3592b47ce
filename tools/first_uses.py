"""book/glossary.md: under each entry, where the chapters first use the term, and where they explain it."""

import re
from collections.abc import Iterable, Iterator
from functools import cache

from tools.glossary_terms import EXPLAINED, FORMS, FROM
from tools.reader_path import ROOT, anchor, chapters, sections

GLOSSARY = ROOT / "book" / "glossary.md"
FENCE = re.compile(r"(```\{glossary\}\n)(.*?)(\n```)", re.S)
PAGES = ("book/how_to_use", "book/data_and_models", "book/protocol")
# a self-test that names what comes later, and what stands after the text of a chapter
ASIDE = ("Who can skip this chapter", "What remains", "Key points", "Would this have caught it?", "Exercises")


def entries(text: str) -> dict[str, str]:
    """Term -> definition, without the lines that this tool writes."""
    blocks = re.split(r"\n\n(?=\S)", FENCE.search(text)[2].strip("\n"))
    split = (block.split("\n", 1) for block in blocks)
    return {term: re.sub(r"\s*\{\.first-use\}.*", "", definition, flags=re.S) for term, definition in split}


def form(term: str) -> re.Pattern:
    """What counts as a use of the term; small and capital letters matter in acronyms only."""
    plain = re.escape(term).replace(r"\ ", r"[\s-]+") + "(?:s|es)?"
    flags = 0 if re.search("[A-Z].*[A-Z]", term) or term == "Depends" else re.I
    return re.compile(rf"(?<![\w-])(?:{FORMS.get(term, plain)})(?![\w-])", flags)


@cache
def reading_order() -> list[str]:
    """The chapters, then the pages that explain what no chapter does."""
    return [*(f"chapters/{name}" for name in chapters()), *PAGES]


def candidates(term: str) -> Iterator[tuple[str, str, str]]:
    """(page, heading, prose) of the sections in which the term may be used first."""
    chapter, start = FROM.get(term, ("00", None))
    for page in reading_order():
        if page.startswith("chapters/") and page[9:11] < chapter:
            continue
        for heading, text in sections(page):
            start = None if heading == start else start
            if start is None:
                yield page, heading, f"{heading}\n{text}"


@cache
def first_use(term: str) -> tuple[str, str, str]:
    """(page, heading, excerpt) of the first section whose text uses the term, else of the first aside."""
    pattern, aside = form(term), None
    for page, heading, text in candidates(term):
        if not (found := pattern.search(text)):
            continue
        use = page, heading, " ".join(text[max(0, found.start() - 60) : found.end() + 60].split())
        if aside and page in PAGES:
            break
        if heading not in ASIDE:
            return use
        aside = aside or use
    if not aside:
        raise ValueError(f"no page uses {term!r}: give its form in tools/glossary_terms.py or drop it")
    return aside


def link(page: str, heading: str) -> str:
    """A link to a section; the title of a page is its top."""
    title = heading == sections(page)[0][0]
    where = "" if title else f"#{anchor(heading)}"
    if page.startswith("chapters/"):
        return f"[{int(page[9:11])} · {heading}](../{page}.ipynb{where})"
    return f"[{heading}]({page.removeprefix('book/')}.md{where})"


def line(term: str) -> str:
    """What stands under the definition."""
    page, heading, _ = first_use(term)
    text = f"First use: {link(page, heading)}"
    if term in EXPLAINED:
        number, heading = EXPLAINED[term]
        text += f". Explained: {link(next(p for p in reading_order() if p[9:11] == number), heading)}"
    return text


def letters(terms: Iterable[str]) -> str:
    """A line of links: each letter to the first term that begins with it."""
    first = {}
    for term in terms:
        first.setdefault(term[0].upper() if term[0].isascii() else term[0], term)
    return " ".join(f"{{term}}`{letter} <{term}>`" for letter, term in first.items())


def filled(text: str) -> str:
    """The page with every line brought up to date."""
    text = re.sub(r"(\{\.letters\}\n).*", lambda found: found[1] + letters(entries(text)), text)
    blocks = [f"{t}\n{d}\n\n  {{.first-use}}\n  {line(t)}" for t, d in entries(text).items()]
    return FENCE.sub(lambda found: found[1] + "\n\n".join(blocks) + found[3], text)


if __name__ == "__main__":
    GLOSSARY.write_text(filled(GLOSSARY.read_text("utf8")), "utf8")
