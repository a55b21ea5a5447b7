"""What only Kubernetes has: a volume, a secret, node selector, tolerations, a time to live."""

from kfp import dsl, kubernetes

IMAGE = "python:3.12-slim"


@dsl.component(base_image=IMAGE)
def fetch(path: str) -> str:
    import os
    import pathlib

    target = pathlib.Path(path) / "data.txt"
    target.write_text(os.environ["TOKEN"][:0] + "1\n2\n3\n")
    return str(target)


@dsl.component(base_image=IMAGE)
def train(path: str):
    import pathlib

    print(pathlib.Path(path).read_text())


@dsl.pipeline(
    name="on-kubernetes",
    description="Volumes, secrets and scheduling",
)
def on_kubernetes():
    volume = kubernetes.CreatePVC(
        pvc_name_suffix="-data",
        access_modes=["ReadWriteOnce"],
        size="5Gi",
        storage_class_name="standard",
    )
    fetched = fetch(path="/data")
    kubernetes.mount_pvc(fetched, pvc_name=volume.outputs["name"], mount_path="/data")
    kubernetes.use_secret_as_env(
        fetched, secret_name="data-source", secret_key_to_env={"token": "TOKEN"}
    )
    trained = train(path=fetched.output)
    kubernetes.mount_pvc(trained, pvc_name=volume.outputs["name"], mount_path="/data")
    kubernetes.add_node_selector(trained, label_key="accelerator", label_value="gpu")
    kubernetes.add_toleration(trained, key="gpu", operator="Exists", effect="NoSchedule")
    kubernetes.DeletePVC(pvc_name=volume.outputs["name"]).after(trained)
