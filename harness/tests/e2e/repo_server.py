#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A repository's HTTP server on loopback that misbehaves on demand.

repo_server.py ROOT LOG PORTFILE serves ROOT. One line per request goes to LOG: path, Range (or -),
status, bytes of the body that were sent. LOG.fault, if it is there, says what goes wrong with paths
that contain a word: "WORD cut N" (close after N bytes), "WORD stall N" (send no more after N),
"WORD norange" (ignore Range), "WORD 404", "WORD loop" (redirect for ever).
"""
import hashlib
import http.server
import os
import pathlib
import sys
import threading
import time

ROOT, LOG, PORTFILE = (pathlib.Path(a) for a in sys.argv[1:4])
FAULT = pathlib.Path(str(LOG) + ".fault")
LOCK = threading.Lock()


def fault_for(path):
    words = FAULT.read_text().split() if FAULT.exists() else []
    if len(words) >= 2 and words[0] in path:
        return words[1], int(words[2]) if len(words) > 2 else 0
    return None, 0


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def note(self, status, sent):
        with LOCK, LOG.open("a") as log:
            log.write(f"{self.path} {self.headers.get('Range', '-')} {status} {sent}\n")

    def answer(self, status, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def refuse(self, status, headers=None):
        self.answer(status, {"Content-Length": "0", **(headers or {})})
        self.note(status, 0)

    def send(self, status, body, kind, limit):
        body = body[:limit] if kind in ("cut", "stall") else body
        self.wfile.write(body)
        self.wfile.flush()
        self.note(status, len(body))
        if kind == "stall":
            time.sleep(30)
        if kind in ("cut", "stall"):
            self.close_connection = True

    def do_GET(self):
        kind, limit = fault_for(self.path)
        file = ROOT / self.path.lstrip("/")
        if kind == "loop":
            return self.refuse(302, {"Location": self.path + "/loop"})
        if kind == "404" or not file.is_file():
            return self.refuse(404)
        body = file.read_bytes()
        tag = '"' + hashlib.sha256(body).hexdigest()[:16] + '"'
        headers = {"ETag": tag, "Accept-Ranges": "bytes"}
        wanted = self.headers.get("Range")
        if kind == "norange" or self.headers.get("If-Range", tag) != tag:
            wanted = None
        if not wanted:
            self.answer(200, {**headers, "Content-Length": str(len(body))})
            return self.send(200, body, kind, limit)
        first = int(wanted.split("=")[1].rstrip("-"))
        if first >= len(body):
            return self.refuse(416, {"Content-Range": f"bytes */{len(body)}"})
        self.answer(206, {**headers, "Content-Length": str(len(body) - first),
                          "Content-Range": f"bytes {first}-{len(body) - 1}/{len(body)}"})
        return self.send(206, body[first:], kind, limit)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


server = Server(("127.0.0.1", 0), Handler)
PORTFILE.with_suffix(".new").write_text(str(server.server_address[1]))
os.rename(PORTFILE.with_suffix(".new"), PORTFILE)
server.serve_forever()
