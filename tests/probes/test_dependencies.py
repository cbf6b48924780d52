import json
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path

import psutil
import pytest

from probes.dependencies.commits import at_commit
from probes.dependencies.environments import read_environment
from probes.dependencies.locks import LOCKS
from probes.dependencies.pins import ANY, Pin, Target, Wanted, own_markers, with_extras
from probes.dependencies.project_files import read_project
from probes.dependencies.requirements import read_requirements
from probes.outcome import CannotTell, Check, Outcome, Reason, Verdict
from tests.probes.conftest import RunProbe
from tests.servers.environments import LOCKS as DATA
from tests.servers.environments import NEW, OLD, copy_psutil, install, packages_of, write


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def line(outcome: Outcome, name: str) -> Check:
    return next(check for check in outcome.checks if check.name == name)


def names(outcome: Outcome) -> list[str]:
    return [check.name for check in outcome.checks]


# Environments against each other


async def test_passes_when_a_critical_package_is_the_same_in_both(run_probe: RunProbe) -> None:
    outcome = await run_probe(
        "dependencies",
        project="",
        critical=["psutil"],
        environments={"development": OLD, "production": OLD},
    )
    assert outcome.verdict is Verdict.PASS
    assert outcome.summary == "1 package compared, the same in development and production."
    assert line(outcome, "package psutil").message == "psutil: development 5.9.5, production 5.9.5."
    assert "Python 3." in line(outcome, "environment production").message


async def test_fails_when_a_critical_package_differs(run_probe: RunProbe, tmp_path: Path) -> None:
    outcome = await run_probe(
        "dependencies",
        project=str(tmp_path),
        critical=["PSUtil"],
        environments={"development": OLD, "production": NEW},
    )
    assert outcome.verdict is Verdict.FAIL
    assert outcome.summary == (
        "psutil: development 5.9.5, production 7.2.2; development and production differ."
    )
    assert outcome.hint == (
        f"Install one version in all, for example the newest there is: {OLD} -m pip install psutil==7.2.2."
    )
    assert line(outcome, "package psutil").observed == "5.9.5, 7.2.2"


async def test_warns_when_any_other_package_differs(run_probe: RunProbe, tmp_path: Path) -> None:
    environments = {"development": OLD, "production": NEW}
    outcome = await run_probe("dependencies", project=str(tmp_path), environments=environments)
    assert outcome.verdict is Verdict.WARN
    assert line(outcome, "package psutil").verdict is Verdict.WARN
    assert outcome.metrics["drifting_packages"] == 1


async def test_fails_when_a_critical_package_is_in_one_only(run_probe: RunProbe, tmp_path: Path) -> None:
    bare = install("redis", "5.0.1", tmp_path / "bare")
    environments = {"development": OLD, "production": str(bare)}
    outcome = await run_probe(
        "dependencies", project=str(tmp_path), critical=["psutil"], environments=environments
    )
    assert outcome.verdict is Verdict.FAIL
    assert "production has none." in outcome.summary
    assert outcome.hint == (
        f"Install it there: python3 -m pip install --upgrade --target {bare} psutil==5.9.5."
    )


async def test_what_only_one_environment_has_and_no_file_names_warns_in_one_line_for_each_direction(
    run_probe: RunProbe, tmp_path: Path
) -> None:
    more = install("pytest", "9.0.0", install("flask", "3.0", copy_psutil(OLD, tmp_path / "more")))
    less = install("gunicorn", "23.0", copy_psutil(OLD, tmp_path / "less"))
    outcome = await run_probe(
        "dependencies",
        project=str(tmp_path),
        critical=["psutil"],
        environments={"development": str(more), "production": str(less)},
    )
    assert outcome.verdict is Verdict.WARN
    development, production = (line(outcome, f"only in {one}") for one in ("development", "production"))
    assert (development.verdict, development.observed) == (Verdict.WARN, 2)
    assert development.message == (
        "2 packages are in development, not in production, and no file asks for them: flask, pytest."
    )
    assert development.hint == (
        "Install or remove them, or make a lock file that tells where what belongs, "
        "or set lock to the file that pip-compile wrote."
    )
    assert (production.verdict, production.observed) == (Verdict.WARN, 1)
    assert "gunicorn" in production.message
    assert outcome.metrics["drifting_packages"] == 3


async def test_the_seeds_of_an_installer_may_be_in_one_environment_only(
    run_probe: RunProbe, tmp_path: Path
) -> None:
    bare = copy_psutil(OLD, tmp_path / "bare")
    environments = {"development": OLD, "production": str(bare)}
    outcome = await run_probe("dependencies", project="", environments=environments)
    assert outcome.verdict is Verdict.PASS
    assert outcome.summary == "1 package compared, the same in development and production."


async def test_what_a_file_asks_for_in_one_environment_only_is_no_difference(
    run_probe: RunProbe, tmp_path: Path
) -> None:
    project = write(tmp_path, requirements_txt="psutil==5.9.5\ntomli==2.0; python_version < '3.10'\n")
    old = copy_psutil(OLD, tmp_path / "python3.9" / "site-packages")
    environments = {
        "old": str(install("tomli", "2.0", old)),
        "new": str(copy_psutil(OLD, tmp_path / "python3.12" / "site-packages")),
    }
    outcome = await run_probe("dependencies", project=project, environments=environments)
    assert outcome.verdict is Verdict.PASS


async def test_requirements_that_name_only_a_part_excuse_no_difference_in_the_rest(
    run_probe: RunProbe, tmp_path: Path
) -> None:
    project = write(tmp_path, requirements_txt="psutil==5.9.5\n")
    more = install("flask", "3.0", copy_psutil(OLD, tmp_path / "more"))
    environments = {"development": str(more), "production": OLD}
    outcome = await run_probe("dependencies", project=project, environments=environments)
    assert outcome.verdict is Verdict.WARN
    assert "flask" in line(outcome, "only in development").message


async def test_what_is_installed_beyond_the_lock_is_no_difference_but_said_not_to_be_compared(
    run_probe: RunProbe, tmp_path: Path
) -> None:
    project = write(tmp_path, requirements_lock="psutil==5.9.5\n")
    more = install("pytest", "9.0.0", install("pluggy", "1.5", copy_psutil(OLD, tmp_path / "more")))
    environments = {"development": str(more), "production": OLD}
    outcome = await run_probe("dependencies", project=project, environments=environments)
    assert outcome.verdict is Verdict.PASS
    assert outcome.summary == (
        "1 package compared, the same in development, production and requirements.lock; "
        "2 packages beyond requirements.lock not compared."
    )
    assert outcome.metrics["compared_packages"] == 1


async def test_one_environment_beyond_its_requirements_is_said_not_to_be_compared(
    run_probe: RunProbe, tmp_path: Path
) -> None:
    project = write(tmp_path, requirements_txt="psutil==5.9.5\n")
    more = install("flask", "3.0", copy_psutil(OLD, tmp_path / "more"))
    outcome = await run_probe("dependencies", project=project, environments={"production": str(more)})
    assert outcome.verdict is Verdict.PASS
    assert outcome.summary == (
        "1 package compared, the same in production and requirements.txt; "
        "1 package beyond requirements.txt not compared."
    )


async def test_only_twenty_packages_of_a_direction_are_named(run_probe: RunProbe, tmp_path: Path) -> None:
    for number in range(23):
        install(f"package{number:02}", "1.0", tmp_path / "one")
    bare = install("unrelated", "1.0", tmp_path / "two")
    environments = {"one": str(tmp_path / "one"), "two": str(bare)}
    outcome = await run_probe("dependencies", project=str(tmp_path), environments=environments)
    told = line(outcome, "only in one")
    assert told.observed == 23
    assert "package19 and 3 more." in told.message


async def test_without_any_environment_that_can_be_read_the_answer_is_unknown(
    run_probe: RunProbe, tmp_path: Path
) -> None:
    environments = {"development": "no/such/python", "production": "no/such/python"}
    outcome = await run_probe("dependencies", project=str(tmp_path), environments=environments)
    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.MISSING)


async def test_two_spellings_of_one_version_are_no_difference(run_probe: RunProbe, tmp_path: Path) -> None:
    one = install("Some.Name", "7.2", tmp_path / "one")
    two = install("some_name", "7.2.0", tmp_path / "two")
    environments = {"one": str(one), "two": str(two)}
    outcome = await run_probe("dependencies", project="", critical=["some-name"], environments=environments)
    assert outcome.verdict is Verdict.PASS


async def test_names_the_first_twenty_differences_and_counts_the_rest(
    run_probe: RunProbe, tmp_path: Path
) -> None:
    for number in range(23):
        install(f"package{number:02}", "1.0", tmp_path / "one")
        install(f"package{number:02}", "2.0", tmp_path / "two")
    environments = {"one": str(tmp_path / "one"), "two": str(tmp_path / "two")}
    outcome = await run_probe("dependencies", project=str(tmp_path), environments=environments)
    assert outcome.verdict is Verdict.WARN
    assert len([name for name in names(outcome) if name.startswith("package ")]) == 20
    assert line(outcome, "more packages").message == ("+3 more: package20, package21, package22.")


# Environments against files


@pytest.mark.parametrize("lock", LOCKS)
async def test_an_environment_is_held_against_the_lock(
    lock: str, run_probe: RunProbe, tmp_path: Path
) -> None:
    shutil.copy(DATA / lock, tmp_path)
    given = {"project": str(tmp_path), "critical": ["psutil"]}
    same = await run_probe("dependencies", environments={"production": OLD}, **given)
    assert same.verdict is Verdict.PASS, same
    # colorama is for Windows only and redis for development only, so production lacks nothing.
    assert line(same, "package psutil").message == f"psutil: production 5.9.5, {lock} 5.9.5."
    other = await run_probe("dependencies", environments={"production": NEW}, **given)
    assert other.verdict is Verdict.FAIL
    assert f"production is not what {lock} asks for." in other.summary
    assert other.hint == f"Install the locked version there: {NEW} -m pip install psutil==5.9.5."


@pytest.mark.parametrize("lock", LOCKS[:4])
async def test_a_package_of_a_development_group_must_match_where_it_is_installed(
    lock: str, run_probe: RunProbe, tmp_path: Path
) -> None:
    shutil.copy(DATA / lock, tmp_path)
    site = install("redis", "4.0", copy_psutil(OLD, tmp_path / "site"))
    outcome = await run_probe("dependencies", project=str(tmp_path), environments={"development": str(site)})
    assert outcome.verdict is Verdict.WARN
    assert f"redis: development 4.0, {lock} 5.0.1" in outcome.summary


@pytest.mark.parametrize("lock", LOCKS)
async def test_a_lock_does_not_bind_what_its_marker_excludes(
    lock: str, run_probe: RunProbe, tmp_path: Path
) -> None:
    shutil.copy(DATA / lock, tmp_path)
    site = install("colorama", "0.1", copy_psutil(OLD, tmp_path / "site"))
    outcome = await run_probe("dependencies", project=str(tmp_path), environments={"production": str(site)})
    assert outcome.verdict is Verdict.PASS
    assert f"1 of them not in {lock} (colorama)" in line(outcome, "environment production").message


async def test_a_critical_package_that_the_lock_leaves_open_must_still_be_the_same(
    run_probe: RunProbe, tmp_path: Path
) -> None:
    shutil.copy(DATA / "poetry.lock", tmp_path)
    more = install("redis", "5.0.1", copy_psutil(OLD, tmp_path / "more"))
    environments = {"development": str(more), "production": OLD}
    given = {"project": str(tmp_path), "environments": environments}
    assert (await run_probe("dependencies", **given)).verdict is Verdict.PASS
    outcome = await run_probe("dependencies", critical=["redis"], **given)
    assert outcome.verdict is Verdict.FAIL
    assert "production has none" in outcome.summary


async def test_requirements_need_not_list_what_the_lock_adds(run_probe: RunProbe, tmp_path: Path) -> None:
    write(tmp_path, requirements_lock="psutil==5.9.5\npip>1\n", requirements_txt="psutil==5.9.5\n")
    outcome = await run_probe("dependencies", project=str(tmp_path), environments={"production": OLD})
    assert outcome.verdict is Verdict.PASS


async def test_an_installed_prerelease_counts_as_in_range(run_probe: RunProbe, tmp_path: Path) -> None:
    project = write(tmp_path, requirements_txt="numbers>=1\n")
    site = install("numbers", "2.0rc1", tmp_path / "site")
    outcome = await run_probe("dependencies", project=project, environments={"production": str(site)})
    assert names(outcome) == ["environment production", "unpinned"]


@pytest.mark.parametrize("lock", LOCKS)
async def test_a_locked_package_that_is_not_installed_warns(
    lock: str, run_probe: RunProbe, tmp_path: Path
) -> None:
    shutil.copy(DATA / lock, tmp_path)
    site = install("unrelated", "1.0", tmp_path / "site")
    outcome = await run_probe("dependencies", project=str(tmp_path), environments={"production": str(site)})
    assert outcome.verdict is Verdict.WARN
    assert outcome.summary == (
        f"psutil: production none, {lock} 5.9.5; {lock} asks for it, production has none."
    )
    assert outcome.hint.startswith("Install it there: ")
    assert outcome.hint.endswith(" psutil==5.9.5.")
    assert "1 of them not in" in line(outcome, "environment production").message


async def test_the_first_lock_in_order_is_taken_unless_one_is_named(
    run_probe: RunProbe, tmp_path: Path
) -> None:
    shutil.copy(DATA / "uv.lock", tmp_path)
    write(
        tmp_path,
        poetry_lock='[[package]]\nname = "psutil"\nversion = "7.2.2"\ngroups = ["main"]\n[metadata]\n',
    )
    given = {"project": str(tmp_path), "critical": ["psutil"], "environments": {"production": NEW}}
    assert "uv.lock 5.9.5" in (await run_probe("dependencies", **given)).summary
    assert (await run_probe("dependencies", lock="poetry.lock", **given)).verdict is Verdict.PASS


async def test_requirements_are_held_against_the_lock(run_probe: RunProbe, tmp_path: Path) -> None:
    shutil.copy(DATA / "uv.lock", tmp_path)
    project = write(tmp_path, requirements_txt="psutil==7.2.2\ntomli-w==1.2\n")
    outcome = await run_probe("dependencies", project=project, critical=["psutil"])
    assert outcome.verdict is Verdict.FAIL
    assert outcome.summary.startswith(
        "psutil: requirements.txt 7.2.2, uv.lock 5.9.5; requirements.txt contradicts uv.lock."
    )
    assert outcome.hint == "Correct requirements.txt, or make uv.lock anew: uv lock."
    assert "requirements.txt asks for it, uv.lock lacks it" in line(outcome, "package tomli-w").message


async def test_the_range_in_pyproject_is_held_against_lock_and_environment(
    run_probe: RunProbe, tmp_path: Path
) -> None:
    shutil.copy(DATA / "requirements.lock", tmp_path)
    project = write(tmp_path, pyproject_toml='[project]\nname = "demo"\ndependencies = ["psutil>=7"]\n')
    outcome = await run_probe(
        "dependencies", project=project, critical=["psutil"], environments={"production": OLD}
    )
    assert outcome.verdict is Verdict.FAIL
    assert outcome.summary == (
        "psutil: production 5.9.5, pyproject.toml >=7, requirements.lock 5.9.5; "
        "production is not what pyproject.toml asks for; requirements.lock contradicts pyproject.toml."
    )
    assert outcome.hint == (
        "Correct pyproject.toml, or make requirements.lock anew: "
        "pip-compile --generate-hashes --output-file requirements.lock."
    )


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("5.9.5", "5.9.5"),
        (">=5,<6", "<6,>=5"),
        ("^5.9", "<6,>=5.9"),
        ("^0.2.3", "<0.3,>=0.2.3"),
        ("~5.9.1", "<5.10,>=5.9.1"),
        ("~5", "<6,>=5"),
        ("*", "any version"),
        ("^5 || ^6.1", "<6,>=5 or <7,>=6.1"),
        ("^5,!=5.3", "!=5.3,<6,>=5"),
        ("^0.0", "<0.1,>=0.0"),
        (">= 5 < 6", "<6,>=5"),
        ("5.*", "==5.*"),
        ("^5 || *", "any version"),
    ],
)
def test_a_poetry_range_is_read(given: str, wanted: str, tmp_path: Path) -> None:
    table = (
        f'[tool.poetry]\nname = "demo"\n[tool.poetry.dependencies]\npython = "^3.11"\npsutil = "{given}"\n'
    )
    write(tmp_path, pyproject_toml=table)
    (source,) = read_project(tmp_path).sources
    assert {name: str(want) for name, want in source.select(Target(own_markers())).items()} == {
        "psutil": wanted
    }


async def test_a_critical_package_that_no_file_pins_warns(run_probe: RunProbe, tmp_path: Path) -> None:
    project = write(tmp_path, requirements_txt="psutil>=5\n")
    outcome = await run_probe(
        "dependencies", project=project, critical=["psutil"], environments={"production": OLD}
    )
    assert outcome.verdict is Verdict.WARN
    assert "no file pins it" in outcome.summary


async def test_markers_are_those_of_the_environment_and_not_of_the_probe(
    run_probe: RunProbe, tmp_path: Path
) -> None:
    project = write(tmp_path, requirements_txt="psutil==5.9.5\ntomli==2.0; python_version < '3.10'\n")
    by_path = copy_psutil(OLD, tmp_path / "lib" / "python3.9" / "site-packages")
    outcome = await run_probe("dependencies", project=project, environments={"production": str(by_path)})
    assert "tomli: production none, requirements.txt 2.0" in outcome.summary
    (tmp_path / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.12.1\n")
    outcome = await run_probe("dependencies", project=project, environments={"production": str(by_path)})
    assert outcome.verdict is Verdict.PASS
    assert "Python 3.12.1" in line(outcome, "environment production").message


async def test_a_lock_may_give_each_python_a_version_of_its_own(run_probe: RunProbe, tmp_path: Path) -> None:
    lock = "numbers==1.0 ; python_version < '3.10'\nnumbers==2.0 ; python_version >= '3.10'\n"
    project = write(tmp_path, requirements_lock=lock)
    environments = {
        "old": str(install("numbers", "1.0", tmp_path / "python3.9" / "site-packages")),
        "new": str(install("numbers", "2.0", tmp_path / "python3.12" / "site-packages")),
    }
    outcome = await run_probe("dependencies", project=project, environments=environments)
    assert outcome.verdict is Verdict.PASS
    outcome = await run_probe(
        "dependencies", project=project, critical=["numbers"], environments=environments
    )
    assert outcome.verdict is Verdict.FAIL


@pytest.mark.parametrize("marked", [True, False])
def test_a_forked_uv_lock_is_read_by_the_marker_of_each_fork(marked: bool, tmp_path: Path) -> None:
    def fork(version: str, marker: str) -> str:
        package = f'[[package]]\nname = "numbers"\nversion = "{version}"\nsource = {{ registry = "x" }}\n'
        return f'{package}resolution-markers = ["{marker}"]\n' if marked else package

    root = (
        'version = 1\n[[package]]\nname = "demo"\nsource = { editable = "." }\ndependencies = [\n'
        "{ name = 'numbers', version = '1.0', marker = \"python_full_version < '3.10'\" },\n"
        "{ name = 'numbers', version = '2.0', marker = \"python_full_version >= '3.10'\" },\n]\n"
    )
    forks = fork("1.0", "python_full_version < '3.10'") + fork("2.0", "python_full_version >= '3.10'")
    write(tmp_path, uv_lock=root + forks)
    (source,) = read_project(tmp_path).sources
    for python, version in (("3.9.1", "1.0"), ("3.12.0", "2.0")):
        wanted = source.select(Target({**own_markers(), "python_full_version": python}))
        assert {name: (str(want), want.needed) for name, want in wanted.items()} == {
            "numbers": (version, True)
        }


def test_a_uv_lock_is_followed_through_dependencies_and_the_extras_asked_for(tmp_path: Path) -> None:
    def package(name: str, body: str = "") -> str:
        return f'[[package]]\nname = "{name}"\nversion = "1.0"\nsource = {{ registry = "x" }}\n{body}\n'

    root = 'version = 1\n[[package]]\nname = "demo"\nsource = { virtual = "." }\n'
    root += 'dependencies = [{ name = "web", extra = ["fast"] }]\n'
    extras = (
        '[package.optional-dependencies]\nfast = [{ name = "loop" }]\nslow = [{ name = "not-asked-for" }]\n'
    )
    web = package("web", f'dependencies = [{{ name = "base" }}]\n{extras}')
    rest = "".join(map(package, ("base", "loop", "not-asked-for")))
    write(tmp_path, uv_lock=f"{root}{web}{rest}")
    (source,) = read_project(tmp_path).sources
    assert set(source.select(Target(own_markers()))) == {"web", "base", "loop"}


@pytest.mark.parametrize(
    ("extras", "groups", "wanted"),
    [
        (["old"], [], ("0.19.0", True)),
        ([], ["new"], ("0.22.0", True)),
        ([], [], ("0.19.0 or 0.22.0", False)),
    ],
)
def test_a_uv_lock_of_extras_that_exclude_each_other_is_read_for_the_one_expected(
    extras: list[str], groups: list[str], wanted: tuple[str, bool], tmp_path: Path
) -> None:
    shutil.copy(DATA / "extras" / "conflicts-uv.lock", tmp_path / "uv.lock")
    (source,) = read_project(tmp_path).sources
    found = source.select(Target(own_markers(), frozenset(extras), frozenset(groups)))["msgspec"]
    assert (str(found), found.needed) == wanted


def test_a_uv_lock_that_ends_between_two_packages_is_cut_off(tmp_path: Path) -> None:
    whole = (DATA / "extras" / "uv.lock").read_text()
    for piece in range(2, whole.count("[[package]]")):
        cut = "[[package]]".join(whole.split("[[package]]")[: piece + 1])
        (tmp_path / "uv.lock").write_text(cut)
        with pytest.raises(CannotTell, match=r"uv\.lock cannot be read: it is cut off"):
            read_project(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "psutil==5.9.5 \\\n",
        f"psutil==5.9.5 \\\n    --hash=sha256:{'a' * 63}\n",
        f"psutil==5.9.5 \\\n    --hash=sha256:{'a' * 64} \\\n    --ha",
    ],
)
def test_a_requirements_file_that_ends_within_an_entry_is_cut_off(text: str, tmp_path: Path) -> None:
    write(tmp_path, requirements_txt=text)
    with pytest.raises(CannotTell, match="cut off"):
        read_requirements(tmp_path / "requirements.txt")


def test_an_extra_of_an_installed_package_is_followed_through_the_extras_it_asks_for() -> None:
    requires = {
        "web": [
            "web[fast]; extra == 'all'",
            "loop>=2,<3; extra == 'fast'",
            "broken ;; extra",
            "no; extra == 'no'",
        ],
        "loop": ["wheel-of-time; extra == 'never'"],
    }
    wanted = with_extras({"web": Wanted(ANY, extras=frozenset({"all"}))}, requires, own_markers())
    assert {name: str(one) for name, one in wanted.items()} == {"web": "any version", "loop": "<3,>=2"}


async def test_a_package_is_installed_with_another_pip_where_there_is_none(
    run_probe: RunProbe, tmp_path: Path
) -> None:
    venv.create(tmp_path / "bare", symlinks=True)
    write(tmp_path, requirements_lock="psutil==5.9.5\n")
    python = f"{tmp_path}/bare/bin/python"
    environments = {"production": python, "development": OLD}
    outcome = await run_probe("dependencies", environments=environments)
    assert outcome.hint == (f"Install it there: python3 -m pip --python {python} install psutil==5.9.5.")


def from_repository(folder: Path, commit: str, url: str = "https://example.org/lib") -> str:
    origin = {"url": url, "vcs_info": {"vcs": "git", "commit_id": commit}}
    metadata = install("lib", "0.1.0", folder) / "lib-0.1.0.dist-info"
    (metadata / "direct_url.json").write_text(json.dumps(origin))
    return str(folder)


async def test_another_commit_of_the_same_version_is_told_with_the_command_that_installs_the_locked_one(
    run_probe: RunProbe, tmp_path: Path
) -> None:
    locked, other = "1" * 40, "2" * 40
    link = f"git+https://user:hunter2@example.org/lib.git@{locked}#subdirectory=python"
    project = write(tmp_path, requirements_lock=f"lib @ {link}\n")
    site = from_repository(tmp_path / "site", other)
    outcome = await run_probe(
        "dependencies", project=project, critical=["lib"], environments={"production": site}
    )
    assert outcome.verdict is Verdict.FAIL
    assert outcome.summary == (
        "lib: production 0.1.0 at commit 2222222222, requirements.lock commit 1111111111; "
        "production is not what requirements.lock asks for."
    )
    # Without these two options pip passes over what is there in the same version.
    assert outcome.hint == (
        f"Install the locked version there: python3 -m pip install --upgrade --target {site} "
        "--force-reinstall --no-deps "
        f"'lib @ git+https://***@example.org/lib.git@{locked}#subdirectory=python'."
    )
    assert "hunter2" not in str(outcome)


async def test_two_environments_with_different_commits_are_told_whose_command_makes_them_one(
    run_probe: RunProbe, tmp_path: Path
) -> None:
    one, two = (from_repository(tmp_path / digit, digit * 40) for digit in "12")
    outcome = await run_probe("dependencies", project="", environments={"one": one, "two": two})
    assert outcome.verdict is Verdict.WARN
    assert outcome.summary == (
        "lib: one 0.1.0 at commit 1111111111, two 0.1.0 at commit 2222222222; one and two differ."
    )
    assert outcome.hint.startswith("Install one commit in all, for example that of one: ")
    assert outcome.hint.endswith(f" 'lib @ git+https://example.org/lib@{'1' * 40}'.")


@pytest.mark.parametrize(
    ("url", "subdirectory", "link"),
    [
        ("https://h/p.git?subdirectory=a%2Fb&rev=main#{}", "", "git+https://h/p.git@{}#subdirectory=a/b"),
        ("git@h:team/p.git", "a", "git+ssh://git@h/team/p.git@{}#subdirectory=a"),
        ("ssh://git@h/p", "", "git+ssh://git@h/p@{}"),
        ("git+https://token@h/p@{}#egg=p", "", "git+https://***@h/p@{}"),
        ("git+https://user:a@b@h/p@{}", "", "git+https://***@h/p@{}"),
        ("file:///srv/p", "", "git+file:///srv/p@{}"),
    ],
)
def test_a_commit_has_the_link_that_pip_takes_without_its_password(
    url: str, subdirectory: str, link: str
) -> None:
    commit = "a" * 40
    assert at_commit(url.format(commit), commit, subdirectory) == {commit: link.format(commit)}


@pytest.mark.parametrize("commit", ["main", "v1.0", "aaaaaaa", ""])
def test_what_may_move_is_no_commit(commit: str) -> None:
    assert at_commit("https://h/p", commit) == {}


async def test_no_pip_is_advised_where_the_system_manages_the_packages(
    run_probe: RunProbe, tmp_path: Path
) -> None:
    # Every standard library has an os.py; here it stands for the file that marks a managed one.
    marking = 'sed s/EXTERNALLY-MANAGED/os.py/ | "$0" -I -'
    python = f"{sys.base_prefix}/bin/python{sys.version_info[0]}.{sys.version_info[1]}"
    project = write(tmp_path, requirements_lock="no-such-package==1.0\n")
    outcome = await run_probe(
        "dependencies",
        project=project,
        environments={"production": ["sh", "-c", marking, python]},
        exact=["production"],
    )
    assert line(outcome, "package no-such-package").hint == (
        "Install it there: no-such-package==1.0, in a virtual environment or with the system's "
        "package manager."
    )
    assert not any(" pip " in check.hint for check in outcome.checks)


async def test_an_environment_of_a_python_the_project_does_not_support_warns(
    run_probe: RunProbe, tmp_path: Path
) -> None:
    table = '[project]\nname = "demo"\nrequires-python = ">=3.99"\ndependencies = ["psutil==5.9.5"]\n'
    project = write(tmp_path, pyproject_toml=table)
    outcome = await run_probe("dependencies", project=project, environments={"production": OLD})
    assert outcome.verdict is Verdict.WARN
    assert "pyproject.toml asks for Python >=3.99" in outcome.summary


# Damaged environments


async def test_a_package_installed_twice_is_a_finding(run_probe: RunProbe, tmp_path: Path) -> None:
    site = copy_psutil(NEW, copy_psutil(OLD, tmp_path / "site"))
    given = {"project": str(tmp_path), "environments": {"development": str(site), "production": str(site)}}
    outcome = await run_probe("dependencies", **given)
    assert outcome.verdict is Verdict.WARN
    assert "development has it installed more than once" in outcome.summary
    outcome = await run_probe("dependencies", critical=["psutil"], **given)
    assert outcome.verdict is Verdict.FAIL


async def test_metadata_without_a_name_is_a_finding_and_no_crash(run_probe: RunProbe, tmp_path: Path) -> None:
    site = copy_psutil(OLD, tmp_path / "site")
    (site / "broken-1.0.dist-info").mkdir()
    (site / "binary-1.0.dist-info").mkdir()
    (site / "binary-1.0.dist-info" / "METADATA").write_bytes(b"Name: \xff\xfe\x00\n")
    outcome = await run_probe(
        "dependencies",
        project=str(tmp_path),
        critical=["psutil"],
        environments={"development": OLD, "production": str(site)},
    )
    assert outcome.verdict is Verdict.WARN
    assert "broken-1.0.dist-info" in outcome.summary
    assert "binary-1.0.dist-info" in outcome.summary
    assert line(outcome, "package psutil").verdict is Verdict.PASS


# Ways to reach an environment


async def test_a_command_may_lead_to_the_python(run_probe: RunProbe) -> None:
    environments = {
        "list": ["env", "X=1", OLD],
        "text": f"env X=1 '{OLD}'",
        "with a banner": ["sh", "-c", 'echo Welcome; exec "$@"', "sh", OLD],
    }
    outcome = await run_probe("dependencies", project="", critical=["psutil"], environments=environments)
    assert outcome.verdict is Verdict.PASS, outcome


def test_what_a_command_leaves_running_is_neither_waited_for_nor_left(tmp_path: Path) -> None:
    leaving = ["sh", "-c", 'sleep 60 & echo "$!" > "$0"; exec "$@"', str(tmp_path / "pid"), OLD]
    environment = read_environment("production", leaving, 30)
    assert environment.packages["psutil"] == ["5.9.5"]
    assert_ended(int((tmp_path / "pid").read_text()))


async def test_a_site_packages_folder_needs_no_interpreter(run_probe: RunProbe, tmp_path: Path) -> None:
    environments = {"development": OLD, "production": str(packages_of(NEW))}
    outcome = await run_probe(
        "dependencies", project=str(tmp_path), critical=["psutil"], environments=environments
    )
    assert outcome.verdict is Verdict.FAIL
    assert "production 7.2.2" in outcome.summary


def assert_ended(pid: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return
        except psutil.NoSuchProcess:
            return
        time.sleep(0.02)
    pytest.fail(f"process {pid} lives on")


# What cannot be told


async def test_an_environment_whose_variable_is_not_set_is_not_configured(
    run_probe: RunProbe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PRODUCTION_PYTHON", raising=False)
    environments = {"development": OLD, "production": "${PRODUCTION_PYTHON:-}"}
    outcome = await run_probe(
        "dependencies", project=str(tmp_path), critical=["psutil"], environments=environments
    )
    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.CONFIG)
    assert "The environment production is not configured" in outcome.summary
    assert line(outcome, "package psutil").verdict is Verdict.UNKNOWN


async def test_a_difference_is_told_even_if_another_environment_cannot_be_read(
    run_probe: RunProbe, tmp_path: Path
) -> None:
    environments = {"development": OLD, "staging": "", "production": NEW}
    outcome = await run_probe(
        "dependencies", project=str(tmp_path), critical=["psutil"], environments=environments
    )
    assert outcome.verdict is Verdict.FAIL
    assert "staging not read" in outcome.summary


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("no/such/python", Reason.MISSING),
        (["env", "no/such/python"], Reason.MISSING),
        ("env 'unclosed", Reason.CONFIG),
        ([], Reason.CONFIG),
        (["sh", "-c", "exit 127"], Reason.MISSING),
        (["sh", "-c", "exit 126"], Reason.FORBIDDEN),
        (["sh", "-c", "kill -9 $$"], Reason.CRASHED),
        (["sh", "-c", "echo '{}'"], Reason.PROTOCOL),
        (["sh", "-c", "echo; echo gonogo-packages:nonsense"], Reason.PROTOCOL),
        (["sh", "-c", "cat"], Reason.PROTOCOL),
        (["sh", "-c", "cat /dev/zero"], Reason.PROTOCOL),
        (["sh", "-c", "echo 'connect to host h port 22: Connection refused' >&2; exit 255"], Reason.REFUSED),
        (["sh", "-c", "echo 'Could not resolve hostname h' >&2; exit 255"], Reason.DNS),
        (["sh", "-c", "echo 'u@h: Permission denied (publickey).' >&2; exit 255"], Reason.AUTH),
        (
            ["sh", "-c", "echo 'connect to host h port 22: Connection timed out' >&2; exit 255"],
            Reason.TIMEOUT,
        ),
        (
            ["sh", "-c", "echo 'ssh: connect to host h port 22: No route to host' >&2; exit 255"],
            Reason.REFUSED,
        ),
        (["sh", "-c", "echo 'Is the docker daemon running?' >&2; exit 1"], Reason.REFUSED),
        (["sh", "-c", "echo 'Error: No such container: c' >&2; exit 1"], Reason.MISSING),
        (["sh", "-c", "echo 'container c is not running' >&2; exit 1"], Reason.REFUSED),
        (
            ["sh", "-c", "echo 'OCI exec: python9: executable file not found in $PATH' >&2; exit 126"],
            Reason.MISSING,
        ),
        (["sh", "-c", "echo 'Error (NotFound): pods c not found' >&2; exit 1"], Reason.MISSING),
    ],
)
async def test_an_environment_that_cannot_be_read_is_unknown_with_its_reason(
    place: str | list[str], reason: Reason, run_probe: RunProbe, tmp_path: Path
) -> None:
    outcome = await run_probe(
        "dependencies", project=str(tmp_path), environments={"development": OLD, "production": place}
    )
    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, reason), outcome
    assert "production" in outcome.summary
    assert outcome.hint.endswith(".")


async def test_what_to_try_by_hand_is_the_command_without_its_passwords(
    run_probe: RunProbe, tmp_path: Path
) -> None:
    sshpass = script(tmp_path / "sshpass", "echo 'Connection refused' >&2; exit 255")
    place = [sshpass, "-p", "hunter2", "env", "DB_PASSWORD=hunter2", "python3"]
    outcome = await run_probe("dependencies", project="", environments={"one": OLD, "two": place})
    assert outcome.reason is Reason.REFUSED
    assert outcome.hint == (
        "Start the SSH server there, or correct host and port; then try it by hand: "
        f"{sshpass} -p '***' env 'DB_PASSWORD=***' python3 -V."
    )
    assert "hunter2" not in str(outcome)


async def test_a_file_that_may_not_be_run_is_forbidden(run_probe: RunProbe, tmp_path: Path) -> None:
    (tmp_path / "python").write_text("")
    environments = {"development": OLD, "production": str(tmp_path / "python")}
    outcome = await run_probe("dependencies", project=str(tmp_path), environments=environments)
    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.FORBIDDEN)


async def test_an_interpreter_that_hangs_is_ended_and_the_others_are_read(
    run_probe: RunProbe, tmp_path: Path
) -> None:
    hanging = script(
        tmp_path / "python", f"echo $$ > {tmp_path}/pid\nsleep 60 &\necho $! > {tmp_path}/child\nwait"
    )
    outcome = await run_probe(
        "dependencies",
        project=str(tmp_path),
        environments={"production": hanging, "development": OLD},
        timeout="10s",
    )
    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.TIMEOUT)
    assert line(outcome, "environment development").verdict is Verdict.PASS
    for pid in ("pid", "child"):
        assert_ended(int((tmp_path / pid).read_text()))


async def test_a_critical_package_that_is_nowhere_is_unknown(run_probe: RunProbe, tmp_path: Path) -> None:
    environments = {"development": OLD, "production": OLD}
    outcome = await run_probe(
        "dependencies", project=str(tmp_path), critical=["psuitl"], environments=environments
    )
    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.CONFIG)
    assert "it is nowhere" in outcome.summary
    assert outcome.hint == "Correct psuitl in critical: no environment has such a package."


@pytest.mark.parametrize("environments", [{}, {"production": OLD}])
async def test_with_one_source_at_most_there_is_nothing_to_compare(
    environments: dict[str, str], run_probe: RunProbe, tmp_path: Path
) -> None:
    outcome = await run_probe("dependencies", project=str(tmp_path), environments=environments)
    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.CONFIG)
    assert "nothing to compare" in outcome.summary


@pytest.mark.parametrize(
    ("files", "given", "reason"),
    [
        ({}, {"project": "no/such/folder"}, Reason.MISSING),
        ({}, {"lock": "uv.lock"}, Reason.MISSING),
        ({}, {"requirements": ["base.txt"]}, Reason.MISSING),
        ({"requirements_txt": "-r base.txt\n"}, {}, Reason.MISSING),
        ({"requirements_txt": "-r https://example.org/base.txt\n"}, {}, Reason.CONFIG),
        ({"requirements_txt": "psutil 5.9.5\n"}, {}, Reason.CONFIG),
        ({"requirements_txt": "psutil==5.9.5 --hash='sha256\n"}, {}, Reason.CONFIG),
        ({"pyproject_toml": "[project"}, {}, Reason.CONFIG),
        ({"pyproject_toml": "[project]\ndependencies = 'psutil'"}, {}, Reason.CONFIG),
        ({"uv_lock": "version = 99"}, {}, Reason.CONFIG),
        ({"uv_lock": "[[package]]\nname = 1"}, {}, Reason.CONFIG),
        ({"poetry_lock": "[[package]]\nname = 'psutil'\nversion = 'x y'\n[metadata]\n"}, {}, Reason.CONFIG),
        ({"Pipfile_lock": "{"}, {}, Reason.CONFIG),
        ({"pylock_toml": "lock-version = '1.0'"}, {}, Reason.CONFIG),
        ({"pylock_toml": "lock-version = '9.0'\ncreated-by = 'x'\npackages = []"}, {}, Reason.CONFIG),
    ],
)
async def test_a_file_that_cannot_be_read_is_unknown_with_its_reason(
    files: dict[str, str], given: dict[str, object], reason: Reason, run_probe: RunProbe, tmp_path: Path
) -> None:
    write(tmp_path, **files)
    environments = {"development": OLD, "production": OLD}
    outcome = await run_probe(
        "dependencies", **{"project": str(tmp_path), "environments": environments, **given}
    )
    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, reason)


# Requirements files

SAMPLES = {
    "psutil": ("psutil", "", "", True),
    "  psutil == 5.9.5  ": ("psutil", "==5.9.5", "", True),
    "psutil==5.9.5 # why": ("psutil", "==5.9.5", "", True),
    "# nothing": None,
    "   # nothing \\": None,
    "Some.Name[a,b]>=1,<2": ("some-name", "<2,>=1", "", True),
    "psutil (==5.9.5)": ("psutil", "==5.9.5", "", True),
    'psutil==5.9.5 ; python_version < "3"': ("psutil", "==5.9.5", 'python_version < "3"', True),
    f"psutil==5.9.5 \\\n    --hash=sha256:{'a' * 64} \\\n    --hash=sha256:{'b' * 64}": (
        "psutil",
        "==5.9.5",
        "",
        True,
    ),
    "psu\\\ntil==5.9.5": ("psutil", "==5.9.5", "", True),
    "psutil \\\n# between\n": ("psutil", "", "", True),
    "psutil==${A_VERSION}": ("psutil", "==5.9.5", "", True),
    "psutil==5.*": ("psutil", "==5.*", "", True),
    "psutil===5.9.5": ("psutil", "===5.9.5", "", True),
    "psutil @ https://example.org/psutil-5.9.5.tar.gz": ("psutil", "==5.9.5", "", True),
    "psutil @ git+https://example.org/psutil@v5": ("psutil", "", "", True),
    "https://example.org/psutil-5.9.5.tar.gz": ("psutil", "==5.9.5", "", True),
    "https://example.org/psutil-5.9.5-py3-none-any.whl?a=1;b#sha256=aa": ("psutil", "==5.9.5", "", True),
    "git+https://user:secret@example.org/x.git#egg=psutil": ("psutil", "", "", True),
    "./vendor/thing": ("", "", "", True),
    "-e .": ("", "", "", True),
    "--editable=git+https://example.org/x.git#egg=Some_Name": ("some-name", "", "", True),
    "--index-url https://user:secret@example.org/simple": None,
    "--no-binary :all:": None,
    "-i https://example.org/simple --pre": None,
    "-c constraints.txt": ("bound", "<3", "", False),
    "--constraint=constraints.txt": ("bound", "<3", "", False),
    "-r more/included.txt": ("included", "==1.0", "", True),
    "-rmore/included.txt": ("included", "==1.0", "", True),
    "--requirement more/included.txt": ("included", "==1.0", "", True),
}
"""Lines of a requirements file: the name, specifier and marker they give, and whether they ask for it."""


def sample(folder: Path, text: str) -> Path:
    (folder / "more").mkdir()
    (folder / "more" / "included.txt").write_text("included==1.0\n")
    (folder / "constraints.txt").write_text("bound<3\n")
    (folder / "requirements.txt").write_text(f"{text}\n")
    return folder / "requirements.txt"


def told(pin: Pin) -> tuple[str, str, str, bool]:
    return (pin.name, " or ".join(map(str, pin.allowed)), str(pin.marker or ""), pin.needed)


@pytest.mark.parametrize(("text", "wanted"), SAMPLES.items())
def test_a_line_of_a_requirements_file_is_read(
    text: str,
    wanted: tuple[str, str, str, bool] | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("A_VERSION", "5.9.5")
    assert [told(pin) for pin in read_requirements(sample(tmp_path, text))] == ([wanted] if wanted else [])


# pip's own reader refuses a folder that is not there; ours passes it over.
PIP = """
import json, sys
from pip._internal.network.session import PipSession
from pip._internal.req.req_file import parse_requirements
lines = parse_requirements(sys.argv[1], session=PipSession())
print(json.dumps([[one.requirement, one.constraint, one.is_editable] for one in lines]))
"""


def test_a_whole_requirements_file_is_read_as_pip_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_VERSION", "5.9.5")
    text = "\n".join(one for one in SAMPLES if "egg=" not in one)
    path = sample(tmp_path, text)
    run = subprocess.run(
        [OLD, "-W", "ignore", "-c", PIP, str(path)], capture_output=True, check=True, cwd=tmp_path
    )
    theirs = [
        told(read_one(tmp_path, requirement, constraint=constraint))
        for requirement, constraint, _ in json.loads(run.stdout)
    ]
    # pip reads what is included anew each time; the same line again adds nothing.
    assert list(dict.fromkeys(map(told, read_requirements(path)))) == list(dict.fromkeys(theirs))
    assert len(theirs) > 15


def read_one(folder: Path, requirement: str, *, constraint: bool) -> Pin:
    path = folder / "one.txt"
    path.write_text(requirement + "\n")
    return read_requirements(path)[0]._replace(needed=not constraint)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_requirements_file_with_a_byte_order_mark_is_read(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("psutil==5.9.5\r\n", encoding=encoding)
    assert [pin.name for pin in read_requirements(tmp_path / "requirements.txt")] == ["psutil"]


def test_a_line_that_is_no_requirement_is_named_without_its_text(tmp_path: Path) -> None:
    path = sample(tmp_path, "psutil\n\nnonsense hunter2")
    with pytest.raises(CannotTell, match=r"requirements\.txt, line 3, is not a requirement") as caught:
        read_requirements(path)
    assert "hunter2" not in caught.value.message
