#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A line to a server that misbehaves: what a client of libvirt's may meet. Prints its port.

silent          accepts, says nothing
close           accepts, takes a few bytes and hangs up
cut BYTES PORT  a line to PORT that breaks after so many bytes to the server
freeze BYTES PORT   the same, but it stays open and says nothing more
"""
import socket
import sys
import threading


class Line:
    def __init__(self, client, mode, limit, port):
        self.client, self.mode, self.left = client, mode, limit
        self.server = socket.create_connection(("127.0.0.1", port))
        self.frozen = False

    def end(self):
        for sock in (self.client, self.server):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def pump(self, source, target, counted):
        while True:
            try:
                data = source.recv(65536)
                if counted:
                    self.left -= len(data)
                if not data or (self.left < 0 and self.mode == "cut"):
                    break
                if self.left < 0:
                    self.frozen = True
                if not self.frozen:
                    target.sendall(data)
            except OSError:
                break
        if self.frozen:
            threading.Event().wait()
        self.end()

    def run(self):
        back = threading.Thread(target=self.pump, args=(self.server, self.client, False), daemon=True)
        back.start()
        self.pump(self.client, self.server, True)


def serve(client, mode, args):
    if mode == "silent":
        client.recv(1)
        threading.Event().wait()
    elif mode == "close":
        client.recv(8)
        client.close()
    else:
        Line(client, mode, int(args[0]), int(args[1])).run()


def main():
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        client, _ = listener.accept()
        threading.Thread(target=serve, args=(client, sys.argv[1], sys.argv[2:]), daemon=True).start()


main()
