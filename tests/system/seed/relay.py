"""`relay.py PORT`: standard input and output as a connection to a port of loopback; QEMU starts one per connection of a
guest (guestfwd … cmd:)."""

import os
import select
import socket
import sys


def relay(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as server:
        ends = {0: server.fileno(), server.fileno(): 1}
        while True:
            for source in select.select(list(ends), [], [])[0]:
                data = os.read(source, 65536)
                if not data:
                    return
                os.write(ends[source], data)


relay(int(sys.argv[1]))
