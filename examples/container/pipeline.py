"""Any image as a component: inputs, outputs and an optional flag."""

from kfp import dsl

IMAGE = "alpine@sha256:8a1f59ffb675680d47db6337b49d22281a139e9d709335b492be023728e11715"


@dsl.container_component
def download(url: str, data: dsl.Output[dsl.Dataset], user_agent: str = "curl/8"):
    return dsl.ContainerSpec(
        image=IMAGE,
        command=["sh", "-ec", 'mkdir -p "$(dirname "$1")"; wget -U "$2" -O "$1" "$0"'],
        args=[url, data.path, user_agent],
    )


@dsl.container_component
def count_lines(data: dsl.Input[dsl.Dataset], lines: dsl.OutputPath(int)):
    return dsl.ContainerSpec(
        image=IMAGE,
        command=["sh", "-ec", 'mkdir -p "$(dirname "$1")"; wc -l < "$0" | tr -d " " > "$1"'],
        args=[data.path, lines],
    )


@dsl.pipeline(name="container", description="Components without Python")
def container(url: str = "https://example.com/data.csv"):
    downloaded = download(url=url)
    count_lines(data=downloaded.outputs["data"])
