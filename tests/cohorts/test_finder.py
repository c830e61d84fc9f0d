import random

from medtl.cohorts.archive import Entry
from medtl.cohorts.labelling.finder import DEPTH, Finder


def tree(draw: random.Random, files: int = 60) -> list[Entry]:
    """Few words, so that names repeat in many folders."""
    names = {
        "/".join(draw.choice("abc") for _ in range(draw.randint(0, 4)))
        + f"/{draw.choice('xyz')}.{draw.choice(['png', 'jpg'])}"
        for _ in range(files)
    }
    return [Entry(name.strip("/"), 1, lambda: b"") for name in sorted(names)]


def ends_with(name: str, end: str) -> bool:
    return name == end or name.endswith(f"/{end}")


def test_a_unique_end_of_a_path_finds_its_file_and_no_other():
    draw = random.Random(0)
    for _ in range(30):
        entries = tree(draw)
        finder = Finder(entries)
        for entry in entries:
            pieces = entry.name.split("/")
            for at in range(len(pieces)):
                end = "/".join(pieces[at:])
                meant = [other for other in entries if ends_with(other.name, end)]
                found = finder.file(end)
                if len(meant) == 1 or end == entry.name:
                    assert found.entry is entry and not found.loose
                elif end not in {other.name for other in entries}:
                    assert found.entry is None and "folder" in found.why


def test_more_folders_above_change_nothing():
    draw = random.Random(1)
    entries = tree(draw)
    finder = Finder(entries)
    for entry in entries:
        for above in ("C:\\data\\", "/mnt/share/", "./"):
            found = finder.file(above + entry.name)
            assert found.entry is entry and not found.loose


def test_another_folder_before_the_same_end_is_loose():
    finder = Finder([Entry("images/1.png", 1, lambda: b"")])
    assert finder.file("labels/1.png").loose and not finder.file("1.png").loose
    assert finder.file("2.png").entry is None and finder.file("2.png").why == ""


def test_the_ending_may_be_missing_and_must_not_be_another():
    finder = Finder([Entry("a/1.png", 1, lambda: b""), Entry("a/1.2.840", 1, lambda: b"")])
    assert finder.file("a/1").entry.name == finder.file("1").entry.name == "a/1.png"
    assert finder.file("1.2.840").entry.name == "a/1.2.840"
    assert finder.file("1.jpg").entry is None


def test_what_lies_below_a_folder():
    names = ["a/1/x.png", "a/1/deep/y.png", "a/10/x.png", "b/1/x.png", "b/2/x.png", "b/2/readme.txt"]
    finder = Finder([Entry(name, 1, lambda: b"") for name in names])
    below = {
        text: [entry.name for entry in finder.under(text)] for text in ("A/1", "any/where/a/1/", "1", "2", "a", "c")
    }
    assert below["A/1"] == below["any/where/a/1/"] == ["a/1/deep/y.png", "a/1/x.png"]
    assert below["1"] == below["c"] == [] and below["2"] == ["b/2/x.png"]
    assert len(below["a"]) == 3


def test_hostile_paths_take_no_time():
    deep = "/".join("a" * 5000)
    finder = Finder([Entry(f"{'d/' * 120}x.png", 1, lambda: b"")])
    assert finder.file(deep).entry is None and finder.under(deep) == ()
    assert finder.file(f"{'d/' * (DEPTH - 1)}x.png").entry is not None
