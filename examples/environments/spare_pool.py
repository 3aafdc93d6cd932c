#!/usr/bin/env python3
"""An environment of spare machines, as a program for `environments` of the settings: docs/environments.md explains it.

    spare_pool.py make      takes spare machines for a deployment and prints them
    spare_pool.py remove    gives machines back

The folder named by SPARE_POOL holds `machines.json`, a list of {"id": …, "address": …}; who has what is kept beside it.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
from pathlib import Path

FOLDER = Path(os.environ["SPARE_POOL"])


def make(asked: dict, machines: list[dict], taken: dict[str, str]) -> dict:
    """The machines of the deployment: the same ones however often it asks."""
    mine = [one for one in machines if taken.get(one["id"]) == asked["deploymentId"]]
    spare = [one for one in machines if one["id"] not in taken]
    chosen = (mine + spare)[: asked["count"]]
    if len(chosen) < asked["count"]:
        sys.exit(f"{asked['count']} machines are needed, and {len(mine + spare)} are spare")
    taken.update({one["id"]: asked["deploymentId"] for one in chosen})
    return {"hosts": chosen}


def remove(asked: dict, machines: list[dict], taken: dict[str, str]) -> dict:  # noqa: ARG001
    """Give the machines back; those that are back already are no error."""
    gone = {one["id"] for one in asked["hosts"]}
    if "abandoned" in asked:
        gone |= {name for name, whose in taken.items() if whose == asked["abandoned"]}
    for name in gone:
        taken.pop(name, None)
    return {}


def main() -> None:
    work = {"make": make, "remove": remove}[sys.argv[1]]
    asked = json.load(sys.stdin)
    with (FOLDER / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        machines = json.loads((FOLDER / "machines.json").read_text())
        book = FOLDER / "taken.json"
        taken = json.loads(book.read_text()) if book.exists() else {}
        answer = work(asked, machines, taken)
        fresh = FOLDER / "taken.json.new"
        fresh.write_text(json.dumps(taken))
        fresh.replace(book)
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
