"""A student's functions against the laws: `python -m tools.grade solution.py`.

A function of the file that bears the name of a method of the library takes its place; then every test that
uses this method runs, and says its sentence. The exit status is 0 if all of them hold."""

import importlib.util
import inspect
import re
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tools.reader_path import ROOT
from tutorial_lib.attribution import cam, gradients, perturbation, propagation

ROOMS = (gradients, propagation, cam, perturbation)
PYTEST = ("-o", "addopts=", "-p", "no:terminal", "-p", "no:cacheprovider", "--rootdir", str(ROOT))
TESTS = ("methods", "smoothgrad", "propagation", "cam", "perturbation", "oracles")


@cache
def methods() -> dict[str, object]:
    """Name of a method -> the module that holds it, as the library has them."""
    functions = [(room, f) for room in ROOMS for f in vars(room).values() if inspect.isfunction(f)]
    public = [(r, f) for r, f in functions if f.__module__ == r.__name__ and not f.__name__.startswith("_")]
    first = ["model", "x", "target"]
    return {f.__name__: r for r, f in public if list(inspect.signature(f).parameters)[:3] == first}


def solutions(path: Path) -> dict[str, Callable]:
    """The functions that the file itself defines under the name of a method."""
    spec = importlib.util.spec_from_file_location("solution", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    own = {name: value for name, value in vars(module).items() if inspect.isfunction(value)}
    return {n: f for n, f in own.items() if n in methods() and f.__module__ == "solution"}


class Laws:
    """A pytest plugin: keeps the tests of the given methods, prints a line for each."""

    def __init__(self, names: set[str]):
        self.names, self.outcomes = names, []

    def concerns(self, item: pytest.Item) -> bool:
        """Whether the test is about one of the methods: by its parameter, else by its text."""
        about = set(re.findall(r"\w+", getattr(getattr(item, "callspec", None), "id", ""))) & set(methods())
        return bool((about or set(re.findall(r"\w+", inspect.getsource(item.function)))) & self.names)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if self.concerns(item)]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.failed:
            sentence = report.nodeid.split("::test_")[1].replace("_", " ")
            reason = "" if report.passed else f"\n    {report.longrepr.reprcrash.message.splitlines()[0]}"
            print(f"{'✓' if report.passed else '✗'} {sentence}{reason}")
            self.outcomes.append(report.passed)


def grade(path: Path) -> int:
    """Print every law that the file's methods keep or break; 0 if none is broken."""
    found = solutions(path)
    if not found:
        sys.exit(f"{path} defines none of these functions: {', '.join(sorted(methods()))}")
    for name, function in found.items():
        setattr(methods()[name], name, function)
    laws = Laws(set(found))
    files = [str(ROOT / "tests" / f"test_{name}.py") for name in TESTS]
    pytest.main([*files, *PYTEST], plugins=[laws])
    print(f"{', '.join(found)}: {sum(laws.outcomes)} of {len(laws.outcomes)} checks hold")
    return 0 if laws.outcomes and all(laws.outcomes) else 1


if __name__ == "__main__":
    sys.exit(grade(Path(sys.argv[1])))
