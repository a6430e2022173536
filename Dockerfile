# snnrl on CPU or GPU.
#
# Build:  docker build -t snnrl .
#         docker build -t snnrl:gpu --build-arg TORCH_VARIANT=gpu .
# Run:    docker run --rm -v snnrl-runs:/home/snnrl/runs snnrl env=SpaceInvaders
#         docker run --rm --gpus all -v snnrl-runs:/home/snnrl/runs snnrl:gpu env=SpaceInvaders
# Own recipes: add -v "$PWD/envs:/home/snnrl/envs:ro" (the same for agents and experiments); they come first.
# Runs in a folder of yours: build with --build-arg UID="$(id -u)", then -v "$PWD/runs:/home/snnrl/runs".
# Evaluate: docker run --rm -v snnrl-runs:/home/snnrl/runs --entrypoint snnrl-evaluate snnrl ...

FROM python:3.12-slim

ENV PIP_NO_CACHE_DIR=1 \
    PYTHONUNBUFFERED=1

# Torch first: the largest layer, and it changes least. PyPI's Linux wheels carry CUDA.
ARG TORCH_VARIANT=cpu
RUN case "$TORCH_VARIANT" in \
        cpu) pip install "torch>=2.8" --index-url https://download.pytorch.org/whl/cpu ;; \
        gpu) pip install "torch>=2.8" ;; \
        *) echo "TORCH_VARIANT is cpu or gpu, not '$TORCH_VARIANT'" >&2; exit 2 ;; \
    esac

# The dependencies before the code, so that an edit of the code does not install them again.
WORKDIR /src
COPY pyproject.toml ./
RUN python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" \
        > /tmp/requirements.txt \
    && pip install -r /tmp/requirements.txt \
    && rm /tmp/requirements.txt
COPY README.md LICENSE ./
COPY snnrl snnrl
COPY agents agents
COPY envs envs
COPY experiments experiments
RUN pip install --no-deps .

ARG UID=1000
RUN useradd --create-home --user-group --uid "$UID" snnrl \
    && mkdir -p /home/snnrl/runs \
    && chown -R snnrl:snnrl /home/snnrl
USER snnrl
WORKDIR /home/snnrl
VOLUME /home/snnrl/runs

ENTRYPOINT ["python", "-m", "snnrl.train"]
