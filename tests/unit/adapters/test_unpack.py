"""Honest bundles come out as they went in."""

from __future__ import annotations

import fcntl
import gzip
import os
import socket
import stat
import tarfile
from pathlib import Path

import pytest

from adapters.host.staging import staged
from adapters.host.unpack import copy_directory, unpack
from domain.bundles import BundleLimits, BundleType, bundle_type_of
from domain.errors import BundleError
from tests.unit.adapters.bundle_making import (
    SPEC,
    TIME,
    entries,
    file,
    folder,
    hard_link,
    link,
    make_bundle,
    make_tar,
    make_zip,
    mode_of,
    names_in,
    tar_bytes,
    zip_link,
    zip_member,
)

LIMITS = BundleLimits()
PACKED = [BundleType.TAR, BundleType.TGZ, BundleType.ZIP]
TREE = {"appspec.yml": SPEC, "app/a b.txt": b"a" * 300_000, "app/deep/ünï.bin": bytes(range(256)), "empty": b""}


@pytest.mark.parametrize("kind", PACKED)
def test_every_packed_kind_gives_the_same_tree(kind: BundleType, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle", kind, TREE)
    summary = unpack(bundle, kind, tmp_path / "out", LIMITS)
    found = {str(path.relative_to(tmp_path / "out")): path for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert {name: path.read_bytes() for name, path in found.items()} == TREE
    assert (summary.files, summary.bytes) == (4, sum(map(len, TREE.values())))
    assert names_in(tmp_path)[0] == "bundle"
    assert entries(tmp_path) == ["bundle", "out"]


@pytest.mark.parametrize("kind", PACKED)
def test_what_was_there_is_replaced(kind: BundleType, tmp_path: Path) -> None:
    (tmp_path / "out/old").mkdir(parents=True)
    unpack(make_bundle(tmp_path / "bundle", kind, {"appspec.yml": SPEC}), kind, tmp_path / "out", LIMITS)
    assert names_in(tmp_path / "out") == ["appspec.yml"]


def test_a_gzipped_tar_is_taken_for_tar_as_well(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle", BundleType.TGZ, TREE)
    assert unpack(bundle, BundleType.TAR, tmp_path / "out", LIMITS).files == 4


def test_gzip_in_several_members_is_one_archive(tmp_path: Path) -> None:
    plain = tar_bytes([file("appspec.yml", SPEC), file("b", os.urandom(5000))])
    bundle = tmp_path / "bundle"
    bundle.write_bytes(gzip.compress(plain[:2000]) + gzip.compress(plain[2000:]))
    assert unpack(bundle, BundleType.TGZ, tmp_path / "out", LIMITS).files == 2


class TestLeadingDirectory:
    @pytest.mark.parametrize("kind", PACKED)
    def test_one_directory_with_an_appspec_becomes_the_root(self, kind: BundleType, tmp_path: Path) -> None:
        bundle = make_bundle(tmp_path / "bundle", kind, {"repo-1a2b/AppSpec.yaml": SPEC, "repo-1a2b/x/y": b""})
        unpack(bundle, kind, tmp_path / "out", LIMITS)
        assert names_in(tmp_path / "out") == ["AppSpec.yaml", "x", "x/y"]

    @pytest.mark.parametrize(
        "tree",
        [
            {"repo/appspec.yml": SPEC, "README": b""},
            {"repo/code": b"", "repo/more": b""},
            {"repo/deeper/appspec.yml": SPEC},
            {"appspec.yml": SPEC},
        ],
        ids=["a file beside it", "no AppSpec", "AppSpec too deep", "no directory"],
    )
    def test_else_the_root_stays(self, tree: dict[str, bytes], tmp_path: Path) -> None:
        unpack(make_bundle(tmp_path / "bundle", BundleType.ZIP, tree), BundleType.ZIP, tmp_path / "out", LIMITS)
        assert set(tree) <= set(names_in(tmp_path / "out"))

    def test_its_mode_and_links_stay(self, tmp_path: Path) -> None:
        members = [folder("top", mode=0o750), file("top/appspec.yml"), link("top/current", "appspec.yml")]
        unpack(make_tar(tmp_path / "b", *members), BundleType.TAR, tmp_path / "out", LIMITS)
        assert mode_of(tmp_path / "out") == 0o750
        assert (tmp_path / "out/current").read_bytes() == b"hello\n"


class TestTar:
    def test_modes_times_and_links_are_kept(self, tmp_path: Path) -> None:
        members = [
            folder("./", mode=0o711),
            file("./run.sh", mode=0o4755),
            folder("./locked", mode=0o555),
            file("./locked/secret", mode=0o400),
            link("./locked/up", "../run.sh"),
            hard_link("./same", "run.sh"),
        ]
        out = tmp_path / "out"
        summary = unpack(make_tar(tmp_path / "b", *members), BundleType.TAR, out, LIMITS)
        modes = {name: mode_of(out / name) for name in ("", "run.sh", "locked", "locked/secret")}
        assert modes == {"": 0o711, "run.sh": 0o4755, "locked": 0o555, "locked/secret": 0o400}
        assert [int((out / name).stat().st_mtime) for name in ("run.sh", "locked", "")] == [TIME] * 3
        assert str((out / "locked/up").readlink()) == "../run.sh"
        assert (out / "same").samefile(out / "run.sh")
        assert summary.files == 4

    def test_a_directory_that_is_never_named_is_made(self, tmp_path: Path) -> None:
        unpack(make_tar(tmp_path / "b", file("a/b/c")), BundleType.TAR, tmp_path / "out", LIMITS)
        assert mode_of(tmp_path / "out/a/b") == 0o755

    def test_the_last_of_two_files_with_one_name_stays(self, tmp_path: Path) -> None:
        members = [file("a", b"one"), hard_link("b", "a"), file("a", b"two")]
        unpack(make_tar(tmp_path / "b", *members), BundleType.TAR, tmp_path / "out", LIMITS)
        assert [(tmp_path / "out" / name).read_bytes() for name in "ab"] == [b"two", b"one"]

    @pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
    def test_all_dialects_are_read(self, format: int, tmp_path: Path) -> None:  # noqa: A002
        name = "folder/" * 12 + "f" * 60
        with tarfile.open(tmp_path / "b", "w", format=format) as archive:
            archive.addfile(file(name, b"")[0])
        unpack(tmp_path / "b", BundleType.TAR, tmp_path / "out", LIMITS)
        assert (tmp_path / "out" / name).is_file()

    def test_names_that_are_no_text_are_kept(self, tmp_path: Path) -> None:
        name = os.fsdecode(b"caf\xe9")
        unpack(make_tar(tmp_path / "b", file(name)), BundleType.TAR, tmp_path / "out", LIMITS)
        assert entries(tmp_path / "out") == [name]

    def test_files_with_holes_come_out_whole(self, tmp_path: Path) -> None:
        map_of_data = b"2\n0\n5\n1048576\n3\n".ljust(512, b"\0")
        headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}
        headers |= {"GNU.sparse.name": "holes", "GNU.sparse.realsize": "2000000"}
        sparse = file("GNUSparseFile.0/holes", map_of_data + b"startend", pax_headers=headers)
        summary = unpack(make_tar(tmp_path / "b", sparse, file("after")), BundleType.TAR, tmp_path / "out", LIMITS)
        expected = bytearray(2_000_000)
        expected[:5], expected[1_048_576:1_048_579] = b"start", b"end"
        assert (tmp_path / "out/holes").read_bytes() == bytes(expected)
        assert summary.bytes == 2_000_006

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
    def test_root_keeps_owners(self, tmp_path: Path) -> None:
        unpack(make_tar(tmp_path / "b", file("a", uid=1234, gid=4321)), BundleType.TAR, tmp_path / "out", LIMITS)
        status = (tmp_path / "out/a").stat()
        assert (status.st_uid, status.st_gid) == (1234, 4321)

    @pytest.mark.parametrize("time", [-5, 2**60, float("nan"), float("inf")])
    def test_times_beyond_reason_are_dropped(self, time: float, tmp_path: Path) -> None:
        odd = file("a", pax_headers={"mtime": str(time)})
        assert unpack(make_tar(tmp_path / "b", odd), BundleType.TAR, tmp_path / "out", LIMITS).files == 1


class TestZip:
    def test_modes_and_links_are_kept_and_set_id_bits_are_not(self, tmp_path: Path) -> None:
        script = zip_member("run.sh", stat.S_IFREG | 0o6755)
        out = tmp_path / "out"
        unpack(
            make_zip(tmp_path / "b", (script, b"#!"), zip_link("bin/start", "../run.sh")), BundleType.ZIP, out, LIMITS
        )
        assert mode_of(out / "run.sh") == 0o755
        assert (out / "bin/start").samefile(out / "run.sh")

    def test_modes_of_other_systems_are_not_believed(self, tmp_path: Path) -> None:
        member = zip_member("a", stat.S_IFLNK | 0o777, system=0)
        unpack(make_zip(tmp_path / "b", (member, b"/etc/passwd")), BundleType.ZIP, tmp_path / "out", LIMITS)
        assert (tmp_path / "out/a").read_bytes() == b"/etc/passwd"
        assert mode_of(tmp_path / "out/a") == 0o644

    def test_backslashes_of_windows_are_slashes(self, tmp_path: Path) -> None:
        member = zip_member("app\\bin\\x.txt", 0, system=0)
        unpack(make_zip(tmp_path / "b", (member, b"")), BundleType.ZIP, tmp_path / "out", LIMITS)
        assert (tmp_path / "out/app/bin/x.txt").is_file()

    def test_a_directory_member_keeps_its_mode(self, tmp_path: Path) -> None:
        member = zip_member("locked/", stat.S_IFDIR | 0o500)
        unpack(make_zip(tmp_path / "b", (member, b""), ("locked/x", b"")), BundleType.ZIP, tmp_path / "out", LIMITS)
        assert mode_of(tmp_path / "out/locked") == 0o500


class TestDirectory:
    def test_a_copy_looks_like_its_source(self, tmp_path: Path) -> None:
        source = tmp_path / "source"
        (source / "bin").mkdir(parents=True)
        (source / "appspec.yml").write_bytes(SPEC)
        (source / "bin/run").write_bytes(b"#!")
        (source / "bin/run").chmod(0o750)
        (source / "current").symlink_to("/opt/elsewhere")
        os.utime(source / "bin", (TIME, TIME))
        summary = copy_directory(source, tmp_path / "out", LIMITS)
        assert names_in(tmp_path / "out") == names_in(source)
        assert mode_of(tmp_path / "out/bin/run") == 0o750
        assert str((tmp_path / "out/current").readlink()) == "/opt/elsewhere"
        assert int((tmp_path / "out/bin").stat().st_mtime) == TIME
        assert (summary.files, summary.bytes) == (3, len(SPEC) + 2)

    def test_a_second_copy_takes_the_place_of_the_first(self, tmp_path: Path) -> None:
        (tmp_path / "source").mkdir()
        (tmp_path / "source/a").touch()
        copy_directory(tmp_path / "source", tmp_path / "out", LIMITS)
        (tmp_path / "source/a").rename(tmp_path / "source/b")
        copy_directory(tmp_path / "source", tmp_path / "out", LIMITS)
        assert names_in(tmp_path / "out") == ["b"]

    def test_our_own_folder_stays_behind_even_if_the_copy_goes_there(self, tmp_path: Path) -> None:
        source = tmp_path / "source"
        (source / ".slipway/x").mkdir(parents=True)
        (source / "appspec.yml").touch()
        copy_directory(source, source / ".slipway/x/out", LIMITS)
        assert names_in(source / ".slipway/x/out") == ["appspec.yml"]

    def test_a_copy_into_itself_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "source/state").mkdir(parents=True)
        with pytest.raises(BundleError, match="keep them apart"):
            copy_directory(tmp_path / "source", tmp_path / "source/state/out", LIMITS)
        assert names_in(tmp_path) == ["source", "source/state"]

    def test_a_socket_is_refused_and_nothing_stays(self, tmp_path: Path) -> None:
        (tmp_path / "source").mkdir()
        (tmp_path / "source/a").touch()
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(str(tmp_path / "source/s"))
            with pytest.raises(BundleError, match="'s' is a socket"):
                copy_directory(tmp_path / "source", tmp_path / "out", LIMITS)
        assert entries(tmp_path) == ["source"]

    @pytest.mark.parametrize(
        "limits", [BundleLimits(max_files=3), BundleLimits(max_unpacked_bytes=20), BundleLimits(max_depth=1)]
    )
    def test_limits_hold(self, limits: BundleLimits, tmp_path: Path) -> None:
        (tmp_path / "source/d").mkdir(parents=True)
        for name in ("a", "b", "d/c"):
            (tmp_path / "source" / name).write_bytes(b"12345678")
        with pytest.raises(BundleError, match="max_"):
            copy_directory(tmp_path / "source", tmp_path / "out", limits)
        assert entries(tmp_path) == ["source"]

    def test_no_directory_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(BundleError, match="no directory"):
            copy_directory(tmp_path / "missing", tmp_path / "out", LIMITS)


class TestStaging:
    def test_what_a_killed_process_left_is_swept(self, tmp_path: Path) -> None:
        (tmp_path / ".out.abc.fresh/tree/locked").mkdir(parents=True)
        bundle = make_bundle(tmp_path / "bundle", BundleType.TAR, TREE)
        unpack(bundle, BundleType.TAR, tmp_path / "out", LIMITS)
        assert entries(tmp_path) == ["bundle", "out"]

    def test_what_another_process_works_on_stays(self, tmp_path: Path) -> None:
        busy = tmp_path / ".out.abc.fresh"
        busy.mkdir()
        lock = os.open(busy, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with staged(tmp_path / "out") as work:
                assert work != busy
            assert entries(tmp_path) == [busy.name]
        finally:
            os.close(lock)


@pytest.mark.parametrize(
    ("name", "kind"), [("a.TAR", "tar"), ("a.b.tar.gz", "tgz"), ("x.tgz", "tgz"), ("/y/app-1.0.zip", "zip")]
)
def test_kinds_go_by_endings(name: str, kind: str) -> None:
    assert bundle_type_of(name) is BundleType(kind)


def test_an_unknown_ending_is_an_error() -> None:
    with pytest.raises(BundleError, match=r"\.zip"):
        bundle_type_of("app.rar")


class TestFolders:
    """A folder of the archive as the bundle's root, as monorepos have it."""

    MONOREPO = (
        folder("me-app-0123/"),
        file("me-app-0123/README.md"),
        link("me-app-0123/current", "services/web"),
        folder("me-app-0123/services/web/", mode=0o750),
        file("me-app-0123/services/web/appspec.yml", SPEC),
        file("me-app-0123/services/web/bin/run", mode=0o755),
        link("me-app-0123/services/web/latest", "bin/run"),
        file("me-app-0123/services/webhook/appspec.yml", SPEC),
    )

    @pytest.mark.parametrize("wanted", ["services/web", "me-app-0123/services/web"])
    def test_it_is_the_root_and_nothing_else_is_kept(self, tmp_path: Path, wanted: str) -> None:
        bundle = make_tar(tmp_path / "bundle", *self.MONOREPO)
        summary = unpack(bundle, BundleType.TAR, tmp_path / "out", LIMITS, subfolder=wanted)
        assert names_in(tmp_path / "out") == ["appspec.yml", "bin", "bin/run", "latest"]
        assert summary.files == 3
        assert mode_of(tmp_path / "out") == 0o750
        assert entries(tmp_path) == ["bundle", "out"]

    @pytest.mark.parametrize("kind", PACKED)
    def test_it_may_lie_at_the_root_itself(self, tmp_path: Path, kind: BundleType) -> None:
        bundle = make_bundle(tmp_path / "bundle", kind, {"appspec.yml": SPEC, "web/appspec.yml": SPEC})
        unpack(bundle, kind, tmp_path / "out", LIMITS, subfolder="web")
        assert names_in(tmp_path / "out") == ["appspec.yml"]

    @pytest.mark.parametrize(
        "wanted", ["services/none", "README.md", "current", "current/bin", "../web", "/services/web", "", ".", "a\0b"]
    )
    def test_what_is_no_folder_of_the_archive_is_refused(self, tmp_path: Path, wanted: str) -> None:
        bundle = make_tar(tmp_path / "bundle", *self.MONOREPO)
        with pytest.raises(BundleError, match=r"no folder|refused"):
            unpack(bundle, BundleType.TAR, tmp_path / "out", LIMITS, subfolder=wanted)
        assert entries(tmp_path) == ["bundle"]

    def test_a_link_out_of_it_is_refused(self, tmp_path: Path) -> None:
        bundle = make_tar(tmp_path / "bundle", *self.MONOREPO, link("me-app-0123/services/web/up", "../webhook"))
        with pytest.raises(BundleError, match="leads out of the bundle"):
            unpack(bundle, BundleType.TAR, tmp_path / "out", LIMITS, subfolder="services/web")
