"""data/methods.yml, read and checked: what no measurement can give, and what the code says of itself."""
import importlib
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path

import yaml

from tutorial_lib.datafiles import data_file
from tutorial_lib.notebook.claims import all_claims

ROOT = Path(__file__).parents[1]
UNITS = ("pixel", "patch", "place of a layer")
STARTS = ("baseline", "baselines", "fill")


@dataclass(frozen=True, eq=False)
class Method:
    """One entry of the file; `built` is a file of the book, seen from its root, and a heading in it."""

    id: str
    name: str
    key: str
    function: str
    family: str
    paper: str
    built: list[str]
    question: str
    formula: str
    shorthand: str
    unit: str
    avoid: list[dict]
    never: str
    beside: str
    silent: str | None = None
    settings: str | None = None

    def call(self) -> Callable:
        """The function of the library."""
        module, name = self.function.split(".")
        return getattr(importlib.import_module(f"tutorial_lib.attribution.{module}"), name)

    def to_choose(self) -> list[str]:
        """The arguments without a default: they decide what is explained. A generator only repeats it."""
        given = inspect.signature(self.call()).parameters.values()
        return [p.name for p in given if p.kind is p.KEYWORD_ONLY and p.default is p.empty
                and p.name != "generator"]  # fmt: skip

    def starts(self) -> list[str]:
        """Those of them that stand for "nothing there"."""
        return [name for name in self.to_choose() if name in STARTS]


@dataclass(frozen=True)
class Book:
    """The whole file."""

    options: dict[str, str]
    families: dict[str, str]
    methods: list[Method]
    others: list[str] = field(default_factory=list)


def check(holds: bool, sentence: str) -> None:
    if not holds:
        raise ValueError(f"data/methods.yml: {sentence}")


def read(text: str) -> Book:
    """The file's content; `ValueError` for what the library, the claims, the bibliography or the chapters
    do not have."""
    raw = yaml.safe_load(text)
    known = {f.name for f in fields(Method)}
    for entry in raw["methods"]:
        check(set(entry) <= known, f"{entry.get('id')} has {sorted(set(entry) - known)}, which nobody reads")
    methods = [Method(**entry) for entry in raw["methods"]]
    for name in ("id", "key", "name"):
        values = [getattr(method, name) for method in methods]
        check(len(set(values)) == len(values), f"two methods have one {name}")
    for method in methods:
        check_method(method, raw)
    return Book(raw["options"], raw["families"], methods, raw["not maps of the image"])


def check_method(method: Method, raw: dict) -> None:
    module, name = method.function.split(".")
    spec = importlib.util.find_spec(f"tutorial_lib.attribution.{module}")
    check(bool(spec) and hasattr(importlib.import_module(spec.name), name),
          f"the library has no {method.function}")  # fmt: skip
    check(method.unit in UNITS and method.family in raw["families"], f"{method.id}: unit or family unknown")
    check(method.paper in papers(), f"{method.id}: {method.paper} is not in book/references.bib")
    check(has_heading(*method.built), f"{method.id}: {method.built} is no heading")
    unknown = set(method.to_choose()) - set(raw["options"])
    check(not unknown, f"{method.id}: nobody says what {sorted(unknown)} means")
    for item in method.avoid:
        check_support(method.id, item)


def check_support(name: str, item: dict) -> None:
    supports = {kind: item.get(kind, []) for kind in ("claims", "laws", "sections")}
    check(any(supports.values()), f"{name}: nothing supports {item['when']!r}")
    check(set(supports["claims"]) <= set(all_claims()), f"{name}: {supports['claims']} are not all claims")
    check(set(supports["laws"]) <= laws(), f"{name}: {supports['laws']} are not all tests")
    check(all(has_heading(*each) for each in supports["sections"]), f"{name}: no such section")


@cache
def papers() -> set[str]:
    """The keys of the bibliography."""
    return set(re.findall(r"^@\w+\{(.+?),", (ROOT / "book/references.bib").read_text("utf8"), re.M))


@cache
def laws() -> set[str]:
    """The names of all tests."""
    files = (ROOT / "tests").glob("test_*.py")
    return {name for file in files for name in re.findall(r"^def (test_\w+)", file.read_text("utf8"), re.M)}


def source_of(page: str) -> str:
    """`04_gradients` or `book/protocol` -> its path from the root, without an ending."""
    return page if "/" in page else f"chapters/{page}"


@cache
def has_heading(page: str, heading: str) -> bool:
    path = ROOT / f"{source_of(page)}.md"
    return path.exists() and bool(re.search(rf"^#+ {re.escape(heading)}$", path.read_text("utf8"), re.M))


@cache
def book() -> Book:
    """The file that comes with the book."""
    return read(data_file("methods.yml").read_text("utf8"))
