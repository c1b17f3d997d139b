// Explains rows against a background: tables kept in memory, or made anew range by range where they
// would take too much of it.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "engine/background_tables.hpp"

namespace leafshap {

struct BackgroundOptions {
  PatternMethod method = PatternMethod::kAuto;
  bool interactions = false;
  std::size_t memory_limit = std::size_t{1} << 30;  // bytes of tables at the same time
};

template <typename T>
class BackgroundExplainer {
 public:
  using Value = T;

  BackgroundExplainer(std::shared_ptr<const TreeEnsemble> ensemble, Index n_trees,
                      Background background, const BackgroundOptions& options);

  const PatternPlan& plan() const { return plan_; }
  const Background& background() const { return background_; }
  bool keeps_tables() const { return ranges_.size() <= 1; }

  // Interventional SHAP values; out is (n_rows, F, K), overwritten whole.
  void explain(const Rows& rows, T* out, int n_threads, Cancellation& cancellation);

  // Builds the tables if they are kept and are not there yet.
  void build(int n_threads, Cancellation& cancellation);

  // Mean prediction over the background, (K).
  std::vector<double> expected_values(int n_threads, Cancellation& cancellation);

  // The kept tables followed by their expectation, or nothing; what set_tables takes.
  std::vector<T> tables() const;
  void set_tables(const T* values, std::size_t size);

 private:
  // Calls use(tables, is_first) for the tables of every range.
  template <typename Use>
  void for_ranges(int n_threads, Cancellation& cancellation, Use&& use);
  std::vector<double> pairwise_expectation() const;

  std::shared_ptr<const TreeEnsemble> ensemble_;
  Background background_;
  PatternPlan plan_;
  std::vector<GroupRange> ranges_;
  mutable std::mutex mutex_;  // guards what follows
  std::shared_ptr<BackgroundTables<T>> kept_;
  std::optional<std::vector<double>> expected_;
};

}  // namespace leafshap
