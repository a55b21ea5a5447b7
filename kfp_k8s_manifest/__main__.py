"""Let `python -m kfp_k8s_manifest` do what `kfp-k8s` does."""

from kfp_k8s_manifest.cli import main

main()
