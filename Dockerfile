# docker build -t brushreel .
# docker run --rm -v "$PWD:/work" brushreel stylize holiday.mp4 -s wave
FROM debian:bookworm-slim AS build
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates gcc libc6-dev python3-venv \
    && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /opt/uv && /opt/uv/bin/pip install --no-cache-dir 'uv>=0.9,<1'
# The environment first: it changes less often than the sources.
ENV UV_NO_CACHE=1 VIRTUAL_ENV=/opt/brushreel
RUN python3 -m venv --without-pip /opt/brushreel
WORKDIR /src
COPY constraints.txt pyproject.toml ./
# Which build of torch: cpu, cu130 for CUDA 13.0, auto ...; with nothing, the package index's own.
ARG TORCH_BACKEND=cpu
RUN /opt/uv/bin/uv pip install ${TORCH_BACKEND:+--torch-backend="$TORCH_BACKEND"} \
    -c constraints.txt -r pyproject.toml
COPY . .
# The commit, which `brushreel --version` shows.
ARG COMMIT
RUN printf '%s\n' "$COMMIT" > core/commit.txt \
    && /opt/uv/bin/uv pip install --no-deps .

FROM debian:bookworm-slim
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates python3 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 brushreel \
    && chmod 1777 /home/brushreel \
    && install -d -o 1000 /work
COPY --from=build /opt/brushreel /opt/brushreel
# The home of whoever --user names.
ENV HOME=/home/brushreel PATH=/opt/brushreel/bin:$PATH
USER 1000
WORKDIR /work
ENTRYPOINT ["brushreel"]
CMD ["--help"]
