"""Ports that are kept for hosts: nobody else on this machine is given them."""

from __future__ import annotations

import json
import subprocess
import sys

from cli.traffic.ports import BLOCK, pick_ports


def test_ports_are_different_and_below_those_of_the_kernel() -> None:
    ports = [port for _ in range(3) for port in pick_ports(BLOCK - 1)]
    assert len(set(ports)) == 3 * (BLOCK - 1)
    assert 10_000 <= min(ports) <= max(ports) < 32_768


def test_no_two_processes_pick_the_same() -> None:
    code = (
        "import json; from cli.traffic.ports import pick_ports; print(json.dumps(pick_ports(400)), flush=True); input()"
    )
    command = [sys.executable, "-c", code]
    pickers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    try:
        # All live until the last has picked.
        picked = [json.loads(picker.stdout.readline()) for picker in pickers if picker.stdout]
    finally:
        for picker in pickers:
            picker.communicate("\n", timeout=30)
    assert len({port for ports in picked for port in ports}) == 4 * 400
