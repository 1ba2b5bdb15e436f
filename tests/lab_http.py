"""A client of --metrics: HTTP over a UNIX socket or TCP, and its parsers.

    Http(path)          a connection; get("/metrics")
    families(answer)    what Prometheus' own parsers make of it
    words(answer)       the words for RRD pollers
"""

import http.client
import socket

import lab

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PLAIN = "text/plain; version=0.0.4; charset=utf-8"


class Http(http.client.HTTPConnection):
    """A connection to @address, a path or ("127.0.0.1", port)."""

    def __init__(self, address, timeout=lab.STEP_S):
        super().__init__("localhost", timeout=timeout)
        self.address = address

    def connect(self):
        if isinstance(self.address, tuple):
            self.sock = socket.create_connection(self.address, self.timeout)
            return
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.address))

    def ask(self, path, method="GET", accept=None, body=None):
        """The answer, of which only the head has been read."""
        self.request(method, path, body=body,
                     headers={"Accept": accept} if accept else {})
        return self.getresponse()

    def get(self, path, accept=None):
        """The text of an answer that is no error."""
        answer = self.ask(path, accept=accept)
        text = answer.read().decode()
        assert answer.status == 200, f"{path}: {answer.status}: {text}"
        return text

    def scrape(self):
        """What Prometheus knows after asking: {(name, labels...): value}"""
        return samples(self.get("/metrics", OPENMETRICS))

    def words(self, port=None):
        """{name: number} of the switch or of a port."""
        return words(self.get("/words" + (f"/{port}" if port else "")))

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def parsed(text, openmetrics=True):
    """{name: family} by Prometheus' own parser for the format."""
    if openmetrics:
        from prometheus_client.openmetrics import parser
    else:
        from prometheus_client import parser
    found = {}
    for family in parser.text_string_to_metric_families(text):
        assert family.name not in found, f"{family.name} comes twice"
        found[family.name] = family
    return found


def samples(text, openmetrics=True):
    """{(name, sorted labels...): value}, of which none comes twice."""
    found = {}
    for family in parsed(text, openmetrics).values():
        for sample in family.samples:
            key = (sample.name, *sorted(sample.labels.items()))
            assert key not in found, f"{key} comes twice"
            found[key] = sample.value
    return found


def of_port(scraped, name, port, **labels):
    """A port's value of ringswitch_port_@name."""
    return scraped[(f"ringswitch_port_{name}",
                    *sorted({"port": port, **labels}.items()))]


def words(text):
    """{name: number} of one line of name:value words."""
    assert text.endswith("\n") and text.count("\n") == 1
    pairs = [word.split(":") for word in text.split()]
    found = {name: int(value) for name, value in pairs}
    assert len(found) == len(pairs)
    return found
