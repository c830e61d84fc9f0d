import pytest

from medtl.cohorts import names


def test_text_is_shown_without_what_hides_or_reorders():
    assert names.shown("a\u202egpj.exe\0\n\u200f") == "agpj.exe"
    assert names.shown("Cafe\u0301") == "Café"
    assert names.shown("\udcff<b>x</b>") == "<b>x</b>"
    assert len(names.shown("x" * 500, 100)) == 100


@pytest.mark.parametrize(
    ("text", "suffix"), [("a/b.PNG", ".png"), ("IM.0001", ""), ("1.2.840.113", ""), ("a", ""), (".hidden", "")]
)
def test_suffix(text, suffix):
    assert names.suffix(text) == suffix


@pytest.mark.parametrize(
    ("text", "suffix"), [("a/b.NII.GZ", ".nii.gz"), ("b.nii", ".nii"), ("b.tar.gz", ".gz"), (".nii.gz", ".gz")]
)
def test_a_packed_volume_has_one_suffix(text, suffix):
    assert names.suffix(text) == suffix


@pytest.mark.parametrize(
    ("text", "part"), [("Train", "train"), ("VALID", "tune"), ("test_set", "test"), ("benign", "")]
)
def test_parts_are_known_by_many_names(text, part):
    assert names.part_named(text) == part


def test_paths_are_compared_in_one_spelling():
    assert names.path_key(" .\\a\\Cafe\u0301.png") == "a/Café.png"
