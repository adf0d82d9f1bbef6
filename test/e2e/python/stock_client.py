# SPDX-License-Identifier: Apache-2.0
"""What a user of NVIDIA's tritonclient does, theme by theme, with the client as it is; prints PASS at the end.

Usage: stock_client.py THEME HTTP_HOST:PORT GRPC_HOST:PORT METRICS_URL [SETTINGS TEXT]
The themes are the functions below; stock_client.test.ts has the models.
"""

import json
import queue
import re
import sys
import time
import urllib.request

import numpy as np
import tritonclient.grpc as grpcclient
import tritonclient.http as httpclient
from tritonclient.utils import InferenceServerException

THEME, HTTP_URL, GRPC_URL, METRICS_URL = sys.argv[1:5]
PATIENCE = 60


def equal(found, expected):
    if found != expected:
        raise AssertionError(f"expected {expected!r}, but found {found!r}")


def refused(call, pattern):
    """The call must fail with a text that matches."""
    try:
        call()
    except InferenceServerException as error:
        if not re.search(pattern, str(error)):
            raise AssertionError(f"expected an error like {pattern!r}, but found {error!s}") from error
        return
    raise AssertionError(f"expected an error like {pattern!r}, but there was none")


def until(condition, what):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"waited {PATIENCE} s for {what}")
        time.sleep(0.02)


def tensor(module, name, array, datatype):
    item = module.InferInput(name, list(array.shape), datatype)
    item.set_data_from_numpy(array)
    return [item]


def counting(*values):
    """Up to the first number, with the second in ms in between; an error at the third."""
    return tensor(grpcclient, "IN", np.array(values, np.float32), "FP32")


def numbers(module=grpcclient):
    return tensor(module, "IN", np.array([[1, 2]], np.float32), "FP32")


class Stream:
    """A gRPC stream whose results come one by one."""

    def __init__(self, client, **options):
        self.client = client
        self.results = queue.Queue()
        client.start_stream(lambda result, error: self.results.put((result, error)), **options)

    def next(self):
        return self.results.get(timeout=PATIENCE)

    def response(self):
        result, error = self.next()
        if error is not None:
            raise error
        return result


def is_final(result):
    return result.get_response().parameters["triton_final_response"].bool_param


def streaming(client):
    stream = Stream(client)
    client.async_stream_infer("counter", counting(3), request_id="one", enable_empty_final_response=True)
    for i in range(3):
        result = stream.response()
        equal((result.get_response().id, result.as_numpy("OUT").tolist(), is_final(result)), ("one", [i], False))
    last = stream.response()
    equal((is_final(last), len(last.get_response().outputs)), (True, 0))

    # Two at the same time: each keeps its order.
    for name in ["a", "b"]:
        client.async_stream_infer("counter", counting(5, 1), request_id=name)
    found = {"a": [], "b": []}
    for _ in range(10):
        result = stream.response()
        found[result.get_response().id].append(int(result.as_numpy("OUT")[0]))
    equal(found, {"a": list(range(5)), "b": list(range(5))})

    # An error in the middle does not end it.
    client.async_stream_infer("counter", counting(3, 0, 1))
    items = [stream.next() for _ in range(3)]
    equal([result and int(result.as_numpy("OUT")[0]) for result, _ in items], [0, None, 2])
    equal("no 1" in str(items[1][1]), True)

    # Over a stream an ordinary model gives one response.
    client.async_stream_infer("waiter", numbers())
    equal(stream.response().as_numpy("OUT").tolist(), [[1, 2]])
    client.stop_stream()


def cancel(client):
    outcome = queue.Queue()
    call = client.async_infer("waiter", numbers(), lambda result, error: outcome.put(error), request_id="cancelled")
    until(lambda: waiting(client) == 1, "the request to be in the model")
    call.cancel()
    equal(outcome.get(timeout=PATIENCE).status(), "StatusCode.CANCELLED")
    until(lambda: waiting(client) == 0, "the model to hear of it")

    stream = Stream(client)
    client.async_stream_infer("counter", counting(1e6, 5))
    stream.response()
    client.stop_stream(cancel_requests=True)


def timeouts(client):
    refused(lambda: client.infer("waiter", numbers(), request_id="late", client_timeout=0.5), "Deadline Exceeded")
    until(lambda: waiting(client) == 0, "the model to hear of it")
    with httpclient.InferenceServerClient(HTTP_URL, network_timeout=0.5) as impatient:
        try:
            impatient.infer("waiter", numbers(httpclient), request_id="late over HTTP")
            raise AssertionError("expected that time is up")
        except Exception as error:  # pylint: disable=broad-except
            equal(type(error).__name__, "TimeoutError" if sys.version_info >= (3, 10) else "timeout")
    stream = Stream(client, stream_timeout=0.5)
    client.async_stream_infer("counter", counting(1e6, 5))
    errors = []
    until(lambda: errors.append(stream.next()[1]) or errors[-1] is not None, "the stream to end")
    equal("Deadline Exceeded" in str(errors[-1]), True)
    client.stop_stream()
    # The server is as it was.
    equal(client.infer("waiter", numbers()).as_numpy("OUT").tolist(), [[1, 2]])


def waiting(client):
    """How many requests the model keeps that wait for ever."""
    return int(client.infer("waiter", numbers(), request_id="how many").as_numpy("OUT")[0][0])


def sequences(client):
    stream = Stream(client)
    steps = [(7, 1, True, False), ("seven", 10, True, False), (7, 2, False, False), ("seven", 20, False, True), (7, 3, False, True)]
    for sequence, value, start, end in steps:
        inputs = tensor(grpcclient, "IN", np.array([[value]], np.float32), "FP32")
        options = {"sequence_id": sequence, "sequence_start": start, "sequence_end": end, "request_id": str(sequence)}
        client.async_stream_infer("sums", inputs, **options)
    found = {"7": [], "seven": []}
    for _ in steps:
        result = stream.response()
        found[result.get_response().id].append(int(result.as_numpy("SUM")[0][0]))
    equal(found, {"7": [1, 3, 6], "seven": [10, 30]})
    inputs = tensor(grpcclient, "IN", np.array([[1]], np.float32), "FP32")
    client.async_stream_infer("sums", inputs, sequence_id=8)
    equal("must specify the START flag" in str(stream.next()[1]), True)
    client.stop_stream()


def generate_stream(client):
    def post(path, body):
        url = f"http://{HTTP_URL}/v2/models/counter/{path}"
        request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=PATIENCE) as response:
            return response.headers["Content-Type"], response.read().decode()

    kind, text = post("generate_stream", {"IN": [3, 20]})
    equal(kind.split(";")[0], "text/event-stream")
    events = text.split("\n\n")
    equal(events.pop(), "")
    equal([json.loads(event.removeprefix("data: "))["OUT"] for event in events], [0, 1, 2])
    equal(json.loads(post("generate", {"IN": [1]})[1])["OUT"], 0)
    equal(client.is_server_live(), True)


def states(over_http):
    return {entry["name"]: entry.get("state") for entry in over_http.get_model_repository_index()}


def model_control(client):
    with httpclient.InferenceServerClient(HTTP_URL) as over_http:
        for control in [client, over_http]:
            equal(control.is_model_ready("scaled"), False)
            control.load_model("scaled")
            equal(control.is_model_ready("scaled"), True)
            equal(client.infer("scaled", numbers()).as_numpy("OUT").tolist(), [[2, 4]])
            control.unload_model("scaled")
            until(lambda: states(over_http)["scaled"] == "UNAVAILABLE", "the model to go")
            equal(control.is_model_ready("scaled"), False)
        equal(states(over_http)["counter"], "READY")
        configuration = over_http.get_model_config("waiter") | {"name": "scaled"}
        configuration["parameters"]["FACTOR"] = {"string_value": "5"}
        over_http.load_model("scaled", config=json.dumps(configuration))
        equal(client.infer("scaled", numbers()).as_numpy("OUT").tolist(), [[5, 10]])
        over_http.unload_model("scaled")
        refused(lambda: over_http.load_model("nowhere"), "failed to load 'nowhere'")
    refused(lambda: client.infer("nowhere", numbers()), "unknown model: 'nowhere'")


def log_settings(client):
    """Changes settings over both protocols, then has the model log a text."""
    settings, text = json.loads(sys.argv[5]), sys.argv[6]
    if settings:
        with httpclient.InferenceServerClient(HTTP_URL) as over_http:
            level = settings.get("log_verbose_level")
            if level is None:
                equal(over_http.update_log_settings(settings) | settings, over_http.get_log_settings())
            else:
                client.update_log_settings(settings)
                equal(over_http.get_log_settings()["log_verbose_level"], level)
                found = client.get_log_settings(as_json=True)["settings"]["log_verbose_level"]
                equal(found, {"uint32_param": level})
    client.infer("waiter", numbers(), request_id=text)


def metrics(client):
    def count():
        with urllib.request.urlopen(METRICS_URL, timeout=PATIENCE) as response:
            text = response.read().decode()
        found = re.search(r'^nv_inference_request_success\{model="waiter",version="1"\} (\d+)', text, re.MULTILINE)
        return int(found[1])

    before = count()
    for _ in range(3):
        client.infer("waiter", numbers())
    until(lambda: count() == before + 3, f"{before + 3} requests in the metrics")


with grpcclient.InferenceServerClient(GRPC_URL) as shared:
    globals()[THEME](shared)
print("PASS", THEME)
