"""Where an installation says that it is, and how its resources are called there."""

from __future__ import annotations

from dataclasses import dataclass

from domain.happenings import Happening


@dataclass(frozen=True, slots=True)
class Origin:
    """The region and the account that messages name."""

    region: str
    account_id: str

    def application_arn(self, happening: Happening) -> str:
        """The application that a happening is about."""
        return f"{self._codedeploy}:application:{happening.application_name}"

    def group_arn(self, happening: Happening) -> str:
        """The deployment group that a happening is about."""
        return f"{self._codedeploy}:deploymentgroup:{happening.application_name}/{happening.deployment_group_name}"

    @property
    def _codedeploy(self) -> str:
        return f"arn:aws:codedeploy:{self.region}:{self.account_id}"
