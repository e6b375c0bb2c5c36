"""A page that follows runs: served to this machine alone, made anew when something has changed."""

import threading
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from ademamix.errors import UserError
from ademamix.store import Run
from analysis.report.compare import compare_page
from analysis.report.comparison import Comparison
from analysis.report.seen import Seen, seen, stamp

EVERY = 2.0  # seconds between looks
HOST = "127.0.0.1"
OWN = ("127.0.0.1", "localhost", "[::1]")  # names under which this machine asks itself


class Reader:
    """Looks at runs, reading again only what has changed since."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[tuple[object, ...], Seen]] = {}

    def __call__(self, run: Run) -> Seen:
        now = stamp(run)  # before reading: what is written meanwhile is read again
        before, found = self._known.get(run.id, ((), None))
        if found is None or before != now:
            found = seen(run)
            self._known[run.id] = now, found
        return found


Look = Callable[[Reader], Sequence[tuple[Seen, str]]]  # the runs to show, each with the name of its size


class LivePage:
    """The page of runs that go on: rendered when they have changed, in the order in which they came."""

    def __init__(self, look: Look, title: str) -> None:
        self._look, self._title, self._read = look, title, Reader()
        self._order: dict[str, int] = {}
        self._shown: list[Seen] = []
        self._text, self._number = b"", 0
        self._lock = threading.Lock()

    def now(self) -> tuple[str, bytes]:
        """A tag that changes with the page, and the page.

        Raises:
            UserError: there is nothing to show.
        """
        with self._lock:
            found = sorted(self._look(self._read), key=lambda one: self._place(one[0]))
            runs = [run for run, _ in found]
            if not self._text or len(runs) != len(self._shown) or any(map(_differ, runs, self._shown)):
                comparison = Comparison(runs, [size for _, size in found])
                self._text = compare_page(comparison, self._title, live=EVERY).encode()
                self._shown, self._number = runs, self._number + 1
            return f'"{self._number}"', self._text

    def _place(self, run: Seen) -> int:
        """Where a run stands: curves keep their colours when others join them."""
        return self._order.setdefault(run.run.id, len(self._order))


def _differ(one: Seen, other: Seen) -> bool:
    return one is not other and one != other


def server(page: LivePage, port: int) -> ThreadingHTTPServer:
    """A server of the page on this machine's loopback; port 0: any that is free.

    Raises:
        UserError: the port is taken.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            # A page elsewhere could have its name resolve to this machine: only own names are answered.
            if self.headers.get("Host", "").rpartition(":")[0] not in OWN:
                return self._send(403, b"this page is for this machine alone")
            if self.path != "/":
                return self._send(404, b"there is only /")
            try:
                tag, text = page.now()
            except (UserError, OSError) as problem:  # a run that somebody deletes meanwhile
                return self._send(503, str(problem).encode())
            if self.headers.get("If-None-Match") == tag:
                return self._send(304, b"", tag)
            return self._send(200, text, tag, "text/html")

        def _send(self, code: int, content: bytes, tag: str = "", kind: str = "text/plain") -> None:
            self.send_response(code)
            if tag:
                self.send_header("ETag", tag)
            if code != 304:
                self.send_header("Content-Type", f"{kind}; charset=utf-8")
                self.send_header("Content-Length", str(len(content)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: the terminal is the user's."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Say nothing of a browser that went away before it had its answer."""

    try:
        return Server((HOST, port), Handler)
    except (OSError, OverflowError):
        raise UserError(f"port {port} is taken, or not yours to take; name another with --port N") from None
