# syntax=docker/dockerfile:1
# Two images from one file: the Triton server with the model, and the service (the last stage, the default).

FROM nvcr.io/nvidia/tritonserver:24.10-py3 AS triton
COPY requirements/triton.txt /tmp/triton.txt
RUN pip install --no-cache-dir --requirement /tmp/triton.txt && rm /tmp/triton.txt
WORKDIR /opt/bellwether
COPY models models
COPY triton_repo triton_repo
ENV PYTHONPATH=/opt/bellwether

FROM python:3.12-slim-bookworm AS service
COPY requirements/service.lock /tmp/service.lock
RUN pip install --no-cache-dir --requirement /tmp/service.lock && rm /tmp/service.lock
WORKDIR /opt/bellwether
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY streams streams
COPY models models
COPY triton_repo triton_repo
RUN pip install --no-cache-dir --no-deps . && useradd --create-home --uid 10001 bellwether
USER bellwether
WORKDIR /home/bellwether
ENTRYPOINT ["bellwether"]
CMD ["--help"]
