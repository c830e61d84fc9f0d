import stat
import struct
import zipfile
from pathlib import Path

import pytest

from medtl.cohorts import archive, limits
from medtl.errors import BadInput, NotFound


def names(path: Path) -> list[str]:
    with archive.opened(path) as bundle:
        return [entry.name for entry in bundle.entries]


def refused(path: Path) -> BadInput:
    """The refusal, which must come before anything is unpacked (ASVS 5.0, 5.2.3)."""
    with pytest.raises(BadInput) as error:
        archive.check_zip(path)
    assert error.value.advice
    return error.value


def test_a_zip_of_a_folder_and_the_folder_are_the_same(folders, zipped):
    root = folders({"benign": 2, "malignant": 1})
    members = {f"wrap/{p.relative_to(root).as_posix()}": p.read_bytes() for p in root.rglob("*.png")}
    assert names(zipped(members)) == names(root) == ["benign/0.png", "benign/1.png", "malignant/0.png"]


def test_a_single_class_folder_is_not_taken_for_a_wrapping(folders):
    assert names(folders({"benign": 2})) == ["benign/0.png", "benign/1.png"]


def test_a_train_folder_alone_is_not_taken_for_a_wrapping(folders):
    assert names(folders({"train/benign": 1, "train/malignant": 1})) == ["train/benign/0.png", "train/malignant/0.png"]


def test_what_operating_systems_leave_behind_is_not_seen(zipped):
    members = {"a/1.png": b"x", "__MACOSX/a/._1.png": b"x", "a/.DS_Store": b"x", "b/Thumbs.db": b"x", "b/2.png": b"x"}
    assert names(zipped(members)) == ["a/1.png", "b/2.png"]


def test_members_are_read_when_asked_for(zipped):
    with archive.opened(zipped({"a/1.png": b"one"})) as bundle:
        assert bundle.entries[0].read() == b"one"


@pytest.mark.parametrize("name", ["../up.png", "a/../../up.png", "/root.png", "C:\\x.png", "c:/x.png", "a\\..\\up.png"])
def test_entries_that_point_outside_are_refused(name, zipped):
    assert "outside" in refused(zipped({name: b"x"})).message


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_links_and_devices_are_refused(kind, tmp_path):
    """ASVS 5.0, 5.2.5."""
    member = zipfile.ZipInfo("a/link.png")
    member.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as out:
        out.writestr(member, "/etc/passwd")
    assert "link" in refused(tmp_path / "x.zip").message


def test_a_password_is_to_be_removed(zipped):
    path = zipped({"a/1.png": b"x"})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    assert "Remove the password" in refused(path).advice


def test_too_many_files_are_refused_by_count(tmp_path):
    """ASVS 5.0, 5.2.3."""
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as out:
        for n in range(limits.FILES + 1):
            out.writestr(f"a/{n}.png", b"")
    assert "20,001" in refused(tmp_path / "x.zip").message


def test_a_bomb_is_refused_by_its_ratio(zipped):
    assert "far more" in refused(zipped({"a/1.bmp": bytes(50_000_000)})).message


def test_more_than_four_gigabytes_unpacked_are_refused(zipped):
    """The sizes are those that the list of contents claims; nothing is unpacked to find out."""
    path = zipped({f"a/{n}.bmp": b"x" for n in range(3)})
    data = bytearray(path.read_bytes())
    at = -1
    while (at := data.find(b"PK\x01\x02", at + 1)) >= 0:
        data[at + 24 : at + 28] = struct.pack("<I", 2_000_000_000)
    path.write_bytes(data)
    assert "6.0 GB" in refused(path).message


def test_a_zip_in_a_zip_is_refused_by_name_and_by_content(zipped):
    inner = zipped({"a.png": b"x"}, "inner.zip").read_bytes()
    assert "zip inside" in refused(zipped({"a/inner.zip": b"whatever"})).message
    assert "zip inside" in refused(zipped({"a/scan.png": inner})).message


def test_members_that_lie_on_top_of_one_another_are_refused(zipped):
    path = zipped({"a/1.png": b"x" * 100, "a/2.png": b"y" * 100})
    data = bytearray(path.read_bytes())
    second = data.rindex(b"PK\x01\x02")
    data[second + 42 : second + 46] = struct.pack("<I", 0)
    path.write_bytes(data)
    refused(path)


def test_an_endless_list_of_contents_is_refused_before_it_is_read(zipped):
    path = zipped({"a/1.png": b"x"})
    data = bytearray(path.read_bytes())
    end = data.rindex(b"PK\x05\x06")
    data[end + 12 : end + 16] = struct.pack("<I", 2_000_000_000)
    path.write_bytes(data)
    assert "too many" in refused(path).message


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_cut_zip_is_refused(share, zipped):
    path = zipped({f"a/{n}.png": bytes(99) for n in range(9)})
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(BadInput), archive.opened(path):
        pass


def test_one_damaged_member_is_named_and_the_others_are_read(zipped):
    path = zipped({"a/1.png": b"one" * 50, "a/2.png": b"two" * 50})
    data = bytearray(path.read_bytes())
    data[39] ^= 0xFF
    path.write_bytes(data)
    with archive.opened(path) as bundle:
        with pytest.raises(BadInput, match="damaged inside the zip"):
            bundle.entries[0].read()
        assert bundle.entries[1].read() == b"two" * 50


def test_links_in_a_folder_are_named_and_not_followed(folders):
    root = folders({"a": 1})
    (root / "a/link.png").symlink_to("/etc/passwd")
    with archive.opened(root) as bundle:
        assert [file.file for file in bundle.skipped] == ["a/link.png"]
        assert [entry.name for entry in bundle.entries] == ["a/0.png"]


def test_only_files_below_the_table_are_taken(folders, tmp_path):
    root = folders({"a": 1})
    (tmp_path / "outside.png").write_bytes(b"x")
    wanted = ["a/0.png", "../outside.png", str(tmp_path / "outside.png"), "missing.png"]
    assert [entry.name for entry in archive.named(root, wanted).entries] == ["a/0.png"]


def test_nothing_there_and_no_archive(tmp_path):
    with pytest.raises(NotFound), archive.opened(tmp_path / "nowhere"):
        pass
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(BadInput, match="neither a folder nor a zip"), archive.opened(tmp_path / "a.txt"):
        pass


def test_a_folder_without_a_floor_is_left_at_some_depth_and_named(tmp_path):
    root = tmp_path / "set"
    (root / "a").mkdir(parents=True)
    (root / "a/1.png").write_bytes(b"x")
    (root / ("d/" * 200)).mkdir(parents=True)  # at 1,000 Python itself would give up, and so would who cleans up here
    with archive.opened(root) as bundle:
        assert [entry.name for entry in bundle.entries] == ["a/1.png"]
        (left,) = bundle.skipped
    assert left.file == "d/" * (limits.DEPTH + 1) and "folders deep" in left.reason and left.advice


def test_folders_are_walked_in_the_order_of_their_names(tmp_path):
    for name in ("b/2.png", "b/c/1.png", "a/d/1.png", "a/9.png", "0.png"):
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / name).write_bytes(b"x")
    assert names(tmp_path / "set") == ["0.png", "a/9.png", "a/d/1.png", "b/2.png", "b/c/1.png"]


def test_members_too_deep_in_a_zip_are_named(zipped):
    deep = "d/" * (limits.DEPTH + 1) + "1.png"
    with archive.opened(
        zipped({"a/1.png": b"x", "b/1.png": b"x", deep: b"x", "d/" * limits.DEPTH + "1.png": b"y"})
    ) as bundle:
        assert len(bundle.entries) == 3
        assert [left.file for left in bundle.skipped] == [deep]


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("second", ["a/1.png", "a//1.png", "./a/1.png", "a\\1.png"])
def test_a_name_that_stands_twice_in_a_zip_is_said(second, tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as out:
        for name, data in (("a/1.png", b"one"), (second, b"two"), ("b/1.png", b"three")):
            out.writestr(name, data)
    with archive.opened(tmp_path / "x.zip") as bundle:
        assert [entry.read() for entry in bundle.entries] == [b"one", b"three"]
        assert [left.file for left in bundle.skipped] == ["a/1.png"]
        assert "of this name" in bundle.skipped[0].reason
