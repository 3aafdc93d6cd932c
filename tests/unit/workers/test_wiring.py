"""What the composition root hands on from the settings."""

from __future__ import annotations

import pytest

from adapters.store.memory import MemoryStore
from api.operations.github import delete_git_hub_account_token, list_git_hub_account_token_names
from config.settings import Settings
from domain.api_errors import OperationNotSupported
from tests.unit.tasks.engine import Engine
from workers.wiring import make_site


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
