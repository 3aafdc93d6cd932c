"""What hosts are told of files of others."""

from __future__ import annotations

import pytest

from domain.keeping import Restoring
from tasks.orders import restoring
from tests.unit.workflows.engine_values import NOW, a_deployment


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        pytest.param({"back_to": NOW - 60}, None, id="the group does not want it"),
        pytest.param({"restore_overwritten": True}, Restoring(began=NOW - 10), id="it keeps"),
        pytest.param(
            {"restore_overwritten": True, "back_to": NOW - 60},
            Restoring(began=NOW - 10, back_to=NOW - 60),
            id="it gives back",
        ),
        pytest.param({"restore_overwritten": True, "start_time": None}, Restoring(began=NOW - 20), id="not begun"),
    ],
)
def test_what_an_order_says_of_files_of_others(members: dict[str, object], expected: Restoring | None) -> None:
    assert restoring(a_deployment(**members)) == expected  # type: ignore[arg-type]
