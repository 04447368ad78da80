/* wine 8's ucrtbase.dll only has the names of the functions of complex numbers, which
   numpy calls when it is imported. This one has the functions, and hands on all others to
   that of wine. Microsoft's type of a complex number is a structure to a caller, not what
   C calls complex. For tests only. */
#include <complex.h>

struct doubles { double real, imaginary; };
struct floats { float real, imaginary; };

static double complex of_doubles(struct doubles it) {
  return __builtin_complex(it.real, it.imaginary);
}
static double complex of_floats(struct floats it) {
  return __builtin_complex((double)it.real, (double)it.imaginary);
}
static struct doubles as_doubles(double complex it) {
  struct doubles result = {creal(it), cimag(it)};
  return result;
}
static struct floats as_floats(double complex it) {
  struct floats result = {(float)creal(it), (float)cimag(it)};
  return result;
}

/* long double is double to Microsoft's compiler. */
#define TO_COMPLEX(name)                                                            \
  struct doubles ms_##name(struct doubles it) { return as_doubles(name(of_doubles(it))); } \
  struct doubles ms_##name##l(struct doubles it) { return as_doubles(name(of_doubles(it))); } \
  struct floats ms_##name##f(struct floats it) { return as_floats(name(of_floats(it))); }
#define TO_REAL(name)                                                               \
  double ms_##name(struct doubles it) { return name(of_doubles(it)); }              \
  double ms_##name##l(struct doubles it) { return name(of_doubles(it)); }           \
  float ms_##name##f(struct floats it) { return (float)name(of_floats(it)); }

TO_COMPLEX(cacos) TO_COMPLEX(cacosh) TO_COMPLEX(casin) TO_COMPLEX(casinh) TO_COMPLEX(catan)
TO_COMPLEX(catanh) TO_COMPLEX(ccos) TO_COMPLEX(ccosh) TO_COMPLEX(cexp) TO_COMPLEX(clog)
TO_COMPLEX(csin) TO_COMPLEX(csinh) TO_COMPLEX(csqrt) TO_COMPLEX(ctan) TO_COMPLEX(ctanh)
TO_REAL(cabs) TO_REAL(carg) TO_REAL(cimag) TO_REAL(creal)

struct doubles ms_cpow(struct doubles base, struct doubles power) {
  return as_doubles(cpow(of_doubles(base), of_doubles(power)));
}
struct floats ms_cpowf(struct floats base, struct floats power) {
  return as_floats(cpow(of_floats(base), of_floats(power)));
}
