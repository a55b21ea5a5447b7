# The servers of kfp-k8s-manifest: the admission webhooks, or the REST API with them.
#   docker build -t kfp-k8s-webhook:VERSION .
#   docker build -t kfp-k8s-apiserver:VERSION --build-arg EXTRA=apiserver .
FROM python:3.13-slim AS build
ARG EXTRA=webhook
WORKDIR /src
COPY hatch_build.py pyproject.toml README.md LICENSE ./
COPY kfp_k8s_manifest kfp_k8s_manifest
COPY requirements requirements
RUN python -m venv /opt/kfp-k8s \
 && /opt/kfp-k8s/bin/pip install --no-cache-dir --no-compile \
      -c requirements/constraints.txt ".[${EXTRA}]"

FROM python:3.13-slim
# The user's number, not its name: so the kubelet can see that it is not root.
USER 65532:65532
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 MALLOC_ARENA_MAX=1 \
    MALLOC_MMAP_THRESHOLD_=65536
COPY --from=build /opt/kfp-k8s /opt/kfp-k8s
EXPOSE 8443 8888
ENTRYPOINT ["/opt/kfp-k8s/bin/kfp-k8s"]
CMD ["webhook", "serve"]
