"""An application that computes with numpy: prints what it found as a line of JSON."""

import json

import numpy

VERSION = "0"

matrix = numpy.array([[2.0, 1.0], [1.0, 3.0]])
print(json.dumps({
    "version": VERSION,
    "numpy": numpy.__version__,
    # By LAPACK, by the functions of complex numbers, and by a fast Fourier transform.
    "solved": numpy.linalg.solve(matrix, [3.0, 5.0]).round(9).tolist(),
    "root": str(numpy.sqrt(numpy.complex128(-4.0)).round(9)),
    "transformed": numpy.fft.fft([1.0, 0.0, 0.0, 0.0]).real.tolist(),
}), flush=True)
