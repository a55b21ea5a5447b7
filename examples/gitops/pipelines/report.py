"""Report on a month."""

from common import IMAGE
from kfp import dsl


@dsl.component(base_image=IMAGE)
def summarise(month: str):
    print(f"The month was {month}.")


@dsl.pipeline(name="report", description="Reports on a month")
def report(month: str = "08"):
    summarise(month=month)
