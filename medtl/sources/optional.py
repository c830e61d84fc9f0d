"""Sources of libraries that are installed on wish: timm's image towers and torchxrayvision's chest-film networks.

Plain values; neither torch nor the libraries are loaded here. Whether a library is there is found out without importing
it. What was fetched once lies converted among the weights, with its hash beside it.
"""

import importlib.util
from dataclasses import dataclass, field, replace
from pathlib import Path

from medtl.catalogue import Catalogue
from medtl.sources.builders import BUILDERS
from medtl.vocabulary import Card, InputSpec, Outline, Source, StageOutline
from medtl.workspace import Workspace

# The library that makes the networks of a builder.
_LIBRARY_OF = {"onnx": "onnx2torch", "keras": "keras", "timm": "timm"}
_CLIP = InputSpec(mean=(0.48145466, 0.4578275, 0.40821073), std=(0.26862954, 0.26130258, 0.27577711))
_OPERATING_POINT = (
    "The library rescales its outputs so that 0.5 is the operating point; that goes with its last layer, which is not "
    "used: yours is trained anew. "
)


@dataclass(frozen=True)
class Optional:
    """A source of an optional library. `name` is what the library calls it; `id` is its builder for timm's."""

    id: str
    library: str
    name: str
    title: str
    says: str
    limits: str
    reference: str
    trained_on: str
    cases: str
    licence: str
    size_mb: float
    outline: Outline
    input: InputSpec = field(default_factory=InputSpec)
    labels: tuple[str, ...] = ()
    builder: str = ""


def _outline(features: int, *stages: tuple[str, int, float]) -> Outline:
    return Outline(tuple(StageOutline(name, parameters, gflop) for name, parameters, gflop in stages), features)


# fmt: off
_OUTLINES = {  # measured once; a test holds them against the networks where timm is installed
    "vit_small_patch16_224.dino": _outline(384, ("patches", 371328, 0.116), ("blocks 1-3", 5323392, 2.27), ("blocks 4-6", 5323392, 2.27), ("blocks 7-9", 5323392, 2.27), ("blocks 10-12", 5324160, 2.27)),
    "vit_small_patch14_dinov2.lvd142m": _outline(384, ("patches", 325248, 0.116), ("blocks 1-3", 5325696, 3.033), ("blocks 4-6", 5325696, 3.033), ("blocks 7-9", 5325696, 3.033), ("blocks 10-12", 5326464, 3.033)),
    "vit_base_patch16_clip_224.openai": _outline(768, ("patches", 743424, 0.231), ("blocks 1-3", 21263616, 8.724), ("blocks 4-6", 21263616, 8.724), ("blocks 7-9", 21263616, 8.724), ("blocks 10-12", 21265152, 8.724)),
    "convnext_atto.d2_in1k": _outline(320, ("stem", 2040, 0.012), ("stage 1", 30240, 0.185), ("stage 2", 124640, 0.193), ("stage 3", 1336000, 0.52), ("stage 4", 1881600, 0.184)),
    "mobilenetv4_conv_small.e2400_r224_in1k": _outline(1280, ("stem", 928, 0.022), ("stage 1", 10368, 0.064), ("stage 2", 34112, 0.053), ("stage 3", 272160, 0.121), ("stage 4", 819296, 0.095), ("stage 5", 1356160, 0.012)),
}
# fmt: on
_PHOTOGRAPHS = "Learned on photographs, in colour; grey images are shown to it three times over. "

TIMM: Catalogue[Optional] = Catalogue(
    "timm network",
    *(
        Optional(f"timm:{name}", "timm", name, title, says, limits, reference, trained_on, cases, licence, size,
                 _OUTLINES[name], spec, builder=f"timm:{name}")
        for name, title, says, limits, reference, trained_on, cases, licence, size, spec in (
            (
                "vit_small_patch16_224.dino",
                "DINO, ViT-S/16",
                "Learned to tell photographs apart without labels; its frozen features are strong.",
                _PHOTOGRAPHS + "Slow without a GPU.",
                "Caron et al. 2021, arXiv:2104.14294",
                "ImageNet-1k without its labels", "1,281,167 photographs", "Apache-2.0", 86.7, InputSpec(),
            ),
            (
                "vit_small_patch14_dinov2.lvd142m",
                "DINOv2, ViT-S/14",
                "Learned without labels from 142 million chosen pictures; among the strongest frozen features.",
                _PHOTOGRAPHS + "Published for 518 pixels, shown 224 here. Slow without a GPU.",
                "Oquab et al. 2023, arXiv:2304.07193",
                "LVD-142M, chosen from the web without labels", "142 million pictures", "Apache-2.0", 88.3, InputSpec(),
            ),
            (
                "vit_base_patch16_clip_224.openai",
                "CLIP, ViT-B/16 (its image tower)",
                "Learned to match pictures of the web with their captions; broad features, heavy.",
                _PHOTOGRAPHS + "What was among its 400 million pictures is not published; its makers advise against "
                "use without tests for the task at hand. Very slow without a GPU.",
                "Radford et al. 2021, arXiv:2103.00020",
                "WebImageText: pictures of the web with captions", "400 million pictures", "MIT", 345.0, _CLIP,
            ),
            (
                "convnext_atto.d2_in1k",
                "ConvNeXt-Atto",
                "A small modern network that two cores manage.",
                _PHOTOGRAPHS + "ImageNet's images carry terms of their own (research).",
                "Liu et al. 2022, arXiv:2201.03545; Wightman 2019 (timm)",
                "ImageNet-1k", "1,281,167 photographs", "Apache-2.0", 14.8, InputSpec(),
            ),
            (
                "mobilenetv4_conv_small.e2400_r224_in1k",
                "MobileNetV4 small",
                "Small and quick; made for computers without a GPU.",
                _PHOTOGRAPHS + "ImageNet's images carry terms of their own (research).",
                "Qin et al. 2024, arXiv:2404.10518; Wightman 2019 (timm)",
                "ImageNet-1k", "1,281,167 photographs", "Apache-2.0", 15.2, InputSpec(),
            ),
        )
    ),
)  # fmt: skip


def _films(id: str, name: str, title: str, builder: str, size: int, size_mb: float, sets: str, cost: str) -> Optional:
    """`InputSpec`: pixels in [0, 1] become the -1024 to 1024 that torchxrayvision's networks were shown."""
    return Optional(
        id, "torchxrayvision", name, title,
        "Learned 18 findings on frontal chest films of several hospitals, in grey.",
        _OPERATING_POINT + "Frontal chest films only. Patients of your own cohort may be among its training films if "
        f"it comes from a public set ({sets}). {cost}",
        "Cohen et al. 2022, arXiv:2111.00595; Cohen et al. 2020, arXiv:2002.02497",
        f"Frontal chest films: {sets}", "several hundred thousand films", "Apache-2.0 (the weights; the films carry "
        "the terms of their sets)", size_mb, BUILDERS[builder].outline,
        InputSpec(1, size, (0.5,), (1 / 2048,)), _FINDINGS, builder,
    )  # fmt: skip


_FINDINGS = (
    "Atelectasis", "Consolidation", "Infiltration", "Pneumothorax", "Edema", "Emphysema", "Fibrosis", "Effusion",
    "Pneumonia", "Pleural_Thickening", "Cardiomegaly", "Nodule", "Mass", "Hernia", "Lung Lesion", "Fracture",
    "Lung Opacity", "Enlarged Cardiomediastinum",
)  # fmt: skip
FILMS: Catalogue[Optional] = Catalogue(
    "network of torchxrayvision",
    _films(
        "xrv-densenet121-224", "densenet121-res224-all", "Chest films (torchxrayvision), DenseNet-121", "densenet121",
        224, 27.9, "NIH, PadChest, CheXpert, MIMIC-CXR, Open-I, RSNA", "Wants a GPU for fine-tuning.",
    ),
    _films(
        "xrv-resnet50-512", "resnet50-res512-all", "Chest films (torchxrayvision), ResNet-50 at 512 px", "resnet50",
        512, 94.2, "PadChest, NIH, RSNA, SIIM, VinBigData", "Looks at 512 pixels: five times the work of 224.",
    ),
)  # fmt: skip


def sources(workspace: Workspace) -> list[Source]:
    """Those of every optional library; the missing ones say how to get them."""
    return [_source(one, workspace) for one in (*FILMS, *TIMM)]


def named(id: str) -> Optional:
    """The entry of a source listed here. Raises NotFound."""
    wanted = next((one for one in (*FILMS, *TIMM) if _id(one) == id), None)
    return wanted or Catalogue("optional source", *(replace(one, id=_id(one)) for one in (*FILMS, *TIMM)))[id]


def needs(builder: str) -> str:
    """What installs the library that makes a builder's networks; empty where MedTL makes them itself."""
    library = _LIBRARY_OF.get(builder.partition(":")[0], "")
    return f"pip install {library}" if library else ""


def why_not(needs: str) -> str:
    """Why a source that needs this cannot be used; empty where it can."""
    library = needs.rpartition(" ")[2]
    return "" if not library or installed(library) else f"Needs an optional library: {needs}"


def installed(library: str) -> bool:
    return importlib.util.find_spec(library) is not None


def hash_file(weights: Path) -> Path:
    """Where the hash of a converted file was noted when it was fetched."""
    return weights.with_suffix(".sha256")


def _id(one: Optional) -> str:
    return one.id if one.library != "timm" else "timm-" + one.name.partition(".")[0].replace("_", "-")


def _source(one: Optional, workspace: Workspace) -> Source:
    weights = workspace.weights / f"{_id(one)}.safetensors"
    noted = hash_file(weights)
    here = weights.is_file() and noted.is_file()
    need = f"pip install {one.library}"
    # Converted torchxrayvision weights are those of a network of ours: the library is needed for fetching only.
    missing = "" if here and one.library == "torchxrayvision" else why_not(need)
    return Source(
        card=Card(_id(one), one.title, one.says, one.reference, one.limits),
        builder=one.builder,
        input=one.input,
        outline=one.outline,
        origin="optional",
        trained_on=one.trained_on,
        cases=one.cases,
        labels=one.labels,
        licence=one.licence,
        attribution=f"{one.name} of {one.library}",
        sha256=noted.read_text("utf-8").strip() if here else "",
        weights=str(weights),
        needs=need,
        size_mb=one.size_mb,
        on_disk=here,
        available=not missing,
        why_not=missing or ("" if here else f"Fetched over the network on first use ({one.size_mb:.0f} MB)."),
    )
