// The tables of a range of groups, built from the background, and the look-ups of explained rows.
#pragma once

#include <functional>
#include <vector>

#include "engine/aligned.hpp"
#include "engine/background.hpp"
#include "engine/parallel.hpp"
#include "engine/ranked_rows.hpp"
#include "plan/pattern_plan.hpp"

namespace leafshap {

// Groups [first, end) of a plan whose tables are in memory at the same time.
struct GroupRange {
  std::uint32_t first, end;
};

// All groups, in ranges whose tables take at most so many bytes (or hold one group).
std::vector<GroupRange> ranges_of_groups(const PatternPlan& plan, std::size_t value_bytes,
                                         std::size_t most_bytes);

// Rows of a tile of background rows that are counted.
Index rows_per_count(const PatternPlan& plan, Index n_rows);

// Rows of a tile of explained rows, so that phi stays in the L2 cache while the tables pass by, and
// every thread has its share.
Index rows_per_look_up(const PatternPlan& plan, std::size_t value_bytes, Index n_rows,
                       int n_threads);

template <typename T>
class BackgroundTables {
 public:
  // Uninitialised tables for the range's groups.
  BackgroundTables(const PatternPlan& plan, GroupRange range);

  // Counts the background's patterns and computes the tables.
  void build(const Background& background, RankedRows& ranked, int n_threads,
             Cancellation& cancellation);

  // Called for every tile of rows, from several threads: phi is (count, n_slots).
  using Write = std::function<void(Index first, Index count, const double* phi)>;
  void look_up(RankedRows& ranked, int n_threads, Cancellation& cancellation,
               const Write& write) const;

  T* data() { return tables_.data(); }
  std::size_t size() const { return tables_.size(); }
  // Mean over the background of what the range's leaves add to the prediction: (K).
  std::vector<double>& expectation() { return expectation_; }

 private:
  template <typename Count>
  void build_counted(const Background& background, RankedRows& ranked, int n_threads,
                     Cancellation& cancellation);
  void build_group(std::uint32_t index, const double* shares, double* scratch, double* expectation);

  const PatternPlan& plan_;
  GroupRange range_;
  AlignedBuffer<T> tables_;
  std::vector<double> expectation_;
};

}  // namespace leafshap
