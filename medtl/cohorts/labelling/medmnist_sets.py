"""What is known of the MedMNIST data sets without their package: names, labels, sizes, licences. It fetches nothing.

The facts are those of the package medmnist 3.0.2 (Apache-2.0), held against it by a test. Please cite Yang et al.,
"MedMNIST v2", Scientific Data 2023 (doi:10.1038/s41597-022-01721-8), the data at doi:10.5281/zenodo.10519652, and the
source of the set that is used. MedMNIST says of itself that it is not intended for clinical use.
"""

from dataclasses import dataclass

from medtl.vocabulary import Task

RECORD = "https://zenodo.org/records/10519652"
SIZES = (28, 64, 128, 224)  # px
VOLUMES = ("organmnist3d", "nodulemnist3d", "adrenalmnist3d", "fracturemnist3d", "vesselmnist3d", "synapsemnist3d")
OPEN, NOT_FOR_TRADE = "CC BY 4.0", "CC BY-NC 4.0"


@dataclass(frozen=True)
class PublishedSet:
    """One data set that is fetched by its name. `cases` counts train, tune and test together; no patient is known."""

    name: str
    title: str
    says: str
    task: Task
    cases: int
    classes: tuple[str, ...]
    licence: str
    channels: int = 1

    @property
    def commercial(self) -> bool:
        """Whether the licence leaves use in trade open."""
        return "NC" not in self.licence

    def bytes(self, size: int) -> int:
        """Of all pixels; the file is packed and somewhat smaller."""
        return self.cases * size * size * self.channels


ORGANS = (
    *("bladder", "femur-left", "femur-right", "heart", "kidney-left", "kidney-right", "liver", "lung-left"),
    *("lung-right", "pancreas", "spleen"),
)
SETS = (
    PublishedSet(
        "breastmnist",
        "Breast ultrasound",
        "Ultrasound images of the breast from Cairo (BUSI): malignant, or benign and normal together.",
        "single-label",
        780,
        ("malignant", "normal, benign"),
        OPEN,
    ),
    PublishedSet(
        "pneumoniamnist",
        "Chest X-rays of children",
        "Chest X-rays of children from Guangzhou (Kermany 2018): healthy, or with pneumonia.",
        "single-label",
        5856,
        ("normal", "pneumonia"),
        OPEN,
    ),
    PublishedSet(
        "retinamnist",
        "Diabetic retinopathy, graded",
        "Photographs of the retina (DeepDRiD), graded from 0 (none) to 4 (proliferative).",
        "ordinal",
        1600,
        ("0", "1", "2", "3", "4"),
        OPEN,
        3,
    ),
    PublishedSet(
        "dermamnist",
        "Skin lesions",
        "Dermatoscopic images of pigmented skin lesions (HAM10000). Some lesions were photographed more than once.",
        "single-label",
        10015,
        (
            "actinic keratoses and intraepithelial carcinoma",
            "basal cell carcinoma",
            "benign keratosis-like lesions",
            "dermatofibroma",
            "melanoma",
            "melanocytic nevi",
            "vascular lesions",
        ),
        NOT_FOR_TRADE,
        3,
    ),
    PublishedSet(
        "bloodmnist",
        "Blood cells",
        "Single cells in blood smears of healthy people from Barcelona, eight kinds.",
        "single-label",
        17092,
        (
            "basophil",
            "eosinophil",
            "erythroblast",
            "immature granulocytes(myelocytes, metamyelocytes and promyelocytes)",
            "lymphocyte",
            "monocyte",
            "neutrophil",
            "platelet",
        ),
        OPEN,
        3,
    ),
    PublishedSet(
        "octmnist",
        "Optical coherence tomography of the retina",
        "Cross-sections of the retina (Kermany 2018): three diseases and normal.",
        "single-label",
        109309,
        ("choroidal neovascularization", "diabetic macular edema", "drusen", "normal"),
        OPEN,
    ),
    PublishedSet(
        "chestmnist",
        "Chest X-rays with fourteen findings",
        "Frontal chest X-rays (ChestX-ray14). The findings were read by software from the reports, and some are wrong.",
        "multi-label",
        112120,
        (
            *("atelectasis", "cardiomegaly", "effusion", "infiltration", "mass", "nodule", "pneumonia"),
            *("pneumothorax", "consolidation", "edema", "emphysema", "fibrosis", "pleural", "hernia"),
        ),
        OPEN,
    ),
    PublishedSet(
        "pathmnist",
        "Tissue of the bowel under the microscope",
        "Patches of stained slides of colorectal cancer, nine kinds of tissue; the test part is from another clinic.",
        "single-label",
        107180,
        (
            "adipose",
            "background",
            "debris",
            "lymphocytes",
            "mucus",
            "smooth muscle",
            "normal colon mucosa",
            "cancer-associated stroma",
            "colorectal adenocarcinoma epithelium",
        ),
        OPEN,
        3,
    ),
    PublishedSet(
        "tissuemnist",
        "Cells of the kidney cortex",
        "Single cells of human kidney cortex under the fluorescence microscope, eight kinds.",
        "single-label",
        236386,
        (
            "Collecting Duct, Connecting Tubule",
            "Distal Convoluted Tubule",
            "Glomerular endothelial cells",
            "Interstitial endothelial cells",
            "Leukocytes",
            "Podocytes",
            "Proximal Tubule Segments",
            "Thick Ascending Limb",
        ),
        OPEN,
    ),
    PublishedSet(
        "organamnist",
        "Organs in axial CT",
        "Axial slices through eleven organs in abdominal CT (LiTS). Several organs come from one patient.",
        "single-label",
        58830,
        ORGANS,
        OPEN,
    ),
    PublishedSet(
        "organcmnist",
        "Organs in coronal CT",
        "Coronal slices through eleven organs in abdominal CT (LiTS). Several organs come from one patient.",
        "single-label",
        23583,
        ORGANS,
        OPEN,
    ),
    PublishedSet(
        "organsmnist",
        "Organs in sagittal CT",
        "Sagittal slices through eleven organs in abdominal CT (LiTS). Several organs come from one patient.",
        "single-label",
        25211,
        ORGANS,
        OPEN,
    ),
)


def of_file(stem: str) -> tuple[PublishedSet | None, int]:
    """`breastmnist_224` -> the set and 224; (None, 0) when the file is called otherwise."""
    name, _, size = stem.casefold().partition("_")
    found = next((known for known in SETS if known.name == name), None)
    return (found, int(size) if size.isdigit() else SIZES[0]) if found else (None, 0)
