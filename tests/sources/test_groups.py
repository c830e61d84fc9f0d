"""Every source is in one group; more work or more values never means a smaller computer."""

from medtl.sources.builders import BUILDERS
from medtl.sources.groups import GROUPS, group_of
from medtl.vocabulary import Outline, StageOutline


def outline(gflop: float, millions: float) -> Outline:
    return Outline((StageOutline("all", round(millions * 1e6), gflop),), 8)


def test_the_common_networks_are_where_one_expects_them() -> None:
    where = {builder.id: group_of(builder.outline).id for builder in BUILDERS}
    for id in ("mobilenet_v2", "efficientnet_b0", "resnet18", "squeezenet1_0", "shufflenet_v2_x1_0"):
        assert where[id] == "two-cores", id
    for id in ("resnet50", "densenet121", "convnext_tiny", "swin_t", "efficientnet_v2_s", "vit_b_32"):
        assert where[id] == "patience", id
    for id in ("vit_b_16", "vgg16", "convnext_base", "efficientnet_b7", "vit_l_32"):
        assert where[id] == "gpu", id


def test_a_heavier_network_is_in_the_same_group_or_a_later_one() -> None:
    steps = [0.0, 1.0, 4.0, 4.1, 20.0, 21.0, 500.0]
    places = [GROUPS.ids.index(group_of(outline(gflop, 1)).id) for gflop in steps]
    assert places == sorted(places) and set(places) == {0, 1, 2}
    sizes = [GROUPS.ids.index(group_of(outline(0, millions)).id) for millions in (1, 30, 31, 100, 101, 5000)]
    assert sizes == [0, 0, 1, 1, 2, 2]


def test_every_group_says_what_it_means() -> None:
    for group in GROUPS:
        assert group.title and group.says.endswith(".") and "1,000 images" in group.says
