"""Operations on GitHub tokens. Slipway has them from its settings: they can be named here, never told or changed."""

from __future__ import annotations

from api.forms import Answer, Given
from api.paging import unseal
from api.site import Site
from domain.api_errors import GitHubAccountTokenDoesNotExist, GitHubAccountTokenNameRequired, OperationNotSupported


def list_git_hub_account_token_names(site: Site, given: Given) -> Answer:
    """The names of the tokens that the settings hold."""
    unseal(site.token_key, "ListGitHubAccountTokenNames", given)
    return {"tokenNameList": sorted(site.github_tokens)}


def delete_git_hub_account_token(site: Site, given: Given) -> Answer:
    """Refused: a token goes when it is taken out of the settings."""
    name = given.get("tokenName")
    if not name:
        raise GitHubAccountTokenNameRequired
    if name not in site.github_tokens:
        raise GitHubAccountTokenDoesNotExist(f"There is no GitHub token named {name}.")
    raise OperationNotSupported(f"The GitHub token {name} is in the settings; take it out there.")
