"""What the chapters say about themselves: their order, minutes, objectives, exercises, sections and prose.

The pages around the chapters repeat some of it; the tests and `tools.first_uses` compare."""

import re
from functools import cache
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
CODE = re.compile(r"^```\{code-cell.*?^```$", re.S | re.M)
FORMULA = re.compile(r"^\$\$(.*?)\$\$[^\n]*$", re.S | re.M)
IN_WORDS = {"forty minutes": 40, "an hour": 60}


def pages() -> list[str]:
    """Every page of the table of contents, in order."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf8"))
    return [toc["root"], *(entry["file"] for part in toc["parts"] for entry in part["chapters"])]


def chapters() -> list[str]:
    """The names of the chapters in reading order: 00_before_you_start, ..."""
    return [page.removeprefix("chapters/") for page in pages() if page.startswith("chapters/")]


@cache
def titles() -> dict[str, str]:
    """The numbered title of each chapter, as in the table of contents."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf8"))
    entries = [entry for part in toc["parts"] for entry in part["chapters"]]
    inside = [entry for entry in entries if entry["file"].startswith("chapters/")]
    return {entry["file"].removeprefix("chapters/"): entry["title"] for entry in inside}


def source(chapter: str) -> str:
    """The MyST text of a chapter."""
    return (ROOT / "chapters" / f"{chapter}.md").read_text("utf8")


def opening(chapter: str) -> str:
    """The box that opens a chapter."""
    box = re.compile(r"^:::\{admonition\} What you will be able to do\n(.*?)^:::$", re.S | re.M)
    return box.search(source(chapter))[1]


def minutes(chapter: str) -> int:
    """Its reading time."""
    words = re.search(r"\*\*Reading\*\* takes (an hour|\w+ minutes)", opening(chapter))[1]
    return IN_WORDS.get(words) or int(words.split()[0])


def objectives(chapter: str) -> list[str]:
    """What the reader will be able to do."""
    return [line[2:].rstrip(";.") for line in opening(chapter).splitlines() if line.startswith("- ")]


def needed(chapter: str) -> set[str]:
    """The chapters that it asks for; "A to B" means all between them too."""
    text = opening(chapter).split("**You need**")[1].split("**Reading**")[0]
    found = set(re.findall(r"\{doc\}`(\d\d_\w+)`", text))
    for first, last in re.findall(r"\{doc\}`(\d\d_\w+)` to \{doc\}`(\d\d_\w+)`", text):
        found |= {name for name in chapters() if first <= name <= last}
    return found


def exercises(chapter: str) -> dict[str, str]:
    """Label -> kind of each exercise."""
    found = re.findall(r"^:::\{exercise\} (.+)\n:label: (\S+)$", source(chapter), re.M)
    return {label: kind for kind, label in found}


def formulas(chapter: str) -> list[str]:
    """The displayed formulas."""
    return FORMULA.findall(CODE.sub("", source(chapter)))


def prose(text: str) -> str:
    """MyST text without code, formulas, options, link targets and emphasis; a term stays as it is read."""
    text = FORMULA.sub("", CODE.sub("", re.sub(r"\A---\n.*?^---$", "", text, flags=re.S | re.M)))
    text = re.sub(r"^:::\{admonition\} What you will.*?^:::$|^:\w+:[^\n]*$", "", text, flags=re.S | re.M)
    text = re.sub(r"\{term\}`([^<`]*?)\s*(?:<[^>]*>)?`", r"\1", text)
    text = re.sub(r"\{[\w:]+\}`[^`]*`|`[^`]*`|\{\w[\w-]*\}", " ", text)
    return re.sub(r"\]\([^)]*\)", "]", text).replace("*", "")


@cache
def sections(page: str) -> list[tuple[str, str]]:
    """(heading, prose) of a page in order; the text above the second heading bears the page's title."""
    text = (ROOT / f"{page}.md").read_text("utf8")
    parts = re.split(r"^#{1,3} (.+)$", prose(text), flags=re.M)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def anchor(heading: str) -> str:
    """The heading's name in addresses, as MyST and GitHub make it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower().replace(" ", "-"))
