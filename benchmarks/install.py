"""Times Install against `cp -a` of the same tree, and a redeploy with nothing changed.

Run it as `python -m benchmarks.install [--quick] [--runs N] [--where DIRECTORY]`. It prints medians and ratios and
checks that what was installed is what was in the bundle. The first round warms caches up and is not counted.
"""

from __future__ import annotations

import argparse
import filecmp
import os
import random
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from adapters.host.installer import HostDisk
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
    """One size: a bundle and a place to put it, over and over."""

    def __init__(self, folder: Path, files: int, size: int) -> None:
        self.bundle, self.root, self.state = folder / "bundle", folder / "root", folder / "state"
        self.files = files
        build(self.bundle, files, size)
        self.root.mkdir()

    def copy(self) -> float:
        """The yardstick."""
        target = self.root / "copy"
        seconds = timed(lambda: subprocess.run(["cp", "-a", self.bundle, target], check=True))
        shutil.rmtree(target)
        return seconds

    def install(self) -> InstallSummary:
        """Plan and do."""
        behavior = FileExistsBehavior.DISALLOW
        return install(self.bundle, _SPEC, disk=HostDisk(), state=self.state, root=self.root, behavior=behavior)

    def fresh(self) -> float:
        """Install where nothing is."""
        shutil.rmtree(self.state, ignore_errors=True)
        shutil.rmtree(self.root / "srv", ignore_errors=True)
        seconds = timed(self.install)
        self.check()
        return seconds

    def again(self) -> float:
        """Install the same once more, from a bundle unpacked afresh: other inodes and times, same bytes."""
        old = self.bundle.with_name("old")
        self.bundle.rename(old)
        subprocess.run(["cp", "-r", old, self.bundle], check=True)
        shutil.rmtree(old)
        summaries: list[InstallSummary] = []
        seconds = timed(lambda: summaries.append(self.install()))
        assert (summaries[0].copied, summaries[0].unchanged) == (0, self.files)
        return seconds

    def check(self) -> None:
        """Every file is there and whole."""
        names = [str(path.relative_to(self.bundle)) for path in self.bundle.rglob("*.bin")]
        same, _, _ = filecmp.cmpfiles(self.bundle, self.root / "srv" / "app", names, shallow=False)
        assert len(same) == len(names) == self.files


def measure(folder: Path, files: int, size: int, runs: int) -> None:
    """Take turns, so that a busy moment of the machine falls on all alike, and print a table."""
    bench = Bench(folder, files, size)
    rounds = [(bench.copy(), bench.fresh(), bench.again()) for _ in range(runs + 1)][1:]
    copy, fresh, again = (statistics.median(column) for column in zip(*rounds, strict=True))
    print(f"{files:,} files, {files * size / 1e6:,.0f} MB, median of {runs} runs")
    print(f"  cp -a             {copy * 1000:9.1f} ms")
    print(f"  Install           {fresh * 1000:9.1f} ms   {copy / fresh:5.2f} times the speed of cp -a (goal 0.8)")
    print(f"  nothing changed   {again * 1000:9.1f} ms   {copy / again:5.2f} times the speed of cp -a")


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the small tree only, three runs")
    parser.add_argument("--runs", type=int, default=None, help="rounds that count (7; 3 with --quick)")
    parser.add_argument(
        "--where", type=Path, default=None, help="a directory on the disk to measure (the temporary one)"
    )
    options = parser.parse_args()
    for files, size in _QUICK if options.quick else _SIZES:
        with tempfile.TemporaryDirectory(prefix="slipway-bench-", dir=options.where) as folder:
            measure(Path(folder), files, size, options.runs or (3 if options.quick else 7))


if __name__ == "__main__":
    main()
