# One image for every role: the command says which, `python -m workers.audit` and the like.
ARG PYTHON=python:3.11-slim-bookworm

FROM ${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /build && python -m venv --without-pip /opt/qnt9
WORKDIR /source
COPY requirements requirements
# Wheels only, each with its hash: nothing is compiled, here or later.
RUN /build/bin/pip install --require-hashes --only-binary :all: -r requirements/build.txt \
 && /build/bin/pip --python /opt/qnt9/bin/python install --require-hashes --only-binary :all: \
      -r requirements/runtime.txt
COPY . .
RUN /build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheel . \
 && /build/bin/pip --python /opt/qnt9/bin/python install --no-deps /wheel/*.whl \
 && /opt/qnt9/bin/qnt9 --help > /dev/null

FROM ${PYTHON}
COPY --from=build /opt/qnt9 /opt/qnt9
ENV PATH=/opt/qnt9/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONSAFEPATH=1 \
    PYTHONUNBUFFERED=1 \
    QNT9_HEALTH_HOST=0.0.0.0 \
    QNT9_HEALTH_PORT=8080 \
    QNT9_HTTP_HOST=0.0.0.0 \
    QNT9_HTTP_PORT=8000
WORKDIR /tmp
USER 10001:10001
EXPOSE 8000 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-m", "infra.containers.healthy", "live"]
CMD ["qnt9", "--help"]
