// Target regions: code between LEAFSHAP_TARGET_REGION(...) and LEAFSHAP_END_TARGET_REGION is
// compiled for the named instruction sets, without any compiler flag for the whole file. A flag
// such as -mavx2 would put AVX code also into weak std:: symbols that the linker may then share
// with code meant for older CPUs. Hence the rule: no #include and no std:: template in a region.
#pragma once

#define LEAFSHAP_PRAGMA(text) _Pragma(#text)

#if defined(__clang__)
#define LEAFSHAP_TARGET_REGION(isa) \
  LEAFSHAP_PRAGMA(clang attribute push(__attribute__((target(isa))), apply_to = function))
#define LEAFSHAP_END_TARGET_REGION _Pragma("clang attribute pop")
#elif defined(__GNUC__)
#define LEAFSHAP_TARGET_REGION(isa) _Pragma("GCC push_options") LEAFSHAP_PRAGMA(GCC target(isa))
#define LEAFSHAP_END_TARGET_REGION _Pragma("GCC pop_options")
#endif

#if defined(__GNUC__) || defined(__clang__)  // clang-cl defines only the latter
#define LEAFSHAP_INLINE inline __attribute__((always_inline))
#define LEAFSHAP_NOINLINE __attribute__((noinline))
#else
#define LEAFSHAP_INLINE __forceinline
#define LEAFSHAP_NOINLINE __declspec(noinline)
#endif

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define LEAFSHAP_X86 1
#endif
