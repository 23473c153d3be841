"""Converts an ONNX file to half with a converter of others, as its users call it.

fp16_converter.py --probe NAME       prints {"python": ..., "package": ..., "version": ..., "onnx": ...}
fp16_converter.py NAME FROM TO       writes TO

NAME is occ (onnxconverter-common) or ort-transformers (the converter in the onnxruntime package).
Both run with their own defaults. A failure is one line {"error": ...} on the standard output and
status 1. Needs a Python with onnx and the converter, nothing of torch."""
import json
import os
import sys
import warnings


def load(name):
    """The package's name and version, and the function that converts a ModelProto."""
    if name == "occ":
        import onnxconverter_common
        from onnxconverter_common import float16
        return "onnxconverter-common", onnxconverter_common.__version__, float16.convert_float_to_float16
    if name == "ort-transformers":
        import onnxruntime
        from onnxruntime.transformers import float16
        return "onnxruntime.transformers", onnxruntime.__version__, float16.convert_float_to_float16
    raise ValueError("there is no converter " + name)


def main(words):
    warnings.simplefilter("ignore")
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the packages print is no answer
    try:
        package, version, convert = load(words[-1] if words[0] == "--probe" else words[0])
        import onnx
        if words[0] == "--probe":
            told = {"python": sys.executable, "package": package, "version": version, "onnx": onnx.__version__}
        else:
            onnx.save(convert(onnx.load(words[1])), words[2])
            told = {"written": words[2]}
    except Exception as error:
        told = {"error": "%s: %s" % (type(error).__name__, error)}
    json.dump(told, answer)
    answer.close()
    return 1 if "error" in told else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
