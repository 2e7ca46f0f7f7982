"""tritonclient.http.aio against a server: usage triton_aio.py HOST:PORT; prints `ok NAME` a check."""

import asyncio
import sys

import numpy as np
import tritonclient.http.aio as http
from tritonclient.utils import InferenceServerException, np_to_triton_dtype


def inputs(**arrays):
    made = []
    for name, array in arrays.items():
        made.append(http.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype)))
        made[-1].set_data_from_numpy(array)
    return made


async def infer(client):
    a = np.arange(16, dtype=np.int32).reshape(1, 16)
    b = np.ones((1, 16), np.int32)
    answers = await asyncio.gather(*(client.infer("simple", inputs(INPUT0=a + i, INPUT1=b))
                                     for i in range(32)))
    for i, result in enumerate(answers):
        assert np.array_equal(result.as_numpy("OUTPUT0"), a + i + b)
        assert np.array_equal(result.as_numpy("OUTPUT1"), a + i - b)


async def compression(client):
    x = np.array([[b"a\0b", b"\xff"]], dtype=np.object_)
    for coding in ("gzip", "deflate"):
        result = await client.infer("identity_bytes", inputs(INPUT0=x),
                                    request_compression_algorithm=coding)
        assert result.as_numpy("OUTPUT0").tolist() == x.tolist()


async def telling(client):
    assert await client.is_server_live() and await client.is_server_ready()
    assert await client.is_model_ready("simple")
    assert (await client.get_server_metadata())["name"] == "garrison"
    assert (await client.get_model_metadata("simple"))["inputs"][0]["shape"] == [-1, 16]
    assert (await client.get_model_config("simple"))["name"] == "simple"
    (told,) = (await client.get_inference_statistics("simple"))["model_stats"]
    assert told["inference_stats"]["success"]["count"] >= 32
    assert "simple" in [m["name"] for m in await client.get_model_repository_index()]


async def errors(client):
    try:
        await client.infer("nobody", inputs(INPUT0=np.zeros((1, 16), np.int32)))
    except InferenceServerException as error:
        assert "Request for unknown model: 'nobody' is not found" in str(error)
    else:
        raise AssertionError("no exception")


async def main():
    async with http.InferenceServerClient(sys.argv[1]) as client:
        for check in (infer, compression, telling, errors):
            await check(client)
            print("ok", check.__name__, flush=True)


asyncio.run(main())
