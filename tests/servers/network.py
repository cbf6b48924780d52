"""Servers on loopback that behave well or badly, on purpose: over TCP, TLS or a Unix socket."""

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

_PATIENCE = 30.0


class Peer:
    """The server's end of one connection."""

    def __init__(self, sock: socket.socket, ended: threading.Event) -> None:
        self.sock = sock
        self.ended = ended

    def request(self) -> bytes:
        """Read up to the empty line that ends the head of an HTTP request."""
        said = b""
        while b"\r\n\r\n" not in said and (more := self.sock.recv(65536)):
            said += more
        return said

    def reset(self) -> None:
        """Hang up as a process does that dies: the other side is told that the connection was reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


Talk = Callable[[Peer], None]


@contextmanager
def server(talk: Talk, context: ssl.SSLContext | None = None, path: Path | None = None) -> Iterator[int]:
    """Run a server that handles each connection as told, each in a thread; yield its port.

    Args:
        talk: What to do with a connection. It is closed afterwards.
        context: Speak TLS.
        path: Listen on a Unix socket instead.
    """
    listener = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
    ended = threading.Event()
    threads: list[threading.Thread] = []
    peers: list[socket.socket] = []

    def handle(sock: socket.socket) -> None:
        # Whatever the client does to the connection is its own affair.
        with contextlib.suppress(OSError, ValueError):
            if context:
                # Known before its handshake, so that the end of the block wakes it from that too.
                sock = context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
                peers.append(sock)
                sock.do_handshake()
            with sock:
                talk(Peer(sock, ended))
        sock.close()

    def accept() -> None:
        while not ended.is_set():
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            sock.settimeout(_PATIENCE)
            peers.append(sock)
            threads.append(threading.Thread(target=handle, args=(sock,)))
            threads[-1].start()

    with listener:
        listener.bind(str(path) if path else ("127.0.0.1", 0))
        listener.listen(32)
        threads.append(threading.Thread(target=accept))
        threads[0].start()
        try:
            yield 0 if path else listener.getsockname()[1]
        finally:
            ended.set()
            # Closing alone would not wake those who wait for it.
            for one in (listener, *peers):
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
            threads[0].join()
            for one in peers:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
            for thread in threads[1:]:
                thread.join()


def silent(peer: Peer) -> None:
    """Take the connection and say nothing."""
    peer.ended.wait()


def resetting(peer: Peer) -> None:
    """Listen to the first words, then break off."""
    peer.sock.recv(1)
    peer.reset()


def saying(words: bytes) -> Talk:
    """Say this at once, and keep the connection."""

    def talk(peer: Peer) -> None:
        peer.sock.sendall(words)
        peer.ended.wait()

    return talk


def dripping(words: bytes, gap: float = 0.05) -> Talk:
    """Say this at once, then one more byte after each gap, for ever."""

    def talk(peer: Peer) -> None:
        peer.sock.sendall(words)
        while not peer.ended.wait(gap):
            peer.sock.sendall(b".")

    return talk


def answering(answer: bytes) -> Talk:
    """Answer each connection's first HTTP request with these bytes, and hang up."""

    def talk(peer: Peer) -> None:
        if peer.request():
            peer.sock.sendall(answer)

    return talk


def page(body: bytes = b"", status: str = "200 OK", *headers: str) -> bytes:
    """Write an HTTP answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@contextmanager
def full_port(*, opens: bool = False) -> Iterator[int]:
    """Hold a port that takes no connection and refuses none, as behind a firewall: its queue is full.

    Args:
        opens: Make room as soon as somebody has knocked. The kernel knocks again after a second.
    """
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, contextlib.ExitStack() as held:
        port: int = listener.getsockname()[1]
        for _ in range(4):
            one = held.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        knocking = _knocking(port)
        ended = threading.Event()

        def wait() -> None:
            while _knocking(port) <= knocking:
                if ended.wait(0.02):
                    return
            with contextlib.suppress(OSError):
                while not ended.is_set():
                    held.enter_context(listener.accept()[0])

        waiter = threading.Thread(target=wait)
        if opens:
            waiter.start()
        try:
            yield port
        finally:
            ended.set()
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            if opens:
                waiter.join()


def _knocking(port: int) -> int:
    connections = psutil.net_connections("tcp")
    return sum(one.status == psutil.CONN_SYN_SENT and one.raddr.port == port for one in connections)
