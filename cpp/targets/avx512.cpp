// The kernels for x86-64 with AVX-512 (the Skylake-X set).
#include "kernels/kernels.hpp"
#include "simd/target.hpp"

#ifdef LEAFSHAP_X86
#include <immintrin.h>

#define LEAFSHAP_ISA_NAME "avx512"

// clang does not know the last word and would then drop them all; it keeps the vectors written here
#if defined(__clang__)
LEAFSHAP_TARGET_REGION("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")
#else
LEAFSHAP_TARGET_REGION("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,prefer-vector-width=512")
#endif
namespace leafshap {
namespace avx512 {
#include "simd/lanes_avx512.inc"

#include "kernels/all.inc"
}  // namespace avx512
}  // namespace leafshap
LEAFSHAP_END_TARGET_REGION

const leafshap::KernelTable leafshap::kAvx512Kernels = leafshap::avx512::kTable;
#endif
