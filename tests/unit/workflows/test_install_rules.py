"""What must hold for any plan: nothing of others is touched, patterns match as promised, and text loses nothing."""

from __future__ import annotations

import fnmatch
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.appspec import AppSpec, FileExistsBehavior, FileMapping
from domain.errors import InstallError
from domain.install import (
    Changed,
    Context,
    CopyFile,
    Entry,
    Facts,
    Found,
    KeepCopy,
    KeepDirectory,
    Kept,
    Kind,
    MakeDirectory,
    MakeLink,
    Plan,
    Recorded,
    RemoveDirectory,
    RemoveFile,
    Rescue,
    RestoreCopy,
    SetAcl,
    SetContext,
    SetMode,
    SetOwner,
    Stamp,
    Tree,
)
from domain.install_text import (
    lines_of,
    plan_as_json,
    plan_as_text,
    plan_from_text,
    record_as_text,
    record_from_text,
)
from domain.keeping import Keeping, Restoring
from workflows.install import plan_install
from workflows.install_permissions import matches

SPEC = AppSpec(files=(FileMapping(source="/", destination="/d"),))
NAMES = ("a", "b", "c", "s/a", "s/b", "s")
KINDS = st.sampled_from((Kind.FILE, Kind.LINK, Kind.DIRECTORY))


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Facts, FileExistsBehavior]:
    """A bundle, a host and a record that agree with themselves, over a handful of names."""
    bundle = draw(trees())
    host = draw(trees())
    record = draw(st.dictionaries(st.sampled_from(NAMES), KINDS, max_size=4))
    there = {
        f"/d/{path}": Found(kind, 0o755, 0, 0, leads=Kind.FILE, same=draw(st.booleans())) for path, kind in host.items()
    }
    there["/d"] = Found(Kind.DIRECTORY, 0o755, 0, 0)
    for path, found in there.items():
        if found.kind is Kind.DIRECTORY:
            inside = {other[len(path) + 1 :].split("/")[0] for other in there if other.startswith(path + "/")}
            there[path] = found._replace(children=frozenset(inside), leads=None)
    entries = tuple(Entry(path, kind, "x", 0o755, 0, 0) for path, kind in sorted(bundle.items()))
    facts = Facts(
        archive="/bundle",
        trees=(Tree("/", "/bundle", "/d", entries),),
        there=there,
        record=tuple(Recorded(kind, f"/d/{path}") for path, kind in sorted(record.items())),
    )
    return facts, draw(st.sampled_from(FileExistsBehavior))


@st.composite
def trees(draw: st.DrawFn) -> dict[str, Kind]:
    tree = draw(st.dictionaries(st.sampled_from(NAMES), KINDS, max_size=6))
    if any(path.startswith("s/") for path in tree):
        tree["s"] = Kind.DIRECTORY
    return tree


@given(worlds())
def test_nothing_of_others_is_touched(world: tuple[Facts, FileExistsBehavior]) -> None:
    facts, behavior = world
    try:
        plan = plan_install(SPEC, facts, behavior)
    except InstallError:
        return
    ours = {each.path for each in facts.record}
    for step in plan.instructions:
        match step:
            case RemoveFile(file=path) | RemoveDirectory(directory=path) | KeepDirectory(directory=path):
                assert path in ours
            case CopyFile(destination=path) | MakeLink(destination=path):
                found = facts.there.get(path)
                assert found is None or path in ours or behavior is FileExistsBehavior.OVERWRITE
                assert found is None or found.kind is not Kind.DIRECTORY or path in ours


@given(worlds())
def test_every_step_finds_what_it_needs(world: tuple[Facts, FileExistsBehavior]) -> None:
    """Played on a pretended disk, no step meets a path in the wrong state."""
    facts, behavior = world
    try:
        plan = plan_install(SPEC, facts, behavior)
    except InstallError:
        return
    disk = {path: found.kind for path, found in facts.there.items()}
    played(plan, disk)
    for recorded in plan.record:
        assert disk[recorded.path] is recorded.kind


def played(plan: Plan, disk: dict[str, Kind]) -> None:
    for step in plan.instructions:
        match step:
            case KeepCopy(file=path) | Rescue(file=path):
                assert disk[path] is not Kind.DIRECTORY
            case RestoreCopy(file=path, kind=kind, replaces=replaces):
                assert (path in disk) is replaces
                assert disk.get(path) is not Kind.DIRECTORY
                assert disk[path.rpartition("/")[0]] is Kind.DIRECTORY
                disk[path] = kind
            case RemoveFile(file=path):
                assert disk.pop(path) is not Kind.DIRECTORY
            case RemoveDirectory(directory=path):
                assert not [other for other in disk if other.startswith(path + "/")]
                assert disk.pop(path) is Kind.DIRECTORY
            case MakeDirectory(directory=path):
                assert path not in disk
                disk[path] = Kind.DIRECTORY
            case CopyFile(destination=path, replaces=replaces) | MakeLink(destination=path, replaces=replaces):
                assert (path in disk) is replaces
                assert disk.get(path) is not Kind.DIRECTORY
                assert disk[path.rpartition("/")[0]] is Kind.DIRECTORY
                disk[path] = Kind.FILE if isinstance(step, CopyFile) else Kind.LINK


COPIES = st.lists(
    st.builds(
        Kept,
        st.just("0"),
        st.sampled_from([f"/d/{name}" for name in (*NAMES, "s/s/a")]),
        st.sampled_from((Kind.FILE, Kind.LINK)),
        st.just(1),
        st.integers(0, 3),
        st.integers(0, 3),
    ),
    max_size=5,
).map(lambda kept: tuple(each._replace(copy=str(number)) for number, each in enumerate(kept, 1)))
RULES = st.builds(
    Keeping, st.builds(Restoring, began=st.just(4.0), back_to=st.none() | st.integers(0, 3)), st.just(99), st.just(2)
)


CHANGES = st.dictionaries(st.sampled_from([f"/d/{name}" for name in NAMES]), st.sampled_from(Changed), max_size=3)


@given(worlds(), COPIES, RULES, st.sets(st.integers(1, 5).map(str), max_size=2), CHANGES)
def test_what_is_given_back_takes_nothing_from_anybody(
    world: tuple[Facts, FileExistsBehavior],
    kept: tuple[Kept, ...],
    rule: Keeping,
    unfit: set[str],
    changes: dict[str, Changed],
) -> None:
    gone = dict.fromkeys(unfit & {each.copy for each in kept}, "gone")
    facts = world[0]._replace(kept=kept, unfit=gone, changed=changes)
    try:
        plan = plan_install(SPEC, facts, world[1], rule)
    except InstallError:
        return
    disk = {path: found.kind for path, found in facts.there.items()}
    played(plan, disk)
    ours, holds = {each.path for each in facts.record}, {each.path for each in plan.record}
    copies = {each.copy: each for each in kept}
    rescued = {each.file for each in plan.instructions if isinstance(each, Rescue)}
    for step in plan.instructions:
        match step:
            case RestoreCopy(file=path, copy=copy, replaces=replaces):
                assert path not in holds
                assert not replaces or path in ours
                assert not replaces or changes.get(path) is not Changed.SINCE
                assert (path in rescued) is (replaces and changes.get(path) is Changed.MEANWHILE)
                assert copy not in facts.unfit
                assert rule.restoring.back_to is not None
                assert copies[copy].began >= rule.restoring.back_to
            case CopyFile(destination=path, replaces=True) | MakeLink(destination=path, replaces=True):
                saved = {each.file for each in plan.instructions if isinstance(each, KeepCopy)}
                assert path in ours or path in saved
    saved_now = {each.copy for each in plan.instructions if isinstance(each, KeepCopy)}
    assert not saved_now & copies.keys()
    assert saved_now <= {each.copy for each in plan.kept} <= saved_now | copies.keys()
    assert len({each.copy for each in plan.kept}) == len(plan.kept)


@given(st.text("ab*/?[]\n", max_size=8), st.text("ab*?[]\n", max_size=8))
def test_star_is_the_only_wildcard(name: str, pattern: str) -> None:
    literal = "".join(part if part == "*" else f"[{part}]" if part in "?[" else part for part in pattern)
    expected = re.match(fnmatch.translate(literal), name) is not None and "/" not in name and pattern != ""
    assert matches(name, pattern) is expected


def test_no_pattern_takes_long() -> None:
    assert not matches("a" * 255, "*a" * 100 + "*b")


TEXTS = st.text(st.characters(exclude_characters="\0"), max_size=6) | st.just("trailing \n") | st.just("b\udc80\udcff")
STEPS = (
    st.builds(CopyFile, TEXTS, TEXTS, st.booleans())
    | st.builds(MakeLink, TEXTS, TEXTS, TEXTS)
    | st.builds(SetMode, TEXTS, st.integers(0, 0o7777), st.booleans())
    | st.builds(SetAcl, TEXTS, st.lists(TEXTS, max_size=2).map(tuple))
    | st.builds(SetContext, TEXTS, st.builds(Context, TEXTS, TEXTS))
    | st.builds(KeepCopy, TEXTS, TEXTS, st.integers(0, 9))
    | st.builds(RestoreCopy, TEXTS, TEXTS, st.sampled_from(Kind))
    | st.builds(Rescue, TEXTS, TEXTS)
    | st.builds(SetOwner, TEXTS, st.integers(-1, 9), st.integers(-1, 9), TEXTS)
    | st.builds(KeepDirectory, TEXTS, st.integers(0, 0o7777), st.just(0), st.just(0), st.just((("acl", "00"),)))
)


@given(st.lists(STEPS, max_size=6).map(tuple))
def test_a_plan_survives_being_written(steps: tuple[CopyFile, ...]) -> None:
    plan = Plan("/b\udc80", steps, unchanged=3, retained=1)
    text = plan_as_text(plan)
    assert text.isascii()
    assert plan_from_text(text) == plan
    assert plan_as_json(plan_from_text(text)) == plan_as_json(plan)
    assert text.count("\n") == max(1, len(steps)) + 2


RECORDED = st.builds(Recorded, st.sampled_from(Kind), TEXTS, st.none() | st.builds(Context, TEXTS))
STAMPS = st.none() | st.builds(Stamp, st.integers(0, 9), st.integers(0, 2 * 10**18))
KEPT = st.builds(
    Kept,
    st.integers(0, 99).map(str),
    TEXTS.map(lambda text: f"/{text}"),
    st.sampled_from(Kind),
    st.integers(0, 9),
    st.floats(0, 2e9),
    st.integers(0, 9),
    STAMPS,
    STAMPS,
)


@given(st.lists(RECORDED, max_size=5))
def test_a_record_survives_and_a_cut_off_line_does_not(record: list[Recorded]) -> None:
    text = record_as_text(record)
    assert text.isascii()
    assert record_from_text(text) == (tuple(record), ())
    assert record_from_text(text[:-1]) == (tuple(record[:-1]), ())


@given(st.lists(RECORDED, max_size=3), st.lists(KEPT, max_size=3))
def test_copies_on_record_survive(record: list[Recorded], kept: list[Kept]) -> None:
    text = record_as_text(record, kept)
    assert text.isascii()
    assert record_from_text(text) == (tuple(record), tuple(kept))


@pytest.mark.parametrize(
    "line",
    [
        pytest.param('["kept","../../etc/shadow","/a","file",1,1.0,0]', id="a name that climbs out"),
        pytest.param('["kept","/etc/shadow","/a","file",1,1.0,0]', id="a name that is a path"),
        pytest.param('["kept","\\u0661","/a","file",1,1.0,0]', id="a number of another script"),
        pytest.param('["kept","1","etc/passwd","file",1,1.0,0]', id="a relative path"),
        pytest.param('["kept","1","/a","file",1]', id="too little"),
        pytest.param('["kept","1","/a","door",1,1.0,0]', id="of no kind"),
        pytest.param('["kept","1","/a","file",1,1.0,0,[1],[1,2]]', id="half a stamp"),
    ],
)
def test_an_odd_copy_on_record_is_refused(line: str) -> None:
    with pytest.raises((ValueError, TypeError)):
        record_from_text(line + "\n")


def test_json_lines_lose_only_an_unfinished_last_one() -> None:
    assert lines_of('1\n{"a": 2}\n[3') == [1, {"a": 2}]


@pytest.mark.parametrize("text", ["{\n[\n", "1,2\n", "1]\n", "[1\n2]\n", "\n"])
def test_lines_that_are_not_one_value_are_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        lines_of(text)
