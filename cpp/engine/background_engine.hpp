// Explains rows against a background: tables kept in memory, or made anew range by range where they
// would take too much of it.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "engine/background_tables.hpp"
#include "engine/interaction_output.hpp"
#include "plan/pairwise_plan.hpp"

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
  bool keeps_tables() const { return ranges_.size() <= 1; }

  // Interventional SHAP values; out is (n_rows, F, K), overwritten whole.
  void explain(const Rows& rows, T* out, int n_threads, Cancellation& cancellation);
  // Their interactions, if the options asked for them; all arrays are overwritten whole.
  void explain_interactions(const Rows& rows, const InteractionArrays<T>& out, int n_threads,
                            Cancellation& cancellation);

  // Builds the tables if they are kept and are not there yet.
  void build(int n_threads, Cancellation& cancellation);

  // Mean prediction over the background, (K).
  std::vector<double> expected_values(int n_threads, Cancellation& cancellation);

  // The kept tables, or nothing; set_tables takes them with the expected values.
  std::vector<T> tables(Cancellation& cancellation) const;
  void set_tables(const T* values, std::size_t size, const std::vector<double>& expected,
                  Cancellation& cancellation);

 private:
  using Tables = BackgroundTables<T>;

  // Calls use(tables) for every range of groups.
  template <typename Use>
  void for_ranges(int n_threads, Cancellation& cancellation, Use&& use);
  std::shared_ptr<Tables> kept(int n_threads, Cancellation& cancellation);
  std::shared_ptr<Tables> make(GroupRange range, RankedRows& background, int n_threads,
                               Cancellation& cancellation) const;
  // Calls add(row, phi) with the sums of every row and range, phi being (n_slots).
  template <typename Add>
  void look_up_all(const Rows& rows, int n_threads, Cancellation& cancellation, Add&& add);
  void add_interactions(Index row, const double* phi, const InteractionArrays<T>& out) const;
  RankedRows ranked_background() const;
  std::vector<double> pairwise_expectation(int n_threads, Cancellation& cancellation) const;
  void note_expected(const std::vector<double>& of_tables, int n_threads,
                     Cancellation& cancellation);
  const PairwisePlan<T>& pairwise(Cancellation& cancellation);

  std::shared_ptr<const TreeEnsemble> ensemble_;
  Background background_;
  PatternPlan plan_;
  std::vector<GroupRange> ranges_;
  mutable std::timed_mutex mutex_;  // guards what follows; see locked()
  std::shared_ptr<Tables> kept_;
  std::unique_ptr<PairwisePlan<T>> pairwise_;  // of the leaves that no table explains
  std::optional<std::vector<double>> expected_;
};

}  // namespace leafshap
