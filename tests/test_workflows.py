"""The workflows and .ci/run: they parse, call targets that exist, and a missing browser ends nothing."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
RUN = ROOT / ".ci" / "run"
WORKFLOWS = {path.stem: path for path in sorted((ROOT / ".github" / "workflows").glob("*.yml"))}
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf8"), re.MULTILINE))
BASH = shutil.which("bash")


def workflow(name: str) -> dict:
    """A parsed workflow; YAML 1.1 reads its key `on` as true."""
    parsed = yaml.safe_load(WORKFLOWS[name].read_text("utf8"))
    return {"on" if key is True else key: value for key, value in parsed.items()}


def steps(name: str) -> list[dict]:
    """All steps of all jobs."""
    return [step for job in workflow(name)["jobs"].values() for step in job["steps"]]


def made(script: str) -> list[str]:
    """The targets that a shell script asks make for."""
    return re.findall(r"^\s*(?:exec )?make\s+([\w.-]+)", script, re.MULTILINE)


def test_all_three_workflows_are_there():
    assert set(WORKFLOWS) == {"test", "pages", "weekly"}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_actions_are_pinned_to_a_major_version(name):
    used = [step["uses"] for step in steps(name) if "uses" in step]
    assert used
    assert [action for action in used if not re.fullmatch(r"[\w-]+/[\w-]+@v\d+", action)] == []


@pytest.mark.parametrize("name", WORKFLOWS)
def test_commands_exist(name):
    scripts = [step["run"] for step in steps(name) if "run" in step]
    assert any(made(script) or script == ".ci/run" for script in scripts)
    assert {target for script in scripts for target in made(script)} <= TARGETS


def test_triggers_and_versions():
    assert {"push", "pull_request"} <= set(workflow("test")["on"])
    assert workflow("test")["jobs"]["test"]["strategy"]["matrix"]["python"] == ["3.11", "3.13"]
    assert workflow("pages")["on"]["push"]["branches"] == ["main"]
    assert workflow("weekly")["on"]["schedule"]


def test_pages_may_deploy_and_the_others_only_read():
    assert workflow("pages")["jobs"]["deploy"]["permissions"] == {"pages": "write", "id-token": "write"}
    assert [workflow(name)["permissions"] for name in WORKFLOWS] == [{"contents": "read"}] * 3


def test_weekly_drops_the_pins_before_it_runs():
    scripts = [step["run"] for step in steps("weekly") if "run" in step]
    assert scripts.index(": > constraints.txt") < scripts.index(".ci/run")


def test_ci_run_is_a_valid_script_that_makes_an_existing_target():
    assert os.access(RUN, os.X_OK)
    assert subprocess.run([BASH, "-n", RUN], check=False).returncode == 0
    assert made(RUN.read_text("utf8")) == ["test"]
    assert "test" in TARGETS


def stand_ins(folder: Path, **scripts: str) -> dict:
    """An environment whose PATH holds nothing but the given commands."""
    for name, body in scripts.items():
        path = folder / name.replace("_", "-")
        path.write_text(f"#!{BASH}\n{body}\n", "utf8")
        path.chmod(0o755)
    return {"PATH": str(folder)}


def test_ci_run_goes_on_where_no_browser_can_be_installed(tmp_path):
    environment = stand_ins(tmp_path, make='echo "make $*"', apt_get="exit 100", sudo="exit 1")
    run = subprocess.run([BASH, RUN], env=environment, capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (0, "make test\n")
    assert "could not be installed" in run.stderr


def test_ci_run_leaves_an_installed_browser_alone_and_passes_a_failure_on(tmp_path):
    environment = stand_ins(
        tmp_path, make="exit 2", chromium="", chromedriver="", apt_get="echo called", sudo="echo called"
    )
    run = subprocess.run([BASH, RUN], env=environment, capture_output=True, text=True)
    assert (run.returncode, run.stdout, run.stderr) == (2, "", "")
