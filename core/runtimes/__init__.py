"""Where a network runs: own kernels, PyTorch, OpenVINO or ONNX Runtime, behind one protocol."""

import sys

# OpenVINO would report every conversion to its makers, from processes of its own; without this
# package it does not.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
