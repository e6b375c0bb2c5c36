"""Tasks whose data lies on the hub of data sets, from a machine that does not reach it."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import constants

from ademamix.errors import UserError
from ademamix.evaluation import hub

NOBODY = "http://127.0.0.1:9"  # refuses at once


class Missing(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self.send_error(404)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def somebody() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Missing) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_any_answer_counts(somebody: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", somebody)
    assert hub.answers()
    monkeypatch.setattr(constants, "ENDPOINT", NOBODY)
    assert not hub.answers()


def test_nothing_is_fetched_where_caches_stand_alone(somebody: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with hub.caches_alone(), pytest.raises(Exception, match=r"[Oo]ffline"):
        huggingface_hub.get_session().get(somebody)
    assert not constants.HF_HUB_OFFLINE
    assert huggingface_hub.get_session().head(somebody).status_code == 404


def test_a_task_whose_data_cannot_be_reached_is_one_line_without_retries(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("lm_eval", reason="uv pip install -e '.[eval]'")
    import datasets
    from huggingface_hub.utils import _http

    from ademamix.evaluation.harness import opened

    def impatient(seconds: float) -> None:
        raise AssertionError(f"waits {seconds} s to try again")

    monkeypatch.setattr(constants, "ENDPOINT", NOBODY)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
    monkeypatch.setattr(_http.time, "sleep", impatient)
    with pytest.raises(UserError) as said:
        opened("piqa", None)
    assert str(said.value) == (
        "task 'piqa': its data cannot be reached (it is not in this machine's cache, and http://127.0.0.1:9 "
        "does not answer); ask it once on a machine with network, and name the cache that this leaves by "
        "HF_HOME"
    )
