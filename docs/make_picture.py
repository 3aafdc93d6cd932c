"""Makes docs/demo.svg and docs/traffic.svg from real runs of the demos: `python docs/make_picture.py`."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from cli.demo import run_demo
from cli.demo_traffic import run_blue_green

HERE = Path(__file__).parent


def main() -> None:
    """Run the demos and keep what they showed."""
    make("demo.svg", "slipway demo", lambda home, console: run_demo(home, console, keep=False))
    make("traffic.svg", "slipway demo --blue-green", run_blue_green)


def make(name: str, title: str, run: Callable[[Path, Console], object]) -> None:
    """One picture of one run."""
    console = Console(record=True, width=100)
    with tempfile.TemporaryDirectory(prefix="slipway-") as home:
        run(Path(home) / "demo", console)
    picture = console.export_svg(title=title)
    # The picture must not fetch fonts from anywhere.
    (HERE / name).write_text(re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL))


if __name__ == "__main__":
    main()
