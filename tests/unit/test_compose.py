"""docker-compose.yml and the Dockerfile: lawful, naming only commands and settings that exist, and closed to strangers.

Source: the Compose Specification, whose schema comes with check-jsonschema.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest
import yaml
from check_jsonschema.builtin_schemas import get_builtin_schema  # type: ignore[import-untyped]

from cli.main import COMMANDS, cli
from config.settings import Settings, load_settings
from config.sources import names_of, variable

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: Mapping[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: Mapping[str, Mapping[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if service["image"].startswith("slipway:")]
AGENTS = [name for name in OURS if SERVICES[name]["command"][0] == "agent"]
SECRET = re.compile(r"PASSWORD|KEY|TOKEN|AUTH")
EXPANSION = re.compile(r"(?<!\$)\$\{(\w+)([^}]*)\}")


def texts_of(node: object) -> Iterator[str]:
    """Every piece of text in a document."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, Mapping):
        for inner in node.values():
            yield from texts_of(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from texts_of(inner)


def environment_of(service: str) -> Mapping[str, str]:
    """What a service is told."""
    environment: Mapping[str, str] = SERVICES[service].get("environment", {})
    return environment


def test_the_file_is_lawful() -> None:
    schema = get_builtin_schema("vendor.compose-spec")
    assert not [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(COMPOSE)]


def test_the_schema_finds_what_is_unlawful() -> None:
    schema = get_builtin_schema("vendor.compose-spec")
    broken = {"services": {"control": {"image": "slipway", "comand": ["control"]}}}
    assert not jsonschema.Draft202012Validator(schema).is_valid(broken)


@pytest.mark.parametrize("service", OURS)
def test_commands_and_their_options_exist(service: str) -> None:
    name, *arguments = SERVICES[service]["command"]
    assert name in COMMANDS
    context = click.Context(cli)
    command = cli.get_command(context, name)
    assert command is not None
    # Raises for an option that is not there, or a value that it does not take.
    command.make_context(name, list(arguments), parent=context)


@pytest.mark.parametrize("service", OURS)
def test_every_variable_is_a_setting(service: str) -> None:
    settings = {variable(path) for path in names_of(Settings)}
    assert {name for name in environment_of(service) if name.startswith("SLIPWAY_")} <= settings


@pytest.mark.parametrize("service", OURS)
def test_the_settings_of_a_service_are_good(service: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # Where no installation of a developer's runs.
    monkeypatch.chdir(tmp_path)
    for name, value in environment_of(service).items():
        monkeypatch.setenv(name, EXPANSION.sub("user:secret" if "AUTH" in name else "secret", value))
    settings = load_settings()
    assert service == "bundles" or settings.broker_url == "redis://:secret@broker:6379/0"
    assert service not in {"control", "trigger", "watch"} or settings.store_url == "redis://:secret@store:6379/0"


def test_a_doctor_looks_after_the_control_plane() -> None:
    for service in ("control", "trigger", "watch"):
        _, program, name, *arguments = SERVICES[service]["healthcheck"]["test"]
        assert program == "slipway"
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        command.make_context(name, arguments)


def test_secrets_have_no_default() -> None:
    """`${NAME:?why}` ends with a message where the variable is missing or empty; anything else would go on without."""
    expansions = [found for text in texts_of(COMPOSE) for found in EXPANSION.finditer(text)]
    assert {found[1] for found in expansions if SECRET.search(found[1])} == {
        "BROKER_PASSWORD",
        "STORE_PASSWORD",
        "SLIPWAY_API__KEY",
        "SLIPWAY_BUNDLES__KEY",
        "SLIPWAY_BUNDLES__TOKEN",
        "SLIPWAY_FLOWER__BASIC_AUTH",
    }
    assert not [found[0] for found in expansions if SECRET.search(found[1]) and not found[2].startswith(":?")]


@pytest.mark.parametrize("service", SERVICES)
def test_secrets_are_not_written_out(service: str) -> None:
    for name, value in environment_of(service).items():
        if SECRET.search(name) or name.endswith("__URL"):
            assert EXPANSION.search(value), f"{name} of {service} holds its value"
    assert not [text for text in texts_of(SERVICES[service].get("command", [])) if EXPANSION.search(text)]


def test_servers_ask_for_a_password_and_keep_what_they_are_told() -> None:
    for server in ("broker", "store"):
        config = COMPOSE["configs"][server]["content"]
        assert re.search(r"^requirepass \$\{[A-Z]+_PASSWORD:\?", config, re.MULTILINE)
        assert "appendonly yes" in config
        assert SERVICES[server]["configs"][0]["target"] == SERVICES[server]["command"][1]
        assert f"{server}:/data" in SERVICES[server]["volumes"]


def test_only_the_api_and_the_dashboard_are_published_and_both_ask_who_calls() -> None:
    published = {name for name, service in SERVICES.items() if service.get("ports")}
    assert published == {"api", "flower"}
    assert SERVICES["api"]["environment"].get("SLIPWAY_API__AUTHENTICATE", "true") == "true"
    assert all(port.startswith("127.0.0.1:") for port in SERVICES["api"]["ports"])
    assert all(port.startswith("127.0.0.1:") for port in SERVICES["flower"]["ports"])
    assert ":?" in environment_of("flower")["SLIPWAY_FLOWER__BASIC_AUTH"]


@pytest.mark.parametrize("service", AGENTS)
def test_hosts_reach_the_broker_and_bundles_alone(service: str) -> None:
    secrets = {found[1] for text in texts_of(SERVICES[service]) for found in EXPANSION.finditer(text)}
    assert secrets == {"BROKER_PASSWORD"}
    assert SERVICES[service]["networks"] == ["hosts"]
    assert {name for name in SERVICES if "hosts" in SERVICES[name]["networks"]} == {"broker", "bundles", *AGENTS}


def test_hosts_share_nothing() -> None:
    volumes = [volume.partition(":")[0] for service in AGENTS for volume in SERVICES[service]["volumes"]]
    assert len(AGENTS) == 2
    assert len(set(volumes)) == len(volumes) == 4
    assert len({environment_of(service)["SLIPWAY_AGENT__HOST_ID"] for service in AGENTS}) == 2


def test_control_can_be_scaled() -> None:
    assert not SERVICES["control"].keys() & {"container_name", "ports", "hostname", "volumes"}


@pytest.mark.parametrize("service", SERVICES)
def test_services_come_back_wait_for_each_other_and_are_looked_after(service: str) -> None:
    one = SERVICES[service]
    assert one["restart"] == "unless-stopped"
    assert one["healthcheck"]["test"]
    waits: Mapping[str, Any] = one.get("depends_on", {})
    assert all(how == {"condition": "service_healthy"} for how in waits.values())
    assert all(SERVICES[other]["healthcheck"] for other in waits)


def test_the_image_runs_as_nobody_special_from_checked_packages() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    final = lines[max(at for at, line in enumerate(lines) if line.startswith("FROM ")) :]
    assert final[0] == "FROM python:3.12-slim"
    assert "USER slipway" in final
    assert final.index("USER slipway") < final.index('ENTRYPOINT ["slipway"]')
    assert any("--require-hashes" in line and "requirements.lock" in line for line in lines)
    assert not [line for line in lines if re.match(r"(ARG|ENV)\b", line) and SECRET.search(line)]


def test_the_image_is_built_from_our_folders_alone() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    wheel = re.search(r"^packages = (\[.*\])$", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert wheel is not None
    assert allowed == {*json.loads(wheel[1]), "pyproject.toml", "README.md", "requirements.lock"}
    assert "*" in (ROOT / ".dockerignore").read_text().splitlines()
