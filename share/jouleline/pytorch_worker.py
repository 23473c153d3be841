#!/usr/bin/env python3
"""The worker of the runtime `pytorch`: speaks doc/worker_protocol.md.

    pytorch_worker.py --control-fd N --ring-fd M   one run
    pytorch_worker.py --nursery-fd N               imports torch once, forks a worker a run
    pytorch_worker.py --probe                      what torch finds here, as JSON (for doctor)

Needs the standard library and torch; torchvision for the models of the zoo. numpy is not used.
"""
import argparse
import gc
import os
import sys
import time
import traceback

# `@1` means the same device for every runtime and for NVML.
os.environ["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from jouleline_torch import kernel_cache, ring as rings  # noqa: E402
from jouleline_torch.wire import (Channel, Outcome, PROTOCOL, ProtocolError, count,  # noqa: E402
                                  die_with_parent, member)


def import_torch():
    """Imports what a run needs without touching the device; torch's version."""
    kernel_cache.open_for(os.environ)
    try:
        import torch
    except ImportError as error:
        raise Outcome("missing", "%s cannot import torch (%s): install python3-torch, or name "
                      "another interpreter with --python or JOULELINE_PYTHON"
                      % (sys.executable, error))
    try:
        import torchvision  # noqa: F401
    except ImportError:
        pass  # said when a model of the zoo is asked for
    # What was imported stays: the collections before a loop need not walk it (a tenth of a
    # second each), and a fork does not copy its pages.
    gc.collect()
    gc.freeze()
    return torch.__version__


def outcome_of(error):
    """The outcome that an exception stands for."""
    if isinstance(error, Outcome):
        return error.outcome, str(error)
    words = "%s: %s" % (type(error).__name__, error)
    text = str(error).lower()
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" \
            or "out of memory" in text or "can't allocate memory" in text \
            or "cublas_status_alloc_failed" in text or "not enough memory" in text:
        return "oom", words
    return "unsupported", words


def peak_rss_bytes():
    """VmHWM of this process image; getrusage would include what ran here before exec."""
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return None


class Worker:
    def __init__(self, channel, ring, start):
        self.channel, self.ring, self.start = channel, ring, start
        self.session = None
        self.version = None
        self.first_call_ns = None

    def hello(self, message):
        asked = count(message, "protocol")
        if asked != PROTOCOL:
            raise ProtocolError("this worker speaks protocol %d, not %d" % (PROTOCOL, asked))
        self.version = import_torch()
        return {"type": "hello", "protocol": PROTOCOL, "runtime": "pytorch",
                "version": self.version, "pid": os.getpid(), "start": self.start}

    def load(self, message):
        request = {
            "configuration": member(message, "configuration", str),
            "model_name": member(message, "model_name", str),
            "zoo": member(message, "zoo", bool),
            "model_path": member(message, "model_path", str, required=False),
            "weights_path": member(message, "weights_path", str, required=False),
            "device_uuid": member(message, "device_uuid", str, required=False),
            "inputs_path": member(message, "inputs_path", str),
            "io": member(message, "io", str),
            "in_flight": count(message, "in_flight"),
            "trust": member(message, "trust", bool),
        }
        if request["io"] not in ("device", "host") or request["in_flight"] < 1:
            raise ProtocolError("'load' wants io device or host and in_flight of at least 1")
        if self.session is not None or self.version is None:
            raise ProtocolError("'load' comes once, after 'hello'")
        begin = time.monotonic_ns()
        from jouleline_torch.session import Session, describe
        session = Session(request)
        load_ns = time.monotonic_ns() - begin
        self.session = session
        facts = describe(session)
        # Only a call would tell the outputs, and the first call is measured on its own.
        return {"type": "loaded", "load_ns": load_ns, "facts": facts,
                "inputs": session.describe_inputs(), "outputs": []}

    def _loop(self, state, max_ns, min_calls):
        if self.session is None:
            raise ProtocolError("'load' comes before 'warm', 'measure' and 'check'")
        import torch
        session, ring = self.session, self.ring
        gc.collect()
        ring.begin(state)
        cpu = time.process_time_ns()
        try:
            with torch.inference_mode():
                if session.in_flight > 1:
                    done = rings.run_loop_in_flight(ring, session.submit, session.wait,
                                                    session.in_flight, max_ns, min_calls)
                else:
                    done = rings.run_loop(ring, session.call, max_ns, min_calls)
            return done + (time.process_time_ns() - cpu,)
        finally:
            ring.finish()

    def warm(self, message):
        calls, _, _, stopped, _ = self._loop(rings.WARMING, count(message, "max_ns"),
                                          count(message, "min_calls"))
        if self.first_call_ns is None:
            self.first_call_ns = self.ring.pairs[1] - self.ring.pairs[0]
        return {"type": "warmed", "calls": calls, "first_call_ns": self.first_call_ns,
                "stopped": stopped}

    def measure(self, message):
        calls, start_ns, end_ns, stopped, cpu = self._loop(rings.MEASURING,
                                                           count(message, "max_ns"), 0)
        return {"type": "measured", "calls": calls, "start_ns": start_ns, "end_ns": end_ns,
                "cpu_ns": cpu, "stopped": stopped, "peak_rss_bytes": peak_rss_bytes(),
                "device_memory_bytes": self.session.device_memory_bytes()}

    def check(self, message):
        path = member(message, "path", str)
        if self.session is None:
            raise ProtocolError("'load' comes before 'warm', 'measure' and 'check'")
        from jouleline_torch import safetensors
        safetensors.write(path, self.session.named_outputs())
        return {"type": "checked", "path": path}

    REQUESTS = {"hello": hello, "load": load, "warm": warm, "measure": measure, "check": check}

    def answer(self, message):
        kind = message["type"]
        if kind not in self.REQUESTS:
            raise ProtocolError("unknown request '%s'" % kind)
        try:
            return self.REQUESTS[kind](self, message)
        except ProtocolError:
            raise
        except Exception as error:  # whatever the runtime raises is a result of the study
            outcome, words = outcome_of(error)
            return {"type": "outcome", "outcome": outcome, "stage": kind, "message": words}

    def serve(self):
        """Answers until bye (0), the end of the stream (0: the parent went) or a broken one (1)."""
        return serve(self.channel, self.answer)


def serve(channel, answer):
    while True:
        try:
            message = channel.receive()
            if message is None:
                return 0
            if message["type"] == "bye":
                channel.send({"type": "bye"})
                return 0
            channel.send(answer(message))
        except ProtocolError as error:
            channel.send({"type": "error", "message": str(error)})
            if error.fatal:
                return 1


def run_worker(control_fd, ring_fd, start):
    """One run over inherited descriptors; returns the exit status."""
    die_with_parent()
    channel = Channel(control_fd)
    try:
        ring = rings.Ring(ring_fd)
    except ProtocolError as error:
        channel.send({"type": "error", "message": str(error)})
        return 1
    return Worker(channel, ring, start).serve()


def threads_at_fork():
    """Threads that a fork leaves behind: some libraries (OpenBLAS) end theirs before one."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    threads = len(os.listdir("/proc/self/task"))
    os.waitpid(pid, 0)
    return threads


class Nursery:
    """A parent that has imported torch and never initialises CUDA; a fork of it is a worker."""

    def __init__(self, channel):
        self.channel = channel
        self.version = None
        self.children = set()

    def answer(self, message):
        fds = self.channel.take_fds()
        try:
            if message["type"] == "hello":
                return self.hello(message)
            if message["type"] == "spawn":
                return self.spawn(fds)
            if message["type"] == "wait":
                return self.wait(count(message, "pid"))
            raise ProtocolError("unknown request '%s'" % message["type"])
        finally:
            for fd in fds:
                os.close(fd)

    def hello(self, message):
        if count(message, "protocol") != PROTOCOL:
            raise ProtocolError("this nursery speaks protocol %d" % PROTOCOL)
        try:
            self.version = import_torch()
            threads = threads_at_fork()
            if threads > 1:
                raise Outcome("unsupported", "%d threads run in it after importing torch %s, and a "
                              "fork of them could wait for ever" % (threads, self.version))
        except Outcome as error:
            self.version = None
            return {"type": "outcome", "outcome": error.outcome, "stage": "hello",
                    "message": str(error)}
        return {"type": "hello", "protocol": PROTOCOL, "runtime": "pytorch",
                "version": self.version, "pid": os.getpid(), "start": "nursery"}

    def spawn(self, fds):
        if self.version is None:
            raise ProtocolError("'hello' comes before 'spawn'")
        if len(fds) != 3:
            raise ProtocolError("'spawn' brings three descriptors (control, ring, output), not %d"
                                % len(fds))
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                self.channel.socket.close()
                os.dup2(fds[2], 1)
                os.dup2(fds[2], 2)
                os.close(fds[2])
                status = run_worker(fds[0], fds[1], "fork")
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status)
        self.children.add(pid)
        return {"type": "spawned", "pid": pid}

    def wait(self, pid):
        if pid not in self.children:
            raise ProtocolError("process %d is no worker of this nursery" % pid)
        _, status = os.waitpid(pid, 0)
        self.children.discard(pid)
        signalled = os.WIFSIGNALED(status)
        return {"type": "exited", "pid": pid,
                "status": None if signalled else os.WEXITSTATUS(status),
                "signal": os.WTERMSIG(status) if signalled else None}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--control-fd", type=int)
    parser.add_argument("--ring-fd", type=int)
    parser.add_argument("--nursery-fd", type=int)
    parser.add_argument("--probe", action="store_true")
    given = parser.parse_args()
    if given.probe:
        from jouleline_torch.probe import probe
        return probe()
    if given.nursery_fd is not None:
        die_with_parent()
        channel = Channel(given.nursery_fd)
        return serve(channel, Nursery(channel).answer)
    if given.control_fd is None or given.ring_fd is None:
        parser.error("give --control-fd and --ring-fd, or --nursery-fd, or --probe")
    return run_worker(given.control_fd, given.ring_fd, "exec")


if __name__ == "__main__":
    sys.exit(main())
