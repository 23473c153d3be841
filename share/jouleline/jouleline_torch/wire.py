"""The control channel of doc/worker_protocol.md: a length and a JSON object a message."""
import array
import ctypes
import json
import os
import signal
import socket
import struct

PROTOCOL = 1
MESSAGE_LIMIT = 1 << 20
PR_SET_PDEATHSIG = 1


class ProtocolError(Exception):
    """A breach of the protocol; `fatal` when the stream cannot be read on."""

    def __init__(self, message, fatal=False):
        super().__init__(message)
        self.fatal = fatal


class Outcome(Exception):
    """A run that cannot go on: unsupported, oom, missing or invalid, with the reason."""

    def __init__(self, outcome, message):
        super().__init__(message)
        self.outcome = outcome


class Channel:
    """One end of the socketpair. Descriptors that came along wait in `fds`."""

    def __init__(self, fd):
        self.socket = socket.socket(fileno=fd)
        self.socket.setblocking(True)
        self.fds = []

    def _read(self, n):
        """Exactly n bytes, or None when the other side closed."""
        data = bytearray()
        while len(data) < n:
            space = socket.CMSG_SPACE(4 * 8)
            piece, ancillary, _, _ = self.socket.recvmsg(n - len(data), space)
            for level, kind, payload in ancillary:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    numbers = array.array("i")
                    numbers.frombytes(payload[:len(payload) - len(payload) % 4])
                    self.fds.extend(numbers)
            if not piece:
                return None
            data += piece
        return bytes(data)

    def receive(self):
        """The next message as a dict, or None at the end of the stream."""
        head = self._read(4)
        if head is None:
            return None
        (length,) = struct.unpack("<I", head)
        if length > MESSAGE_LIMIT:
            raise ProtocolError("a message of %d bytes is above the limit of %d"
                                % (length, MESSAGE_LIMIT), fatal=True)
        body = self._read(length)
        if body is None:
            raise ProtocolError("the stream ended inside a message", fatal=True)
        try:
            message = json.loads(body.decode("utf-8"))
        except (UnicodeDecodeError, ValueError, RecursionError) as error:
            raise ProtocolError("a message is not JSON: %s" % error)
        if not isinstance(message, dict) or not isinstance(message.get("type"), str):
            raise ProtocolError("a message must be an object with a text member 'type'")
        return message

    def send(self, message):
        body = json.dumps(message).encode("utf-8")
        self.socket.sendall(struct.pack("<I", len(body)) + body)

    def take_fds(self):
        fds, self.fds = self.fds, []
        return fds


def member(message, name, kinds, otherwise=None, required=True):
    """A member of a message with its type checked; bool is no number here."""
    value = message.get(name)
    if value is None and not required:
        return otherwise
    wrong_bool = isinstance(value, bool) and kinds is not bool
    if not isinstance(value, kinds) or wrong_bool:
        raise ProtocolError("'%s' lacks the member '%s' or it has the wrong type"
                            % (message["type"], name))
    return value


def count(message, name):
    """A member that must be a whole number of at least 0."""
    value = member(message, name, int)
    if value < 0:
        raise ProtocolError("member '%s' of '%s' must not be negative" % (name, message["type"]))
    return value


def die_with_parent():
    """SIGKILL for this process when its parent dies, and a process group of its own."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getpgrp() != os.getpid():
        try:
            os.setpgid(0, 0)
        except OSError:
            pass  # a session leader has its own group already
