"""Runs the benchmarks: `python -m benchmarks [--quick] [NAME …]`, all of them without a name; ends with a table.

Options of one benchmark may follow its name, as in `python -m benchmarks scale --full`.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence

from benchmarks import api, engine, install, local, makespan, reference, scale, traffic
from benchmarks.rig import Result, clean_up_on_sigterm, say

BENCHMARKS: Mapping[str, Callable[[Sequence[str]], list[Result]]] = {
    "engine": engine.main,
    "makespan": makespan.main,
    "install": install.main,
    "reference": reference.main,
    "scale": scale.main,
    "local": local.main,
    "api": api.main,
    "traffic": traffic.main,
}


def main() -> int:
    """The command line; 1 where a benchmark broke, which a missed goal is not."""
    names, options = read_arguments()
    clean_up_on_sigterm()
    results: list[Result] = []
    broken = []
    try:
        for name in names:
            try:
                results += BENCHMARKS[name](options)
            except Exception:
                # The figures of the others took minutes.
                traceback.print_exc()
                broken.append(name)
    except KeyboardInterrupt:
        say("interrupted")
        return 130
    show(results)
    for name in broken:
        say(f"{name} broke; what went wrong stands above")
    return 1 if broken else 0


def read_arguments() -> tuple[Sequence[str], Sequence[str]]:
    """Which benchmarks to run, and with which options of their own."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="fewer rounds, smaller sizes")
    given, options = parser.parse_known_args()
    unknown = set(given.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"no benchmark is named {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    if options and len(given.names) != 1:
        parser.error(f"{' '.join(options)}: name the one benchmark whose options these are")
    return given.names or list(BENCHMARKS), [*options, *(["--quick"] if given.quick else [])]


def show(results: Sequence[Result]) -> None:
    """The table at the end."""
    say()
    for result in results:
        goal = f"goal {'>=' if result.at_least else '<='} {result.goal}" if result.goal is not None else ""
        say(f"{result.name:<55} {result.figure:6.2f}  {goal:<12} {result.verdict}".rstrip())


if __name__ == "__main__":
    sys.exit(main())
