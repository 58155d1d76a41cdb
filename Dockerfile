# An image of one application of this repository: the guestbook, or another with --build-arg APPLICATION=workload.
#
# It needs BuildKit, which Docker has on since 23; before that, DOCKER_BUILDKIT=1.

ARG RUST_IMAGE=rust:1.95-bookworm
ARG RUNTIME_IMAGE=gcr.io/distroless/cc-debian12:nonroot
# The stage, or an image, that has the application in /out.
ARG BUILT=build

FROM ${RUST_IMAGE} AS build
ARG APPLICATION=guestbook
# Features of the workspace's packages, such as callboard/redis-tls.
ARG FEATURES=""
WORKDIR /src
COPY . .
# What cargo downloads and compiles outlives a change of the sources.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/src/target,sharing=locked \
    cargo build --release --locked --package "$APPLICATION" --features "$FEATURES" \
    && install -D "target/release/$APPLICATION" /out/application \
    && install -d /out/state

FROM ${BUILT} AS built

FROM ${RUNTIME_IMAGE}
COPY --from=built /out/application /usr/local/bin/application
# A volume that is mounted there begins with this owner.
COPY --from=built --chown=65532:65532 /out/state /var/lib/callboard
USER 65532:65532
# Both ports are for the network of the container; what leaves it, `-p` says.
ENV CALLBOARD_LISTEN=0.0.0.0:3000 \
    CALLBOARD_ADMIN=127.0.0.1:3001 \
    CALLBOARD_STATE_DIR=/var/lib/callboard \
    CALLBOARD_LOG_FORMAT=json
EXPOSE 3000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["/usr/local/bin/application", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/application"]
