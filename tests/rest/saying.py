# kfp reads the annotations of components, so they must not be put off.
from kfp import dsl


@dsl.component(base_image="python:3.12")
def say(text: str) -> str:
    return text


@dsl.pipeline(name="saying")
def saying(text: str = "hello"):
    say(text=text)
