"""Order, counts, rarer functions, linear algebra, complex numbers and Fourier transforms."""
from __future__ import annotations

from . import Family

FAMILY = Family()
F = FAMILY.case
STATIC = ("pt2", "ts")

F("median", "torch.median(x)", "f[7]")
F("median/even", "torch.median(x)", "f[3,4]")
F("median/axis", "tuple(torch.median(x, 1))", "f[3,6]")
F("median/keep", "tuple(torch.median(x, 0, keepdim=True))", "f[5,3]")
F("median/nan", "torch.median(x, 0).values", "f[5]=1,nan,2,3,4")
F("kthvalue", "tuple(torch.kthvalue(x, 2, 1))", "f[3,6]")
F("kthvalue/nan", "tuple(torch.kthvalue(x, 4, 0))", "f[6]=1,nan,2,0,nan,3", forms=STATIC)
F("mode", "tuple(torch.mode(x, 1))", "i[3,9]0:4")
for how in ("linear", "lower", "higher", "nearest", "midpoint"):
    F(f"quantile/{how}", f"torch.quantile(x, 0.3, dim=1, interpolation='{how}')", "f[3,6]")
F("quantile/all", "torch.quantile(x, 0.6)", "f[3,4]")
F("quantile/several", "torch.quantile(x, torch.tensor([0.1, 0.5, 0.9]), dim=0)", "f[5,3]")
F("quantile/keep", "torch.quantile(x, torch.tensor([0.1, 0.5]), dim=1, keepdim=True)", "f[2,5]")
F("cummax", "tuple(torch.cummax(x, 1))", "f[3,6]")
F("cummax/ties", "tuple(torch.cummax(x, 0))", "i[9,2]0:3")
F("cummin", "tuple(torch.cummin(x, 0))", "f[6,2]")
F("cummax/nan", "tuple(torch.cummax(x, 0))", "f[5]=1,nan,2,3,4")
F("logcumsumexp", "torch.logcumsumexp(x, 1)", "f[3,6]-5:5")
F("aminmax", "tuple(torch.aminmax(x, dim=1))", "f[3,6]")
F("searchsorted", "torch.searchsorted(x, y)", "f[5]=-2,-1,0,1,2 f[3,4]")
F("searchsorted/rows", "torch.searchsorted(x.sort(-1).values, y, right=True)", "f[3,5] f[3,4]")
F("isin", "torch.isin(x, y)", "i[3,4]0:9 i[4]0:9")
F("histc", "torch.histc(x, bins=4, min=-1, max=1)", "f[40]")
F("histc/edges", "torch.histc(x, bins=4, min=0, max=4)", "f[8]=0,1,2,3,4,5,-1,3.5")
F("bincount", "torch.bincount(x, minlength=9)", "i[12]0:5", forms=("ts",))
F("bincount/weights", "torch.bincount(x, y)", "i[12]0:5 f[12]", forms=("ts",))
F("unique", "torch.unique(x, return_inverse=True, return_counts=True)", "i[12]0:5", forms=("ts",))
F("masked_scatter", "x.masked_scatter(x > 0, y)", "f[3,4] f[12]", forms=STATIC)
F("nansum", "torch.nansum(x, 1)", "f[2,3]=1,nan,2,3,nan,nan")
F("nanmean", "torch.nanmean(x, 0)", "f[2,2]=1,nan,2,3")
F("cumprod", "torch.cumprod(x, 1)", "f[3,4]")

for name, inputs in {"logaddexp": "f[9] f[9]", "logaddexp2": "f[9] f[9]", "xlogy": "f[4]=0,1,2,3 f[4]=0,1,2,3",
                     "heaviside": "f[4]=-1,0,2,0 f[4]", "copysign": "f[4]=-1,0,2,3 f[4]=-1,1,-2,3",
                     "ldexp": "f[4] i[4]", "float_power": "f[4]0.1:2 f[4]"}.items():
    F(name, f"torch.{name}(x, y)", inputs)
F("logaddexp/inf", "torch.logaddexp(x, y)", "f[4]=inf,-inf,1,inf f[4]=inf,-inf,-inf,-inf")
for name in "sinc signbit isposinf isneginf deg2rad rad2deg".split():
    F(name, f"torch.{name}(x)", "f[5]=0,-1,2.5,inf,-inf" if "inf" in name else "f[5]=0,-1,2.5,0.3,-0.25")
F("entr", "torch.special.entr(x)", "f[5]=0,-1,2.5,0.3,1")
F("erfc", "torch.erfc(x)", "f[5]", forms=("pt2",))
F("logspace", "x * torch.logspace(0, 2, 5)", "f[5]")
F("window", "x * torch.hann_window(5)", "f[5]", forms=STATIC)

for name, more in {"trace": "", "diag_embed": "", "triu": ", 1", "tril": ", -1", "rot90": ", 1",
                   "vander": ", 3"}.items():
    F(name, f"torch.{name}(x{more})", "f[3,4]" if name != "vander" else "f[4]", forms=STATIC)
F("diag_embed/axes", "torch.diag_embed(x, 1, 0, 2)", "f[2,3]", forms=STATIC)
F("diag", "torch.diag(x)", "f[4]", forms=STATIC)
F("diag/matrix", "torch.diag(x, 1)", "f[4,4]", forms=STATIC)
F("block_diag", "torch.block_diag(x, y)", "f[2,3] f[3,2]", forms=STATIC)
F("kron", "torch.kron(x, y)", "f[2,3] f[3,2]", forms=STATIC)
F("cross", "torch.linalg.cross(x, y)", "f[4,3] f[4,3]")
F("cartesian_prod", "torch.cartesian_prod(x, y)", "f[3] f[2]")
F("combinations", "torch.combinations(x)", "f[4]", forms=("ts",))
F("tril_indices", "x[tuple(torch.tril_indices(3, 3))]", "f[3,3]", forms=STATIC)
F("broadcast_tensors", "torch.broadcast_tensors(x, y)", "f[3,1] f[4]=1,nan,inf,2")
F("as_strided", "x.as_strided((2, 2), (1, 3), 1)", "f[3,4]", forms=("pt2",))

for p in ("None", "2", "1", "float('inf')", "0", "3", "-float('inf')"):
    F(f"norm/vector {p}", f"torch.linalg.vector_norm(x, {'2' if p == 'None' else p}, dim=1)", "f[3,4]")
F("norm/matrix", "torch.linalg.norm(x)", "f[3,4]")
F("norm/fro", "torch.linalg.norm(x, 'fro')", "f[3,4]")
F("norm/matrix one", "torch.linalg.matrix_norm(x, 1)", "f[2,3,4]")
F("norm/matrix inf", "torch.linalg.norm(x, float('inf'))", "f[3,4]")
F("norm/old", "x.norm(p=2, dim=1, keepdim=True)", "f[3,4]")
GOOD = "x @ x.mT + 2 * torch.eye(3)"
F("det", "torch.linalg.det(x)", "f[2,3,3]", forms=STATIC)
F("inv", f"torch.linalg.inv({GOOD})", "f[2,3,3]", forms=STATIC)
F("solve", f"torch.linalg.solve({GOOD}, y)", "f[2,3,3] f[2,3,2]", forms=STATIC)
F("cholesky", f"torch.linalg.cholesky({GOOD})", "f[2,3,3]", forms=STATIC)
F("qr", "tuple(torch.linalg.qr(x))", "f[2,4,3]", forms=STATIC)
F("slogdet", f"tuple(torch.linalg.slogdet({GOOD}))", "f[2,3,3]", forms=STATIC)
F("solve_triangular", "torch.linalg.solve_triangular(x.tril() + 3 * torch.eye(3), y, upper=False)",
  "f[3,3] f[3,2]", forms=STATIC)
F("matrix_power", "torch.linalg.matrix_power(x, 3)", "f[3,3]", forms=STATIC)
F("multi_dot", "torch.linalg.multi_dot([x, y, z])", "f[2,3] f[3,4] f[4,2]")
F("addr", "torch.addr(x, y, z, beta=0.5)", "f[3,4] f[3] f[4]")
F("svd", "torch.linalg.svdvals(x)", "f[3,4]", forms=("pt2",))

Z = "z = torch.view_as_complex(x)\n"
PAIR = "f[3,4,2]"
F("complex/abs", f"{Z}z.abs()", PAIR)
F("complex/abs inf", f"{Z}z.abs()", "f[3,2]=inf,inf,-inf,1,0,0", forms=("pt2",))
F("complex/angle", f"{Z}z.angle()", PAIR)
F("complex/mul", f"{Z}torch.view_as_real(z * torch.view_as_complex(y))", f"{PAIR} {PAIR}")
F("complex/div", f"{Z}torch.view_as_real(z / torch.view_as_complex(y))", f"{PAIR} {PAIR}")
F("complex/real factor", f"{Z}torch.view_as_real(z * y)", f"{PAIR} f[3,4]")
F("complex/add", f"{Z}torch.view_as_real(z + y)", f"{PAIR} f[3,4]")
F("complex/conj", f"{Z}(z * z.conj()).real", PAIR)
F("complex/parts", f"{Z}z.real + z.imag", PAIR)
F("complex/polar", "torch.view_as_real(torch.polar(x, y))", "f[3,4]0:1 f[3,4]")
F("complex/make", "torch.view_as_real(torch.complex(x, y))", "f[3,4] f[3,4]")
F("complex/exp", f"{Z}torch.view_as_real(torch.exp(z))", PAIR)
F("complex/shapes", f"{Z}torch.view_as_real(z.reshape(4, 3).t()[1:].unsqueeze(0))", PAIR, forms=STATIC)
F("complex/matmul", f"{Z}torch.view_as_real(z @ z.mT)", PAIR)
F("complex/output", f"{Z}z * 2", PAIR)
F("complex/sum", f"{Z}torch.view_as_real(z.sum(1))", PAIR)
F("complex/constant", f"{Z}torch.view_as_real(z * torch.tensor([1 + 2j, 3j, 1, -1]))", PAIR, forms=STATIC)
F("complex/number", f"{Z}torch.view_as_real(z * 1j)", PAIR)
F("complex/from real", "torch.view_as_real(x.to(torch.complex64) * 2)", "f[3]")

for name in ("fft", "ifft"):
    for norm in ("backward", "ortho", "forward"):
        F(f"fft/{name} {norm}", f"{Z}torch.view_as_real(torch.fft.{name}(z, norm='{norm}'))", PAIR)
F("fft/real", "torch.view_as_real(torch.fft.fft(x))", "f[3,5]")
F("fft/axis", "torch.view_as_real(torch.fft.fft(x, dim=0))", "f[6,2]")
F("fft/size", "torch.view_as_real(torch.fft.fft(x, n=8))", "f[3,5]", forms=STATIC)
F("fft/cut", "torch.view_as_real(torch.fft.fft(x, n=4))", "f[3,5]", forms=STATIC)
F("fft/rfft", "torch.view_as_real(torch.fft.rfft(x))", "f[3,6]")
F("fft/rfft odd", "torch.view_as_real(torch.fft.rfft(x, norm='ortho'))", "f[3,5]")
F("fft/irfft", f"{Z}torch.fft.irfft(z)", PAIR, forms=STATIC)
F("fft/irfft odd", f"{Z}torch.fft.irfft(z, n=5, norm='ortho')", PAIR, forms=STATIC)
F("fft/irfft one side", f"{Z}torch.fft.irfft(z, n=3)", PAIR, forms=STATIC)
F("fft/fft2", "torch.view_as_real(torch.fft.fft2(x))", "f[2,4,5]")
F("fft/fftn", "torch.fft.fftn(x, dim=(-2, -1)).real", "f[2,4,5]")
F("fft/rfft2", "torch.view_as_real(torch.fft.rfft2(x))", "f[2,4,6]")
F("fft/irfft2", "torch.fft.irfft2(torch.fft.rfft2(x, norm='ortho'), norm='ortho')", "f[2,4,6]", forms=STATIC)
F("fft/ifft2", "torch.view_as_real(torch.fft.ifft2(torch.fft.fft2(x)))", "f[2,4,5]")
F("stft", "torch.view_as_real(torch.stft(x, 8, window=torch.hann_window(8), return_complex=True))", "f[2,40]")
F("stft/hop", "torch.stft(x, 8, 4, 6, torch.hann_window(6), center=False, return_complex=True).abs()", "f[40]")
F("stft/normalized", "torch.stft(x, 8, normalized=True, window=torch.ones(8), return_complex=True).abs()", "f[2,40]")
F("istft", "torch.istft(torch.stft(x, 8, window=torch.hann_window(8), return_complex=True), 8, "
  "window=torch.hann_window(8))", "f[2,40]")
F("istft/length", "torch.istft(torch.stft(x, 8, 2, window=torch.hann_window(8), return_complex=True), 8, 2, "
  "window=torch.hann_window(8), length=38)", "f[2,40]", forms=STATIC)
