"""A client of the Debug Adapter Protocol for the adapter in gdb (``gdb -i dap``), as an editor is one."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any, Self

Message = dict[str, Any]


class Dap:
    """Speaks with one gdb: :meth:`ask`, :meth:`event`. Events wait until they are asked for."""

    def __init__(self, gdb: str) -> None:
        self._gdb = subprocess.Popen((gdb, "-nx", "-q", "-i", "dap"), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._sequence = 0
        self._messages: list[Message] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._gdb.kill()
        self._gdb.communicate()

    def send(self, command: str, **arguments: Any) -> int:
        """Send a request, and return its number."""
        self._sequence += 1
        body = json.dumps({"seq": self._sequence, "type": "request", "command": command, "arguments": arguments}).encode()
        assert self._gdb.stdin is not None
        self._gdb.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self._gdb.stdin.flush()
        return self._sequence

    def answer(self, number: int) -> Any:
        """Return the body of the answer to a request."""
        found = self._find(lambda m: m["type"] == "response" and m["request_seq"] == number)
        assert found["success"], found
        return found.get("body")

    def ask(self, command: str, **arguments: Any) -> Any:
        """Send a request and return the body of its answer."""
        return self.answer(self.send(command, **arguments))

    def event(self, name: str) -> Any:
        """Return the body of the next event of a name."""
        return self._find(lambda m: m["type"] == "event" and m["event"] == name).get("body")

    def variables(self, reference: int) -> dict[str, str]:
        """Return what a scope or a structure holds, by name."""
        return {v["name"]: v["value"] for v in self.ask("variables", variablesReference=reference)["variables"]}

    def _find(self, wanted: Callable[[Message], bool]) -> Message:
        for i, message in enumerate(self._messages):
            if wanted(message):
                return self._messages.pop(i)
        while not wanted(message := self._receive()):
            self._messages.append(message)
        return message

    def _receive(self) -> Message:
        out = self._gdb.stdout
        assert out is not None
        length = 0
        while (line := out.readline()) != b"\r\n":
            assert line, "gdb has ended"
            if line.lower().startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        message: Message = json.loads(out.read(length))
        return message
