"""Triggers of deployment groups: a message to the SNS topic of each that subscribed to what happened."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from adapters.aws import Aws, answering, told_by
from adapters.publishers.origin import Origin
from adapters.publishers.sns_form import sns_message, sns_subject
from domain.channels import Delivery, Refusal
from domain.errors import CannotBegin, WorldError
from domain.happenings import Happening, Topic

REFUSED = frozenset(
    {
        *("NotFound", "NotFoundException", "InvalidParameter", "InvalidParameterValue", "InvalidSecurity"),
        *("AuthorizationError", "AccessDenied", "AccessDeniedException", "EndpointDisabled"),
        *("KMSAccessDenied", "KMSDisabled", "KMSInvalidState", "KMSNotFound", "KMSOptInRequired"),
    }
)
"""Answers that concern one topic and stay the same until its owner does something."""


class SnsPublisher:
    """Publishes as the account of the settings. The event's id and type are attributes of the message."""

    patience: float | None = None

    def __init__(self, aws: Aws, origin: Origin) -> None:
        self._aws, self._origin = aws, origin

    def wants(self, happening: Happening) -> bool:
        """What some topic subscribed to."""
        return bool(happening.topics)

    def publish(self, happenings: Sequence[Happening]) -> Delivery:
        """Tell the topics of the first; a topic that refuses keeps it from no other."""
        first = happenings[0]
        refusals = [each for topic in first.topics if (each := self._tell(first, topic))]
        nobody = len(refusals) == len(first.topics)
        return Delivery(done=1, left_out=1 if nobody else 0, refusals=tuple(refusals))

    def _tell(self, happening: Happening, topic: Topic) -> Refusal | None:
        try:
            self._send(happening, topic)
        except (WorldError, CannotBegin) as error:
            code, text = told_by(error)
            if code not in REFUSED:
                raise WorldError(error.message) from error
            alone = happening.model_copy(update={"topics": (topic,)})
            return Refusal(happening=alone, why=f"the topic {topic.arn} takes nothing ({code}: {text})")
        return None

    def _send(self, happening: Happening, topic: Topic) -> None:
        client = self._aws.client("sns")
        attributes = {"eventId": happening.event_id, "eventType": happening.type.value}
        with answering("sns", "Publish"):
            client.publish(
                TopicArn=topic.arn,
                Subject=sns_subject(happening, self._origin, topic.trigger),
                Message=sns_message(happening, self._origin, topic.trigger),
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
                },
                **(_in_order(happening, topic) if topic.arn.endswith(".fifo") else {}),
            )


def _in_order(happening: Happening, topic: Topic) -> dict[str, str]:
    same = hashlib.sha256(f"{topic.trigger} {happening.event_id}".encode()).hexdigest()
    return {"MessageGroupId": happening.deployment_id or "slipway", "MessageDeduplicationId": same}
