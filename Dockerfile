# The emulators as a container: by default the Service Bus.
#
#   docker build --tag goldmint-emulators .
#   docker run --rm --publish 5672:5672 goldmint-emulators
#   docker run --rm --publish 8443:8443 goldmint-emulators arm --listen 0.0.0.0:8443
#
# The tags are not pinned by digest: none could be looked up when this was written. Dependabot keeps them current.
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
ARG TARGETOS TARGETARCH
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -o /out/goldmint ./cmd/goldmint

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/goldmint /goldmint
ENTRYPOINT ["/goldmint", "emulator"]
CMD ["servicebus", "--listen", "0.0.0.0:5672"]
