"""Conditions, loops and an exit handler, with parameters that other writers corrupt."""

from kfp import dsl

IMAGE = "python:3.12-slim"


@dsl.component(base_image=IMAGE)
def flip_coin(seed: int) -> str:
    import random

    return "heads" if random.Random(seed).random() < 0.5 else "tails"


@dsl.component(base_image=IMAGE)
def shards(month: str) -> list:
    return [f"{month}-{day:02d}" for day in range(1, 4)]


@dsl.component(base_image=IMAGE)
def work(shard: str, mode: str) -> str:
    print(f"{shard} with mode {mode}")
    return shard


@dsl.component(base_image=IMAGE)
def merge(results: list):
    print(sorted(results))


@dsl.component(base_image=IMAGE)
def report(status: dsl.PipelineTaskFinalStatus):
    print(status.state, status.error_message)


@dsl.pipeline(name="control-flow", description="Conditions, loops and an exit handler")
def control_flow(month: str = "08", mode: str = "0o755", y: str = "y", seed: int = 7):
    done = report()
    with dsl.ExitHandler(done, name="always-report"):
        coin = flip_coin(seed=seed)
        with dsl.If(coin.output == "heads", name="heads"):
            listed = shards(month=month)
            with dsl.ParallelFor(listed.output, parallelism=2) as shard:
                worked = work(shard=shard, mode=mode)
            merge(results=dsl.Collected(worked.output))
        with dsl.Else(name="tails"):
            work(shard=y, mode=mode)
