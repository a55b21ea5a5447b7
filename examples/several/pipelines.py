"""Several pipelines in one module: name one, or compile all of them."""

from kfp import dsl

IMAGE = "python:3.12-slim"


@dsl.component(base_image=IMAGE)
def step(name: str):
    print(name)


@dsl.pipeline(name="shared-step")
def shared_step(name: str):
    """Used by the other two, so it is not compiled by itself."""
    step(name=name)


@dsl.pipeline(name="several-train")
def train():
    shared_step(name="train")


@dsl.pipeline(name="several-evaluate")
def evaluate():
    shared_step(name="evaluate")
