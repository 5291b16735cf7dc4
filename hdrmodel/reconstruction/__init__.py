"""From one LDR picture to a stack and light, at any size; the same as ONNX."""
