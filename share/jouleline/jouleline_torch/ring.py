"""The shared ring of samples (doc/worker_protocol.md) and the loop that fills it."""
import mmap
import os
import platform
import struct
import threading
import time

from .wire import ProtocolError

HEADER_BYTES = 64
MAGIC = b"JLRING01"
IDLE, WARMING, MEASURING, FINISHED = range(4)


def _no_fence():
    pass


def _make_fence():
    """A call that keeps the stores before it in front of the stores after it. x86 keeps stores
    in order by itself; elsewhere a lock's release followed by its acquire does it."""
    if platform.machine() in ("x86_64", "AMD64", "i686"):
        return None
    lock = threading.Lock()
    lock.acquire()

    def fence():
        lock.release()
        lock.acquire()
    return fence


class Ring:
    def __init__(self, fd):
        size = os.fstat(fd).st_size
        if size < HEADER_BYTES + 16:
            raise ProtocolError("the ring has %d bytes, less than a header and one pair" % size,
                                fatal=True)
        self.map = mmap.mmap(fd, size)
        magic, version, _, self.capacity = struct.unpack_from("<8sIIQ", self.map, 0)
        if magic != MAGIC or version != 1:
            raise ProtocolError("the ring does not begin with %s, version 1" % MAGIC.decode(),
                                fatal=True)
        if not 0 < self.capacity <= (size - HEADER_BYTES) // 16:
            raise ProtocolError("the ring's capacity of %d pairs does not fit its %d bytes"
                                % (self.capacity, size), fatal=True)
        view = memoryview(self.map)
        # Views of one machine word each: a store to them is one store of the processor.
        self.state = view[12:16].cast("I")
        self.index = view[24:32].cast("Q")
        self.stop = view[32:36].cast("I")
        self.pairs = view[HEADER_BYTES:HEADER_BYTES + 16 * self.capacity].cast("q")
        self.fence = _make_fence()

    def begin(self, state):
        self.index[0] = 0
        self.state[0] = state

    def finish(self):
        self.state[0] = FINISHED


def run_loop(ring, call, max_ns, min_calls=0):
    """Calls `call` until the stop flag (not before min_calls), the time or the capacity ends it.
    Nothing is done between two calls but two clock readings, the pair's store and the two tests.
    Returns (calls, start, end, reason)."""
    clock, pairs, index, stop = time.monotonic_ns, ring.pairs, ring.index, ring.stop
    fence = ring.fence
    capacity = ring.capacity
    begin = clock()
    deadline = begin + max_ns
    n = 0
    at = 0
    while True:
        start = clock()
        call()
        end = clock()
        pairs[at] = start
        pairs[at + 1] = end
        at += 2
        n += 1
        if fence is not None:
            fence()
        index[0] = n
        if stop[0] and n >= min_calls:
            return n, begin, clock(), "flag"
        if end >= deadline:
            return n, begin, clock(), "time"
        if n == capacity:
            return n, begin, clock(), "capacity"


def run_loop_in_flight(ring, submit, wait, slots, max_ns, min_calls=0):
    """The same with `slots` calls outstanding. The oldest call is waited for first; its end is
    stamped then. Ends with every call complete."""
    clock, pairs, index, stop = time.monotonic_ns, ring.pairs, ring.index, ring.stop
    fence = ring.fence or _no_fence
    capacity = ring.capacity
    begin = clock()
    deadline = begin + max_ns
    starts = [0] * slots
    n = 0
    submitted = 0
    reason = None
    while True:
        while reason is None and submitted - n < slots and submitted < capacity:
            starts[submitted % slots] = clock()
            submit(submitted % slots)
            submitted += 1
        slot = n % slots
        wait(slot)
        end = clock()
        pairs[2 * n] = starts[slot]
        pairs[2 * n + 1] = end
        n += 1
        fence()
        index[0] = n
        if reason is None:
            if stop[0] and n >= min_calls:
                reason = "flag"
            elif end >= deadline:
                reason = "time"
            elif n == capacity:
                reason = "capacity"
        if reason is not None and n == submitted:
            return n, begin, clock(), reason
