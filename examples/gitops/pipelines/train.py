"""Train a model on the data of a month."""

from common import IMAGE
from kfp import dsl


@dsl.component(base_image=IMAGE)
def extract(month: str) -> str:
    return f"rows of {month}"


@dsl.component(base_image=IMAGE)
def fit(rows: str, epochs: int) -> float:
    print(f"{epochs} epochs over {rows}")
    return 0.9


@dsl.pipeline(name="train", description="Trains on the data of a month")
def train(month: str = "08", epochs: int = 3):
    rows = extract(month=month)
    fit(rows=rows.output, epochs=epochs)
