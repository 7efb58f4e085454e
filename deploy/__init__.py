"""From a trained network to files for the device, and the integer truth they must equal.

`quantized` turns float weights and activation ranges into a `QuantizedNet`; `reference` computes
it with TFLite's integer arithmetic (`fixed_point`) in numpy; `tflite` and `onnx_export` write the
files; `tflite_runtime` runs the first in the interpreter; `parity` says how far each file is from
the reference.
"""
