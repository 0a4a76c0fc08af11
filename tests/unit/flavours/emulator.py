"""Stands in for qemu-system-x86_64: answers its monitor, and plays a node that boots as `test.mode=` says."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import socket
import sys
import threading
import time
from typing import Any

USERNET = "  TCP[HOST_FORWARD]  12       127.0.0.1 2222       10.0.2.15    22     0     0\r\n"


def main() -> None:
    line = sys.argv[sys.argv.index("-append") + 1]
    words = dict(word.partition("=")[::2] for word in line.split(" "))
    mode = words.get("test.mode", "good")
    with open("console.log", "a") as log:
        log.write(f"fake: mode {mode}\n")
    if mode == "refuse":
        sys.exit("qemu-system-x86_64: cannot set up guest memory")
    for option in ("-kernel", "-initrd"):  # opened as QEMU would, by the name that it was given
        with open(sys.argv[sys.argv.index(option) + 1], "rb") as stream:
            assert stream.read(), f"{option} is empty"
    if mode == "panic":
        with open("console.log", "a") as log:
            log.write("Kernel panic - not syncing: test\n")
        sys.exit(0)
    if mode == "loop":
        restart()
    threading.Thread(target=monitor, daemon=True).start()
    if mode != "mute":
        report(words, line)
    while True:
        time.sleep(0.05)
        if os.path.exists("../restart"):
            os.unlink("../restart")
            restart()


def restart() -> None:
    with open("console.log", "a") as log:
        log.write("reboot: Restarting system\n")
    sys.exit(0)


def monitor() -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink("monitor.sock")
    server = socket.socket(socket.AF_UNIX)
    server.bind("monitor.sock")
    server.listen()
    while True:
        talk, _ = server.accept()
        stream = talk.makefile("rw")
        stream.write('{"QMP": {}}\r\n')
        stream.flush()
        for request in stream:
            command = json.loads(request)
            with open("commands", "a") as log:
                log.write(command["execute"] + "\n")
            answer: Any = USERNET if command["execute"] == "human-monitor-command" else {}
            stream.write(json.dumps({"return": answer}) + "\r\n")
            stream.flush()


def report(words: dict[str, str], line: str) -> None:
    text = words["nxc.info"]
    document = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    body = json.dumps(
        {
            "hostKey": "ssh-ed25519 " + base64.b64encode(document["node"].encode().ljust(51)).decode(),
            "toplevel": "/nix/store/server",
            "kernel": "6.1",
            "cmdlineSha256": hashlib.sha256(line.encode()).hexdigest(),
            "role": document["role"],
        }
    ).encode()
    path = "/" + document["report"].split("/", 3)[3]
    while True:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as door:
            door.connect("information.sock")
            door.sendall(f"POST {path} HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
            if door.recv(100).startswith(b"HTTP/1.1 200"):
                return
        time.sleep(0.05)


if __name__ == "__main__":
    main()
