"""Golden plans: small bundles and hosts written as JSON, and the plan each must give, to the letter.

`bundle` and `host` map paths to what lies there: `"file"`, `"-> target"`, an octal mode for a directory, or a mapping
of `Found` members. `record` lists what the previous revision made, `kept` the copies there are of others' files and
`unfit` those that cannot be put back, `changed` where something else lies than Install put there; `keeping` is the rule
for them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from domain.appspec import AppSpec, FileExistsBehavior
from domain.errors import InstallError
from domain.install import Changed, Context, Entry, Facts, Found, Kept, Kind, Recorded, Tree
from domain.install_text import plan_as_json
from domain.keeping import Keeping, Restoring
from workflows.install import plan_install

FOLDER = Path(__file__).parents[2] / "golden" / "install"
CASES = sorted(FOLDER.glob("*.json"))


def entry_of(path: str, shown: str) -> Entry:
    if shown.startswith("-> "):
        return Entry(path, Kind.LINK, shown[3:])
    if shown.startswith("0"):
        return Entry(path, Kind.DIRECTORY, "", int(shown, 8), 0, 0)
    return Entry(path, Kind(shown), "", 0o644, 0, 0)


def tree_of(source: str, destination: str, bundle: dict[str, str]) -> Tree:
    source = source.strip("/")
    if bundle.get(source) == "file":
        folder, _, name = f"/bundle/{source}".rpartition("/")
        return Tree(source, folder, destination, (entry_of(name, "file"),))
    base = f"{source}/" if source else ""
    inside = {path: shown for path, shown in bundle.items() if path.startswith(base) and path != source}
    entries = [entry_of(path[len(base) :], shown) for path, shown in inside.items()]
    if source:
        entries.insert(0, entry_of("", bundle[source]))
    return Tree(source, f"/bundle/{source}".rstrip("/"), destination, tuple(entries))


def found_of(shown: str | dict[str, Any]) -> Found:
    if isinstance(shown, str):
        entry = entry_of("", shown)
        return Found(entry.kind, entry.mode or 0o777, 0, 0)
    members = {**shown, "kind": Kind(shown["kind"]), "children": frozenset(shown.get("children", ()))}
    members["mode"] = int(shown.get("mode", "0644"), 8)
    members["leads"] = Kind(shown["leads"]) if "leads" in shown else None
    return Found(**{"uid": 0, "gid": 0, **members})


def facts_of(case: dict[str, Any], spec: AppSpec) -> Facts:
    return Facts(
        archive="/bundle",
        trees=tuple(tree_of(each.source, each.destination, case["bundle"]) for each in spec.files),
        there={path: found_of(shown) for path, shown in case.get("host", {}).items()},
        record=tuple(
            Recorded(Kind(kind), path, Context(*rest[0]) if rest else None)
            for kind, path, *rest in case.get("record", [])
        ),
        objects={each.object: (each.object.rstrip("/"),) * 2 for each in spec.permissions},
        owners={"www": 33, "root": 0},
        groups={"www": 33, "root": 0},
        tools=frozenset(case.get("tools", ["setfacl", "semanage", "restorecon"])),
        uid=case.get("uid", 0),
        kept=tuple(Kept(copy, path, Kind(kind), *rest) for copy, path, kind, *rest in case.get("kept", [])),
        unfit=case.get("unfit", {}),
        changed={path: Changed(when) for path, when in case.get("changed", {}).items()},
    )


def keeping_of(case: dict[str, Any]) -> Keeping | None:
    rule = case.get("keeping")
    if rule is None:
        return None
    restoring = Restoring(began=rule["began"], back_to=rule.get("back_to"))
    return Keeping(restoring, rule.get("limit", 1000), rule.get("revisions", 5))


def outcome_of(case: dict[str, Any]) -> dict[str, Any]:
    spec = AppSpec.model_validate(case["appspec"])
    try:
        behavior = FileExistsBehavior(case.get("behavior", "DISALLOW"))
        plan = plan_install(spec, facts_of(case, spec), behavior, keeping_of(case))
    except InstallError as error:
        return {"error": error.message}
    shown = plan_as_json(plan)
    del shown["archive"]
    shown["record"] = [[*each[:2], *([list(each.context)] if each.context else [])] for each in plan.record]
    # What lies over a copy is only known once the plan was carried out.
    kept = [each[: Kept._fields.index("installed")] for each in plan.kept]
    shown |= {name: value for name, value in (("kept", kept), ("left", plan.left)) if value}
    return json.loads(json.dumps(shown))  # type: ignore[no-any-return]


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_plan_is_the_golden_one(path: Path) -> None:
    case = json.loads(path.read_text())
    assert outcome_of(case) == case["expected"]


def test_there_are_golden_plans() -> None:
    assert len(CASES) >= 20
