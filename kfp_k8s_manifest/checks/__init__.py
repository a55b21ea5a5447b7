"""The rules: what the API server, its CRDs and KFP's webhooks say about an object, offline.

`api` composes them in the cluster's order; each other module holds one family. A check takes JSON
trees (`dict`, `list`, `str`, `int`, `float`, `bool`, `None`) and returns findings; it never reads,
prints or raises for what it finds.
"""
