"""The hello world of KEP-11551."""

from kfp import dsl

IMAGE = "quay.io/opendatahub/ds-pipelines-ci-executor-image:v1.0"


@dsl.component(base_image=IMAGE)
def generate_text() -> str:
    return "some text from generate_text"


@dsl.component(base_image=IMAGE)
def print_text(text: str):
    print(text)


@dsl.pipeline(name="hello-world", description="A simple intro pipeline")
def hello_world():
    generated = generate_text()
    print_text(text=generated.output)
