"""What a user of LangChain sees. Prints one JSON line for each thing tried; BASE_URL and MODEL say where."""

import json
import os

from langchain_core.messages import HumanMessage, SystemMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_openai import ChatOpenAI, OpenAI

URL, MODEL = os.environ["BASE_URL"], os.environ["MODEL"]
settings = {"base_url": f"{URL}/v1", "api_key": "none", "model": MODEL, "max_retries": 0, "seed": 1}
# The model would end most answers at once.
chat = ChatOpenAI(**settings, max_tokens=8, extra_body={"min_tokens": 8})


def tried(what, work):
    try:
        saw, ok = work()
    except Exception as error:  # noqa: BLE001 - whatever a user would see
        saw, ok = f"{type(error).__name__}: {error}", False
    print(json.dumps({"tried": what, "saw": str(saw), "ok": bool(ok)}), flush=True)


def invoke():
    answer = chat.invoke([SystemMessage("answer"), HumanMessage("map ad bf | b")])
    used = answer.usage_metadata
    return f"{used['output_tokens']} tokens of usage", answer.response_metadata["finish_reason"] in ("stop", "length")


def stream():
    whole = chat.invoke("map ad bf | b").content
    text = "".join(chunk.content for chunk in chat.stream("map ad bf | b"))
    return "streamed the same", text == whole


def batch():
    prompts = [f"map ad bf | {letter}" for letter in "abcdef"]
    answers = chat.batch(prompts)
    return f"{len(answers)} answers", len(answers) == len(prompts)


def chain():
    text = (ChatPromptTemplate.from_template("map {a} | b") | chat | StrOutputParser()).invoke({"a": "ad"})
    return f"{len(text)} characters", isinstance(text, str)


def completion():
    text = OpenAI(**settings, max_tokens=8).invoke("map ad bf ce | b 2")
    return f"{len(text)} characters", isinstance(text, str)


def tools():
    def add(a: int, b: int) -> int:
        """Adds."""
        return a + b

    try:
        chat.bind_tools([add]).invoke("what is 1 and 2")
    except Exception as error:  # noqa: BLE001
        return f"{type(error).__name__} {error.status_code}, param {error.param}", error.param == "tools"
    return "taken", False


tried("ChatOpenAI.invoke", invoke)
tried("ChatOpenAI.stream", stream)
tried("ChatOpenAI.batch", batch)
tried("prompt | model | parser", chain)
tried("OpenAI (completions)", completion)
tried("bind_tools", tools)
