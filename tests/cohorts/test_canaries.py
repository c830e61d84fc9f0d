"""Made-up identifiers in 210 files, and what is left of them; the score is counted as the MIDI-B challenge counts."""

import datetime
import io
from collections import Counter
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from medtl.cohorts.deidentify import Cleaned, clean
from medtl.cohorts.formats import images
from medtl.cohorts.pseudonyms import Pseudonyms
from tests import canaries
from tests.canaries import Corpus, Truth

pytestmark = pytest.mark.filterwarnings("ignore")  # the files break rules on purpose
SECRET = b"secret"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return canaries.build(tmp_path_factory.mktemp("canaries"))


@pytest.fixture(scope="module")
def kept(corpus: Corpus) -> dict[str, Cleaned]:
    """File -> what may be kept of it; one secret for all, as in a workspace."""
    codes = Pseudonyms(SECRET)
    return {name: clean(data, corpus.kinds[name], codes) for name, data in canaries.texts_of(corpus)}


def test_the_corpus_is_what_it_says(corpus):
    kinds = Counter(corpus.kinds.values())
    assert kinds["DICOM"] == canaries.FILES == 200 and set(kinds) == {"DICOM", "PNG", "JPEG", "TIFF", "BMP", "NIFTI"}
    assert {kind for kind, _ in canaries.TEXTS} | {3} == set(range(1, 19))
    assert len(set(corpus.people.values())) == canaries.PATIENTS
    for name, data in canaries.texts_of(corpus):
        assert canaries.MARK.lower() in name.lower()
        assert canaries.MARK.encode() in data, name


def test_the_search_finds_what_is_there(corpus):
    token = corpus.tokens[0]
    for data in (token.encode(), token.lower().encode(), token.encode("utf-16-le"), b"x" + token.encode("utf-16-be")):
        assert canaries.traces(b"..." + data + b"...", corpus.tokens) == [token]
    assert not canaries.traces(b"nothing here", corpus.tokens)


def test_no_planted_text_is_left_in_any_file(corpus, kept):
    left = {name: traces for name, file in kept.items() if (traces := canaries.traces(file.data, corpus.tokens))}
    assert not left


def test_no_planted_text_is_left_in_facts(corpus):
    """They go into cohort.json and onto the screen, so they are judged like the attributes of the file."""
    facts = {name: images.read(data, name).facts for name, data in canaries.texts_of(corpus)}
    left = {
        name: traces for name, said in facts.items() if (traces := canaries.traces(repr(said).encode(), corpus.tokens))
    }
    assert not left
    assert {said.get("scanner") for said in facts.values()} == {"Acme Seer 9", None}
    assert {said.get("view") for said in facts.values()} == {"AP", "", None}


def test_the_list_of_what_was_removed_names_no_value(corpus, kept):
    for file in kept.values():
        assert file.removed and len(set(file.removed)) == len(file.removed)
        assert not canaries.traces(repr(file.removed).encode(), corpus.tokens)


def test_no_planted_text_is_left_in_names(corpus):
    codes = Pseudonyms(SECRET)
    coded = [codes.file_name(name, canaries.CLASSES) for name in corpus.kinds]
    assert len(set(coded)) == len(coded)
    assert not canaries.traces("\n".join(coded).encode(), corpus.tokens)
    assert all(name.startswith(canaries.CLASSES) for name in coded)


def test_pixels_are_as_before(corpus, kept):
    for name, data in canaries.texts_of(corpus):
        if corpus.kinds[name] == "DICOM":
            before, after = dcmread(io.BytesIO(data)), dcmread(io.BytesIO(kept[name].data))
            assert (before.pixel_array == after.pixel_array).all(), name


def test_at_least_999_of_1000_actions_are_right(corpus, kept):
    """MIDI-B (arXiv 2507.23608) counts for each attribute whether what was done to it is what should have been done."""
    files: dict[str, Dataset] = {}
    wrong = Counter()
    for truth in corpus.truths:
        if truth.file not in files:
            files[truth.file] = dcmread(io.BytesIO(kept[truth.file].data))
        wrong[_right(truth, files[truth.file], corpus)] += 1
    assert wrong[True] >= 0.999 * len(corpus.truths) > 10_000


def _right(truth: Truth, dataset: Dataset, corpus: Corpus) -> bool:
    codes = Pseudonyms(SECRET)
    value = _value(dataset, truth.path)
    match truth.fate:
        case "gone":
            return truth.before not in value
        case "kept":
            return value == truth.before
        case "uid":
            return value == codes.uid(truth.before)
        case "capped":
            return value == "090Y"
        case "shifted":
            day = datetime.datetime.strptime(truth.before, "%Y%m%d").date()
            moved = day + datetime.timedelta(days=codes.days(corpus.people[truth.file]))
            return value == f"{moved:%Y%m%d}"


def _value(dataset: Dataset, path: tuple[int, ...]) -> str:
    for sequence in path[:-1]:
        items = dataset[sequence].value if sequence in dataset else []
        if not items:
            return ""
        dataset = items[0]
    return str(dataset[path[-1]].value or "") if path[-1] in dataset else ""


def test_the_same_planted_by_the_short_way(tmp_path: Path):
    small = canaries.build(tmp_path, files=3)
    assert len(small.files) == 3 + len(canaries.RASTERS)
    assert all(path.is_file() for path in small.files)
