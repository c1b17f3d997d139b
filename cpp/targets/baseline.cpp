// The kernels for any CPU: SSE2 on x86-64, NEON on arm64.
#include "kernels/kernels.hpp"
#include "simd/target.hpp"

#define LEAFSHAP_ISA_NAME "baseline"

namespace leafshap {
namespace baseline {
#include "simd/lanes_portable.inc"

#include "kernels/all.inc"
}  // namespace baseline

const KernelTable kBaselineKernels = baseline::kTable;

}  // namespace leafshap
