"""The service model of CodeDeploy as botocore ships it, loaded once. All that is known of shapes comes from here."""

from __future__ import annotations

from functools import cache
from typing import Final

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel, StructureShape

SERVICE: Final = "codedeploy"
"""The name of the service in its own model and in what is signed."""
NAMESPACE: Final = "com.amazonaws.codedeploy"
"""Where Smithy keeps its shapes."""

MODEL: Final = ServiceModel(Loader().load_service_model(SERVICE, "service-2"), SERVICE)
TARGET_PREFIX: Final = str(MODEL.metadata["targetPrefix"])
OPERATIONS: Final = frozenset(MODEL.operation_names)


@cache
def _operation(name: str) -> OperationModel:
    return MODEL.operation_model(name)


def input_of(operation: str) -> StructureShape | None:
    """The shape of what the operation is given; None if it takes nothing."""
    return _operation(operation).input_shape


def output_of(operation: str) -> StructureShape | None:
    """The shape of what the operation answers; None if it answers nothing."""
    return _operation(operation).output_shape


@cache
def errors_of(operation: str) -> frozenset[str]:
    """The errors that the operation models."""
    return frozenset(shape.name for shape in _operation(operation).error_shapes)
