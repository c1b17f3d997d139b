// Which instruction set's kernels run: the best the CPU has, or what LEAFSHAP_ISA names.
#pragma once

#include <string>
#include <vector>

#include "kernels/kernels.hpp"

namespace leafshap {

// The active kernels. The first call reads LEAFSHAP_ISA; a name that is unknown, or that this CPU
// cannot run, throws InvalidInput: never a silent fallback.
const KernelTable& kernels();

// Forces the named instruction set from now on; throws InvalidInput like kernels().
void force_isa(const std::string& name);

// Names that force_isa accepts on this machine, best first.
std::vector<std::string> available_isas();

}  // namespace leafshap
