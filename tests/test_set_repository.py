"""tools/set_repository.py on a small repository: no old name remains, nothing else changes."""

import json
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[1] / "tools" / "set_repository.py"
OLD = "first-account/first.book"
CONFIG = """title: a book
repository:
  url: https://github.com/{slug}
html:
  baseurl: https://{account}.github.io/{name}/
sphinx:
  config:
    notfound_urls_prefix: /{name}/
"""
BINARY = b"\x89PNG\xff\x00" + OLD.encode()
NOT_IT = "\n".join(
    [f"{OLD}-two", f"my{OLD}", f"{OLD}.data", "first.book", "https://first-account.github.io/"]
)


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def book(tmp_path) -> Path:
    """A git repository with a config, a page, a notebook, a script, a picture and an untracked file."""
    account, name = OLD.split("/")
    cell = {
        "cell_type": "code",
        "id": "a",
        "metadata": {},
        "outputs": [],
        "execution_count": 1,
        "source": [f"%pip install git+https://github.com/{OLD}\n", 'print("é")'],
    }
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    files = {
        "_config.yml": CONFIG.format(slug=OLD, account=account, name=name),
        "README.md": f"[badge](https://mybinder.org/v2/gh/{OLD}/main) {OLD}.git ({OLD}). See {OLD}.\r\n",
        "book/robots.txt": f"Sitemap: https://{account}.github.io/{name}/sitemap.xml\n",
        "chapters/01.ipynb": json.dumps(notebook, indent=1, ensure_ascii=False) + "\n",
        "other.txt": NOT_IT,
        "script": f"#!/bin/sh\necho {OLD}\n",
    }
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(text.encode())
    (tmp_path / "picture.png").write_bytes(BINARY)
    (tmp_path / "script").chmod(0o755)
    (tmp_path / "tools").mkdir()
    shutil.copy(TOOL, tmp_path / "tools")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "--all")
    (tmp_path / "untracked.md").write_text(OLD, "utf8")
    return tmp_path


def rename(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, folder / "tools" / TOOL.name, *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def texts(folder: Path) -> dict[str, str]:
    """The tracked text files that may name the repository."""
    paths = ("_config.yml", "README.md", "book/robots.txt", "chapters/01.ipynb", "script")
    return {path: (folder / path).read_bytes().decode() for path in paths}


def test_two_renamings_in_a_row_leave_no_old_name(book):
    before = texts(book)
    for new in ("Second-1/other_book", "third/first.book"):
        run = rename(book, new)
        assert run.returncode == 0, run.stderr
        account, name = new.split("/")
        expected = {  # the old name and account are unlike any other word of these files
            path: text.replace(OLD, new).replace("first-account", account).replace("first.book", name)
            for path, text in before.items()
        }
        assert texts(book) == expected
        json.loads(expected["chapters/01.ipynb"])


def test_nothing_else_changes(book):
    assert rename(book, "second/book").returncode == 0
    assert (book / "picture.png").read_bytes() == BINARY
    assert (book / "other.txt").read_text("utf8") == NOT_IT
    assert (book / "untracked.md").read_text("utf8") == OLD
    assert (book / "script").stat().st_mode & stat.S_IXUSR
    assert (book / "tools" / TOOL.name).read_bytes() == TOOL.read_bytes()
    assert list(book.rglob("*.tmp")) == []


MALFORMED = [
    "book",
    "a/b/c",
    "https://github.com/a/b",
    "-a/b",
    "a b/c",
    "a/",
    "/b",
    "a/b c",
    "a/b.git",
    "a/a.github.io",
]


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_name_is_refused_and_nothing_is_written(book, name):
    before = texts(book)
    run = rename(book, name)
    assert run.returncode == 1
    assert repr(name) in run.stderr
    assert "Traceback" not in run.stderr
    assert texts(book) == before


def test_without_a_name_it_says_how_to_call_it(book):
    run = rename(book)
    assert run.returncode == 1
    assert "ACCOUNT/NAME" in run.stderr
