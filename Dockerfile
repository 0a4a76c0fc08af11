# The operator's image, with Nix, git and ssh for builds. Flavours that need a host of their own (QEMU) are not in it.
FROM python:3.12-slim-bookworm AS wheel
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY controller controller
COPY crds crds
COPY nix nix
COPY examples examples
RUN pip wheel --no-cache-dir --wheel-dir /wheels .

FROM python:3.12-slim-bookworm
RUN apt-get update && \
    apt-get install -y --no-install-recommends git nix-bin openssh-client && \
    rm -rf /var/lib/apt/lists/*
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-index --find-links /wheels nxc-controller
USER 65532:65532
ENV PYTHONUNBUFFERED=1
ENTRYPOINT ["nxc-controller"]
