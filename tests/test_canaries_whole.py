"""The canary corpus through the whole of an import: nothing of it is left in the workspace or on the screen.

Pages, browser and reports look at a cohort through the same values that are searched here.
"""

import json
import os
from pathlib import Path

import pytest

from medtl.cohorts import library
from medtl.vocabulary import Cohort, to_dict
from medtl.workspace import Workspace
from tests import canaries
from tests.builders import python
from tests.canaries import Corpus

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return canaries.build(tmp_path_factory.mktemp("canaries") / "brought")


@pytest.fixture(scope="module")
def imported(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, Cohort]:
    ws = workspace(tmp_path_factory.mktemp("home") / "medtl")
    return ws, library.add(ws, corpus.root, name="Canaries")


def workspace(home: Path) -> Workspace:
    """With a secret that is always the same: among thousands of random codes eight digits of a token may turn up by
    chance, about once in fifty runs."""
    ws = Workspace(home).ensure()
    ws.salt_file.write_bytes(b"always the same secret of a test")
    return ws


def traces_in(folder: Path, tokens: list[str]) -> dict[str, list[str]]:
    """File -> tokens in its bytes or in its name, for everything below the folder."""
    found = {}
    for file in folder.rglob("*"):
        here = canaries.traces(str(file.relative_to(folder)).encode(), tokens)
        if file.is_file():
            here += canaries.traces(file.read_bytes(), tokens)
        if here:
            found[str(file)] = here
    return found


def test_every_file_is_taken_and_none_leaves_a_trace_in_the_workspace(corpus, imported):
    ws, cohort = imported
    assert not cohort.skipped
    assert {case.at for case in cohort.cases} and len(cohort.cases) >= len(corpus.files)
    assert not traces_in(ws.home, corpus.tokens)


def test_what_pages_and_exports_are_made_from_holds_no_trace(corpus, imported):
    ws, cohort = imported
    shown = [to_dict(cohort), library.describe(cohort), [to_dict(line) for line in library.cohorts(ws)]]
    assert not canaries.traces(json.dumps(shown, ensure_ascii=False, default=str).encode(), corpus.tokens)


def test_who_belongs_together_is_still_known(corpus, imported):
    _, cohort = imported
    assert cohort.patients is not None and cohort.patients >= canaries.PATIENTS
    assert cohort.split.patients_shared == 0
    assert cohort.privacy.names == "replaced" and cohort.privacy.key == "thrown away"
    assert {"(0010,0010)", "private", "(60xx,xxxx)"} <= {removed.tag for removed in cohort.privacy.removed}


def test_a_version_and_its_deletion_leave_no_trace_either(corpus, imported):
    ws, cohort = imported
    edited = library.edit(ws, cohort.id, exclude=[cohort.cases[0].id], who="")
    assert not traces_in(ws.home, corpus.tokens)
    library.delete(ws, edited.id)
    assert not ws.cohort(edited.id).exists()


def test_the_command_says_nothing_of_it(tmp_path):
    corpus = canaries.build(tmp_path / "brought", files=12)
    code = f"from medtl.cli import main; main(['cohort', 'add', {str(corpus.root)!r}])"
    answer = python(code, MEDTL_HOME=str(tmp_path / "home"), PATH=os.environ.get("PATH", ""))
    assert answer.returncode == 0, answer.stderr[-2000:]
    told = (answer.stdout + answer.stderr).replace(str(corpus.root), "")
    assert not canaries.traces(told.encode(), corpus.tokens)
    assert not traces_in(tmp_path / "home", corpus.tokens)


def test_a_key_that_was_asked_for_lies_apart_and_can_be_thrown_away(tmp_path):
    corpus = canaries.build(tmp_path / "brought", files=12)
    ws = workspace(tmp_path / "home")
    cohort = library.add(ws, corpus.root, keep_key=True)
    key = library.key_file(ws, cohort.id)
    assert key is not None and ws.cohorts not in key.parents
    patients = {corpus.people[name] for name in corpus.people}
    assert patients <= set(canaries.traces(key.read_bytes(), corpus.tokens))
    assert list(traces_in(ws.home, corpus.tokens)) == [str(key)]
    library.delete(ws, cohort.id)
    assert not traces_in(ws.home, corpus.tokens)
