// The only place with OpenMP: independent blocks of work over threads, with exceptions and
// cancellation carried out of the parallel region.
#pragma once

#include <atomic>
#include <exception>

#include "error.hpp"
#include "types.hpp"

#ifdef _OPENMP
#include <omp.h>
#endif

namespace leafshap {

inline int max_threads() {
#ifdef _OPENMP
  return omp_get_max_threads();
#else
  return 1;
#endif
}

// Asked between blocks, on the calling thread only, whether to stop.
struct Cancellation {
  virtual bool requested() = 0;

 protected:
  ~Cancellation() = default;
};

// What a worker asks between pieces of a long block: true once the work is no longer wanted.
class Stop {
 public:
  Stop(std::atomic<bool>& flag, Cancellation* cancellation)
      : flag_(flag), cancellation_(cancellation) {}
  bool operator()() const {
    if (cancellation_ != nullptr && cancellation_->requested()) flag_ = true;
    return flag_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<bool>& flag_;
  Cancellation* cancellation_;  // on the calling thread only
};

// Calls make_worker() once per thread and worker(block, stop) for every block in [0, n_blocks).
// Blocks write disjoint outputs, so the result does not depend on the number of threads. Throws
// the first exception of a worker, or Cancelled; a block that was stopped may be unfinished.
template <typename MakeWorker>
void parallel_blocks(Index n_blocks, int n_threads, Cancellation& cancellation,
                     MakeWorker&& make_worker) {
  std::atomic<Index> next{0};
  std::atomic<bool> stopped{false};
  std::exception_ptr error;

  const auto work = [&](bool calling_thread) {
    auto worker = make_worker();
    const Stop stop(stopped, calling_thread ? &cancellation : nullptr);
    while (!stop()) {
      const Index block = next.fetch_add(1);
      if (block >= n_blocks) return;
      worker(block, stop);
    }
  };
  const auto guarded_work = [&](bool calling_thread) {
    try {
      work(calling_thread);
    } catch (...) {
#ifdef _OPENMP
#pragma omp critical(leafshap_parallel_error)
#endif
      if (!error) error = std::current_exception();
      stopped = true;
    }
  };

#ifdef _OPENMP
  const int n_used = static_cast<int>(n_blocks < n_threads ? n_blocks : n_threads);
  if (n_used > 1) {
#pragma omp parallel num_threads(n_used)
    guarded_work(omp_get_thread_num() == 0);
  } else {
    guarded_work(true);
  }
#else
  static_cast<void>(n_threads);
  guarded_work(true);
#endif
  if (error) std::rethrow_exception(error);
  if (stopped) throw Cancelled();
}

}  // namespace leafshap
