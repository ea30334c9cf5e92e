#!/usr/bin/env python3
"""Bytes between two ends, over the network of the test's nodes.

    relay.py serve ADDRESS PORT SOCKET    each TCP connection to the local socket of a gbackupd
    relay.py HOST PORT                    stdin and stdout to a TCP port: what --rsh runs

It says nothing and understands nothing; a cut network or a dead agent is seen through it as it is.
"""
import os
import socket
import sys
import threading


def pump(take, give, end):
    try:
        while data := take(65536):
            give(data)
    except OSError:
        pass
    end()


def both(a, b):
    """Until either end is gone: half a connection is none."""

    def end():
        for s in a, b:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    back = threading.Thread(target=pump, args=(b.recv, a.sendall, end), daemon=True)
    back.start()
    pump(a.recv, b.sendall, end)
    back.join()
    a.close()
    b.close()


def connection(tcp, path):
    local = socket.socket(socket.AF_UNIX)
    try:
        local.connect(path)
    except OSError:
        tcp.close()
        return
    both(tcp, local)


def watch(tcp):
    """A dead peer is noticed, as ssh does with ServerAliveInterval, and sshd with ClientAliveInterval."""
    tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (socket.TCP_KEEPIDLE, 5), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 3), (socket.TCP_USER_TIMEOUT, 20000):
        tcp.setsockopt(socket.IPPROTO_TCP, option, value)


def serve(address, port, path):
    listener = socket.create_server((address, port), backlog=128)
    while True:
        tcp, _ = listener.accept()
        watch(tcp)
        threading.Thread(target=connection, args=(tcp, path), daemon=True).start()


def client(host, port):
    try:
        tcp = socket.create_connection((host, port), timeout=15)
    except OSError as e:
        sys.exit(f"{host}: {e}")
    tcp.settimeout(None)
    watch(tcp)

    def out(data):
        while data:
            data = data[os.write(1, data) :]

    threading.Thread(target=pump, args=(lambda n: os.read(0, n), tcp.sendall, lambda: os._exit(0)), daemon=True).start()
    pump(tcp.recv, out, lambda: None)


if sys.argv[1] == "serve":
    serve(sys.argv[2], int(sys.argv[3]), sys.argv[4])
else:
    client(sys.argv[1], int(sys.argv[2]))
