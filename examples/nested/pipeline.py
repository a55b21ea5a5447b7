"""A pipeline that uses other pipelines; only the outermost one is compiled."""

from kfp import dsl

IMAGE = "python:3.12-slim"


@dsl.component(base_image=IMAGE)
def normalise(text: str) -> str:
    return " ".join(text.split()).lower()


@dsl.component(base_image=IMAGE)
def count(text: str) -> int:
    return len(text.split())


@dsl.pipeline(name="clean-text")
def clean_text(text: str) -> str:
    once = normalise(text=text)
    return normalise(text=once.output).output


@dsl.pipeline(name="measure-text")
def measure_text(text: str) -> int:
    cleaned = clean_text(text=text)
    return count(text=cleaned.output).output


@dsl.pipeline(name="nested", description="Pipelines within pipelines")
def nested(text: str = "To be   or not to be") -> int:
    """Measure a text, and then measure a longer one."""
    first = measure_text(text=text)
    second = measure_text(text=f"{text} {text}").after(first)
    return second.output
