"""Where a network runs: PyTorch, OpenVINO or ONNX Runtime, behind one protocol."""
