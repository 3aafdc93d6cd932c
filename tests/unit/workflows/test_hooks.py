"""What a hook finds in its environment."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from domain.lifecycle import Event
from domain.reports import HostOrder
from workflows import hooks

ORDER = HostOrder(
    deployment_id="d-1",
    target_id="web-1",
    attempt="a",
    lane=0,
    step=0,
    application_name="shop",
    deployment_group_name="web",
    deployment_group_id="g-1",
    environment={"BUNDLE_BUCKET": "b", "BUNDLE_KEY": "k"},
)


def test_environment_has_the_agents_own_the_revisions_and_the_documented_variables() -> None:
    environment = hooks.hook_environment(ORDER, Event.AFTER_INSTALL, root="/", base={"PATH": "/bin", "LANG": "C"})
    assert environment == {
        "PATH": "/bin",
        "LANG": "C",
        "BUNDLE_BUCKET": "b",
        "BUNDLE_KEY": "k",
        "LIFECYCLE_EVENT": "AfterInstall",
        "DEPLOYMENT_ID": "d-1",
        "APPLICATION_NAME": "shop",
        "DEPLOYMENT_GROUP_NAME": "web",
        "DEPLOYMENT_GROUP_ID": "g-1",
        "SLIPWAY_ROOT": "/",
    }


@given(st.dictionaries(st.text(max_size=12).map(lambda name: "SLIPWAY_" + name), st.text(max_size=5)))
def test_no_variable_of_slipway_reaches_a_hook(own: dict[str, str]) -> None:
    environment = hooks.hook_environment(ORDER, Event.INSTALL, root="/sim", base=own)
    assert {name for name in environment if name.startswith("SLIPWAY_")} == {"SLIPWAY_ROOT"}
    assert environment["SLIPWAY_ROOT"] == "/sim"


def test_the_documented_variables_cannot_be_replaced() -> None:
    order = ORDER.model_copy(update={"environment": {"DEPLOYMENT_ID": "other"}})
    environment = hooks.hook_environment(order, Event.INSTALL, root="/", base={"APPLICATION_NAME": "other"})
    assert (environment["DEPLOYMENT_ID"], environment["APPLICATION_NAME"]) == ("d-1", "shop")
