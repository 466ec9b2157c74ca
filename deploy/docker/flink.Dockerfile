# syntax=docker/dockerfile:1
# Apache Flink with what the job of v3 needs beside it, for jobmanager, taskmanager and SQL gateway alike. Build it from the
# repository's root:
#   docker build -f deploy/docker/flink.Dockerfile -t coffee-rt-flink deploy

FROM maven:3.9-eclipse-temurin-17 AS connectors
WORKDIR /build
# The versions stand there only, for what runs locally too.
COPY local/flink/pom.xml .
# Flink's image has its gateway already.
RUN --mount=type=cache,target=/root/.m2 \
    mvn --batch-mode --strict-checksums dependency:copy-dependencies -DincludeScope=runtime -DexcludeTransitive=true \
    -DexcludeArtifactIds=flink-sql-gateway -DoutputDirectory=/build/lib

# flink.version of the pom.xml: deploy/checks holds one against the other.
FROM flink:2.1.1-java17
COPY --from=connectors /build/lib/ /opt/flink/lib/
# Health checks ask with curl. A volume that is mounted here belongs to Flink from its beginning.
RUN curl --version && install --directory --owner=9999 --group=9999 /var/lib/flink
# Flink's account, as a number: Kubernetes can tell that it is not root.
USER 9999:9999
