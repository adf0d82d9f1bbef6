# SPDX-License-Identifier: Apache-2.0
"""Drives tritonclient for the tests: one JSON object a line in, one a line out, many at once.

Usage: driver.py HTTP_HOST:PORT GRPC_HOST:PORT
Numbers travel as base64 of their bytes, elements of BYTES as a list of base64 strings.
"""

import base64
import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tritonclient.grpc as grpcclient
import tritonclient.http as httpclient
import tritonclient.utils.shared_memory as shm
from tritonclient.utils import InferenceServerException, serialize_byte_tensor, triton_to_np_dtype

HTTP_URL, GRPC_URL = sys.argv[1:3]
WORKERS = 80
LARGEST_MESSAGE = 1 << 30

output_lock = threading.Lock()
own = threading.local()
grpc_client = grpcclient.InferenceServerClient(
    GRPC_URL,
    channel_args=[("grpc.max_send_message_length", LARGEST_MESSAGE), ("grpc.max_receive_message_length", LARGEST_MESSAGE)],
)


def client_of(protocol):
    """gRPC's client may be shared by threads; HTTP's may not."""
    if protocol == "grpc":
        return grpcclient, grpc_client
    if not hasattr(own, "http"):
        own.http = httpclient.InferenceServerClient(HTTP_URL, connection_timeout=300, network_timeout=300)
    return httpclient, own.http


def to_numpy(tensor):
    datatype, shape = tensor["datatype"], tensor["shape"]
    if datatype == "BYTES":
        array = np.empty(len(tensor["data"]), dtype=np.object_)
        array[:] = [base64.b64decode(element) for element in tensor["data"]]
        return array.reshape(shape)
    raw = base64.b64decode(tensor["data"])
    if datatype == "BF16":
        # tritonclient takes BF16 as FP32 and keeps the upper half of each number.
        return (np.frombuffer(raw, np.uint16).astype(np.uint32) << 16).view(np.float32).reshape(shape)
    return np.frombuffer(raw, triton_to_np_dtype(datatype)).reshape(shape)


def from_numpy(array, datatype):
    if datatype == "BYTES":
        elements = [e if isinstance(e, bytes) else str(e).encode() for e in array.flatten().tolist()]
        return [base64.b64encode(element).decode() for element in elements]
    if datatype == "BF16":
        array = (np.ascontiguousarray(array).view(np.uint32) >> 16).astype(np.uint16)
    return base64.b64encode(array.tobytes()).decode()


class Regions:
    """System shared memory regions of one request, registered with the server for its time."""

    def __init__(self, client):
        self.client = client
        self.handles = {}

    def add(self, name, key, size):
        handle = shm.create_shared_memory_region(name, key, size)
        self.handles[name] = handle
        self.client.register_system_shared_memory(name, key, size)
        return handle

    def close(self):
        for name, handle in self.handles.items():
            self.client.unregister_system_shared_memory(name)
            shm.destroy_shared_memory_region(handle)


def raw_size(array, datatype):
    if datatype == "BYTES":
        return len(serialize_byte_tensor(array).item()) if array.size else 0
    return array.nbytes // 2 if datatype == "BF16" else array.nbytes


def make_inputs(module, command, regions):
    inputs = []
    for tensor in command["inputs"]:
        item = module.InferInput(tensor["name"], tensor["shape"], tensor["datatype"])
        array = to_numpy(tensor)
        if "region" in tensor:
            data = serialize_byte_tensor(array) if tensor["datatype"] == "BYTES" else array
            size = raw_size(array, tensor["datatype"])
            handle = regions.add(tensor["region"], "/" + tensor["region"], size)
            shm.set_shared_memory_region(handle, [data])
            item.set_shared_memory(tensor["region"], size)
        elif module is httpclient:
            item.set_data_from_numpy(array, binary_data=command.get("binary", True))
        else:
            item.set_data_from_numpy(array)
        inputs.append(item)
    return inputs


def make_outputs(module, command, regions):
    if command.get("outputs") is None:
        return None
    outputs = []
    for output in command["outputs"]:
        arguments = {"class_count": output.get("classCount", 0)}
        if module is httpclient:
            arguments["binary_data"] = command.get("binary", True)
        item = module.InferRequestedOutput(output["name"], **arguments)
        if "region" in output:
            regions.add(output["region"], "/" + output["region"], output["byteSize"])
            item.set_shared_memory(output["region"], output["byteSize"])
        outputs.append(item)
    return outputs


def read_parameters(module, response):
    if module is httpclient:
        return response.get("parameters", {})
    return {
        key: getattr(value, value.WhichOneof("parameter_choice")) for key, value in response.parameters.items()
    }


def read_result(module, result, regions):
    response = result.get_response()
    http = module is httpclient
    outputs = []
    for output in response.get("outputs", []) if http else response.outputs:
        name = output["name"] if http else output.name
        datatype = output["datatype"] if http else output.datatype
        shape = [int(size) for size in (output["shape"] if http else output.shape)]
        if name in regions.outputs:
            array = shm.get_contents_as_numpy(regions.handles[regions.outputs[name]], triton_to_np_dtype(datatype), shape)
        else:
            array = result.as_numpy(name)
        outputs.append({"name": name, "datatype": datatype, "shape": shape, "data": from_numpy(array, datatype)})
    return {
        "id": response.get("id", "") if http else response.id,
        "modelName": response["model_name"] if http else response.model_name,
        "modelVersion": response["model_version"] if http else response.model_version,
        "parameters": read_parameters(module, response),
        "outputs": outputs,
    }


def infer(command):
    module, client = client_of(command["protocol"])
    regions = Regions(client)
    regions.outputs = {o["name"]: o["region"] for o in command.get("outputs") or [] if "region" in o}
    options = {key: value for key, value in command.get("options", {}).items() if value is not None}
    try:
        inputs = make_inputs(module, command, regions)
        outputs = make_outputs(module, command, regions)
        result = client.infer(command["model"], inputs, outputs=outputs, **options)
        return read_result(module, result, regions)
    finally:
        regions.close()


def stream(command):
    """Sends requests over one gRPC stream, and gives what comes back, in its order, until all of it is there. With `cancelAfter`
    the stream is cancelled after so many responses."""
    module = grpcclient
    client = module.InferenceServerClient(GRPC_URL)
    regions = Regions(client)
    regions.outputs = {}
    responses = []
    left = threading.Event()

    def take(result, error):
        if error is not None:
            responses.append({"error": {"message": error.message(), "status": error.status()}})
        else:
            responses.append(read_result(module, result, regions))
        if len(responses) == command.get("cancelAfter"):
            left.set()

    client.start_stream(take)
    for request in command["requests"]:
        options = {key: value for key, value in request["options"].items() if value is not None}
        inputs = make_inputs(module, request, regions)
        client.async_stream_infer(command["model"], inputs, enable_empty_final_response=True, **options)
    if command.get("cancelAfter") is None:
        client.stop_stream()
    else:
        left.wait(60)
        client.stop_stream(cancel_requests=True)
    client.close()
    return responses


def cancel(command):
    """Sends a request over gRPC and cancels it when it is told to; gives the status of what comes back."""
    _, client = client_of("grpc")
    regions = Regions(client)
    outcome = []
    done = threading.Event()

    def take(result, error):
        outcome.append("answered" if error is None else error.status())
        done.set()

    context = client.async_infer(command["model"], make_inputs(grpcclient, command, regions), take)
    command["word"].wait()
    context.cancel()
    done.wait(60)
    return outcome[0]


def call(command):
    """Any other method of the client, with plain arguments; what it gives must be JSON."""
    _, client = client_of(command["protocol"])
    arguments = dict(command["arguments"])
    if command["protocol"] == "grpc" and command["method"].startswith("get_"):
        arguments["as_json"] = True
    return getattr(client, command["method"])(**arguments)


OPERATIONS = {"infer": infer, "stream": stream, "cancel": cancel, "call": call}


def answer(command):
    reply = {"tag": command["tag"]}
    try:
        reply["result"] = OPERATIONS[command["operation"]](command)
    except InferenceServerException as error:
        reply["error"] = {"message": error.message(), "status": error.status()}
    except Exception as error:  # pylint: disable=broad-except
        reply["error"] = {"message": repr(error), "status": None}
    text = json.dumps(reply)
    with output_lock:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


words = {}  # what each cancel waits for, by its tag

with ThreadPoolExecutor(max_workers=WORKERS) as pool:
    for line in sys.stdin:
        received = json.loads(line)
        if received["operation"] == "go_on":
            words.pop(received["tag"]).set()
            continue
        if received["operation"] == "cancel":
            received["word"] = words[received["tag"]] = threading.Event()
        pool.submit(answer, received)
