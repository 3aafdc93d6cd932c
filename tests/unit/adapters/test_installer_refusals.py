"""What Install refuses before it touches anything: ways out of the bundle or the root, and paths without meaning."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from domain.appspec import Permission
from domain.errors import InstallError
from tests.unit.adapters.installing_site import Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture
def bundle(site: Site) -> Path:
    (site.folder / "secret").write_text("not in the bundle")
    return site.bundle(
        "one",
        {"a": "1", "out": "-> ../secret", "up": "-> ..", "abs": f"-> {site.folder}/secret", "in": "-> a", "d/b": "2"},
    )


@pytest.mark.parametrize("source", ["../secret", "d/../../secret", "..", "out", "up", "abs", "up/secret"])
def test_a_source_outside_the_bundle(site: Site, bundle: Path, source: str) -> None:
    site.with_files((source, "/srv"))
    with pytest.raises(InstallError, match="leaves the bundle"):
        site.install(bundle)
    assert site.seen() == {}


@pytest.mark.parametrize("source", ["../secret", "up/secret"])
def test_unless_that_is_allowed(site: Site, bundle: Path, source: str) -> None:
    site.with_files((source, "/srv"))
    site.install(bundle, allow_outside_sources=True)
    assert (site.root / "srv/secret").read_text() == "not in the bundle"


def test_an_absolute_source_is_below_the_bundle(site: Site, bundle: Path) -> None:
    absolute = str(site.folder / "secret")
    site.with_files((absolute, "/srv"))
    with pytest.raises(InstallError, match="is not in the bundle"):
        site.install(bundle)
    site.install(bundle, allow_outside_sources=True)
    assert (site.root / "srv/secret").read_text() == "not in the bundle"
    site.with_files(("/d/b", "/srv"))
    site.install(bundle, allow_outside_sources=True)
    assert sorted(site.seen()) == ["srv", "srv/b"]


def test_links_in_the_bundle_stay_links_wherever_they_lead(site: Site, bundle: Path) -> None:
    site.install(bundle)
    app = site.root / "srv/app"
    assert [str((app / name).readlink()) for name in ("out", "up", "in")] == ["../secret", "..", "a"]


@pytest.mark.parametrize(
    ("destination", "told"),
    [
        ("srv/app", "is relative"),
        ("~/app", "not expanded"),
        ("~user/app", "not expanded"),
        ("./x", "is relative"),
        ("/../x", r"leads out of this host's root with `\.\.`"),
        ("/srv/../../x", r"leads out|does not exist"),
        ("/missing/../x", "does not exist"),
        ("/escape/x", "through the link /escape"),
        ("/srv/deep/x", "through the link /srv/deep"),
        ("/a\0b", "NUL"),
    ],
)
def test_a_destination_without_meaning_or_outside(site: Site, bundle: Path, destination: str, told: str) -> None:
    (site.root / "srv").mkdir()
    (site.root / "escape").symlink_to(site.folder)
    (site.root / "srv/deep").symlink_to("../..")
    before = site.seen()
    site.with_files(("a", destination))
    with pytest.raises(InstallError, match=told):
        site.install(bundle)
    assert site.seen() == before
    assert not (site.folder / "x").exists()


def test_dots_that_stay_inside_are_fine(site: Site, bundle: Path) -> None:
    (site.root / "srv").mkdir()
    site.with_files(("a", "/srv/../opt/./x"))
    site.install(bundle)
    assert (site.root / "opt/x/a").is_file()


def test_a_link_below_a_destination_that_leads_out(site: Site, bundle: Path) -> None:
    (site.root / "srv/app").mkdir(parents=True)
    (site.root / "srv/app/d").symlink_to(site.folder)
    with pytest.raises(InstallError, match="leads out of this host's root: nothing is installed through it"):
        site.install(bundle, "OVERWRITE")
    assert not (site.folder / "b").exists()


def test_cleanup_does_not_follow_a_link_out(site: Site, bundle: Path) -> None:
    site.install(bundle)
    (site.root / "srv/app/d").rename(site.folder / "moved")
    (site.root / "srv/app/d").symlink_to(site.folder / "moved")
    site.install(site.bundle("two", {}))
    assert (site.folder / "moved/b").read_text() == "2"


def test_a_link_planned_by_one_entry_is_no_way_out_for_another(site: Site) -> None:
    bundle = site.bundle("one", {"x/d": f"-> {site.folder}", "y/d/owned": "!"})
    site.with_files(("x", "/srv"), ("y", "/srv"))
    with pytest.raises(InstallError, match="would be a directory for one entry"):
        site.install(bundle)
    assert not (site.folder / "owned").exists()


def test_a_mode_is_never_set_through_a_link(site: Site) -> None:
    (site.folder / "secret").write_text("1")
    (site.folder / "secret").chmod(0o600)
    site.with_permissions(Permission(object="/srv/app", mode=0o777))
    site.install(site.bundle("one", {"l": f"-> {site.folder}/secret"}))
    assert (site.folder / "secret").stat().st_mode & 0o777 == 0o600


def test_a_pipe_in_the_bundle(site: Site, bundle: Path) -> None:
    os.mkfifo(bundle / "d/pipe")
    with pytest.raises(InstallError, match="d/pipe in the bundle is no file"):
        site.install(bundle)
    assert site.seen() == {}


def test_a_bundle_that_is_gone(site: Site) -> None:
    with pytest.raises(InstallError, match="There is no bundle"):
        site.install(site.folder / "nowhere")


@pytest.mark.parametrize("name", ["0", "12345", "no-such-user"])
def test_an_owner_nobody_knows(site: Site, bundle: Path, name: str) -> None:
    site.with_permissions(Permission(object="/srv/app", owner=name))
    with pytest.raises(InstallError, match=f"owner '{name}'.*is not known on this host"):
        site.install(bundle)
    assert site.seen() == {}
