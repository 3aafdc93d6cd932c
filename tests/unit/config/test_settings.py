"""Settings: where they come from, what wins, and errors that name the variable and never what was set."""

from __future__ import annotations

import json
import logging
import os
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.endpoint import Endpoint, read_endpoint, write_endpoint
from config.settings import InvalidSettings, Settings, load_settings, variables


@pytest.fixture(autouse=True)
def home(bare: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One in which nothing runs."""
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "home"))


def with_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str) -> Path:
    file = tmp_path / "slipway.yml"
    file.write_text(content, encoding="utf-8")
    monkeypatch.setenv("SLIPWAY_CONFIG", str(file))
    return file


def refusal() -> str:
    with pytest.raises(InvalidSettings) as refused:
        load_settings()
    assert refused.value.__cause__ is None, "the cause would repeat what was given"
    return refused.value.message


def test_nothing_need_be_set() -> None:
    settings = load_settings()
    assert settings.agent.max_revisions == 5
    assert settings.limits.pickup_seconds == 300
    with pytest.raises(InvalidSettings, match=r"slipway up.*SLIPWAY_STORE__URL"):
        settings.store_url  # noqa: B018


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with_file(monkeypatch, tmp_path, "agent: {max_revisions: 2, concurrency: 3}\nlimits: {nudge_seconds: 1}")
    monkeypatch.setenv("SLIPWAY_AGENT__MAX_REVISIONS", "7")
    settings = load_settings()
    assert (settings.agent.max_revisions, settings.agent.concurrency, settings.limits.nudge_seconds) == (7, 3, 1)


def test_the_store_is_the_broker_unless_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_STORE__URL", "redis+socket:///a.sock?virtual_host=2")
    assert load_settings().store_url == load_settings().broker_url == "unix:///a.sock?db=2"
    monkeypatch.setenv("SLIPWAY_BROKER__URL", "amqp://guest@rabbit")
    assert load_settings().broker_url == "amqp://guest@rabbit"


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_BROKER__URL", "")
    assert load_settings().broker.url is None


def test_the_installation_in_the_home_is_found(tmp_path: Path) -> None:
    endpoint = Endpoint(
        broker_url="unix:///a?db=0", store_url="unix:///a?db=0", bundles_url="http://127.0.0.1:1", bundles_key="k",
        bundles_token="t", pid=os.getpid(),
    )  # fmt: skip
    write_endpoint(tmp_path / "home", endpoint)
    settings = load_settings()
    assert settings.store_url == settings.broker_url == "unix:///a?db=0"
    assert settings.bundles.token.get_secret_value() == "t"
    assert (tmp_path / "home" / "endpoint.json").stat().st_mode & 0o077 == 0


def test_an_installation_that_died_is_not(tmp_path: Path) -> None:
    dead = os.fork()
    if dead == 0:
        os._exit(0)
    os.waitpid(dead, 0)
    secrets = {"broker_url": "unix:///a", "store_url": "unix:///a", "bundles_key": "k", "bundles_token": "t"}
    write_endpoint(tmp_path, Endpoint(**secrets, bundles_url="http://127.0.0.1:1", pid=dead))
    assert read_endpoint(tmp_path) is None


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("SLIPWAY_AGENT__CONCURRENCY", "none", "SLIPWAY_AGENT__CONCURRENCY: .*integer"),
        ("SLIPWAY_AGENT__CONCURRENCY", "0", "SLIPWAY_AGENT__CONCURRENCY: .*greater than or equal to 1"),
        ("SLIPWAY_LIMITS__NUDGE_SECONDS", "-1", "SLIPWAY_LIMITS__NUDGE_SECONDS: .*greater than 0"),
        ("SLIPWAY_LIMITS__SILENCE_SECONDS", "0.5", "SLIPWAY_LIMITS__SILENCE_SECONDS: .*greater than or equal to 1"),
        ("SLIPWAY_LIMITS__PICKUP_SECONDS", "15", "SLIPWAY_LIMITS: nudge_seconds must be less than pickup_seconds"),
        ("SLIPWAY_LIMITS__EVENT_SECONDS", "29", "SLIPWAY_LIMITS: look_seconds must not be more than event_seconds"),
        ("SLIPWAY_AGENT__HEARTBEAT_SECONDS", "0.1", "SLIPWAY_AGENT__HEARTBEAT_SECONDS: .*greater than or equal to 0.5"),
        ("SLIPWAY_CONTROL__POOL", "fibers", "SLIPWAY_CONTROL__POOL: .*threads"),
        ("SLIPWAY_STORE__URL", "amqp://host", "SLIPWAY_STORE__URL: must begin with redis://"),
        ("SLIPWAY_BROKER__URL", "redis://:pw@", "SLIPWAY_BROKER__URL: needs a host"),
        ("SLIPWAY_FLOWER__BASIC_AUTH", "admin", "SLIPWAY_FLOWER__BASIC_AUTH: must look like user:password"),
        ("SLIPWAY_FLOWER__ADDRESS", "0.0.0.0", "SLIPWAY_FLOWER: others can reach this address: set basic_auth"),
        ("SLIPWAY_BROKR__URL", "redis://h", "SLIPWAY_BROKR__URL is no setting; did you mean SLIPWAY_BROKER__URL?"),
        ("SLIPWAY_LIMITS__PIKUP_SECONDS", "1", "did you mean SLIPWAY_LIMITS__PICKUP_SECONDS?"),
        ("SLIPWAY_STORE", '{"url": "redis://h"}', "SLIPWAY_STORE is no setting"),
        ("slipway_nonsense", "1", "slipway_nonsense is no setting; config/examples/slipway.yml shows them all"),
    ],
)
def test_errors_name_the_variable(monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidSettings, match=message.replace("?", r"\?")):
        load_settings()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("broker: {urll: hunter2}", "broker.urll in {file} is no setting; did you mean broker.url?"),
        ("brokers: {url: hunter2}", "brokers.url in {file} is no setting; did you mean broker.url?"),
        ("broker: hunter2", "SLIPWAY_BROKER (broker in {file}): Input should be"),
        ("_env_file: hunter2", "_env_file in {file} is no setting"),
        ("1: hunter2", "1 in {file} is no setting"),
        ("agent: {concurrency: hunter2}", "SLIPWAY_AGENT__CONCURRENCY (agent.concurrency in {file}): Input should be"),
        ("hunter2", "SLIPWAY_CONFIG={file} must hold a mapping of sections"),
        ("home: .\nbroker: {url: 'hunter2\n", "SLIPWAY_CONFIG={file} is not YAML at line 3"),
        ("a: !!python/object:os.system hunter2", "SLIPWAY_CONFIG={file} is not YAML at line 1"),
    ],
)
def test_errors_name_the_place_in_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str, message: str
) -> None:
    file = with_file(monkeypatch, tmp_path, content)
    told = refusal()
    assert told.startswith(message.format(file=file))
    assert "hunter2" not in told


def test_a_file_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SLIPWAY_CONFIG", str(tmp_path / "missing.yml"))
    assert refusal() == f"SLIPWAY_CONFIG={tmp_path}/missing.yml cannot be read: No such file or directory"
    (tmp_path / "binary.yml").write_bytes(b"\xff\xfe\x00hunter2")
    monkeypatch.setenv("SLIPWAY_CONFIG", str(tmp_path / "binary.yml"))
    assert refusal() == f"SLIPWAY_CONFIG={tmp_path}/binary.yml is not YAML"


def test_an_empty_file_sets_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with_file(monkeypatch, tmp_path, "# nothing yet\n")
    assert load_settings().region == "us-east-1"


@pytest.mark.parametrize(
    "name",
    ["SLIPWAY_REQUIRE", "SLIPWAY_ROOT", "SLIPWAY_PORT", "SLIPWAY_REDIS_SERVICE_HOST", "SLIPWAY_PORT_80_TCP_ADDR"],
)
def test_what_others_set_is_let_be(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "tcp://10.0.0.1:80")
    assert load_settings().agent.host_id is None


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().agent.concurrency = 9  # type: ignore[misc]


def test_every_setting_has_a_variable_that_sets_it() -> None:
    assert {"SLIPWAY_HOME", "SLIPWAY_STORE__URL", "SLIPWAY_AGENT__BUNDLE_LIMITS__MAX_BYTES"} <= set(variables())
    assert len(set(variables())) == len(variables())


SECRET_VARIABLES = {
    "SLIPWAY_STORE__URL": "redis://user:{}@host:6379/0",
    "SLIPWAY_BROKER__URL": "amqp://user:{}@host:5672/v",
    "SLIPWAY_BUNDLES__KEY": "{}",
    "SLIPWAY_BUNDLES__TOKEN": "{}",
    "SLIPWAY_FLOWER__BASIC_AUTH": "user:{}",
}

SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FFF, exclude_categories=["C", "Z"]), max_size=12)


def loaded_or_refused() -> Settings | InvalidSettings:
    try:
        return load_settings()
    except InvalidSettings as error:
        return error


@given(secret=SECRETS.map(lambda text: f"Zq9{text}"), spoiled=st.sampled_from([*SECRET_VARIABLES, None]))
def test_no_secret_is_shown_good_or_bad(secret: str, spoiled: str | None) -> None:
    # With `spoiled` the value loses the shape it should have, as a slip of the hand would do.
    given_values = {name: shape.format(secret) for name, shape in SECRET_VARIABLES.items()}
    if spoiled:
        given_values[spoiled] = secret
    with pytest.MonkeyPatch.context() as patch:
        for name, value in given_values.items():
            patch.setenv(name, value)
        settings = loaded_or_refused()
    if isinstance(settings, InvalidSettings):
        assert "Zq9" not in f"{settings!r} {settings} {settings.__cause__}"
        return
    shown = f"{settings} {settings!r} {settings.model_dump()} {settings.model_dump_json()} {settings.broker!r}"
    assert "Zq9" not in shown
    assert "Zq9" in settings.store_url


def test_no_secret_is_shown_by_pydantic_itself() -> None:
    with pytest.raises(ValueError, match="needs a host") as refused:
        Settings.model_validate({"store": {"url": "redis://:hunter2@"}})
    assert "hunter2" not in str(refused.value)


def test_an_endpoint_keeps_its_secrets_to_itself(caplog: pytest.LogCaptureFixture) -> None:
    endpoint = Endpoint(
        broker_url="redis://:hunter2@h", store_url="redis://:hunter2@h", bundles_url="http://h", bundles_key="hunter2",
        bundles_token="hunter2", pid=1,
    )  # fmt: skip
    with caplog.at_level(logging.INFO):
        logging.getLogger("test").info("at %s, %r", endpoint, endpoint)
    assert "hunter2" not in caplog.text
    assert json.loads(endpoint.model_dump_json(by_alias=False))["bundles_key"] == "hunter2"
    assert pickle.loads(pickle.dumps(endpoint)) == endpoint  # noqa: S301


class TestRevisionSources:
    """S3 and GitHub: pairs that belong together, mappings, and secrets in no error."""

    def test_tokens_are_json_in_a_variable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SLIPWAY_GITHUB__TOKENS", '{"Main": "hush"}')
        monkeypatch.setenv("SLIPWAY_GITHUB__OWNERS", '{"*": "Main"}')
        github = load_settings().github
        assert github.tokens["Main"].get_secret_value() == "hush"
        assert "hush" not in repr(github)

    def test_tokens_are_a_mapping_in_a_file(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        file = tmp_path / "slipway.yml"
        file.write_text("github: {tokens: {main: hush}, owners: {me: main}}\n")
        monkeypatch.setenv("SLIPWAY_CONFIG", str(file))
        assert load_settings().github.owners == {"me": "main"}

    @pytest.mark.parametrize(
        ("name", "value", "says"),
        [
            ("SLIPWAY_GITHUB__TOKENS", '{"main": hush}', "SLIPWAY_GITHUB__TOKENS"),
            ("SLIPWAY_GITHUB__OWNERS", '{"me": "main"}', "tokens hold no such name"),
            ("SLIPWAY_GITHUB__TOKENS__MAIN", "hush", "SLIPWAY_GITHUB__TOKENS"),
            ("SLIPWAY_S3__SECRET_ACCESS_KEY", "hush", "access_key_id and secret_access_key"),
            ("SLIPWAY_S3__ENDPOINT_URL", "https://user:hush@host", "SLIPWAY_S3__ENDPOINT_URL"),
            ("SLIPWAY_S3__ENDPOINT_URL", "host:9000", "SLIPWAY_S3__ENDPOINT_URL"),
            ("SLIPWAY_S3__LINK_SECONDS", "604801", "SLIPWAY_S3__LINK_SECONDS"),
        ],
    )
    def test_what_is_wrong_is_named(self, monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str) -> None:
        monkeypatch.setenv(name, value)
        with pytest.raises(InvalidSettings) as refused:
            load_settings()
        assert says in refused.value.message
        assert "hush" not in refused.value.message


class TestEnvironments:
    """Programs that make hosts: by name, from a file or as JSON, and secrets in no error."""

    ONE = '{"vms": {"provision": ["make", "hosts"], "retire": ["remove"], "environment": {"TOKEN": "hush"}}}'

    def test_they_are_json_in_a_variable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SLIPWAY_ENVIRONMENTS", self.ONE)
        vms = load_settings().environments["vms"]
        assert (vms.provision, vms.retire, vms.seconds, vms.first_count) == (("make", "hosts"), ("remove",), 1800.0, 1)
        assert vms.environment["TOKEN"].get_secret_value() == "hush"
        assert "hush" not in f"{vms!r} {vms.model_dump_json()}"

    def test_they_are_a_mapping_in_a_file(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        with_file(monkeypatch, tmp_path, f"environments: {self.ONE}")
        assert load_settings().environments["vms"].retire == ("remove",)

    @pytest.mark.parametrize(
        ("value", "says"),
        [
            ("{hush", "must be JSON"),
            ('{"a/b": {"provision": ["hush"], "retire": ["hush"]}}', "SLIPWAY_ENVIRONMENTS"),
            ('{"vms": {"provision": ["hush"]}}', "SLIPWAY_ENVIRONMENTS__VMS__RETIRE: Field required"),
            ('{"vms": {"provision": [], "retire": ["hush"]}}', "SLIPWAY_ENVIRONMENTS__VMS__PROVISION"),
            ('{"vms": {"provision": "hush", "retire": ["hush"]}}', "SLIPWAY_ENVIRONMENTS__VMS__PROVISION"),
            ('{"vms": {"provision": ["\\u0000hush"], "retire": ["hush"]}}', "SLIPWAY_ENVIRONMENTS__VMS__PROVISION"),
            ('{"vms": {"provision": ["p"], "retire": ["r"], "secnds": "hush"}}', "SLIPWAY_ENVIRONMENTS__VMS__SECNDS"),
            ('{"vms": {"provision": ["p"], "retire": ["r"], "environment": {"A": "hush\\u0000"}}}', "a zero byte"),
            ('{"vms": {"provision": ["p"], "retire": ["r"], "environment": {"A=B": "hush"}}}', "SLIPWAY_ENVIRONMENTS"),
        ],
    )
    def test_what_is_wrong_is_named(self, monkeypatch: pytest.MonkeyPatch, value: str, says: str) -> None:
        monkeypatch.setenv("SLIPWAY_ENVIRONMENTS", value)
        told = refusal()
        assert says in told
        assert "hush" not in told


QUEUE = {
    "SLIPWAY_AWS__ENABLED": "true",
    "SLIPWAY_AWS__LIFECYCLE_QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/111122223333/lifecycle",
    "SLIPWAY_AWS__LIFECYCLE_QUEUE_ARN": "arn:aws:sqs:eu-central-1:111122223333:lifecycle",
    "SLIPWAY_AWS__LIFECYCLE_ROLE_ARN": "arn:aws:iam::111122223333:role/path/notifier",
}


def with_queue(monkeypatch: pytest.MonkeyPatch, *without: str, **changed: str) -> None:
    given = {name: value for name, value in QUEUE.items() if name.rpartition("__")[2] not in without}
    for name, value in {**given, **{f"SLIPWAY_AWS__{key}": text for key, text in changed.items()}}.items():
        monkeypatch.setenv(name, value)


def test_hooks_need_a_queue_and_a_role(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not load_settings().aws.hooks
    with_queue(monkeypatch)
    assert load_settings().aws.hooks


def test_a_queue_alone_is_heard_and_makes_no_hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    with_queue(monkeypatch, "LIFECYCLE_QUEUE_ARN", "LIFECYCLE_ROLE_ARN")
    assert not load_settings().aws.hooks


@pytest.mark.parametrize(
    "name",
    ["AGENT__METADATA_URL", "BUNDLES__BASE_URL", "S3__ENDPOINT_URL", "GITHUB__API_URL", "AWS__ENDPOINT_URL",
     "AWS__LIFECYCLE_QUEUE_URL"],
)  # fmt: skip
@pytest.mark.parametrize("url", ["http://[::1/hush", "http://hush:x/", "https://hush..internal", "http://hush:0"])
def test_a_url_that_nobody_can_ask_is_refused_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, name: str, url: str
) -> None:
    monkeypatch.setenv(f"SLIPWAY_{name}", url)
    with pytest.raises(InvalidSettings, match=f"SLIPWAY_{name}: needs a host and, if any, a port") as caught:
        load_settings()
    assert "hush" not in caught.value.message


@pytest.mark.parametrize(
    ("without", "changed", "why"),
    [
        (["ENABLED"], {}, "needs aws.enabled"),
        (["LIFECYCLE_ROLE_ARN"], {}, "belong together"),
        (["LIFECYCLE_QUEUE_ARN"], {}, "belong together"),
        (["LIFECYCLE_QUEUE_URL"], {}, "set lifecycle_queue_url"),
        ([], {"LIFECYCLE_QUEUE_URL": "lifecycle"}, "LIFECYCLE_QUEUE_URL"),
        ([], {"LIFECYCLE_QUEUE_ARN": "arn:aws:sqs:eu-central-1:111122223333:a.fifo"}, "LIFECYCLE_QUEUE_ARN"),
        ([], {"LIFECYCLE_ROLE_ARN": "arn:aws:iam::111122223333:user/me"}, "LIFECYCLE_ROLE_ARN"),
    ],
)
def test_half_a_queue_is_refused(
    monkeypatch: pytest.MonkeyPatch, without: list[str], changed: dict[str, str], why: str
) -> None:
    with_queue(monkeypatch, *without, **changed)
    assert why in refusal()
