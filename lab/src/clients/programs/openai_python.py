"""What a user of OpenAI's Python client sees. Prints one JSON line for each thing tried; BASE_URL and MODEL say where."""

import asyncio
import json
import os

import openai

URL, MODEL = os.environ["BASE_URL"], os.environ["MODEL"]
client = openai.OpenAI(base_url=f"{URL}/v1", api_key="none", max_retries=0)
prompt = {"model": MODEL, "prompt": "map ad bf ce | b 2", "max_tokens": 8, "seed": 1}
chat = {"model": MODEL, "messages": [{"role": "user", "content": "map ad bf | b"}], "max_tokens": 8, "seed": 1}
# The model would end most answers at once.
chat["extra_body"] = {"min_tokens": 8}


def tried(what, work):
    try:
        saw, ok = work()
    except Exception as error:  # noqa: BLE001 - whatever a user would see
        saw, ok = f"{type(error).__name__}: {error}", False
    print(json.dumps({"tried": what, "saw": str(saw), "ok": bool(ok)}), flush=True)


def refused(work, kind, field):
    try:
        work()
    except openai.APIStatusError as error:
        return f"{type(error).__name__} {error.status_code}, param {error.param}", (
            isinstance(error, kind) and error.param == field and error.request_id
        )
    return "taken", False


def models():
    ids = [model.id for model in client.models.list()]
    return ids, ids == [MODEL] and client.models.retrieve(MODEL).id == MODEL


def completion():
    whole = client.completions.create(**prompt).choices[0].text
    parts = [c.choices[0].text for c in client.completions.create(**prompt, stream=True) if c.choices]
    return f"{len(whole)} characters, streamed the same", "".join(parts) == whole


def log_probs():
    fields = {**prompt, "max_tokens": 0, "echo": True, "logprobs": 2}
    found = client.completions.create(**fields).choices[0].logprobs
    return f"{len(found.tokens)} tokens scored", found.token_logprobs[0] is None and found.token_logprobs[-1] < 0


def answer():
    whole = client.chat.completions.create(**chat)
    usage = {"stream": True, "stream_options": {"include_usage": True}}
    chunks = list(client.chat.completions.create(**chat, **usage))
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    same = text == whole.choices[0].message.content and chunks[-1].usage == whole.usage
    return f"{whole.usage.completion_tokens} tokens, streamed the same, usage in the last chunk", same


def helper():
    # The helper raises where a text ends by its length.
    with client.chat.completions.stream(**{**chat, "max_tokens": 200}) as stream:
        kinds = {event.type for event in stream}
        done = stream.get_final_completion()
    return f"events {', '.join(sorted(kinds))}", done.choices[0].finish_reason is not None


def concurrent():
    async def ask():
        other = openai.AsyncOpenAI(base_url=f"{URL}/v1", api_key="none", max_retries=0)
        async with other:
            return await asyncio.gather(*(other.chat.completions.create(**chat) for _ in range(16)))

    texts = {one.choices[0].message.content for one in asyncio.run(ask())}
    return f"16 at once with one seed: {len(texts)} text", len(texts) == 1


def depth():
    loop = {"loop": {"exit_threshold": 0.5, "report": True}}
    usage = client.completions.create(**prompt, extra_body=loop).usage
    return f"usage.loops {usage.loops:.2f}", 1 <= usage.loops <= 4


def tools():
    function = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    return refused(lambda: client.chat.completions.create(**chat, tools=[function]), openai.BadRequestError, "tools")


def responses():
    try:
        client.responses.create(model=MODEL, input="hello")
    except openai.NotFoundError as error:
        return str(error.body["message"]), "chat/completions" in str(error)
    return "taken", False


tried("models.list, retrieve", models)
tried("completions, stream", completion)
tried("completions with echo and logprobs", log_probs)
tried("chat.completions, stream", answer)
tried("chat.completions.stream helper", helper)
tried("AsyncOpenAI", concurrent)
tried("extra_body with loop", depth)
tried("tools", tools)
tried("responses.create", responses)
