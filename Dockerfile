# One image for web, cluster and migrate. Built in two stages: uv and compilers stay out of what runs.
# renovate.json adds the digest of each release to the tag; --build-arg PYTHON=… takes another image, with its digest.
ARG PYTHON=python:3.13-slim

FROM ${PYTHON} AS build
ENV UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_PYTHON_DOWNLOADS=never \
    UV_PROJECT_ENVIRONMENT=/opt/venv
WORKDIR /app
RUN pip install --no-cache-dir uv==0.13.9
COPY pyproject.toml uv.lock .python-version ./
RUN uv sync --locked --no-default-groups
COPY . .
# Values that only let the settings load: collecting files reaches no database and keeps no secret.
RUN DJANGO_SECRET_KEY=build FIELD_ENCRYPTION_KEYS=build EVENT_HMAC_KEYS=build INDEX_KEY=build \
    DATABASE_URL=postgres://build/build /opt/venv/bin/python manage.py collectstatic --no-input --skip-checks

FROM ${PYTHON} AS run
LABEL org.opencontainers.image.title="payouts-backoffice" \
      org.opencontainers.image.licenses="MIT"
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PORT=8000
RUN groupadd --system --gid 10001 payouts \
    && useradd --system --uid 10001 --gid payouts --no-create-home --home-dir /nonexistent payouts
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
WORKDIR /app
USER 10001:10001
EXPOSE 8000
CMD ["python", "-m", "backoffice.serve", "--host", "0.0.0.0"]
