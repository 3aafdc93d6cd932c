"""What the composition root hands on from the settings."""

from __future__ import annotations

import pytest

from adapters.store.memory import MemoryStore
from api.operations.github import delete_git_hub_account_token, list_git_hub_account_token_names
from config.settings import InvalidSettings, Settings
from domain.api_errors import OperationNotSupported
from domain.errors import AwsOff
from domain.scaling import ScalingHook
from tests.unit.tasks.engine import Engine
from workers.wiring import make_lifecycle_queue, make_scaling, make_site


def test_the_api_names_the_github_tokens_of_the_settings_and_tells_none() -> None:
    settings = Settings(
        store={"url": "redis://127.0.0.1:1"},
        github={"tokens": {"work": "a-secret", "home": "another"}, "owners": {"*": "work"}},
    )
    site = make_site(settings, Engine(store=MemoryStore()).world())
    assert list_git_hub_account_token_names(site, {}) == {"tokenNameList": ["home", "work"]}
    with pytest.raises(OperationNotSupported, match="work"):
        delete_git_hub_account_token(site, {"tokenName": "work"})
    assert "a-secret" not in repr(site)


def test_without_aws_there_are_no_hooks_and_nobody_listens() -> None:
    settings = Settings(store={"url": "redis://127.0.0.1:1"})
    site = make_site(settings, Engine(store=MemoryStore()).world())
    assert site.put_hook is None
    assert not site.delete_hook(ScalingHook(auto_scaling_group="a", name="left"))
    with pytest.raises(AwsOff, match="SLIPWAY_AWS__ENABLED"):
        make_scaling(settings)
    with pytest.raises(InvalidSettings, match="SLIPWAY_AWS__LIFECYCLE_QUEUE_URL"):
        make_lifecycle_queue(settings)
