"""`slipway local` against the sum of its parts: process start, unpack, install, hooks. Prints the share of each.

Process start is an interpreter that loads the command, its engine and the settings. What the parts leave is the order,
the journal, and whatever else the command loads on its way.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from adapters.host.unpack import unpack
from adapters.revisions.pack import pack_directory
from benchmarks.rig import CHECKOUT, Result, median, say, timed
from benchmarks.sample import HOOKS, make_revision
from domain.appspec import FileExistsBehavior
from domain.bundles import BundleLimits, BundleType
from workers.installing import install
from workflows.appspec import parse_appspec

START = "import cli.main, cli.local, workers.local; from config.settings import load_settings; load_settings()"


def run(*, rounds: int) -> list[Result]:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as folder:
        home = Path(folder)
        bundle = home / "bundle.tgz"
        pack_directory(make_revision(home / "revision", files=200, size=2_000_000, seed=1), bundle, BundleType.TGZ)
        takes: dict[str, list[float]] = {}
        for number in range(rounds + 1):
            for name, part in _parts(home / str(number), bundle).items():
                with timed(takes.setdefault(name, [])):
                    part()
        middle = {name: median(seconds[1:]) for name, seconds in takes.items()}
        whole = middle.pop("whole")
        parts = sum(middle.values())
        shares = ", ".join(
            f"{name} {seconds * 1000:.0f} ms ({seconds / whole:.0%})" for name, seconds in middle.items()
        )
        say(f"local: {whole * 1000:.0f} ms in all; {shares}; the rest {(whole - parts) / whole:.0%}")
        return [Result("slipway local to the sum of its parts", whole / parts)]


def _parts(folder: Path, bundle: Path) -> dict[str, Callable[[], object]]:
    (folder / "bare").mkdir(parents=True)
    archive = folder / "archive"

    def installing() -> None:
        spec = parse_appspec((archive / "appspec.yml").read_bytes())
        behavior = FileExistsBehavior.DISALLOW
        install(archive, spec, state=folder / "records", root=folder / "bare", behavior=behavior)

    def hooks() -> None:
        for hook in HOOKS[1:]:
            subprocess.run([archive / "hooks" / f"{hook}.sh"], check=True, stdin=subprocess.DEVNULL)

    return {
        "whole": lambda: _python("-m", "cli.main", "local", str(bundle), *_where(folder)),
        "process start": lambda: _python("-c", START),
        "unpack": lambda: unpack(bundle, BundleType.TGZ, archive, BundleLimits()),
        "install": installing,
        "hooks": hooks,
    }


def _where(folder: Path) -> tuple[str, ...]:
    return ("--root", str(folder / "root"), "--state", str(folder / "state"))


def _python(*arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], cwd=CHECKOUT, check=True, capture_output=True)


def main(arguments: Sequence[str] | None = None) -> list[Result]:
    """The command line."""
    parser = argparse.ArgumentParser(prog="local", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args(arguments)
    return run(rounds=3 if given.quick else given.rounds)


if __name__ == "__main__":
    main()
