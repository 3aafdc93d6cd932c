# One image for every role: control, trigger, watch, bundles, flower and agent.

FROM python:3.12 AS build
WORKDIR /build
RUN python -m venv /opt/slipway
ENV PATH=/opt/slipway/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
# Dependencies change less often than code, and each is checked against its hash.
COPY requirements.lock .
RUN pip install --require-hashes --requirement requirements.lock
COPY . .
RUN pip install --no-deps --no-build-isolation .

FROM python:3.12-slim
RUN groupadd --system --gid 10001 slipway \
    && useradd --system --uid 10001 --gid slipway --home-dir /var/lib/slipway --shell /usr/sbin/nologin slipway \
    && install --directory --owner slipway --group slipway /var/lib/slipway /srv/host
COPY --from=build /opt/slipway /opt/slipway
ENV PATH=/opt/slipway/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# An agent that installs below / of a real host runs there, not in this image.
USER slipway
WORKDIR /var/lib/slipway
ENTRYPOINT ["slipway"]
CMD ["--help"]
