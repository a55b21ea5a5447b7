"""KFP's REST API for pipelines (`/apis/v2beta1`), over a store of pipelines (extra `apiserver`).

Requests become values (`messages`, `filters`, `pages`, `packages`: pure), the `service` checks and
authorises them and asks a store, `app` and `uploads` speak HTTP. KFP's answers are the specification;
where this server differs on purpose, docs/reference/rest-differences.md says so.
"""
