"""What ringswitch tells a service manager: sd_notify(3), by NOTIFY_SOCKET.

     ringswitch ---- datagrams ---- a socket of ours, in systemd's place
"""

import contextlib
import os
import signal
import socket

import pytest

import lab
import lab_systemd


class Notified:
    """A NOTIFY_SOCKET, and what was sent there."""

    def __init__(self, path):
        self.path = str(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(lab.STEP_S)

    def until(self, line):
        """All lines up to a message with this one in it."""
        lines = []
        while line not in lines:
            lines += self.socket.recv(4096).decode().splitlines()
        return lines

    def next(self, line):
        """Read until a message with this line; returns the message."""
        while True:
            message = self.socket.recv(4096).decode()
            if line in message.splitlines():
                return message


@pytest.fixture
def notified(tmp_path):
    listening = Notified(tmp_path / "notify")
    with contextlib.closing(listening.socket):
        yield listening


def told(notified, tmp_path, *arguments, **more):
    env = {**os.environ, "NOTIFY_SOCKET": notified.path, **more}
    return lab.Switch(*arguments, workdir=tmp_path, env=env)


def test_ready_is_told_when_guests_can_attach(notified, tmp_path):
    with told(notified, tmp_path) as switch:
        assert "STATUS=" in notified.next("READY=1")
        with lab.Client(switch.socket):
            pass


def test_the_watchdog_is_fed_when_there_is_one(notified, tmp_path):
    with told(notified, tmp_path, WATCHDOG_USEC="200000"):
        notified.next("READY=1")
        for _ in range(5):
            notified.next("WATCHDOG=1")


def test_a_watchdog_of_another_process_is_not_fed(notified, tmp_path):
    with told(notified, tmp_path, WATCHDOG_USEC="10000",
              WATCHDOG_PID="1") as switch:
        notified.next("READY=1")
        with lab.Client(switch.socket), lab.Client(switch.socket):
            switch.wait_ports(2)
        switch.stop()
        assert "WATCHDOG=1" not in notified.until("STOPPING=1")


def test_reading_rules_again_is_told(notified, tmp_path, tap_device):
    if not lab_systemd.is_machines_root():
        pytest.skip("rules at a tap need the machine's root")
    (tmp_path / "rules").write_text("drop ethertype ipv6\n")
    with told(notified, tmp_path, "--port",
              f"tap:tap0,rules={tmp_path / 'rules'}") as switch:
        notified.next("READY=1")
        switch.process.send_signal(signal.SIGHUP)
        assert any(line.startswith("MONOTONIC_USEC=")
                   for line in notified.next("RELOADING=1").splitlines())
        notified.next("READY=1")


def test_the_end_is_told(notified, tmp_path):
    with told(notified, tmp_path) as switch:
        assert switch.stop() == 0
        notified.next("STOPPING=1")
