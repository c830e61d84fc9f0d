import itertools
import re
from pathlib import Path

import pytest

from medtl.cohorts import patients
from medtl.cohorts.pseudonyms import CONSONANTS, KEPT_WORDS, Pseudonyms

SECRET = b"a secret of thirty-two bytes, yes"
SHARED = Path(__file__).resolve().parents[2].parent / "shared"
KERMANY = [
    "train/PNEUMONIA/person12_bacteria_34.jpeg",
    "train/PNEUMONIA/person1946_bacteria_4875.jpeg",
    "train/PNEUMONIA/person447_virus_921_1.jpeg",
    "train/NORMAL/IM-0115-0001.jpeg",
    "train/NORMAL/IM-0011-0001-0002.jpeg",
    "test/NORMAL/NORMAL2-IM-0730-0001.jpeg",
]


@pytest.fixture
def codes() -> Pseudonyms:
    return Pseudonyms(SECRET)


def named(path: str, *known: str) -> str:
    return Pseudonyms(SECRET).file_name(path, known)


def test_a_patient_has_the_code_it_always_had(codes):
    assert codes.patient("12") == patients.code("12", SECRET)
    assert codes.patient("") is None


def test_codes_are_stable_differ_by_secret_and_by_kind():
    for make in (Pseudonyms.patient, Pseudonyms.uid, Pseudonyms.site, Pseudonyms.group, Pseudonyms.days):
        assert make(Pseudonyms(SECRET), "1.2.3") == make(Pseudonyms(SECRET), "1.2.3")
        assert make(Pseudonyms(SECRET), "1.2.3") != make(Pseudonyms(b"another"), "1.2.3")
    codes = Pseudonyms(SECRET)
    assert len({codes.patient("x")[2:], codes.group("x")[2:]}) == 2  # type: ignore[index]


def test_a_uid_is_a_valid_one(codes):
    from pydicom.uid import UID

    uids = {codes.uid(f"1.2.{n}") for n in range(100)}
    assert len(uids) == 100
    assert all(UID(uid).is_valid and uid.startswith("2.25.") for uid in uids)


def test_a_site_is_one_however_it_is_written(codes):
    assert codes.site("St  Mary's ") == codes.site("ST MARY'S") != codes.site("St John's")
    assert re.fullmatch("site-[0-9a-f]{4}", codes.site("St Mary's"))
    assert codes.site("  ") == codes.group("") == ""


def test_dates_move_back_by_a_month_to_ten_years(codes):
    days = [codes.days(f"patient {n}") for n in range(2000)]
    assert -3650 <= min(days) < -3500 and -120 < max(days) <= -30


def test_the_key_is_kept_only_when_asked_for():
    kept, thrown = Pseudonyms(SECRET, keep_key=True), Pseudonyms(SECRET)
    for codes in (kept, thrown):
        for _ in range(2):
            codes.patient("MRN 1")
            codes.file_name("a/smith.png")
    assert not thrown.key
    assert kept.key == [("patient", "MRN 1", kept.patient("MRN 1")), ("file name", "a/smith.png", named("a/smith.png"))]


def test_names_can_be_kept():
    assert Pseudonyms(SECRET, names="kept").file_name("benign/Smith_John.png") == "benign/Smith_John.png"


def test_a_name_keeps_its_structure():
    coded = named("benign/Smith_John_19500312 (2).png", "benign")
    letters = f"[{CONSONANTS}]{{9}}"
    assert re.fullmatch(rf"benign/{letters}_{letters}_[0-9]{{8}} \(2\)\.png", coded)
    assert "19500312" not in coded


def test_a_word_has_one_code_wherever_it_stands():
    one, other = named("Smith_1.png"), named("scans/left/SmithJohn-2.jpeg")
    assert one.split("_")[0] in other


@pytest.mark.parametrize("name", KERMANY)
def test_names_of_a_public_set_stay_readable(name):
    assert named(name, "PNEUMONIA", "NORMAL") == name


def test_habits_find_the_same_grouping_after_coding():
    names = [
        f"{label}/{stem}"
        for label, stems in {
            "PNEUMONIA": [f"person{n // 2}_{('bacteria', 'virus')[n % 2]}_{n}.jpeg" for n in range(60)],
            "NORMAL": [f"NORMAL2-IM-{n // 2:04d}-0001-{n % 2:04d}.jpeg" for n in range(60)],
            "Meyer": [f"Smith{n // 3}_{19500000 + n}.png" for n in range(60)],
        }.items()
        for stem in stems
    ]
    coded = [named(name, "PNEUMONIA", "NORMAL") for name in names]
    assert len(set(coded)) == len(names)
    for pattern, _ in patients.HABITS:
        assert _grouping(pattern, names) == _grouping(pattern, coded), pattern


def _grouping(pattern: str, names: list[str]) -> list[int | None]:
    """Each name's group as the number of the first name in it."""
    first: dict[str, int] = {}
    compiled = re.compile(pattern)
    found = [patients._search(compiled, name) for name in names]
    return [None if who is None else first.setdefault(who, n) for n, who in enumerate(found)]


@pytest.mark.parametrize(
    "hidden",
    [
        "1950-03-12", "12.03.1950", "03_12_1950", "1950 03 12", "12-3-1950", "1950-03", "12.03.50", "50-03-12",
        "12 March 1950", "12MAR1950", "Mar 12, 1950", "März 1950", "3_mai_50", "19500312", "031250",
        "123-45-6789", "943 476 5919", "123.456.789-09", "192.168.10.77", "1.2.840.113619.2.55.3", "4711471",
    ],
)  # fmt: skip
def test_dates_and_numbers_of_persons_are_coded(hidden):
    coded = named(f"img {hidden} (2).png")
    assert re.fullmatch(r"img .* \(2\)\.png", coded)
    numbers = [number for number in re.findall(r"\d+", hidden) if len(number) > 1]
    assert sum(number in re.findall(r"\d+", coded[4:-8]) for number in numbers) <= len(numbers) // 2


@pytest.mark.parametrize(
    "name", ["p01_02_03.png", "1_12.png", "img_2019.png", "IM.0001", "a/b_3.tif", "LeftLung3/CTScan_x.png", "5.png"]
)
def test_numbers_of_images_stay(name):
    assert named(name) == name


@pytest.mark.parametrize(
    "person", ["Müller", "Ångström", "Ωνάσης", "山田太郎", "محمد", "Núñez-Iglesias", "O'Brien", "नेहा"]
)
def test_letters_of_every_script_are_coded(person):
    coded = named(f"scan_{person}_7.png")
    assert coded.startswith("scan_") and coded.endswith("_7.png") and coded.isascii()
    assert not any(piece in coded for piece in re.split(r"[-']", person) if len(piece) > 1)


def test_initials_are_coded_and_single_letters_stay():
    assert named("a_x.png") == "a_x.png"
    assert "J" not in named("J_S_1.png") and "S" not in named("J.S. 1.png")


def test_two_spellings_of_one_name_are_one():
    assert named("Mu\u0308ller.png") == named("M\u00fcller.png")


def test_different_names_never_meet():
    numbers = [f"{n:05d}.png" for n in range(0, 100_000, 31)]
    words = ["".join(letters) + ".png" for letters in itertools.product("abcdeou", repeat=4)]
    codes = Pseudonyms(SECRET)
    assert len({codes.file_name(name) for name in numbers + words}) == len(numbers + words)


def test_numbers_of_one_length_are_permuted(codes):
    for length in (1, 2, 3):
        everyone = [f"{n:0{length}d}" for n in range(10**length)]
        assert sorted(codes._number(number) for number in everyone) == everyone


def test_no_kept_word_is_a_usual_name_or_a_month():
    usual = """smith johnson williams brown jones garcia miller davis rodriguez martinez lopez gonzalez wilson anderson
    thomas taylor moore jackson martin lee perez thompson white harris sanchez clark ramirez lewis robinson walker young
    allen king wright scott torres nguyen hill flores green adams nelson baker hall rivera campbell mitchell carter
    wang li zhang liu chen yang huang zhao wu zhou xu sun ma zhu hu guo he lin gao luo kim park choi jung rao patel
    singh kumar khan ali muller schmidt schneider fischer weber meyer wagner becker hoffmann mark may rose grace gray
    ray page art low small dev tse colon short long day max ben sam ann eva mia jan april june august""".split()  # noqa: SIM905 - a list of words
    assert not KEPT_WORDS & set(usual)


def test_real_names_group_as_before(codes):
    root = SHARED / "data/images/chest-xray-kermany-224"
    if not root.is_dir():
        pytest.skip("the shared test data is not on this computer")
    names = [path.relative_to(root).as_posix() for path in root.rglob("*.jpeg")]
    coded = [codes.file_name(name, ("NORMAL", "PNEUMONIA")) for name in names]
    assert len(set(coded)) == len(names)
    assert _grouping(patients.HABITS[0][0], names) == _grouping(patients.HABITS[0][0], coded)
