"""Times Install against `cp -a` of the same tree, and a redeploy with nothing changed.

Run it as `python -m benchmarks.install [--quick] [--runs N] [--where DIRECTORY]`. It prints medians and ratios and
checks that what was installed is what was in the bundle. The first round warms caches up and is not counted. On a disk
that others write to, numbers swing; `--where /dev/shm` shows our own share.
"""

from __future__ import annotations

import argparse
import filecmp
import os
import random
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from adapters.host.installer import HostDisk
from benchmarks.rig import Result, say
from domain.appspec import AppSpec, FileExistsBehavior, FileMapping
from domain.install import InstallSummary
from tasks.installing import install

_SIZES = ((200, 10_000), (5_000, 40_000))
_QUICK = ((200, 10_000),)
_SPEC = AppSpec(files=(FileMapping(source="/", destination="/srv/app"),))
_PER_FOLDER = 50


def build(bundle: Path, files: int, size: int) -> None:
    """Make a tree of `files` files of `size` random bytes, fifty to a folder."""
    chance = random.Random(files)  # noqa: S311
    for number in range(files):
        folder = bundle / f"part-{number // _PER_FOLDER:03}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"file-{number:05}.bin").write_bytes(chance.randbytes(size))


def timed(act: Callable[[], object]) -> float:
    """Seconds an act took, on a disk with nothing left to write."""
    os.sync()
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun


class Bench:
    """One size: a bundle, and new places to put it.

    Nothing is deleted between rounds: for seconds after it ext4 looks for inodes that were not just freed, which
    makes new files many times dearer, for `cp` as for us.
    """

    def __init__(self, folder: Path, files: int, size: int) -> None:
        self.folder, self.files, self.round = folder, files, 0
        self.bundle = folder / "bundle"
        build(self.bundle, files, size)

    def take(self) -> tuple[float, float, float]:
        """Seconds that `cp -a`, Install and a redeploy of the same take, in new places; who is first alternates."""
        self.round += 1
        place = self.folder / str(self.round)
        (place / "root").mkdir(parents=True)
        yardstick = self.copy(place) if self.round % 2 else 0.0
        fresh = timed(lambda: self.install(self.bundle, place))
        self.check(place / "root" / "srv" / "app")
        return yardstick or self.copy(place), fresh, self.again(place)

    def copy(self, place: Path) -> float:
        """The yardstick."""
        return timed(lambda: subprocess.run(["cp", "-a", self.bundle, place / "copy"], check=True))

    def install(self, bundle: Path, place: Path) -> InstallSummary:
        """Plan and do."""
        behavior = FileExistsBehavior.DISALLOW
        return install(bundle, _SPEC, disk=HostDisk(), state=place / "state", root=place / "root", behavior=behavior)

    def again(self, place: Path) -> float:
        """Install the same once more, from a bundle unpacked afresh: other inodes and times, same bytes."""
        bundle = place / "bundle"
        subprocess.run(["cp", "-r", self.bundle, bundle], check=True)
        summaries: list[InstallSummary] = []
        seconds = timed(lambda: summaries.append(self.install(bundle, place)))
        assert (summaries[0].copied, summaries[0].unchanged) == (0, self.files)
        return seconds

    def check(self, app: Path) -> None:
        """Every file is there and whole."""
        names = [str(path.relative_to(self.bundle)) for path in self.bundle.rglob("*.bin")]
        same, _, _ = filecmp.cmpfiles(self.bundle, app, names, shallow=False)
        assert len(same) == len(names) == self.files


def measure(folder: Path, files: int, size: int, runs: int) -> list[Result]:
    """Take turns, so that a busy moment of the machine falls on all alike, and print what each took."""
    bench = Bench(folder, files, size)
    rounds = [bench.take() for _ in range(runs + 1)][1:]
    copy, fresh, again = (statistics.median(column) for column in zip(*rounds, strict=True))
    name = f"{files:,} files / {files * size / 1e6:,.0f} MB"
    say(
        f"install: {name}, {runs} runs: cp -a {copy * 1000:.0f} ms, Install {fresh * 1000:.0f} ms, "
        f"nothing changed {again * 1000:.0f} ms"
    )
    return [
        Result(f"install {name}, speed against cp -a", copy / fresh, 0.8, at_least=True),
        Result(f"install {name} unchanged, speed against cp -a", copy / again),
    ]


def main(arguments: Sequence[str] | None = None) -> list[Result]:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(prog="install", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the small tree only, three runs")
    parser.add_argument("--runs", type=int, default=None, help="rounds that count (5; 3 with --quick)")
    parser.add_argument("--where", type=Path, default=None, help="directory on the disk to measure")
    options = parser.parse_args(arguments)
    results: list[Result] = []
    for files, size in _QUICK if options.quick else _SIZES:
        with tempfile.TemporaryDirectory(prefix="slipway-bench-", dir=options.where) as folder:
            results += measure(Path(folder), files, size, options.runs or (3 if options.quick else 5))
    return results


if __name__ == "__main__":
    main()
