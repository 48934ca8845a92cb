# The service of antiphon on a store: `docker build -t antiphon .`, then see compose.yaml.
FROM python:3.12-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY src ./src
RUN python -m venv /opt/antiphon && \
  /opt/antiphon/bin/python -m pip install --no-cache-dir --constraint constraints.txt '.[serve,postgres,qdrant]'

FROM python:3.12-slim
COPY --from=build /opt/antiphon /opt/antiphon
RUN useradd --create-home --uid 10001 antiphon
USER 10001
ENV PATH=/opt/antiphon/bin:$PATH PYTHONUNBUFFERED=1
# A run's folder is mounted here; what a store holds of it may be missing.
VOLUME /run/space
EXPOSE 8765
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8765/readyz', timeout=4)"]
ENTRYPOINT ["antiphon"]
CMD ["serve", "/run/space", "--host", "0.0.0.0", "--port", "8765"]
