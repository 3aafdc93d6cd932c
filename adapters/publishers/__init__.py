"""Where events go: to an exchange, SNS, EventBridge, CloudWatch, webhooks. Each is a channel of its own."""

from __future__ import annotations
