import tracemalloc

import pytest

from medtl.cohorts import limits
from medtl.cohorts.labelling import facts, tables
from medtl.errors import BadInput


def table(text: str | bytes, **options: object) -> tables.Table:
    return tables.read_table(text.encode() if isinstance(text, str) else text, "labels.csv", **options)  # type: ignore[arg-type]


def said(text: str, **options: object) -> list[dict[str, int]]:
    return [row.labels for row in table(text, **options).rows]


# ---- several findings


CHEXPERT = (
    "Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Edema,Support Devices\n"
    "C/train/patient00001/study1/view1_frontal.jpg,Female,68,Frontal,AP,1.0,,1.0\n"
    "C/train/patient00002/study2/view1_frontal.jpg,Male,91,Frontal,PA,,-1.0,\n"
    "C/train/patient00003/study1/view2_lateral.jpg,Unknown,0,Lateral,,,,\n"
)


def test_chexpert_is_read_as_it_is():
    found = table(CHEXPERT)
    assert (found.task, found.classes) == ("multi-label", ("No Finding", "Edema", "Support Devices"))
    assert [row.labels for row in found.rows] == [{"No Finding": 1, "Support Devices": 1}, {"Edema": -1}]
    assert found.rows[0].facts == {"sex": "F", "age": 68, "view": "Frontal AP"}
    assert found.rows[1].facts == {"sex": "M", "age": 90, "view": "Frontal PA"}
    assert [fault.file for fault in found.faults] == ["labels.csv, row 4"]  # it says nothing about any finding
    assert found.ignored == ()


def test_one_label_written_as_columns_is_one_label():
    text = "image,MEL,NV,BCC\nISIC_1,0.0,1.0,0.0\nISIC_2,1.0,0.0,0.0\n"
    found = table(text)
    assert [row.label for row in found.rows] == ["NV", "MEL"] and found.task == "single-label"
    assert "exactly one" in found.says[0]
    assert table(text, task="multi-label").classes == ("MEL", "NV", "BCC")


def test_chestxray14_names_findings_in_one_cell():
    found = table(
        "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position\n"
        "1.png,Cardiomegaly|Emphysema,0,1,058Y,M,PA\n2.png,No Finding,0,2,81,F,AP\n"
    )
    assert found.classes == ("Cardiomegaly", "Emphysema", "No Finding") and found.task == "multi-label"
    assert [row.labels for row in found.rows] == [
        {"Cardiomegaly": 1, "Emphysema": 1, "No Finding": 0},
        {"Cardiomegaly": 0, "Emphysema": 0, "No Finding": 1},
    ]
    assert found.rows[0].patient == "1" and found.rows[0].facts == {"age": 58, "sex": "M", "view": "PA"}
    assert found.ignored == ("Follow-up #",)


@pytest.mark.parametrize("gap", ["", "nan", "NaN", "NA", "null"])
def test_a_gap_is_not_a_zero(gap):
    assert said(f"file,a,b\n1.png,1,{gap}\n2.png,0,-1\n3.png,1,1") == [{"a": 1}, {"a": 0, "b": -1}, {"a": 1, "b": 1}]


def test_spreadsheets_write_answers_in_their_own_way():
    assert said("file;a;b\n1.png;1,0;TRUE\n2.png;0,0;no\n3.png;1;yes\n4.png;0;0\n") == [
        {"a": 1, "b": 1},
        {"a": 0, "b": 0},
        {"a": 1, "b": 1},
        {"a": 0, "b": 0},
    ]


def test_a_row_counter_is_no_finding():
    assert table(",file,x,y\n0,1.png,1,1\n1,2.png,0,0\n").classes == ("x", "y")


def test_a_single_column_of_yes_and_no_is_a_label_only_when_nothing_else_could_be():
    found = table("file,cancer\n1.png,1\n2.png,0\n3.png,-1\n")
    assert [row.label for row in found.rows] == ["cancer", "no cancer"] and "1 rows say uncertain" in found.says[0]
    with pytest.raises(BadInput, match="we need file and label"):
        table("file,pathology,implant\n1.png,benign,1\n2.png,malignant,0\n")


def test_a_label_column_wins_over_columns_of_answers():
    found = table("file,label,smoker,diabetes\n1.png,a,1,0\n2.png,b,0,1\n")
    assert (found.task, found.ignored) == ("single-label", ("smoker", "diabetes"))
    with pytest.raises(BadInput, match="one label"):
        table("file,label\n1.png,a\n", task="multi-label")


# ---- grades


@pytest.mark.parametrize(
    ("labels", "order"),
    [
        (["10", "2", "0", "1"], ("0", "1", "2", "10")),
        (["3.0", "1.0", "2.0", "3"], ("1", "2", "3")),
        (["grade 3", "Grade 1", "grade 2", "grade 1"], ("Grade 1", "grade 2", "grade 3")),
        (
            ["BI-RADS 5", "BI-RADS 4b", "BI-RADS 4a", "BI-RADS 2"],
            ("BI-RADS 2", "BI-RADS 4a", "BI-RADS 4b", "BI-RADS 5"),
        ),
        (["stage IV", "stage I", "stage II"], ("stage I", "stage II", "stage IV")),
        (["severe", "none", "moderate", "mild"], ("none", "mild", "moderate", "severe")),
    ],
)
def test_grades_are_put_in_order(labels, order):
    text = "file,KL-grade\n" + "".join(f"{n}.png,{label}\n" for n, label in enumerate(labels))
    found = table(text)
    assert (found.task, found.classes) == ("ordinal", order)
    assert {row.label for row in found.rows} == set(order)


@pytest.mark.parametrize("labels", [["a", "b", "c"], ["1", "2", "many"], ["grade 1", "stage 2", "grade 3"], ["1", "2"]])
def test_what_is_no_scale_stays_as_it_is(labels):
    text = "file,score\n" + "".join(f"{n}.png,{label}\n" for n, label in enumerate(labels))
    assert table(text).task == "single-label"


def test_an_order_can_be_asked_for():
    text = "file,label\n1.png,2\n2.png,0\n3.png,1\n"
    assert table(text).task == "single-label"
    assert table(text, task="ordinal").classes == ("0", "1", "2")
    with pytest.raises(BadInput, match="cannot be put in order"):
        table("file,label\n1.png,cat\n2.png,dog\n", task="ordinal")


# ---- about the case


@pytest.mark.parametrize(
    ("cell", "age"),
    [
        ("63", 63),
        ("63.0", 63),
        ("063Y", 63),
        ("018M", 1),
        ("90+", 90),
        ("97", 90),
        (">89", 90),
        ("-1", None),
        ("old", None),
        ("400", None),
        ("", None),
        ("5 months", 0),
        ("020D", 0),
    ],
)
def test_ages_are_whole_years_and_capped(cell, age):
    (row,) = table(f"file,label,age\n1.png,a,{cell}\n").rows
    assert row.facts.get("age") == age


def test_what_is_known_of_a_case_and_what_is_not_used():
    text = (
        "file,label,Gender,Hospital,Manufacturer,Model,Study Date,Laterality,Modality,remark\n"
        "1.png,a,female,Basel,Siemens,Skyra,2020-01-31,Left,mr,Herr Meier\n"
        "2.png,b,?,,,,,,,\n"
    )
    found = table(text)
    assert found.rows[0].facts == {
        "sex": "F", "site": "Basel", "scanner": "Siemens Skyra", "date": "2020-01-31", "side": "L", "modality": "MR",
    }  # fmt: skip
    assert found.rows[1].facts == {}
    assert found.ignored == ("remark",)


def test_a_fact_is_short_and_plain():
    (row,) = table("file,label,site\n1.png,a,\u202e" + "x" * 500 + "\n").rows
    assert row.facts["site"] == "x" * facts.LONGEST


# ---- tables as they come


@pytest.mark.parametrize("start", [b"PK\x03\x04rest of a zip", b"\xd0\xcf\x11\xe0rest of an old workbook"])
def test_a_workbook_is_refused_with_what_to_do(start):
    with pytest.raises(BadInput, match="CSV UTF-8"):
        table(start)


def test_the_line_that_tells_excel_the_separator_is_no_header():
    (row,) = table("sep=;\nfile;label\n1.png;a, or b\n").rows
    assert (row.file, row.label, row.number) == ("1.png", "a, or b", 3)


def test_utf_16_without_a_mark():
    assert [row.label for row in table("file,label\n1.png,gut\n".encode("utf-16-le")).rows] == ["gut"]


def test_ragged_rows_and_zero_bytes():
    found = table("file,label\n1.p\0ng,a\n2.png\n\n3.png,b,c,d\n")
    assert [(row.file, row.label, row.number) for row in found.rows] == [("1.png", "a", 2), ("3.png", "b", 5)]
    assert "fewer than the header" in found.faults[0].reason


@pytest.mark.parametrize("data", [b"", b"\n\n\n", b"\xff\xfe", b"\0" * 50, b'"' * 9, bytes(range(256)) * 20])
def test_what_is_no_table_is_refused(data):
    with pytest.raises(BadInput):
        table(data)


def test_a_quote_that_never_closes_is_a_sentence():
    with pytest.raises(BadInput):
        table('file,label\n1.png,"a\n' + "2.png,b\n" * 50_000)


def test_more_rows_than_a_table_may_have(monkeypatch):
    monkeypatch.setattr(limits, "TABLE_ROWS", 3)
    assert len(table("file,label\n" + "1.png,a\n" * 3).rows) == 3
    with pytest.raises(BadInput, match="more than 3 rows"):
        table("file,label\n" + "1.png,a\n" * 4)


def test_a_large_file_is_refused_unread(monkeypatch):
    monkeypatch.setattr(limits, "TABLE_BYTES", 10)
    with pytest.raises(BadInput, match="a table may have"):
        table("file,label\n1.png,a\n")


def test_memory_follows_what_is_kept_not_what_is_read():
    text = ("file,label,remark\n" + "".join(f"folder/{n}.png,a,{'words ' * 40}\n" for n in range(20_000))).encode()
    tracemalloc.start()
    found = table(text)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found.rows) == 20_000 and len(text) > 5 * limits.MB
    assert peak < 12 * limits.MB  # the text itself is not copied


def test_faults_without_end_are_counted():
    found = table("file,label\n" + "1.png,\n" * 5000)
    assert len(found.faults) == limits.LISTED and found.more_faults == 4000


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_excels_separator_may_be_a_tab(end):
    (row,) = table(f"sep=\t{end}file\tlabel{end}1.png\ta, or b; or c{end}").rows
    assert (row.file, row.label, row.number) == ("1.png", "a, or b; or c", 3)


@pytest.mark.parametrize("between", [",", ";", "\t"])
def test_a_line_of_countless_cells_is_refused_before_it_is_parted(between):
    widest = between.join(["file", "label", *(f"c{n}" for n in range(limits.TABLE_COLUMNS - 2))])
    assert table(f"{widest}\n1.png{between}a\n").rows[0].label == "a"
    endless = f"file{between}label{between * 5_000_000}\n1.png{between}a\n".encode()
    tracemalloc.start()
    with pytest.raises(BadInput, match="more than 5,000 columns"):
        table(endless)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * len(endless)


def test_columns_that_come_by_a_line_within_quotes_are_counted_as_well():
    piece = "x," * (limits.TABLE_COLUMNS - 10) + '"\n'
    with pytest.raises(BadInput, match="more than 5,000 columns"):
        table("file,label," + piece + '",' + piece + '"\n1.png,a\n')
