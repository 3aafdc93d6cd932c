"""The CodeDeploy wire as values: bytes in, values out, and back. Knows botocore's service model, not the world."""

from __future__ import annotations
