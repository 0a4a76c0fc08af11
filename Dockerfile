# The operator's image. Neither Nix nor a flavour's tools are in it: it runs what the package alone can do.
FROM python:3.12-slim-bookworm AS wheel
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY controller controller
COPY crds crds
COPY nix nix
RUN pip wheel --no-cache-dir --wheel-dir /wheels .

FROM python:3.12-slim-bookworm
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-index --find-links /wheels nxc-controller
USER 65532:65532
ENV PYTHONUNBUFFERED=1
ENTRYPOINT ["nxc-controller"]
