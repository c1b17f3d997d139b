#include "engine/dispatch.hpp"

#include <atomic>
#include <cstdlib>

#include "error.hpp"
#include "simd/target.hpp"

namespace leafshap {
namespace {

struct Candidate {
  const KernelTable* table;
  bool (*supported)();
};

// __builtin_cpu_supports also checks that the operating system saves the wide registers.
const Candidate kCandidates[] = {
#ifdef LEAFSHAP_X86
    {&kAvx512Kernels,
     [] {
       return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
              __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
              __builtin_cpu_supports("fma");
     }},
    {&kAvx2Kernels, [] { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }},
#endif
    {&kBaselineKernels, [] { return true; }},
};

std::atomic<const KernelTable*> active = nullptr;

std::string list(bool supported_only) {
  std::string names;
  for (const Candidate& candidate : kCandidates) {
    if (supported_only && !candidate.supported()) continue;
    names += (names.empty() ? "" : ", ") + std::string(candidate.table->isa);
  }
  return names;
}

const KernelTable* find(const std::string& name) {
  for (const Candidate& candidate : kCandidates) {
    if (name == candidate.table->isa) {
      if (candidate.supported()) return candidate.table;
      throw InvalidInput("this CPU does not support the instruction set '" + name +
                         "', it has: " + list(true));
    }
  }
  throw InvalidInput("unknown instruction set '" + name + "', expected one of: " + list(false));
}

}  // namespace

const KernelTable& kernels() {
  const KernelTable* table = active.load();
  if (table == nullptr) {
    const char* forced = std::getenv("LEAFSHAP_ISA");
    try {
      table = find(forced != nullptr && *forced != '\0' ? forced : available_isas().front());
    } catch (const InvalidInput& error) {
      throw InvalidInput(std::string("LEAFSHAP_ISA: ") + error.what());
    }
    active.store(table);
  }
  return *table;
}

void force_isa(const std::string& name) { active.store(find(name)); }

std::vector<std::string> available_isas() {
  std::vector<std::string> names;
  for (const Candidate& candidate : kCandidates) {
    if (candidate.supported()) names.emplace_back(candidate.table->isa);
  }
  return names;
}

}  // namespace leafshap
