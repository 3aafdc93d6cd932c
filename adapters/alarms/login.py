"""Who asks: the header by which a user with a password, or the bearer of a token, is known."""

from __future__ import annotations

import base64
from collections.abc import Mapping


def authorization(*, username: str = "", password: str = "", token: str = "") -> Mapping[str, str]:
    """The header; none where nobody is named."""
    if token:
        return {"Authorization": f"Bearer {token}"}
    if username:
        login = base64.b64encode(f"{username}:{password}".encode()).decode()
        return {"Authorization": f"Basic {login}"}
    return {}
