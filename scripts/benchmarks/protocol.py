"""What a debugger's user waits for, timed at the remote protocol with a client of a few lines."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.subjects import Subject, cpu_seconds, environment


class Client:
    """One connection: :meth:`ask` sends a packet and returns the answer's text."""

    def __init__(self, path: Path, limit: float = 20) -> None:
        deadline = time.monotonic() + limit
        while True:
            self.socket = socket.socket(socket.AF_UNIX)
            try:
                self.socket.connect(str(path))
                break
            except OSError:
                self.socket.close()
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
        self.socket.settimeout(limit)
        self.acknowledge = True
        self.buffer = b""
        if "QStartNoAckMode+" in self.ask("qSupported:swbreak+;hwbreak+;vContSupported+"):
            self.ask("QStartNoAckMode")
            self.acknowledge = False
        self.ask("?")

    def send(self, packet: str) -> None:
        data = packet.encode()
        self.socket.sendall(b"$%b#%02x" % (data, sum(data) & 0xFF))

    def receive(self) -> str:
        """Return the next packet that is no console output (`O`, of which gdb makes text)."""
        while True:
            packet = self._receive()
            if packet == "OK" or not packet.startswith("O"):
                return packet

    def _receive(self) -> str:
        while True:
            start = self.buffer.find(b"$")
            end = self.buffer.find(b"#", start)
            if 0 <= start < end and len(self.buffer) >= end + 3:
                break
            data = self.socket.recv(65536)
            if not data:
                raise ConnectionError("the stub closed the connection")
            self.buffer += data
        packet, self.buffer = self.buffer[start + 1 : end], self.buffer[end + 3 :]
        if self.acknowledge:
            self.socket.sendall(b"+")
        return packet.decode("latin-1")

    def ask(self, packet: str) -> str:
        self.send(packet)
        return self.receive()

    def demand(self, packet: str) -> None:
        """Send a packet whose answer must be OK."""
        answer = self.ask(packet)
        if answer != "OK":
            raise RuntimeError(f"{packet} was answered {answer!r}")

    def register(self, number: int) -> int:
        """Return x0..x30 by number, from the `g` packet."""
        return int.from_bytes(bytes.fromhex(self.ask("g")[number * 16 : number * 16 + 16]), "little")

    def interrupt(self) -> float:
        """Send Ctrl-C and return the seconds to the stop reply."""
        start = time.perf_counter()
        self.socket.sendall(b"\x03")
        self.receive()
        return time.perf_counter() - start


@contextlib.contextmanager
def connected(subject: Subject, image: Path) -> Iterator[tuple[Client, int]]:
    """Start ``subject`` with ``image``, stopped, and yield a client and the process id."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as log:
        path = Path(folder) / "gdb"
        command = subject.bare(image, gdb=path)
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment())
        try:
            yield Client(path), process.pid
        except (OSError, RuntimeError) as error:
            log.seek(0)
            output = log.read()[-400:].decode(errors="replace").strip()
            raise RuntimeError(f"{subject.name}: {error} {output}") from error
        finally:
            process.kill()
            process.wait()


def steps_per_second(subject: Subject, image: Path, seconds: float = 1.5) -> float:
    """Return how many single steps (vCont;s and its stop reply) a second of wall time has room for."""
    with connected(subject, image) as (client, _):
        for _ in range(50):
            client.ask("vCont;s")
        count, start = 0, time.perf_counter()
        while time.perf_counter() - start < seconds:
            client.ask("vCont;s")
            count += 1
        return count / (time.perf_counter() - start)


def interrupt_seconds(subject: Subject, image: Path, times: int = 30) -> float:
    """Return the median seconds from Ctrl-C to the stop reply of a busy guest."""
    with connected(subject, image) as (client, _):
        taken = []
        for _ in range(times):
            client.send("vCont;c")
            time.sleep(0.02)
            taken.append(client.interrupt())
        return sorted(taken)[times // 2]


def slowdown(subject: Subject, image: Path, insert: str, seconds: float = 1.0) -> float:
    """Return how many times slower the guest's loop (which counts x19 down) runs with a breakpoint packet in force."""
    with connected(subject, image) as (client, pid):

        def rate() -> float:
            before, cpu = client.register(19), cpu_seconds(pid)
            client.send("vCont;c")
            time.sleep(seconds)
            client.interrupt()
            return (before - client.register(19)) / (cpu_seconds(pid) - cpu)

        client.send("vCont;c")  # past the start-up, where x19 is not set yet
        time.sleep(0.2)
        client.interrupt()
        remove = "z" + insert[1:]
        free, held = [], []
        for _ in range(3):
            free.append(rate())
            client.demand(insert)
            held.append(rate())
            client.demand(remove)
        return sorted(free)[1] / sorted(held)[1]
