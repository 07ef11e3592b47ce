"""The environments agree: pyproject.toml, constraints.txt, and environment.yml with postBuild (Binder)."""

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text("utf8"))
CONDA_NAMES = {"torch": "pytorch-cpu"}
PIN = re.compile(r"([A-Za-z0-9._-]+)==[A-Za-z0-9.!+]+")

pinned = pytest.mark.skipif(
    bool(os.environ.get("NEWEST_VERSIONS")), reason="NEWEST_VERSIONS: this run has no pins on purpose"
)


def names(requirements: list[str]) -> set[str]:
    """Canonical package names of requirement strings."""
    return {canonicalize_name(Requirement(text).name) for text in requirements}


def conda_packages() -> tuple[set[str], set[str]]:
    """What environment.yml takes from conda-forge, and what it takes by pip."""
    by_pip = next(entry["pip"] for entry in CONDA["dependencies"] if isinstance(entry, dict))
    by_conda = [entry for entry in CONDA["dependencies"] if isinstance(entry, str)]
    return {canonicalize_name(re.split("[=<>]", entry)[0]) for entry in by_conda}, names(by_pip)


def pins() -> set[str]:
    """The packages that constraints.txt pins; a line that pins nothing fails."""
    lines = (ROOT / "constraints.txt").read_text("utf8").splitlines()
    matches = {line: PIN.fullmatch(line) for line in lines if not line.startswith("#")}
    assert [line for line, match in matches.items() if not match] == []
    return {canonicalize_name(match[1]) for match in matches.values()}


def groups() -> list[str]:
    """Every requirement string of every dependency group."""
    everything = [entry for group in PROJECT["dependency-groups"].values() for entry in group]
    return [entry for entry in everything if isinstance(entry, str)]


def commands(script: str) -> list[str]:
    """The lines of a shell script that do something."""
    lines = (ROOT / script).read_text("utf8").splitlines()
    return [line for line in lines if line and not line.startswith(("#", "set "))]


def test_conda_covers_every_dependency_of_the_library():
    by_conda, by_pip = conda_packages()
    needed = {CONDA_NAMES.get(name, name) for name in names(PROJECT["project"]["dependencies"])}
    assert needed - by_conda - by_pip == set()


def test_conda_takes_pytorch_from_conda_forge_alone():
    """A wheel of PyTorch, or a channel of another vendor, would bring the CUDA build back."""
    by_conda, by_pip = conda_packages()
    assert CONDA["channels"] == ["conda-forge", "nodefaults"]
    assert "pytorch-cpu" in by_conda
    assert by_pip & {"torch", "torchvision", "captum"} == set()


def test_conda_python_is_one_that_the_library_accepts():
    (version,) = [entry.split("=")[1] for entry in CONDA["dependencies"] if str(entry).startswith("python=")]
    assert tuple(map(int, version.split("."))) >= (3, 11)
    assert PROJECT["project"]["requires-python"] == ">=3.11"


def test_post_build_adds_the_library_alone():
    assert os.access(ROOT / "postBuild", os.X_OK)
    assert (ROOT / "postBuild").read_text("utf8").startswith("#!/usr/bin/env bash\n")
    (command,) = commands("postBuild")
    assert " pip install " in command
    assert {"--no-deps", "--editable", "."} <= set(command.split())
    assert "constraint" not in command


@pinned
def test_constraints_cover_every_direct_dependency():
    needed = names([*PROJECT["project"]["dependencies"], *groups(), "pip"])
    assert needed - pins() == set()


@pinned
def test_constraints_leave_the_package_itself_out():
    assert PROJECT["project"]["name"] not in pins()


@pinned
def test_pinned_pip_knows_dependency_groups():
    (version,) = re.findall(r"^pip==(\d+)\.(\d+)", (ROOT / "constraints.txt").read_text("utf8"), re.MULTILINE)
    assert tuple(map(int, version)) >= (25, 1)


@pytest.mark.skipif(
    importlib.util.find_spec("repo2docker") is None, reason="jupyter-repo2docker is not installed"
)
def test_binder_accepts_the_repository():
    """The dry run prints the Dockerfile without building it."""
    command = [sys.executable, "-m", "repo2docker", "--no-build", "--debug", "."]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    printed = run.stdout + run.stderr
    assert run.returncode == 0, printed
    assert 'env update -p ${NB_PYTHON_PREFIX} --file "environment.yml"' in printed
    assert "RUN ./postBuild" in printed
