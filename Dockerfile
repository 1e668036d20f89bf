# Base images are arguments so that a mirror, a pinned digest or the images made
# by .ci/base-images can take their place. The final base must have a POSIX
# shell, sleep and mv: Airbyte starts connectors through `sh -c`.
ARG GO_IMAGE=golang:1.26-alpine
ARG BASE_IMAGE=alpine:3.22

FROM ${GO_IMAGE} AS build
# Set by BuildKit only; empty means the image's own platform.
ARG TARGETOS
ARG TARGETARCH
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 GOOS="$TARGETOS" GOARCH="$TARGETARCH" \
    go build -trimpath -ldflags "-s -w" -o /rootfs/airbyte/source-okta .
# The user is written here, not by adduser, so that the last stage runs nothing
# and any base will do.
RUN mkdir -p /rootfs/etc/ssl/certs \
 && cp /etc/ssl/certs/ca-certificates.crt /rootfs/etc/ssl/certs/ \
 && printf '%s\n' \
      'root:x:0:0:root:/root:/bin/sh' \
      'airbyte:x:1000:1000:airbyte:/airbyte:/bin/sh' \
      'nobody:x:65534:65534:nobody:/:/bin/false' >/rootfs/etc/passwd \
 && printf '%s\n' 'root:x:0:' 'airbyte:x:1000:' 'nobody:x:65534:' >/rootfs/etc/group

FROM ${BASE_IMAGE}
COPY --from=build /rootfs/etc/ /etc/
COPY --from=build --chown=1000:1000 /rootfs/airbyte/ /airbyte/
# Numeric, because Kubernetes cannot prove of a name that it is not root.
USER 1000:1000
WORKDIR /airbyte
# The platform runs AIRBYTE_ENTRYPOINT and ignores ENTRYPOINT; PyAirbyte and
# `docker run` do the opposite. They must be equal.
ENV AIRBYTE_ENTRYPOINT=/airbyte/source-okta
ENTRYPOINT ["/airbyte/source-okta"]
ARG VERSION=0.1.0
LABEL io.airbyte.name=source-okta
LABEL io.airbyte.version=$VERSION
