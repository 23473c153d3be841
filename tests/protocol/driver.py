"""The parent's side of doc/worker_protocol.md, for tests: standard library only.

    w = Worker.start(["python3", "pytorch_worker.py"])     started by exec
    n = Nursery(["python3", "pytorch_worker.py"]); w = n.spawn()     forked
"""
import array
import json
import mmap
import os
import socket
import struct
import subprocess
import tempfile
import time

HEADER = 64


class Ring:
    def __init__(self, capacity=4096):
        self.fd = os.memfd_create("ring")
        os.ftruncate(self.fd, HEADER + 16 * capacity)
        self.map = mmap.mmap(self.fd, HEADER + 16 * capacity)
        struct.pack_into("<8sIIQ", self.map, 0, b"JLRING01", 1, 0, capacity)
        view = memoryview(self.map)
        self.state, self.index = view[12:16].cast("I"), view[24:32].cast("Q")
        self.stop = view[32:36].cast("I")

    def pairs(self):
        return [struct.unpack_from("<qq", self.map, HEADER + 16 * i)
                for i in range(self.index[0])]


class Channel:
    def __init__(self, timeout):
        self.socket, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)

    def send_bytes(self, data, fds=()):
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        sent = self.socket.sendmsg([data], rights)
        if sent < len(data):
            self.socket.sendall(data[sent:])

    def send(self, message, fds=()):
        body = json.dumps(message).encode()
        self.send_bytes(struct.pack("<I", len(body)) + body, fds)

    def _read(self, n):
        data = b""
        while len(data) < n:
            piece = self.socket.recv(n - len(data))
            if not piece:
                raise EOFError("the worker closed the channel")
            data += piece
        return data

    def receive(self):
        (length,) = struct.unpack("<I", self._read(4))
        return json.loads(self._read(length))

    def ask(self, kind, **members):
        self.send(dict(members, type=kind))
        return self.receive()


class Worker(Channel):
    """One worker: its channel, its ring, its captured output, its pid."""

    def __init__(self, capacity=4096, timeout=120):
        super().__init__(timeout)
        self.ring = Ring(capacity)
        self.output = tempfile.TemporaryFile()
        self.process = None

    @classmethod
    def start(cls, command, capacity=4096, ring_fd=None):
        w = cls(capacity)
        ring_fd = w.ring.fd if ring_fd is None else ring_fd
        control = w.theirs.fileno()
        w.process = subprocess.Popen(
            command + ["--control-fd", str(control), "--ring-fd", str(ring_fd)],
            pass_fds=(control, ring_fd), stdin=subprocess.DEVNULL, stdout=w.output,
            stderr=w.output)
        w.theirs.close()
        return w

    def words(self):
        self.output.seek(0)
        return self.output.read().decode(errors="replace")

    def measure(self, **members):
        self.ring.stop[0] = 0
        return self.ask("measure", **members)

    def end(self):
        """Says bye, waits, and returns the exit status."""
        answer = self.ask("bye")
        assert answer == {"type": "bye"}, answer
        return self.process.wait(30)

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.socket.close()
        self.theirs.close()
        self.output.close()


class Nursery(Channel):
    def __init__(self, command, timeout=120):
        super().__init__(timeout)
        control = self.theirs.fileno()
        self.process = subprocess.Popen(command + ["--nursery-fd", str(control)],
                                        pass_fds=(control,), stdin=subprocess.DEVNULL)
        self.theirs.close()

    def spawn(self, capacity=4096):
        """A worker and the answer of the nursery."""
        w = Worker(capacity)
        self.send({"type": "spawn"}, [w.theirs.fileno(), w.ring.fd, w.output.fileno()])
        w.theirs.close()
        return w, self.receive()

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.socket.close()


def measured_loop(case, w, max_ns):
    """Lets worker w measure and holds its answer against the clock and the stamps in the ring."""
    before = time.monotonic_ns()
    measured = w.measure(max_ns=max_ns)
    after = time.monotonic_ns()
    pairs = w.ring.pairs()
    case.assertEqual((measured["type"], measured["calls"]), ("measured", len(pairs)))
    case.assertEqual(w.ring.state[0], 3)
    stamps = [t for pair in pairs for t in pair]
    case.assertEqual(stamps, sorted(stamps))
    case.assertTrue(before <= measured["start_ns"] <= stamps[0])
    case.assertTrue(stamps[-1] <= measured["end_ns"] <= after)
    case.assertGreater(measured["cpu_ns"], 0)
    case.assertGreater(measured["peak_rss_bytes"], 1 << 20)
    return measured


def read_safetensors(path):
    """Names, types, shapes and little-endian bytes of a file."""
    with open(path, "rb") as file:
        data = file.read()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8:8 + length])
    header.pop("__metadata__", None)
    return {name: (e["dtype"], e["shape"], data[8 + length:][slice(*e["data_offsets"])])
            for name, e in header.items()}


def floats(tensor):
    """The values of an F32, F16 or BF16 tensor of read_safetensors."""
    dtype, _, data = tensor
    if dtype == "BF16":
        data = b"".join(b"\0\0" + data[i:i + 2] for i in range(0, len(data), 2))
    return struct.unpack("<%d%s" % ((len(data) // 2, "e") if dtype == "F16"
                                    else (len(data) // 4, "f")), data)


def alive(pid):
    """Whether a process runs (a zombie does not)."""
    try:
        with open("/proc/%d/stat" % pid) as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False
