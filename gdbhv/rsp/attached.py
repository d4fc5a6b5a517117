"""What one debugger is attached to: processes and their threads, and which of them it has selected."""

from __future__ import annotations

from gdbhv.errors import PacketError
from gdbhv.rsp.codec import ThreadSpec
from gdbhv.rsp.shared import Run, Shared
from gdbhv.target import Process, ThreadId


class Attached:
    """The threads as a debugger knows them, as of the last :meth:`refresh`, and the one that packets are about."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.detached: set[int] = set()
        self.continue_thread: ThreadSpec = ThreadSpec(-1, -1)
        self.resume_cache: dict[bytes, Run] = {}  # emptied when the threads change
        self._processes: list[Process] = []
        self._threads: tuple[ThreadId, ...] = ()
        self._general: ThreadId | None = None
        self._nobody: PacketError | None = None  # whether a thread was selected that does not exist
        self.listed = {process.pid for process in shared.alive()}
        self._told: set[int] = set()  # processes that have appeared since
        self.refresh()
        stop = shared.last_stop
        self._general = stop.thread if stop is not None and stop.thread in self._threads else None

    @property
    def processes(self) -> list[Process]:
        """The processes that this debugger is attached to, as of the last :meth:`refresh`."""
        return self._processes

    @property
    def threads(self) -> tuple[ThreadId, ...]:
        """Their threads."""
        return self._threads

    @property
    def current(self) -> ThreadId:
        """The thread that was selected last, or the first (qC).

        :raises PacketError: there is none: every process has gone.
        """
        if self._general is None:
            if not self._threads:
                raise PacketError("", self.shared.off())
            self._general = self._threads[0]
        return self._general

    @property
    def general(self) -> ThreadId:
        """The thread that `g`, `m`, `Z` and similar packets are about (Hg).

        :raises PacketError: there is none: every process has gone.
        """
        if self._nobody is not None and self._threads:
            raise self._nobody
        return self.current

    @general.setter
    def general(self, thread: ThreadId) -> None:
        self._general, self._nobody = thread, None

    def select(self, spec: ThreadSpec) -> None:
        """Select a thread (Hg). If it does not exist, the packets that follow are about no thread at all: GDB ignores the
        answer, and means a VM that has ended, not another one.

        :raises PacketError: there is none.
        """
        self.refresh()
        try:
            self.general = self.pick(spec)
        except PacketError as error:
            self._nobody = error
            raise

    def pick(self, spec: ThreadSpec) -> ThreadId:
        """Return the first thread that ``spec`` means, the selected one by preference.

        :raises PacketError: there is none.
        """
        if self._general is not None and spec.matches(self._general):
            return self._general
        for thread in self._threads:
            if spec.matches(thread):
                return thread
        if not self._threads:
            raise PacketError("", self.shared.off())
        raise PacketError("", f"no thread p{spec.pid}.{spec.tid}: `info threads` lists those that there are")

    def refresh(self) -> None:
        """Ask the target again for its processes and threads."""
        self._processes = [process for process in self.shared.alive() if self._shows(process)]
        threads = tuple(thread.id for process in self._processes for thread in process.threads)
        if threads != self._threads:
            self._threads = threads
            self.resume_cache.clear()
            if self._general not in threads:
                self._general = None

    def _shows(self, process: Process) -> bool:
        """Tell whether the debugger is to see a process.

        A VM that a hypervisor enters while GDB is there is not listed before it is attached to: GDB 13 adds the inferior by
        itself in the middle of a stop, takes that for the stop, and fails an assertion when it resumes.
        """
        return process.pid not in self.detached and (not process.found or process.pid in self.listed)

    def newcomers(self) -> list[Process]:
        """Return the VMs that have appeared since the debugger attached, each once."""
        new = [p for p in self.shared.alive() if p.found and p.pid not in self.listed | self._told | self.detached]
        self._told |= {process.pid for process in new}
        return new

    def free_threads(self) -> list[ThreadId]:
        """Return the threads of VMs from which the debugger has detached."""
        return [t.id for process in self.shared.alive() if process.pid in self.detached for t in process.threads]

    def _stopped_at(self, thread: ThreadId) -> None:
        """Select the thread of a stop, as GDB does; none if it has gone."""
        self._general, self._nobody = (thread if thread in self._threads else None), None
