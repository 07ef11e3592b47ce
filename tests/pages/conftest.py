"""The built book, served under its name as GitHub Pages does, and one headless browser for all pages."""

import shutil
import threading
from collections.abc import Iterator
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from bs4 import BeautifulSoup
from selenium import webdriver
from selenium.webdriver.chrome.webdriver import WebDriver

ROOT = Path(__file__).parents[2]
SITE = ROOT / "_build" / "html"
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text("utf8"))
PREFIX = CONFIG["sphinx"]["config"]["notfound_urls_prefix"]
ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
)


def pages_of_the_book() -> list[str]:
    """The pages named in _toc.yml, in order."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf8"))
    files = [entry["file"] for part in toc["parts"] for entry in part["chapters"]]
    return [f"{name}.html" for name in [toc["root"], *files]]


def every_page() -> list[str]:
    """The book's pages, then those that Sphinx adds: index, search, 404."""
    built = sorted(path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html"))
    others = [name for name in built if not name.startswith("_")]
    return list(dict.fromkeys([*pages_of_the_book(), *others]))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "any_page" in metafunc.fixturenames:
        metafunc.parametrize("any_page", every_page())
    if "page" in metafunc.fixturenames:
        metafunc.parametrize("page", pages_of_the_book())
    if "chapter" in metafunc.fixturenames:
        metafunc.parametrize("chapter", [p for p in pages_of_the_book() if p.startswith("chapters/")])


@pytest.fixture(scope="session", autouse=True)
def site() -> Path:
    """The folder of the built book."""
    if not (SITE / "index.html").exists():
        pytest.fail("_build/html/index.html is missing: run `make book` first", pytrace=False)
    return SITE


@pytest.fixture(scope="session")
def config() -> dict:
    """What _config.yml says."""
    return CONFIG


@pytest.fixture(scope="session")
def prefix() -> str:
    """The path under which GitHub Pages serves the book."""
    return PREFIX


@pytest.fixture(scope="session")
def pages() -> list[str]:
    """All pages of the book."""
    return pages_of_the_book()


@pytest.fixture(scope="session")
def soup(site: Path):
    """A function: name of a page -> its parsed HTML."""
    return cache(lambda name: BeautifulSoup((site / name).read_text("utf8"), "html.parser"))


class Handler(SimpleHTTPRequestHandler):
    """Serves the built book under its prefix, silently; anything else is 404."""

    def translate_path(self, path: str) -> str:
        if not path.startswith(PREFIX):
            return str(SITE / "no such file")
        return super().translate_path("/" + path.removeprefix(PREFIX))

    def log_message(self, *_) -> None:
        pass


@pytest.fixture(scope="session")
def address(site: Path) -> Iterator[str]:
    """Where the book is served."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(site))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}{PREFIX}"
        server.shutdown()


@pytest.fixture(scope="session")
def browser() -> Iterator[WebDriver]:
    """One headless Chromium; without it the tests that need it are skipped with one reason."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("no chromium or no chromedriver on this machine: the pages were not seen in a browser")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ARGUMENTS:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    chrome.set_script_timeout(30)
    yield chrome
    chrome.quit()
