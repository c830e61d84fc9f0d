"""Codes in place of whatever could name a person: patient ids, UIDs, sites, dates, words and numbers in file names.

All codes follow from one secret of the workspace: the same input gives the same code, in every cohort and in every
process, and nobody without the secret can turn a code back. Whoever has the secret can try ids until one fits, so the
secret is worth as much as a key. It knows nothing of files or of what they hold.
"""

import hashlib
import hmac
import itertools
import re
import unicodedata
from collections.abc import Collection, Sequence
from typing import Literal

EARLIEST, LATEST = -3650, -30  # days by which dates are moved: up to ten years back, and always by a month at least
DIGITS_KEPT = 4  # a run of so many digits in a file name is a number of an image; more may be the number of a person
WORD = 9  # letters of the code of a word; 21**9 codes: two of 20,000 different words agree once in 4,000 cohorts
CONSONANTS = "bcdfghjklmnpqrstvwxyz"  # no vowels: a code is never a word, least of all one that is kept
ROUNDS = 10

Names = Literal["replaced", "kept"]
Row = tuple[str, str, str]  # what it was, the original, its code


class Pseudonyms:
    """Codes under one secret. With `keep_key`, `key` lists what was coded, so that somebody can go back."""

    def __init__(self, salt: bytes, names: Names = "replaced", keep_key: bool = False) -> None:
        self._salt = salt
        self._names = names
        self._keep_key = keep_key
        self._rows: list[Row] = []
        self._listed: set[Row] = set()
        self._words: dict[str, str] = {}
        self._numbers: dict[str, str] = {}
        self._uids: dict[str, str] = {}

    @property
    def key(self) -> Sequence[Row]:
        """(what, original, code) of everything coded so far, each once; empty unless it was asked to be kept.

        It is the growing list itself, so that who follows it may take `key[seen:]` after each of thousands of files.
        """
        return self._rows

    def patient(self, id: str) -> str | None:
        """P- and ten hexadecimal digits, the code that `patients.code` gives; None when nobody is named."""
        return self._noted("patient", id, "P-" + self._mac(id.encode("utf-8", "replace")).hex()[:10]) if id else None

    def site(self, text: str) -> str:
        """One code for a hospital however its name is spaced or capitalised; "" for none."""
        plain = " ".join(text.casefold().split())
        return self._noted("site", text, "site-" + self._code("site", plain).hex()[:4]) if plain else ""

    def group(self, text: str) -> str:
        """The code of a series, clip or volume; "" for none."""
        return "g-" + self._code("group", text).hex()[:10] if text else ""

    def uid(self, uid: str) -> str:
        """A UID under the root 2.25 (PS3.5 B.2: a UUID written as one number); version 8 of RFC 9562 is for our own."""
        if uid not in self._uids:
            raw = bytearray(self._code("uid", uid)[:16])
            raw[6] = raw[6] & 0x0F | 0x80
            raw[8] = raw[8] & 0x3F | 0x80
            self._uids[uid] = f"2.25.{int.from_bytes(raw, 'big')}"
        return self._noted("UID", uid, self._uids[uid])

    def days(self, patient: str) -> int:
        """Days to add to every date of this patient; one number a patient, so that the time between two dates stays."""
        number = int.from_bytes(self._code("days", patient)[:8], "big")
        days = EARLIEST + number % (LATEST - EARLIEST + 1)
        self._noted("days added to dates", patient, str(days))
        return days

    def file_name(self, path: str, known: Collection[str] = ()) -> str:
        """The path with every word and number that could name somebody coded, each for itself.

        Separators, order and length of numbers stay, and a word or number has one code in all names of the workspace:
        names still sort into patients by a part of them, but not by one that is longer than what was coded together (a
        date, a UID). Kept are technical words, the words in `known` and numbers of up to four digits that are no part
        of a date. Numbers of one length are permuted, so two never become one; two words do with odds of 1 in 10**11.
        """
        if self._names == "kept":
            return path
        words = frozenset(word.casefold() for name in known for word in _words_of(name))
        return self._noted("file name", path, self._coded_name(unicodedata.normalize("NFC", path), words))

    def _coded_name(self, path: str, known: Collection[str]) -> str:
        coded, end = [], 0
        units = ALL_UNITS if MONTH_HINT.search(path.casefold()) else NUMBER_UNITS  # the first is ten times slower
        for unit in units.finditer(path):
            coded += [self._coded_runs(path[end : unit.start()], known), self._coded_unit(unit)]
            end = unit.end()
        return "".join((*coded, self._coded_runs(path[end:], known)))

    def _coded_unit(self, unit: re.Match[str]) -> str:
        """A UID becomes the UID it also becomes inside the files; dates and numbers of persons keep their shape."""
        if unit["uid"]:
            return self.uid(unit["uid"])
        digits = iter(self._number("".join(filter(_is_digit, unit[0]))))
        return RUNS.sub(
            lambda run: "".join(itertools.islice(digits, len(run[0]))) if _is_digit(run[0][0]) else self._word(run[0]),
            unit[0],
        )

    def _coded_runs(self, text: str, known: Collection[str]) -> str:
        def coded(run: re.Match[str]) -> str:
            piece = run[0]
            if _is_digit(piece[0]):
                return self._number(piece) if len(piece) > DIGITS_KEPT else piece
            if len(piece) == 1 and piece.isascii():
                return self._word(piece) if _is_initial(run) else piece
            return piece if piece.casefold() in KEPT_WORDS or piece.casefold() in known else self._word(piece)

        return RUNS.sub(coded, text)

    def _word(self, word: str) -> str:
        if word not in self._words:
            number = int.from_bytes(self._code("word", word)[:16], "big")
            letters = [CONSONANTS[number // len(CONSONANTS) ** place % len(CONSONANTS)] for place in range(WORD)]
            self._words[word] = "".join(letters)
        return self._words[word]

    def _number(self, digits: str) -> str:
        """A permutation of all numbers of this length: the Feistel network of NIST SP 800-38G FF1, HMAC as its round.

        A plain code of the same length would meet another one far too often: of 10,000 numbers with six digits, some
        fifty would share theirs.
        """
        if digits not in self._numbers:
            middle = (len(digits) + 1) // 2
            left, right = digits[:middle], digits[middle:]
            for turn in range(ROUNDS):
                mixed = self._code(f"number {len(digits)} {turn}", right)
                value = (int(left or "0") + int.from_bytes(mixed[:16], "big")) % 10 ** len(left)
                left, right = right, str(value).zfill(len(left)) if left else ""
            self._numbers[digits] = left + right
        return self._numbers[digits]

    def _code(self, what: str, text: str) -> bytes:
        """32 bytes; `what` keeps equal texts of different kinds apart."""
        return self._mac(f"{what}\0{text}".encode("utf-8", "replace"))

    def _mac(self, data: bytes) -> bytes:
        return hmac.digest(self._salt, data, hashlib.sha256)

    def _noted(self, what: str, original: str, code: str) -> str:
        row = (what, original, code)
        if self._keep_key and original != code and row not in self._listed:
            self._listed.add(row)
            self._rows.append(row)
        return code


def _words_of(text: str) -> list[str]:
    return [run[0] for run in RUNS.finditer(unicodedata.normalize("NFC", text)) if not _is_digit(run[0][0])]


def _is_digit(character: str) -> bool:
    return "0" <= character <= "9"


def _is_initial(run: re.Match[str]) -> bool:
    """A capital beside another one, a sign between them: `J_S`, `J.S.`."""
    text, (start, end) = run.string, run.span()
    return run[0].isupper() and bool(INITIAL_AFTER.match(text, end) or INITIAL_BEFORE.search(text, 0, start))


def _any_of(words: str) -> str:
    return "|".join(words.split())


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split())


INITIAL_AFTER = re.compile(r"[-_. ]{1,2}[A-Z](?![A-Za-z])")
INITIAL_BEFORE = re.compile(r"(?<![A-Za-z])[A-Z][-_. ]{1,2}\Z")

# Digits; a word with letters beyond ASCII, as a whole; a word of ASCII, cut before the capitals within (`SmithJohn`).
RUNS = re.compile(r"[0-9]+|[A-Za-z]*[^\x00-\x7f](?:[^\x00-\x7f]|[A-Za-z])*|[A-Z]+(?![a-z])|[A-Z]?[a-z]+")

# In English, German, French, Spanish, Italian and Dutch. Abbreviations are many other things, too: "mar" and "dec" are
# dates only between two numbers.
MONTHS = _any_of(
    """january february march april may june july august september october november december januar februar märz maerz
    mai juni juli oktober dezember janvier février fevrier mars avril juin juillet août aout septembre octobre novembre
    décembre decembre enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre gennaio
    febbraio aprile maggio giugno luglio settembre ottobre dicembre januari februari maart mei augustus"""
)
SHORT_MONTHS = "jan|feb|fév|mar|mär|mrz|mrt|apr|avr|abr|jun|jul|aug|ago|sept|sep|oct|okt|ott|out|nov|dec|dez|déc|dic"
DAY, MONTH, YEAR = "(?:0[1-9]|[12][0-9]|3[01])", "(?:0[1-9]|1[0-2])", "(?:18|19|20)[0-9]{2}"
GAP = "[-_. ,]{0,2}"
ALONE = r"(?<![^\W_])"  # no letter and no digit before it
# What must be coded as one, because its pieces are too short to be coded each.
NUMBERS = (
    r"(?P<uid>[0-2](?:\.[0-9]+){3,})"
    r"|[0-9]{1,3}(?:\.[0-9]{1,3}){3}"  # an address in a network
    rf"|{YEAR}[-_. ]{MONTH}[-_. ]{DAY}|{DAY}[-_. ]{DAY}[-_. ]{YEAR}"  # 1950-03-12, 12.03.1950
    rf"|{YEAR}[-. ][0-9]{{1,2}}[-. ][0-9]{{1,2}}|[0-9]{{1,2}}[-. ][0-9]{{1,2}}[-. ]{YEAR}"  # 12-3-1950
    rf"|{YEAR}[-.]{MONTH}|{MONTH}[-.]{YEAR}"  # 1950-03
    rf"|{DAY}(?P<sign>[-.]){DAY}(?P=sign)[0-9]{{2}}|[0-9]{{2}}(?P<other>[-.]){MONTH}(?P=other){DAY}"  # 12.03.50
    r"|[0-9]{3}[-_. ][0-9]{2}[-_. ][0-9]{4}"  # numbers of persons: social security (US),
    r"|[0-9]{3}[-_. ][0-9]{3}[-_. ][0-9]{4}"  # health service (UK), telephone,
    r"|[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}"  # tax (Brazil)
)
DATES_IN_WORDS = (
    rf"[0-9]{{1,4}}(?:st|nd|rd|th)?{GAP}(?:{MONTHS}|{SHORT_MONTHS}){GAP}[0-9]{{1,4}}"  # 12 March 1950
    rf"|{ALONE}(?:{MONTHS}|{SHORT_MONTHS}){GAP}[0-9]{{1,2}}(?:st|nd|rd|th)?[-_. ,]{{1,2}}[0-9]{{2,4}}"  # Mar 12, 1950
    rf"|[0-9]{{1,4}}{GAP}(?:{MONTHS})(?![^\W_])|{ALONE}(?:{MONTHS}){GAP}[0-9]{{1,4}}"  # March 1950
)
NUMBER_UNITS = re.compile(rf"(?<![0-9])(?=[0-9])(?:{NUMBERS})(?![0-9])")
ALL_UNITS = re.compile(rf"(?<![0-9])(?:{NUMBERS}|{DATES_IN_WORDS})(?![0-9])", re.IGNORECASE)
MONTH_HINT = re.compile(f"{MONTHS}|{SHORT_MONTHS}")

# Words that say what an image is, not who is on it. No usual name of a person and no month is among them, which is why
# some are missing: colon, dev, lao, low, ma, oct, rao, ray, small, tse.
KEPT_WORDS = _listed(
    """
    png jpg jpeg jpe jfif bmp dib tif tiff dcm dicom dic ima nii gz npz npy csv tsv zip gif svg eps psd webp txt md rst
    pdf doc docx xls xlsx ppt pptx json jsonl xml html htm yaml yml toml ini log py ipynb db mp4 avi mov rar tar
    readme license licence notes note text texts table tables row rows column columns metadata info report reports list
    broken corrupt corrupted damaged truncated incomplete cut empty blank bad wrong fake duplicate duplicates dup
    conflict mixed random dicomdir thumbs
    image images img imgs im
    picture pictures photo photos scan scans slice slices frame frames volume volumes vol clip clips video series
    study studies exam exams acquisition acq record records file files sample samples item index idx id ids uid no nr
    num number part parts patch patches tile tiles crop crops thumbnail overview snapshot screenshot patient patients
    person persons subject subjects case cases participant pat pid subj subs sub pt train training trainset test
    testing testset tests val valid validation tune tuning holdout heldout fold folds split splits set sets data
    dataset database cohort collection batch group groups site source target external internal copy new old final raw
    orig original processed preprocessed resized rescaled cropped scaled enhanced filtered augmented augmentation aug
    flipped rotated normalised normalized version rev draft export exported converted output input label labels
    labelled mask masks roi seg segmentation annotation annotations contour bbox heatmap overlay gt truth reference
    ref ground class classes category type grade stage score level positive negative pos neg unknown uncertain other
    others none misc left right lt rt lat lateral frontal front back anterior posterior superior inferior upper lower
    medial mid middle center centre central oblique axial coronal sagittal transverse transversal longitudinal ap pa
    ll rl cc mlo ml lm upright supine prone erect lying standing view views plane side projection position before
    after pre post baseline followup follow up visit visits week weeks month months year years time session run repeat
    phase contrast native ct cta cbct mr mri mra mrcp us usg cr dr dx xr xa rf nm pet spect mg mammo mammography
    fundus sc ot xray xrays radiograph radiographs radiography radiology ultrasound sonography sonogram echo doppler
    tomography angiography endoscopy colonoscopy dermoscopy dermatoscopy microscopy histology pathology cytology smear
    slide stain ihc retina retinal flair dwi adc swi stir mprage bold dti gre fse spgr lung lungs chest thorax
    thoracic breast brain skull spine spinal cervical lumbar abdomen abdominal abd pelvis pelvic hip knee ankle wrist
    elbow shoulder liver kidney kidneys renal spleen pancreas bladder prostate uterus ovary thyroid cardiac skin eye
    eyes tooth teeth dental bowel stomach tissue cell cells blood vessel artery vein nerve lymph bone bones marrow
    normal abnormal healthy control controls disease diseased benign malignant malignancy cancer tumor tumors tumour
    tumours notumor lesion lesions nodule nodules cyst cysts mass masses polyp polyps metastasis carcinoma
    adenocarcinoma sarcoma lymphoma leukemia leukaemia melanoma nevus naevus glioma glioblastoma meningioma pituitary
    fracture fractures pneumonia bacteria bacterial virus viral covid tb tuberculosis effusion edema oedema emphysema
    fibrosis atelectasis cardiomegaly consolidation infiltration pneumothorax hernia pleural opacity finding findings
    infection inflammation stroke hemorrhage haemorrhage ischemia stenosis calcification calcifications plaque drusen
    dme cnv amd glaucoma cataract retinopathy diabetic basophil eosinophil erythroblast lymphocyte monocyte neutrophil
    platelet granulocyte grey rgb color colour mono high res large full half hd dark noise noisy blur blurred quality
    mm cm px dpi kv kvp size width height the of and or with without in on for to vs not yes female male sex age adult
    child pediatric paediatric infant synthetic phantom simulated demo example examples scanner device machine
    """
)
