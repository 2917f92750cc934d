"""What a user of litellm sees. Prints one JSON line for each thing tried; BASE_URL and MODEL say where."""

import asyncio
import json
import os

import litellm

URL, MODEL = os.environ["BASE_URL"], os.environ["MODEL"]
messages = [{"role": "user", "content": "map ad bf | b"}]
base = {"api_base": f"{URL}/v1", "api_key": "none", "max_tokens": 8, "seed": 1, "num_retries": 0}
# The model would end most answers at once.
long = {**base, "extra_body": {"min_tokens": 8}}


def tried(what, work):
    try:
        saw, ok = work()
    except Exception as error:  # noqa: BLE001 - whatever a user would see
        saw, ok = f"{type(error).__name__}: {error}", False
    print(json.dumps({"tried": what, "saw": str(saw), "ok": bool(ok)}), flush=True)


def chat(provider):
    def work():
        model = f"{provider}/{MODEL}"
        whole = litellm.completion(model=model, messages=messages, **long)
        chunks = litellm.completion(model=model, messages=messages, stream=True, **long)
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        return f"{whole.usage.completion_tokens} tokens, streamed the same", text == whole.choices[0].message.content

    return work


def concurrent():
    async def ask():
        asked = (litellm.acompletion(model=f"openai/{MODEL}", messages=messages, **long) for _ in range(8))
        return await asyncio.gather(*asked)

    texts = {one.choices[0].message.content for one in asyncio.run(ask())}
    return f"8 at once with one seed: {len(texts)} text", len(texts) == 1


def completion():
    answer = litellm.text_completion(model=f"text-completion-openai/{MODEL}", prompt="map ad bf ce | b 2", **base)
    return f"{len(answer.choices[0].text)} characters", answer.usage.completion_tokens <= 8


def too_long():
    try:
        litellm.completion(model=f"openai/{MODEL}", messages=messages, **{**base, "max_tokens": 100000})
    except litellm.ContextWindowExceededError as error:
        return f"ContextWindowExceededError {error.status_code}", True
    return "taken", False


tried("completion and stream, openai/", chat("openai"))
tried("completion and stream, hosted_vllm/", chat("hosted_vllm"))
tried("acompletion", concurrent)
tried("text_completion", completion)
tried("more tokens than fit", too_long)
