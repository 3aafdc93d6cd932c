"""Makes docs/demo.svg from a real run of the demo: `python docs/make_picture.py`."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from rich.console import Console

from cli.demo import run_demo

PICTURE = Path(__file__).parent / "demo.svg"


def main() -> None:
    """Run the demo and keep what it showed."""
    console = Console(record=True, width=100)
    with tempfile.TemporaryDirectory(prefix="slipway-") as home:
        run_demo(Path(home) / "demo", console, keep=False)
    picture = console.export_svg(title="slipway demo")
    # The picture must not fetch fonts from anywhere.
    PICTURE.write_text(re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL))


if __name__ == "__main__":
    main()
