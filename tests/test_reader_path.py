"""The pages around the chapters: what they repeat of the chapters is true, and nothing is left out."""

import json
import re
import subprocess
import sys
from collections import Counter

import pytest
from pybtex.database import parse_file

from tests.test_chapters import FILLER
from tools import first_uses, passport_page
from tools import reader_path as book
from tools.grade import methods
from tools.reader_path import ROOT, chapters, exercises, minutes, objectives, pages, titles

BOOK = ROOT / "book"
MINE = {p: ROOT / f"{p}.md" for p in pages() if (ROOT / f"{p}.md").exists() and not p.startswith("chapters/")}
AROUND = ("learning_paths", "instructors", "glossary", "notation", "errata")
WRITTEN = ["index", *(f"book/{name}" for name in AROUND)]
STEP = re.compile(r"\{doc\}`([^<`]+) <\.\./chapters/(\w+)>` \((\d+) minutes\)")
COMMENT = re.compile(r"<!--.*?-->", re.S)
each_written = pytest.mark.parametrize("page", WRITTEN)


def text_of(page: str) -> str:
    """The page without the lines that wait for chapters to come."""
    return COMMENT.sub("", (ROOT / f"{page}.md").read_text("utf8"))


def parts(page: str) -> dict[str, str]:
    """Heading -> text, of headings of the second and third level."""
    pieces = re.split(r"^#{2,3} (.+)$", text_of(page), flags=re.M)
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))


# Times

PATHS = [
    pytest.param(page, heading, id=f"{page.split('/')[1]}, {heading}")
    for page in ("book/learning_paths", "book/instructors")
    for heading, text in parts(page).items()
    if STEP.search(text)
]
each_path = pytest.mark.parametrize(("page", "heading"), PATHS)


@each_path
def test_the_minutes_of_a_path_are_those_of_its_chapters(page, heading):
    text = parts(page)[heading]
    steps = [(title, chapter, int(stated)) for title, chapter, stated in STEP.findall(text)]
    assert steps == [(titles()[chapter], chapter, minutes(chapter)) for _, chapter, _ in steps]
    assert f"**{sum(stated for *_, stated in steps)} minutes" in text


@each_path
def test_a_path_names_each_chapter_that_it_needs_and_leaves_out(page, heading):
    if page == "book/instructors":
        return  # a lecturer decides
    steps, _, left_out = parts(page)[heading].partition("Left out")
    before, missing = {chapters()[0]}, set()
    for _, chapter, _ in STEP.findall(steps):
        missing |= book.needed(chapter) - before
        before.add(chapter)
    assert missing == set(re.findall(r"<\.\./chapters/(\w+)>", left_out))


def test_both_courses_have_the_same_weeks_and_every_chapter_once():
    def weeks(page: str, heading: str) -> list[list[str]]:
        items = re.split(r"^\d+\. ", parts(page)[heading], flags=re.M)[1:]
        return [[chapter for _, chapter, _ in STEP.findall(week)] for week in items]

    title = next(heading for heading in parts("book/instructors") if heading.startswith("A course of"))
    reader = weeks("book/learning_paths", "A course")
    assert reader == weeks("book/instructors", title)
    assert title == f"A course of {({13: 'thirteen', 14: 'fourteen'})[len(reader)]} weeks"
    assert sorted(chapter for week in reader for chapter in week) == chapters()


def test_the_landing_page_states_how_many_chapters_and_hours_there_are():
    words = {15: "fifteen", 16: "sixteen", 17: "seventeen", 18: "eighteen", 19: "nineteen"}
    hours, half = divmod(round(sum(map(minutes, chapters())) / 30), 2)
    spoken = words[hours] + (" and a half" if half else "")
    assert f"The {len(chapters())} chapters take {spoken} hours to read" in text_of("index")


# Objectives


def test_every_objective_stands_on_the_page_for_instructors_with_what_tests_it():
    text = text_of("book/instructors")
    tasks = set(re.findall(r"^:label: (task-\S+)$", text, re.M))
    asked = set()
    for chapter in chapters():
        section = next(body for head, body in parts("book/instructors").items() if f"/{chapter}>" in head)
        rows = re.findall(r"^\| (.+) \| (.+) \|$", section, re.M)[1:]
        assert [row for row, _ in rows] == objectives(chapter)
        for row, tested in rows:
            labels = set(re.findall(r"\{ref\}`[^<]+ <([\w-]+)>`", tested))
            assert labels and labels <= set(exercises(chapter)) | tasks, row
            asked |= labels
    assert asked >= tasks, "a task tests an objective"
    assert [c for c in chapters() if not set(exercises(c)) & asked] == []


def test_exercises_that_are_linked_exist():
    known = {label for chapter in chapters() for label in exercises(chapter)}
    assert set(re.findall(r"<(ex-[\w-]+)>", text_of("book/instructors"))) <= known


def test_the_page_names_the_methods_that_can_be_graded():
    sentence = re.search(r"It accepts (.+?);", text_of("book/instructors"))[1]
    assert sorted(re.findall(r"`(\w+)`", sentence)) == sorted(methods())


SOLUTION = """
from tutorial_lib.scores import input_gradient

def saliency(model, x, target):
    return input_gradient(model, x, target){end}
"""


@pytest.mark.parametrize(("end", "status"), [(".abs()", 0), ("", 1)])
def test_the_laws_grade_a_solution(end, status, tmp_path):
    path = tmp_path / "solution.py"
    path.write_text(SOLUTION.format(end=end), "utf8")
    only = "import pathlib, sys, tools.grade as g; g.TESTS = ['methods']"
    command = [sys.executable, "-c", f"{only}; sys.exit(g.grade(pathlib.Path(sys.argv[1])))", path]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == status, run.stdout + run.stderr
    assert ("✗ saliency is the size of the gradient" in run.stdout) == bool(status)
    assert "✓ two calls are equal[saliency]" in run.stdout


def test_a_file_without_a_method_is_not_graded(tmp_path):
    path = tmp_path / "solution.py"
    path.write_text("from tutorial_lib.attribution.gradients import saliency\n", "utf8")
    command = [sys.executable, "-m", "tools.grade", path]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 1 and "defines none of these functions" in run.stderr


# Glossary

ENTRIES = first_uses.entries((BOOK / "glossary.md").read_text("utf8"))


def test_every_entry_links_to_its_first_use():
    page = (BOOK / "glossary.md").read_text("utf8")
    assert first_uses.filled(page) == page, "run: make reader"


def test_every_entry_is_short_and_unique():
    names = [name.casefold() for name in ENTRIES]
    twice = {name for name, count in Counter(names).items() if count > 1}
    assert twice == {"rise"}  # RISE is a method, the rise a difference
    assert {name: len(words) for name, words in ENTRIES.items() if len(words) > 420} == {}


def test_an_explanation_uses_its_term():
    for term, (number, heading) in first_uses.EXPLAINED.items():
        assert term in ENTRIES, term
        page = next(page for page in first_uses.reading_order() if page[9:11] == number)
        text = dict(book.sections(page))[heading]
        assert first_uses.form(term).search(f"{heading}\n{text}"), term
        assert (page, heading) != first_uses.first_use(term)[:2], f"{term} is explained at its first use"


def test_every_term_that_a_page_links_has_an_entry():
    for path in [*MINE.values(), *(ROOT / "chapters").glob("*.md")]:
        for shown, target in re.findall(r"\{term\}`([^<`]*?)(?:\s*<([^>]*)>)?`", path.read_text("utf8")):
            assert (target or shown) in ENTRIES, (path.name, target or shown)


# Notation

CLASHES = "## Letters with more than one meaning"
GREEK = "alpha|beta|gamma|Delta|delta|epsilon|varepsilon|eta|theta|lambda|rho|sigma|Phi|nabla|odot|partial"
SYMBOL = re.compile(
    r"\\(?:mathbf|boldsymbol|mathcal|mathbb)\s*\{?\s*(?:\\[a-zA-Z]+|[a-zA-Z])\}?"
    rf"|\\(?:{GREEK})(?![a-z])"
    r"|(?<![\\a-zA-Z])[a-zA-Z](?![a-zA-Z])"
)
ACCENT = re.compile(r"\\(?:hat|bar|tilde)\s*\{?(?:\\mathbf\s*)?\{?\s*(?:\\[a-z]+|[a-z])\}?")
WORDS = re.compile(r"\\(?:text|begin|end|operatorname|mathrm)\{[^}]*\}|\\[,;!: ]|d\\alpha|dt|\\top")
FONT = re.compile(r"[{}\s]|\\(?:hat|bar|tilde)")
NAMES = re.compile(r"\\(?:text|mathrm)\{(INFD|SENS|IG|ReLU|sign)\}|\\(cos)(?![a-z])")


def symbols(formula: str) -> set[str]:
    """The letters of a formula with their font; words, accents and the d of an integral are left out."""
    names = {first or second for first, second in NAMES.findall(formula)}
    formula = WORDS.sub(" ", formula)
    letters = {FONT.sub("", found) for found in SYMBOL.findall(formula)}
    return names | letters | {re.sub(r"[{}\s]", "", found) for found in ACCENT.findall(formula)}


def first_columns(text: str) -> list[str]:
    """The first cell of each row of the tables."""
    return [row for row in re.findall(r"^\| (.*?) \|", text, re.M) if "$" in row]


def test_every_symbol_of_a_displayed_formula_is_on_the_notation_page():
    known = set().union(*(symbols(cell) for cell in first_columns(text_of("book/notation"))))
    for chapter in chapters():
        for formula in book.formulas(chapter):
            assert symbols(formula) - known == set(), (chapter, formula)


def test_a_letter_in_two_rows_is_among_those_with_more_than_one_meaning():
    tables, clashes = text_of("book/notation").split(CLASHES)
    index = re.compile(r"_\{[^}]*\}|_\\?\w+|\^\{?\(?\\?\w+\)?\}?|\([^)]*\)")
    rows = [index.sub("", cell) for cell in first_columns(tables)]
    count = Counter(letter for cell in rows for letter in symbols(cell))
    named = set().union(*(symbols(cell) for cell in first_columns(clashes)))
    composed = {r"\mathbfx", r"\partial"}  # a derivative is written with the image
    assert {letter for letter, n in count.items() if n > 1} - named - composed == set()


def test_names_in_code_exist():
    library = "\n".join(path.read_text("utf8") for path in (ROOT / "tutorial_lib").rglob("*.py"))
    tables = text_of("book/notation").split(CLASHES)[0]
    rows = re.findall(r"; in code (.*) \|$", tables, re.M)
    names = {name for row in rows for name in re.findall(r"`([\w.]+)`", row)}
    assert len(names) > 15
    assert [name for name in names if not re.search(rf"\b{re.escape(name)}\b", library)] == []


# Bibliography

WITHOUT_LINK = {"erhan2009visualizing"}  # a report that was never given an address that lasts
FOR_READING = {  # the annotated reading of chapter 17
    "anders2021software", "bansal2020sam", "chu2020visual", "deng2009imagenet",
    "diazrodriguez2022explainable", "doran2017what", "doshivelez2017towards", "hedstrom2023quantus",
    "hui2019batchnorm", "kapishnikov2021guided", "krishna2024disagreement", "lundberg2017unified",
    "montavon2018methods",
}  # fmt: skip
BIBLIOGRAPHY = parse_file(BOOK / "references.bib").entries


def cited() -> set[str]:
    """Every key of a {cite} role."""
    texts = [path.read_text("utf8") for path in [*MINE.values(), *(ROOT / "chapters").glob("*.md")]]
    lists = [keys for text in texts for keys in re.findall(r"\{cite(?::\w+)?\}`([^`]*)`", text)]
    return {key.strip() for keys in lists for key in keys.split(",")}


def test_every_entry_of_the_bibliography_is_cited_and_every_citation_has_an_entry():
    assert cited() - set(BIBLIOGRAPHY) == set()
    unused = set(BIBLIOGRAPHY) - cited()
    assert unused - FOR_READING == set()
    if any(chapter.startswith("17") for chapter in chapters()):
        assert unused == set(), "chapter 17 is there: cite them, or drop them"


@pytest.mark.parametrize("key", BIBLIOGRAPHY)
def test_an_entry_of_the_bibliography_is_complete(key):
    entry, fields = BIBLIOGRAPHY[key], set(BIBLIOGRAPHY[key].fields)
    assert entry.persons.get("author") or entry.persons.get("editor")
    assert {"title", "year"} <= fields
    assert fields & {"journal", "booktitle", "howpublished", "institution", "publisher", "eprint", "note"}
    assert fields & {"doi", "url", "eprint"} or key in WITHOUT_LINK
    assert "doi.org" not in entry.fields.get("doi", "") and " " not in entry.fields.get("url", "")


# Errata, passports, links, prose


def test_every_correction_is_in_the_changelog_and_its_verdict_is_that_of_the_ledger():
    changed = (ROOT / "CHANGELOG.md").read_text("utf8").split("### Changed")[1]
    ledger = {item["id"]: item for item in json.loads((BOOK / "ledger.json").read_text("utf8"))}
    corrected = text_of("book/errata").split("## Corrected so far")[1]
    assert set(re.findall(r"C\d+", corrected)) <= set(re.findall(r"C\d+", changed))
    now = re.compile(r"^\*\*(C\d+), chapter .*: from \*[^*]+\* to \*([^*]+)\*", re.M)
    assert len(now.findall(corrected)) >= 3
    for claim, verdict in now.findall(corrected):
        assert ledger[claim]["verdict"] in {verdict, "pending"}, claim


def test_the_page_of_passports_is_that_of_the_data_and_is_linked():
    assert passport_page.PAGE.read_text("utf8") == passport_page.page(), "run: make reader"
    assert all(f"chapters/{chapter}>" in passport_page.page() for chapter in chapters())
    assert "{doc}`passport`" in text_of("book/how_to_use") and "<book/passport>`" in text_of("index")


def test_the_memory_that_the_page_for_instructors_states_suffices():
    stated = float(re.search(r"the largest takes ([\d.]+) GB", text_of("book/instructors"))[1])
    passports = json.loads((ROOT / "data" / "passport.json").read_text("utf8")).values()
    assert stated - 0.1 < max(took["peak memory in MB"] for took in passports) / 1000 <= stated


@each_written
def test_links_to_sections_lead_to_headings(page):
    for file, heading in re.findall(r"\]\(([\w./]+)(?:#([\w-]+))?\)", text_of(page)):
        target = (ROOT / page).parent.joinpath(file).resolve()
        assert target.exists(), file
        name = target.relative_to(ROOT.resolve()).with_suffix("").as_posix()
        assert not heading or heading in {book.anchor(title) for title, _ in book.sections(name)}


@each_written
def test_the_pages_do_not_tell_how_easy_things_are(page):
    assert re.findall(FILLER, text_of(page), re.I) == []


@pytest.mark.parametrize("page", [*WRITTEN, "book/how_to_use"])
def test_nothing_waits_for_a_page_that_is_there(page):
    """The lines in comments are to be switched on as soon as what they link exists."""
    waiting = " ".join(re.findall(r"<!-- ([\w, ]+):", (ROOT / f"{page}.md").read_text("utf8")))
    there = {f"ch{chapter[:2]}" for chapter in chapters()}
    if "book/what_we_found" in pages():
        there.add("essay")
    assert set(re.findall(r"\w+", waiting)) & there == set()


def test_the_changelog_has_one_source():
    assert "{include} ../CHANGELOG.md" in (BOOK / "changelog.md").read_text("utf8")
    assert len((BOOK / "changelog.md").read_text("utf8").splitlines()) < 12


def test_every_page_of_the_reader_is_in_the_table_of_contents():
    assert set(WRITTEN) | {"book/changelog", "book/passport", "book/references"} <= set(pages())
