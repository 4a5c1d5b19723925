"""Runtimes of the network behind one protocol: own kernels, PyTorch, OpenVINO, ONNX Runtime."""

import sys

# With this package, OpenVINO would report every conversion to its makers, from other processes.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
