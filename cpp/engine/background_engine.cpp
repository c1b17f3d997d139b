#include "engine/background_engine.hpp"

#include <algorithm>
#include <chrono>
#include <type_traits>

#include "engine/pair_walk.hpp"
#include "engine/pairwise_engine.hpp"
#include "error.hpp"
#include "ir/predict.hpp"

namespace leafshap {
namespace {

// Tables that are made anew for every call: small enough for the last-level cache to help.
constexpr std::size_t kStreamedBytes = std::size_t{64} << 20;

std::vector<GroupRange> choose_ranges(const PatternPlan& plan, std::size_t value_bytes,
                                      std::size_t memory_limit) {
  if (plan.table_size() * value_bytes <= memory_limit) {
    return ranges_of_groups(plan, value_bytes, memory_limit);
  }
  return ranges_of_groups(plan, value_bytes, std::min(memory_limit, kStreamedBytes));
}

void add_to(std::vector<double>& sums, const std::vector<double>& values) {
  for (std::size_t k = 0; k < sums.size(); ++k) sums[k] += values[k];
}

// Holds the mutex. Whoever waits for another thread's tables may still be interrupted.
std::unique_lock<std::timed_mutex> locked(std::timed_mutex& mutex, Cancellation& cancellation) {
  std::unique_lock lock(mutex, std::defer_lock);
  while (!lock.try_lock_for(std::chrono::milliseconds(100))) {
    if (cancellation.requested()) throw Cancelled();
  }
  return lock;
}

}  // namespace

template <typename T>
BackgroundExplainer<T>::BackgroundExplainer(std::shared_ptr<const TreeEnsemble> ensemble,
                                            Index n_trees, Background background,
                                            const BackgroundOptions& options)
    : ensemble_(std::move(ensemble)),
      background_(std::move(background)),
      plan_(ensemble_, n_trees,
            PatternOptions{options.method, background_.n_rows(), options.interactions, sizeof(T)}),
      ranges_(choose_ranges(plan_, sizeof(T), options.memory_limit)) {}

template <typename T>
RankedRows BackgroundExplainer<T>::ranked_background() const {
  return RankedRows(plan_.quantizer(), background_.rows(),
                    rows_per_count(plan_, background_.n_rows()));
}

template <typename T>
std::shared_ptr<BackgroundTables<T>> BackgroundExplainer<T>::make(
    GroupRange range, RankedRows& background, int n_threads, Cancellation& cancellation) const {
  auto tables = std::make_shared<Tables>(plan_, range);
  tables->build(background_, background, n_threads, cancellation);
  return tables;
}

// A second caller waits for the first one's tables.
template <typename T>
std::shared_ptr<BackgroundTables<T>> BackgroundExplainer<T>::kept(int n_threads,
                                                                  Cancellation& cancellation) {
  const auto lock = locked(mutex_, cancellation);
  if (!kept_ && !ranges_.empty()) {
    RankedRows background = ranked_background();
    kept_ = make(ranges_.front(), background, n_threads, cancellation);
  }
  return kept_;
}

template <typename T>
template <typename Use>
void BackgroundExplainer<T>::for_ranges(int n_threads, Cancellation& cancellation, Use&& use) {
  if (keeps_tables()) {
    if (const auto tables = kept(n_threads, cancellation)) use(*tables);
    return;
  }
  RankedRows background = ranked_background();
  std::vector<double> of_tables(plan_.constant().size(), 0.0);
  for (const GroupRange range : ranges_) {
    const auto tables = make(range, background, n_threads, cancellation);
    add_to(of_tables, tables->expectation());
    use(*tables);
  }
  note_expected(of_tables, n_threads, cancellation);
}

template <typename T>
void BackgroundExplainer<T>::note_expected(const std::vector<double>& of_tables, int n_threads,
                                           Cancellation& cancellation) {
  {
    const auto lock = locked(mutex_, cancellation);
    if (expected_) return;
  }
  std::vector<double> expected = plan_.constant();
  add_to(expected, of_tables);
  add_to(expected, pairwise_expectation(n_threads, cancellation));
  const auto lock = locked(mutex_, cancellation);
  expected_ = expected;
}

template <typename T>
const PairwisePlan<T>& BackgroundExplainer<T>::pairwise(Cancellation& cancellation) {
  const auto lock = locked(mutex_, cancellation);
  if (!pairwise_) {
    pairwise_ = std::make_unique<PairwisePlan<T>>(ensemble_, plan_.n_trees(), background_.rows(),
                                                  background_.weights(), plan_.pairwise_leaves());
  }
  return *pairwise_;
}

template <typename T>
void BackgroundExplainer<T>::build(int n_threads, Cancellation& cancellation) {
  if (keeps_tables()) kept(n_threads, cancellation);
}

template <typename T>
template <typename Add>
void BackgroundExplainer<T>::look_up_all(const Rows& rows, int n_threads,
                                         Cancellation& cancellation, Add&& add) {
  RankedRows ranked(plan_.quantizer(), rows,
                    rows_per_look_up(plan_, sizeof(T), count_rows(rows), n_threads));
  for_ranges(n_threads, cancellation, [&](const Tables& tables) {
    tables.look_up(ranked, n_threads, cancellation,
                   [&](Index first, Index count, const double* phi) {
                     for (Index i = 0; i < count; ++i) add(first + i, phi + i * plan_.n_slots());
                   });
  });
}

template <typename T>
void BackgroundExplainer<T>::explain(const Rows& rows, T* out, int n_threads,
                                     Cancellation& cancellation) {
  const Index n_features = ensemble_->n_features, n_outputs = ensemble_->n_outputs;
  const Index row_size = n_features * n_outputs, size = count_rows(rows) * row_size;
  if (size == 0) return;
  // Sums over many ranges of tables would lose digits in float.
  std::vector<double> sums;
  if (std::is_same_v<T, float> && !keeps_tables()) sums.assign(static_cast<std::size_t>(size), 0.0);
  std::fill_n(out, size, T{0});
  const auto add = [&](Index row, const double* phi, auto* target) {
    auto* values = target + row * row_size;
    for (FeatureId f = 0; f < n_features; ++f) {
      for (OutputId k = 0; k < n_outputs; ++k, ++values) {
        const double value = phi[plan_.slot_of_feature(f, k)];
        *values += static_cast<std::remove_pointer_t<decltype(values)>>(value);
      }
    }
  };
  look_up_all(rows, n_threads, cancellation, [&](Index row, const double* phi) {
    if (sums.empty()) {
      add(row, phi, out);
    } else {
      add(row, phi, sums.data());
    }
  });
  std::transform(sums.begin(), sums.end(), out, [](double sum) { return static_cast<T>(sum); });
  if (plan_.n_pairwise_leaves() == 0) return;
  explain_pairwise(pairwise(cancellation), rows, {}, out, true, n_threads, cancellation);
}

template <typename T>
void BackgroundExplainer<T>::explain_interactions(const Rows& rows, const InteractionArrays<T>& out,
                                                  int n_threads, Cancellation& cancellation) {
  const Index n_rows = count_rows(rows), n_features = ensemble_->n_features;
  const Index n_outputs = ensemble_->n_outputs, n_values = n_rows * n_features * n_outputs;
  if (n_rows == 0) return;
  if (out.dense != nullptr) {
    std::fill_n(out.dense, n_values * n_features, T{0});
  } else {
    std::fill_n(out.phi, n_values, T{0});
    std::fill_n(out.pairs, n_rows * static_cast<Index>(plan_.pairs().size()) * n_outputs, T{0});
  }
  look_up_all(rows, n_threads, cancellation,
              [&](Index row, const double* phi) { add_interactions(row, phi, out); });
  if (plan_.n_pairwise_leaves() == 0) return;
  parallel_blocks(n_rows, n_threads, cancellation, [&] {
    return [&, walk = PairWalk(plan_, background_), sums = std::vector<double>(plan_.n_slots())](
               Index row, const Stop& stop) mutable {
      std::fill(sums.begin(), sums.end(), 0.0);
      if (!walk.add(rows, row, sums.data(), stop)) return;
      add_interactions(row, sums.data(), out);
    };
  });
}

template <typename T>
void BackgroundExplainer<T>::add_interactions(Index row, const double* phi,
                                              const InteractionArrays<T>& out) const {
  const Index n_features = ensemble_->n_features, n_outputs = ensemble_->n_outputs;
  const auto& pairs = plan_.pairs();
  if (out.dense == nullptr) {
    T* values = out.phi + row * n_features * n_outputs;
    T* pair_values = out.pairs + row * static_cast<Index>(pairs.size()) * n_outputs;
    for (OutputId k = 0; k < n_outputs; ++k) {
      for (FeatureId f = 0; f < n_features; ++f) {
        values[f * n_outputs + k] += static_cast<T>(phi[plan_.slot_of_feature(f, k)]);
      }
      for (std::size_t p = 0; p < pairs.size(); ++p) {
        pair_values[p * n_outputs + k] += static_cast<T>(phi[plan_.slot_of_pair(p, k)]);
      }
    }
    return;
  }
  T* dense = out.dense + row * n_features * n_features * n_outputs;
  const auto at = [&](FeatureId i, FeatureId j, OutputId k) -> T& {
    return dense[(i * n_features + j) * n_outputs + k];
  };
  std::vector<double> main(static_cast<std::size_t>(n_features));
  for (OutputId k = 0; k < n_outputs; ++k) {
    for (FeatureId f = 0; f < n_features; ++f) main[f] = phi[plan_.slot_of_feature(f, k)];
    for (std::size_t p = 0; p < pairs.size(); ++p) {
      const auto [i, j] = pairs[p];
      const double value = phi[plan_.slot_of_pair(p, k)];
      at(i, j, k) = at(j, i, k) += static_cast<T>(value);
      main[i] -= value;
      main[j] -= value;
    }
    for (FeatureId f = 0; f < n_features; ++f) at(f, f, k) += static_cast<T>(main[f]);
  }
}

template <typename T>
std::vector<double> BackgroundExplainer<T>::pairwise_expectation(int n_threads,
                                                                 Cancellation& cancellation) const {
  std::vector<double> sum(ensemble_->n_outputs, 0.0);
  if (plan_.n_pairwise_leaves() == 0) return sum;
  const TreeEnsemble& e = *ensemble_;
  const auto leaves = plan_.pairwise_leaves().begin();
  std::vector<std::vector<double>> of_tree(static_cast<std::size_t>(plan_.n_trees()));
  parallel_blocks(plan_.n_trees(), n_threads, cancellation, [&] {
    return [&](Index tree, const Stop& stop) {
      const auto end = leaves + e.tree_offsets[tree + 1];
      if (std::find(leaves + e.tree_offsets[tree], end, true) == end) return;
      of_tree[tree].assign(e.leaf_width(), 0.0);
      constexpr Index kRowsPerStop = 4096;
      for (Index i = 0; i < background_.n_rows(); ++i) {
        if (i % kRowsPerStop == 0 && stop()) return;
        const Index leaf = std::visit(
            [&](const auto& view) { return find_leaf(e, tree, view.row(i)); }, background_.rows());
        if (!leaves[leaf]) continue;
        for (OutputId k = 0; k < e.leaf_width(); ++k) {
          of_tree[tree][k] += background_.weight(i) * e.leaf(leaf)[k];
        }
      }
    };
  });
  for (Index tree = 0; tree < plan_.n_trees(); ++tree) {
    const double weight = e.weight(tree, plan_.n_trees());
    for (std::size_t k = 0; k < of_tree[tree].size(); ++k) {
      sum[e.vector_leaves ? k : e.tree_output[tree]] += weight * of_tree[tree][k];
    }
  }
  return sum;
}

template <typename T>
std::vector<double> BackgroundExplainer<T>::expected_values(int n_threads,
                                                            Cancellation& cancellation) {
  {
    const auto lock = locked(mutex_, cancellation);
    if (expected_) return *expected_;
  }
  std::vector<double> of_tables(plan_.constant().size(), 0.0);
  for_ranges(n_threads, cancellation,
             [&](Tables& tables) { add_to(of_tables, tables.expectation()); });
  note_expected(of_tables, n_threads, cancellation);
  const auto lock = locked(mutex_, cancellation);
  return *expected_;
}

template <typename T>
std::vector<T> BackgroundExplainer<T>::tables(Cancellation& cancellation) const {
  const auto lock = locked(mutex_, cancellation);
  if (!kept_) return {};
  return {kept_->data(), kept_->data() + kept_->size()};
}

template <typename T>
void BackgroundExplainer<T>::set_tables(const T* values, std::size_t size,
                                        const std::vector<double>& expected,
                                        Cancellation& cancellation) {
  if (!keeps_tables() || ranges_.empty() || size != plan_.table_size() ||
      expected.size() != static_cast<std::size_t>(ensemble_->n_outputs)) {
    throw InvalidInput("the tables have " + std::to_string(size) +
                       " values, which does not fit the explainer");
  }
  auto tables = std::make_shared<Tables>(plan_, ranges_.front());
  std::copy_n(values, size, tables->data());
  const auto lock = locked(mutex_, cancellation);
  kept_ = std::move(tables);
  expected_ = expected;
}

template class BackgroundExplainer<float>;
template class BackgroundExplainer<double>;

}  // namespace leafshap
