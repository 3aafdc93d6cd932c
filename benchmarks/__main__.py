"""Runs the benchmarks: `python -m benchmarks [--quick] [NAME …]`, all of them without a name; ends with a table."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence

from benchmarks import engine, install, local, makespan, reference, scale
from benchmarks.rig import Result, say

BENCHMARKS: Mapping[str, Callable[[Sequence[str]], list[Result]]] = {
    "engine": engine.main,
    "makespan": makespan.main,
    "install": install.main,
    "reference": reference.main,
    "scale": scale.main,
    "local": local.main,
}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="fewer rounds, smaller sizes")
    given = parser.parse_args()
    unknown = set(given.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"no benchmark is named {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    results = [
        result for name in given.names or BENCHMARKS for result in BENCHMARKS[name](["--quick"] if given.quick else [])
    ]
    show(results)


def show(results: Sequence[Result]) -> None:
    """The table at the end."""
    say()
    for result in results:
        goal = f"goal {'>=' if result.at_least else '<='} {result.goal}" if result.goal is not None else ""
        say(f"{result.name:<55} {result.figure:6.2f}  {goal:<12} {result.verdict}")


if __name__ == "__main__":
    main()
