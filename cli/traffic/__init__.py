"""Traffic to look at: a load of requests, HAProxy in front of a sample application, and what becomes of each request.

For the demo, and for the tests and benchmarks that hold Slipway to losing none.
"""

from __future__ import annotations
