// The kernels for x86-64 with AVX2 and FMA.
#include "kernels/kernels.hpp"
#include "simd/target.hpp"

#ifdef LEAFSHAP_X86
#include <immintrin.h>

#define LEAFSHAP_ISA_NAME "avx2"

LEAFSHAP_TARGET_REGION("avx2,fma")
namespace leafshap {
namespace avx2 {
#include "simd/lanes_avx2.inc"

#include "kernels/all.inc"
}  // namespace avx2
}  // namespace leafshap
LEAFSHAP_END_TARGET_REGION

const leafshap::KernelTable leafshap::kAvx2Kernels = leafshap::avx2::kTable;
#endif
