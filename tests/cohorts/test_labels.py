import pytest

from medtl.cohorts import labels, limits
from medtl.cohorts.archive import Entry
from medtl.errors import BadInput


def entries(*names: str) -> list[Entry]:
    return [Entry(name, 1, lambda: b"") for name in names]


def found(answer: labels.Answer) -> dict[str, tuple[str, str | None, str]]:
    return {item.entry.name: (item.label, item.patient, item.part) for item in answer[0]}


def table(text: str | bytes, **options: object) -> labels.Table:
    return labels.read_table(text.encode() if isinstance(text, str) else text, "labels.csv", **options)  # type: ignore[arg-type]


# ---- folders


def test_folders_are_labels_and_deeper_folders_do_not_matter():
    answer = labels.from_folders(entries("benign/1.png", "malignant/visit 2/3.png"))
    assert found(answer) == {"benign/1.png": ("benign", None, ""), "malignant/visit 2/3.png": ("malignant", None, "")}


def test_parts_on_top_are_respected():
    answer = labels.from_folders(entries("train/a/1.png", "Valid/a/2.png", "test/b/3.png", "4.png", "other/b/5.png"))
    assert {name: part for name, (_, _, part) in found(answer).items()} == {
        "train/a/1.png": "train",
        "Valid/a/2.png": "tune",
        "test/b/3.png": "test",
    }
    assert {skip.file for skip in answer[1]} == {"4.png", "other/b/5.png"}


def test_a_class_may_be_called_test_when_nothing_lies_below_it():
    assert found(labels.from_folders(entries("test/1.png", "control/2.png")))["test/1.png"] == ("test", None, "")


def test_files_without_a_label_and_documents_are_named():
    answer = labels.from_folders(entries("readme.txt", "loose.png", "a/1.png"))
    assert [skip.file for skip in answer[1]] == ["readme.txt", "loose.png"]


def test_class_names_are_text_of_bounded_length():
    hostile = "\u202e<img src=x onerror=alert(1)>" + "x" * 300
    (label, _, _) = found(labels.from_folders(entries(f"{hostile}/1.png")))[f"{hostile}/1.png"]
    assert label.startswith("<img") and len(label) == limits.CLASS_NAME


# ---- tables


@pytest.mark.parametrize(
    "text",
    [
        "file,label,patient\n1.png,a,p1\n2.png,b,p2\n",
        "\ufeffFile Name;Diagnosis;Patient ID\r\n1.png;a;p1\r\n2.png;b;p2\r\n",
        "label\tpatient_id\timage\na\tp1\t1.png\nb\tp2\t2.png",
        '"file","label","subject"\n"1.png"," a","p1"\n\n"2.png","b ","p2"\n',
    ],
)
def test_tables_as_people_make_them(text):
    answer = labels.from_table(entries("1.png", "2.png"), table(text))
    assert found(answer) == {"1.png": ("a", "p1", ""), "2.png": ("b", "p2", "")}
    assert answer[1] == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_encodings(encoding):
    answer = labels.from_table(entries("1.png"), table("file,label\n1.png,gutmütig\n".encode(encoding)))
    assert found(answer)["1.png"][0] == "gutmütig"


def test_files_are_found_by_path_by_name_and_without_ending():
    text = "file,label\na\\1.png,x\n2.png,x\n3,x\n"
    assert len(found(labels.from_table(entries("a/1.png", "b/2.png", "b/3.png"), table(text)))) == 3


def test_an_ambiguous_name_is_a_fault_of_its_row():
    answer = labels.from_table(entries("a/1.png", "b/1.png"), table("file,label\n1.png,x\n"))
    assert found(answer) == {}
    assert answer[1][0].file == "labels.csv, row 2" and "folder" in answer[1][0].reason


def test_faults_are_named_by_row_and_the_rest_is_read():
    text = "file,label\n1.png,a\n2.png\n3.png,\n4.png,NaN\n,a\nmissing.png,a\n5.png,b,extra\n"
    answer = labels.from_table(entries("1.png", "2.png", "3.png", "4.png", "5.png"), table(text))
    assert set(found(answer)) == {"1.png", "5.png"}
    faults = [skip.file for skip in answer[1] if "row" in skip.file]
    assert faults == [f"labels.csv, row {n}" for n in (3, 4, 5, 6, 7)]
    assert {skip.file for skip in answer[1]} >= {"2.png", "3.png", "4.png"}


def test_a_file_with_two_labels_is_left_out():
    answer = labels.from_table(entries("1.png"), table("file,label\n1.png,a\n1.png,b\n"))
    assert found(answer) == {}
    assert any("row 2, with another label" in skip.reason for skip in answer[1])


def test_parts_come_from_the_table_or_from_the_folders():
    answer = labels.from_table(
        entries("train/1.png", "test/2.png"), table("file,label,split\n1.png,a,validation\n2.png,b,\n")
    )
    assert {name: part for name, (_, _, part) in found(answer).items()} == {"train/1.png": "tune", "test/2.png": "test"}


def test_missing_columns_are_asked_for_by_name():
    with pytest.raises(BadInput, match="picture, colour; we need file and label"):
        table("picture,colour\n1.png,a\n")
    with pytest.raises(BadInput):
        table("")


def test_many_faults_are_summed_up():
    text = "file,label\n" + "".join(f"{n}.png,a\n" for n in range(5000))
    answer = labels.from_table(entries("x.png"), table(text))
    assert len(answer[1]) == limits.LISTED + 1
    assert "more faults" in answer[1][-1].reason


def test_a_split_file_lays_parts_over_labels():
    labelled, _ = labels.from_folders(entries("a/1.png", "b/2.png", "b/3.png"))
    text = "file,part\na/1.png,train\nb/2.png,TEST\nb/9.png,test\nb/3.png,sometimes\n"
    answer = labels.with_parts(labelled, table(text, needs=("file", "part")))
    assert [item.part for item in answer[0]] == ["train", "test", ""]
    assert [skip.file for skip in answer[1]] == ["labels.csv, row 5", "labels.csv, row 4"]
