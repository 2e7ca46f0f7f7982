"""HTTP/1.1 by raw socket: what exactly was answered, and whether the connection ended."""

import json
import re
import socket

WAIT = 30


class Reply:
    def __init__(self, status, fields, body):
        self.status, self.fields, self.body = status, fields, body

    def __getitem__(self, name):
        return self.fields.get(name.lower())

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        return self.json["error"]

    @property
    def closes(self):
        return self["connection"] == "close"


class Wire:
    """A connection; replies are read in order, head first."""

    def __init__(self, port, wait=WAIT):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=wait)
        self.buffer = b""

    def send(self, data):
        self.sock.sendall(data.encode() if isinstance(data, str) else data)
        return self

    def _more(self):
        try:
            data = self.sock.recv(65536)
        except ConnectionResetError:
            data = b""
        self.buffer += data
        return bool(data)

    def reply(self, head=False, skip_continue=True):
        """The next reply; None where the connection ended instead."""
        while True:
            while b"\r\n\r\n" not in self.buffer:
                if not self._more():
                    assert not self.buffer, f"half a reply: {self.buffer!r}"
                    return None
            top, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
            line, *rest = top.decode("latin-1").split("\r\n")
            status = int(re.fullmatch(r"HTTP/1\.1 (\d{3}) [ -~]*", line)[1])
            fields = {}
            for field in rest:
                name, value = re.fullmatch(r"([!-9;-~]+): ?(.*?)", field).groups()
                assert name.lower() not in fields, f"{name} twice"
                fields[name.lower()] = value
            if status == 100:
                assert not fields
                if skip_continue:
                    continue
                return Reply(status, fields, b"")
            size = 0 if head else int(fields["content-length"])
            while len(self.buffer) < size:
                assert self._more(), "the body ended early"
            body, self.buffer = self.buffer[:size], self.buffer[size:]
            return Reply(status, fields, body)

    def ended(self):
        """Waits until the server ends the connection, with nothing more to read."""
        while self._more():
            pass
        return not self.buffer

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.close()


def request(method, path, body=b"", fields=(), length=True):
    """Bytes of a request; fields are lines."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *fields]
    if body and length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def ask(port, *words, head=False, **more):
    """One request on one connection."""
    with Wire(port) as wire:
        return wire.send(request(*words, **more)).reply(head=head)
