"""The KServe SDK's REST client against a server: usage kserve_rest.py URL; prints `ok NAME` a check."""

import asyncio
import sys

import httpx
import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest
from kserve.inference_client import RESTConfig
from kserve.protocol.infer_type import RequestedOutput


def ask(model, name, kind, array, binary, wanted=None):
    tensor = InferInput(name=name, shape=list(array.shape), datatype=kind)
    tensor.set_data_from_numpy(array, binary_data=binary)
    outputs = [RequestedOutput(wanted, {"binary_data": binary})] if wanted else []
    return InferRequest(model_name=model, infer_inputs=[tensor], request_outputs=outputs)


async def ready(client, url):
    assert await client.is_server_live(url) is True
    assert await client.is_server_ready(url) is True
    assert await client.is_model_ready(url, "identity_fp32") is True


async def arrays(client, url):
    cases = [("identity_fp32", "FP32", np.array([[1.5, -0.1], [3e30, 7]], np.float32), (False, True)),
             ("identity_fp16", "FP16", np.array([[1.5, 65504]], np.float16), (True,)),
             ("identity_int64", "INT64", np.array([[2**62, -1]], np.int64), (False, True)),
             ("identity_bytes", "BYTES", np.array([[b"a", b"xyz"]], np.object_), (True,))]
    for model, kind, x, forms in cases:
        for binary in forms:
            answer = await client.infer(url, ask(model, "INPUT0", kind, x, binary, "OUTPUT0"),
                                        model_name=model)
            got = answer.outputs[0].as_numpy()
            if kind == "BYTES":
                assert [v if isinstance(v, bytes) else v.encode() for v in got.reshape(-1)] == \
                    x.reshape(-1).tolist()
            else:
                assert got.dtype == x.dtype and np.array_equal(got, x), (model, binary)
            assert answer.model_name == model


async def errors(client, url):
    x = np.zeros((1, 2), np.float32)
    try:
        await client.infer(url, ask("nobody", "INPUT0", "FP32", x, False), model_name="nobody")
    except httpx.HTTPStatusError as error:
        assert "Request for unknown model: 'nobody' is not found" in str(error), str(error)
    else:
        raise AssertionError("no exception")


async def main():
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    for check in (ready, arrays, errors):
        await check(client, sys.argv[1])
        print("ok", check.__name__, flush=True)
    await client.close()


asyncio.run(main())
