import random
import time

import pytest

from medtl.cohorts import limits
from medtl.cohorts.archive import Entry
from medtl.cohorts.labelling import labels
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


# ---- what a row means


def test_a_path_from_another_computer_finds_its_file_by_its_longest_end():
    names = [f"patient{p:05d}/study{s}/view1_frontal.jpg" for p in (1, 2) for s in (1, 2)]
    rows = "".join(f"CheXpert-v1.0-small/train/{name},{at}\n" for at, name in enumerate(names))
    for above in ("", "train/", "Archive (1)/"):
        answer = labels.from_table(entries(*(above + name for name in names)), table("Path,Label\n" + rows))
        assert {name: label for name, (label, _, _) in found(answer).items()} == {
            above + name: str(at) for at, name in enumerate(names)
        }
        assert answer[1] == []


def test_a_row_of_another_patient_does_not_lend_its_label():
    rows = "".join(f"all/patient{n:05d}/study1/view1.jpg,a\n" for n in range(1, 50))
    answer = labels.from_table(
        entries("patient00077/study1/view1.jpg", "patient00007/study1/view1.jpg"), table("path,label\n" + rows)
    )
    assert set(found(answer)) == {"patient00007/study1/view1.jpg"}
    assert any(skip.file == "patient00077/study1/view1.jpg" for skip in answer[1])


def test_a_file_that_was_moved_is_found_when_no_other_row_means_it():
    answer = labels.from_table(entries("images/ISIC_1.jpg"), table("image,label\ntrain_input/ISIC_1,a\n"))
    assert found(answer) == {"images/ISIC_1.jpg": ("a", None, "")}


def test_capitals_do_not_matter_unless_they_tell_files_apart():
    answer = labels.from_table(entries("B/IMG_1.JPG"), table("file,label\nb/img_1.jpg,x\n"))
    assert found(answer)["B/IMG_1.JPG"][0] == "x"
    both = labels.from_table(entries("a.png", "A.png"), table("file,label\na.png,x\nA.png,y\n"))
    assert {name: label for name, (label, _, _) in found(both).items()} == {"a.png": "x", "A.png": "y"}


def test_a_row_may_name_the_folder_of_a_series():
    names = [f"{patient}/series {n}/{image}" for patient in ("p1", "p2") for n in (1, 2) for image in ("1", "2.dcm")]
    text = "folder,diagnosis\ndisc\\p1\\series 1,a\np2/series 2,b\np2/series 2/1,c\nseries 2,d\n"
    answer = labels.from_table(entries(*names), table(text))
    assert {name: label for name, (label, _, _) in found(answer).items()} == {
        "p1/series 1/1": "a",
        "p1/series 1/2.dcm": "a",
        "p2/series 2/1": "c",
        "p2/series 2/2.dcm": "b",
    }
    assert any(skip.file == "labels.csv, row 5" for skip in answer[1])  # two folders are called so


def test_two_rows_of_one_file_with_two_patients_contradict_each_other():
    answer = labels.from_table(entries("1.png"), table("file,label,patient\n1.png,a,p1\n1.png,a,p2\n"))
    assert found(answer) == {}
    assert "with another patient" in answer[1][0].reason


def test_faults_quote_no_name_of_a_file_or_a_patient():
    text = "file,label,patient\nMueller_Hans.png,a,Mueller\nb/1.png,a,Mueller\n1.png,b,Meier\n,a,Meier\n"
    answer = labels.from_table(entries("b/1.png"), table(text))
    told = " ".join(f"{skip.reason} {skip.advice}" for skip in answer[1])
    assert "Mueller" not in told and "Meier" not in told


def test_twenty_thousand_rows_meet_twenty_thousand_files_quickly():
    names = [f"p{n // 2:05d}/study{n % 2}/view1_frontal.jpg" for n in range(20_000)]
    text = "path,label\n" + "".join(f"root/train/{name},a\n" for name in names)
    before = time.process_time()
    answer = labels.from_table(entries(*names), table(text))
    assert len(answer[0]) == 20_000 and not answer[1]
    assert time.process_time() - before < 6


def test_a_table_of_patients_leaves_every_image_to_be_opened():
    rows = table("PatientID,diagnosis,age\nA1,x,70\nA2,y,\nA2,y,\nA3,x,\nA3,y,\n")
    assert {patient: row.label for patient, row in rows.by_patient.items()} == {"A1": "x", "A2": "y"}
    assert rows.by_patient["A1"].facts == {"age": 70}
    assert [fault.file for fault in rows.faults] == ["labels.csv, row 6"]
    answer = labels.from_table(entries("disc/IM1", "disc/DICOMDIR", "readme.txt"), rows)
    assert found(answer) == {"disc/IM1": ("", None, "")}
    assert [skip.file for skip in answer[1]] == ["disc/DICOMDIR", "readme.txt"]


@pytest.mark.parametrize("name", ["a/DICOMDIR", "a/LICENSE", "README", "a/copying", "a/notes.txt"])
def test_what_is_plainly_no_image_is_not_tried(name):
    assert labels.from_folders(entries(name))[0] == []


# ---- several findings


def several(rows: str) -> list[labels.Labelled]:
    text = f"path,edema,fracture\n{rows}"
    names = [line.split(",")[0] for line in rows.splitlines()]
    return labels.from_table(entries(*names), table(text))[0]


def test_findings_in_columns_become_labels_and_gaps_stay_open():
    first, second = several("1.png,1.0,-1\n2.png,,0\n")
    assert first.labels == {"edema": 1, "fracture": -1} and first.label == ""
    assert second.labels == {"fracture": 0}


@pytest.mark.parametrize(
    ("uncertain", "expected"),
    [
        ("leave-out", {"1.png": "edema", "2.png": "no edema"}),
        ("positive", {"1.png": "edema", "2.png": "no edema", "3.png": "edema"}),
        ("negative", {"1.png": "edema", "2.png": "no edema", "3.png": "no edema"}),
    ],
)
def test_one_finding_is_chosen_and_what_is_open_is_counted(uncertain, expected):
    chosen, skipped = labels.choose(several("1.png,1,0\n2.png,0,0\n3.png,-1,1\n4.png,,1\n"), "Edema", uncertain)
    assert {item.entry.name: item.label for item in chosen} == expected
    assert all(item.labels == {} for item in chosen)
    assert "1 image" in skipped[0].reason and len(skipped) == (2 if uncertain == "leave-out" else 1)


def test_a_finding_that_is_not_there_lists_those_that_are():
    with pytest.raises(BadInput, match="edema, fracture"):
        labels.choose(several("1.png,1,0\n2.png,1,1\n"), "oedema")


@pytest.mark.parametrize("uncertain", ["leave-out", "positive", "negative"])
def test_choosing_loses_nobody_without_a_word(uncertain):
    draw = random.Random(uncertain)
    for _ in range(100):
        said = [
            {name: draw.choice([1, 0, -1]) for name in "abc" if draw.random() < 0.6} for _ in range(draw.randint(1, 9))
        ]
        items = [
            labels.Labelled(entry, "", labels=one) for entry, one in zip(entries(*"123456789"), said, strict=False)
        ]
        for outcome in {name for one in said for name in one}:
            chosen, skipped = labels.choose(items, outcome, uncertain)
            assert {item.label for item in chosen} <= set(labels.outcome_classes(outcome))
            left = sum(int(skip.reason.split()[1]) for skip in skipped)
            assert len(chosen) + left == len(items)
